"""Predictions that were scored, and decoders, in sentences."""

from bench.analysis.decoder_gains import Best, best_of
from bench.analysis.decoder_places import Decoders
from bench.analysis.findings import Findings
from bench.analysis.noise import floor_of
from bench.analysis.runs import temperature_of
from bench.render import decoder_words
from bench.render.comparison import METRIC_NAMES
from bench.render.doubt import no_interval_words
from paper.decoder_numbers import names_of_places, slug_of
from paper.decoder_selection import MOST_PLACES, fastest_unscored, main_places
from paper.tables.latex import escape
from paper.values import Numbers, direction, has, num, val

VERDICTS = ("confirmed", "refuted", "undecided")  # on a hypothesis of which something was measured


def predictions(findings: Findings, numbers: Numbers) -> str:
    """How many predicted numbers came out as predicted; empty where none was measured."""
    if not has(numbers, "predictions.measured"):
        return ""
    by_verdict: dict[str, list[str]] = {}
    for score in (*findings.scores, *findings.decoder_scores):
        by_verdict.setdefault(score.verdict, []).append(score.name)
    verdicts = [f"{word}: {', '.join(by_verdict[word])}" for word in VERDICTS if word in by_verdict]
    return (
        f"Numbers that were predicted beforehand and measured: {num('predictions.measured')}. As predicted:"
        f" {num('predictions.met')}; not as predicted: {num('predictions.not_met')}; undecided:"
        f" {num('predictions.undecided')}." + (f" Hypotheses {'; '.join(verdicts)}." if verdicts else "")
    )


def decoders(found: Decoders, numbers: Numbers) -> str:
    """The best decoder on all prompts, at the main place of each kind of quality; empty where none was measured."""
    main = {id(place) for place in main_places(found)}
    named = zip(found.places, names_of_places(found.places), strict=True)
    return " ".join(
        best_sentence(best, f"{name}.best.{best.part}", numbers)
        for place, name in named if id(place) in main for best in best_of(place) if best.part == "all"
    )  # fmt: skip


def beside(found: Decoders) -> str:
    """How fast the fastest decoder of each place is beside the autoregressive model, where answers have no score; empty
    where all have. Of many places the least and the most are said; a table has them all."""
    fastest = fastest_unscored(found)
    if not fastest:
        return ""
    names = dict(zip(map(id, found.places), names_of_places(found.places), strict=True))
    ordered = sorted(fastest, key=lambda best: best.line.rate_over_autoregressive.value)
    is_many = len(fastest) > MOST_PLACES
    shown = [ordered[0], ordered[-1]] if is_many else fastest
    lacking = [no_interval_words(best.line.rate_over_autoregressive) for best in shown]
    for_all = lacking[0] if all(lacking) and not is_many else ""  # said once where it is true of each
    parts = [
        f"{val(f'{names[id(best.place)]}.{slug_of(best.line)}.rate_over_autoregressive')}"
        f"{'' if for_all else no_interval} at {best.where}"
        f" ({escape(best.decoder)})"
        for best, no_interval in zip(shown, lacking, strict=True)
    ]
    rival = fastest[0].rival
    most = "the decoder with most tokens a second gives"
    said = f"At each place {most} these times {rival}'s{for_all}: {'; '.join(parts)}."
    if is_many:
        said = f"Over {len(fastest)} places {most} between {' and '.join(parts)} times {rival}'s tokens a second."
    return f"Where answers have no score, only speed is known, and not whether the text stays good. {said}"


def batches(found: Decoders) -> str:
    """What a batch does to the speed of decoders that go by confidence; empty where answers were made singly."""
    if all(place.first["batch_size"] == 1 for place in main_places(found)):
        return ""
    return (
        "Where answers were made in batches, a batch ends with its slowest row, so that a decoder that goes by"
        " confidence may gain less time than with single answers; tokens a forward are counted row by row."
    )


def best_sentence(best: Best, name: str, numbers: Numbers) -> str:
    """A place's fastest decoder within the margin, or that there is none, or none that is faster than vanilla."""
    metric = best.place.metric
    prompts = best.fastest.qualities[best.part].prompts
    temperature = temperature_of(best.place.first)
    about = {"accuracy": "On tasks"}.get(metric, "On open-ended answers") + (f" with {prompts}" if prompts else "")
    about += f" at temperature {temperature:g}," if temperature else ""
    judged = (
        f"{about} {num(f'{name}.within')} of {num(f'{name}.judged')} decoders are shown to be within"
        f" {best.place.margin:g} of vanilla's {METRIC_NAMES[metric]}"
    )
    if best.line is None or not has(numbers, f"{name}.speedup"):
        return f"{judged}."
    decoder = escape(decoder_words.best_name(best.line))
    speedup = val(f"{name}.speedup") + no_interval_words(best.line.speedup)
    said = direction(
        best.line.speedup, floor_of(best.place.noise),
        f"; the fastest of them, {decoder}, is {speedup} times as fast as vanilla at a step a token",
        f", and none of them is faster than vanilla at a step a token: {decoder} has {speedup} times its speed",
        f"; of these {decoder} has the highest speed, {speedup} times that of vanilla at a step a token",
    )  # fmt: skip
    return f"{judged}{said}, at a difference of {val(f'{name}.difference')}.{parallel_sentence(best, name, numbers)}"


def parallel_sentence(best: Best, name: str, numbers: Numbers) -> str:
    """Which decoder within the margin has most tokens a forward; empty where they were not counted."""
    key = f"{name}.tokens_per_forward"
    if not has(numbers, key):
        return ""
    decoder = escape(decoder_words.best_name(best.most_parallel))
    return f" Within the margin, most tokens a forward are those of {decoder}: {num(key)}."
