"""Predictions that were scored, and decoders, in sentences."""

from bench.analysis.decoder_gains import Best, best_of
from bench.analysis.decoder_places import PARTS, Decoders
from bench.analysis.findings import Findings
from bench.render import decoders as render
from bench.render.comparison import METRIC_NAMES
from paper.decoder_numbers import names_of_places
from paper.tables.latex import escape
from paper.values import Numbers, has, num, val

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


def decoders(found: Decoders, numbers: Numbers, parts: tuple[str, ...] = PARTS) -> str:
    """The best decoder of each place and part of the prompts; empty where none was measured. parts: of the prompts."""
    sentences = []
    for place, name in zip(found.places, names_of_places(found.places), strict=True):
        sentences += [
            best_sentence(best, f"{name}.best.{best.part}", numbers) for best in best_of(place) if best.part in parts
        ]
    return " ".join(sentences)


def best_sentence(best: Best, name: str, numbers: Numbers) -> str:
    """A place's fastest decoder within the margin, or that there is none."""
    metric = best.place.metric
    prompts = next(iter(best.fastest.qualities[best.part].prompts.split(",")), "")
    about = {"accuracy": "On tasks"}.get(metric, "On open-ended answers") + (f" with {prompts}" if prompts else "")
    judged = (
        f"{num(f'{name}.within')} of {num(f'{name}.judged')} decoders are shown to be within {best.place.margin:g} of"
    )
    if best.line is None or not has(numbers, f"{name}.speedup"):
        return f"{about} {judged} vanilla's {METRIC_NAMES[metric]}."
    return (
        f"{about} {judged} vanilla's {METRIC_NAMES[metric]}; the fastest of them,"
        f" {escape(render.line_name(best.place, best.line))}, is {val(f'{name}.speedup')} times as fast as vanilla"
        f" at a step a token, at a difference of {val(f'{name}.difference')}."
    )
