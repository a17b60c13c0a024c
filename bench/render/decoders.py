"""Decoders in the terminal: a table for each place, the best combination, and how sampler and cache go together."""

from collections.abc import Sequence

import pandas as pd

from bench.analysis import aup
from bench.analysis.aup import Area, areas_of
from bench.analysis.decoder_cost import Summary, beside_of, summary_of
from bench.analysis.decoder_gains import GOAL, Best, Interaction, best_of, fastest_of, interactions_of, parallelism
from bench.analysis.decoder_places import Line, Place, Quality
from bench.analysis.ends import CANVAS_RATE, mean_kept
from bench.analysis.noise import floor_of
from bench.analysis.runs import temperature_of
from bench.common.stats import Estimate
from bench.models import kinds
from bench.records.catalogue import columns
from bench.render import noise, wording
from bench.render.comparison import METRIC_NAMES
from bench.render.doubt import equal_words, no_interval_words
from bench.render.wording import MISSING, format_value, interval

COUNTED = columns(("compute/nfe_full", "compute/nfe_partial", "compute/rows", "compute/tokens_per_forward"))
MEASURED = columns(("latency/latency_ms", "throughput/tokens_per_s"))
AUTHORS = "the authors'"  # in place of an empty name
VANILLA = "vanilla: the authors', a step a token"
SHORT_PARTS = {"all": "all", "one_answer": "one", "many_answers": "many"}
QUALITY_DIGITS = 3
CURVE = "quality lost against speed won"  # what the figure is called to which a sentence points


def lines_of(place: Place) -> list[str]:
    """Everything that a terminal shows of a place under its title."""
    runs = place.every
    parts = [wording.weights_label(runs).upper(), table(place).to_string(index=False), wording.left_out_sentence(place)]
    parts += verdict(place)
    parts += noise.sentences(place.noise) if place.vanilla else [missing_sentence(place)]
    parts += table_lines(interaction_title(place), interaction_table(interactions_of(place)))
    parts += table_lines(aup_title(place), aup_table(areas_of(place)))
    return [part for part in parts if part]


def table_lines(title: str, shown: pd.DataFrame) -> list[str]:
    """A small table under its title; nothing where it is empty."""
    return [] if shown.empty else ["", title, shown.to_string(index=False)]


def place_words(place: Place) -> str:
    """ "60 tasks, 32 tokens, blocks of 16, batch 1, natural end, float32, greedy, eager engine, lean head": what the
    decoders of a place have in common."""
    run = place.first
    temperature = temperature_of(run)
    what = "tasks" if place.metric == "accuracy" else "prompts"
    prompt_tokens = pd.to_numeric(run["prompt_tokens"])
    parts = [
        wording.prompts_counted(run, what),
        f"{run['gen_length']:.0f} tokens", "" if pd.isna(prompt_tokens) else f"prompts of {prompt_tokens:.0f}",
        f"blocks of {run['block_length']:.0f}", f"batch {run['batch_size']:.0f}",
        wording.stop_words(place.every.tail(1)), run["dtype"],
        wording.temperature_words(temperature), wording.own_engine_and_head(run),
    ]  # fmt: skip
    return ", ".join(filter(None, parts))


def line_name(place: Place, line: Line) -> str:
    """How a line is called in a table: the other model's name, vanilla, or the decoder."""
    if line is place.vanilla and not line.name:
        return VANILLA
    model = line.run["model"]
    return (line.name or AUTHORS) if kinds.has_steps(model) else kinds.label_of(model)


def own_lines(place: Place) -> list[Line]:
    """The runs of a place that count: the autoregressive model's first."""
    return ([place.autoregressive] if place.autoregressive else []) + list(place.lines)


def every_line(place: Place) -> list[Line]:
    """The lines of a place's table: behind the runs that count those that are left out."""
    return own_lines(place) + [Line(run, run["decoder"]) for _, run in place.left_out.iterrows()]


def table(place: Place) -> pd.DataFrame:
    """A line a run; those that are left out come last."""
    lines = every_line(place)
    runs = pd.DataFrame([line.run for line in lines]).reset_index(drop=True)
    names = [line_name(place, line) for line in lines]
    result = pd.DataFrame({"decoder": names, "steps": [format_value(n, 0) for n in pd.to_numeric(runs["steps"])]})
    reference = wording.label_of_models(pd.DataFrame([place.autoregressive.run]), False) if place.autoregressive else ""
    columns_of_lines = {
        "x vanilla": [estimate_text(line.speedup, 2) for line in lines],
        f"x {reference}": [estimate_text(line.speed_over_autoregressive, 2) for line in lines],
        **quality_columns(place, lines),
    }
    for heading, values in columns_of_lines.items():
        if set(values) != {MISSING}:
            result[heading] = values
    result = wording.with_metrics(result, runs, COUNTED)
    if CANVAS_RATE in runs and runs[CANVAS_RATE].notna().any():
        result["kept"] = [format_value(mean_kept(run), 1) for _, run in runs.iterrows()]
    return wording.with_notes(wording.with_metrics(result, runs, MEASURED), runs)


def quality_columns(place: Place, lines: Sequence[Line]) -> dict[str, list[str]]:
    """Quality of all prompts, the difference to vanilla's by part, and the parts that are within the margin."""
    if not place.metric:
        return {}
    result = {METRIC_NAMES[place.metric]: [value_text(line.qualities.get("all")) for line in lines]}
    for part in place.parts:
        heading = "less vanilla's" if part == "all" else part.replace("_", " ")
        differences = [line.qualities.get(part) for line in lines]
        result[heading] = [estimate_text(quality and quality.difference, QUALITY_DIGITS) for quality in differences]
    result[f"within {place.margin:g}"] = [within_text(place, line) for line in lines]
    return result


def within_text(place: Place, line: Line) -> str:
    """The parts of the prompts on which a decoder is shown to be within the margin; of one part yes or no."""
    if not line.qualities or line is place.vanilla:
        return MISSING
    names = [SHORT_PARTS[part] for part, quality in line.qualities.items() if quality.is_within]
    if len(place.parts) == 1:
        return "yes" if names else "no"
    return " ".join(names) or "none"


def value_text(quality: Quality | None) -> str:
    return MISSING if quality is None else f"{quality.value:.{QUALITY_DIGITS}f}"


def estimate_text(estimate: Estimate | None, digits: int) -> str:
    """A value with its interval, a dash where there is none."""
    return MISSING if estimate is None else interval(estimate, digits)


def missing_sentence(place: Place) -> str:
    """That there is nothing to compare with."""
    return (
        "No speedup over vanilla: it is not measured here (sampler fixed, cache none,"
        f" {place.first['gen_length']:.0f} steps with the other settings)."
    )


def best_sentence(best: Best) -> str:
    """The best combination within the margin on a part of the prompts, whatever the outcome."""
    margin = f"within {best.place.margin:g} of vanilla's {METRIC_NAMES[best.place.metric]}"
    where = prompts_words(best)
    if best.line is None:
        return (
            f"Best decoder{where}: none of {best.candidates} is shown to stay {margin}; {fastest_words(best)}"
            f" ({curve_words()})."
        )
    speedup = best.line.speedup
    doubt = equal_words(speedup, best.line.rounds, floor_of(best.place.noise), "whether it is faster")
    less = interval(best.quality.difference, QUALITY_DIGITS)
    goal = "" if best.reaches_goal else goal_words(best)
    which = "only one" if best.within == 1 else f"fastest of {best.within} that are,"
    return (
        f"Best decoder{where}: {best_name(best.line)} is {interval(speedup, 2)} times as fast as vanilla at a step a"
        f" token{no_interval_words(speedup)}{doubt}, {margin} ({less}); it is the {which} of {best.candidates}"
        f" judged{goal}.{parallel_words(best)}"
    )


def fastest_sentence(place: Place, line: Line) -> str:
    """How fast the fastest decoder without a score is beside the autoregressive model."""
    ratio = line.rate_over_autoregressive
    doubt = equal_words(ratio, line.rounds_beside, floor_of(place.noise), "which of the two is faster")
    rival = kinds.label_of(place.autoregressive.run["model"])
    part = f", {words}" if (words := wording.part_words(line.run)) else ""
    times = f"{interval(ratio, 2)} times {rival}'s tokens/s{no_interval_words(ratio)}{part}{doubt}"
    return (
        f"Fastest: {best_name(line)} gives {times}. Quality: not measured, so whether the text stays good is not known."
    )


def parallel_words(best: Best) -> str:
    """Which decoder within the margin has most tokens a forward; empty where they were not counted."""
    line = best.most_parallel
    if line is None:
        return ""
    return f" Most tokens a forward within the margin: {best_name(line)}, {parallelism(line):.2f}."


def verdict(place: Place) -> list[str]:
    """The best combination on each part of a place's prompts, or the fastest where none was scored."""
    fastest = fastest_of(place)
    return [*map(best_sentence, best_of(place)), *([fastest_sentence(place, fastest)] if fastest else [])]


def best_sentences(places: Sequence[Place]) -> list[str]:
    """The verdict of every place, each under what its decoders share."""
    result = []
    for place in places:
        if sentences := verdict(place):
            result += [f"Decoders, {place_words(place)}:", *(f"  {sentence}" for sentence in sentences)]
    return result


def best_name(line: Line) -> str:
    """A decoder in a sentence; one that keeps the authors' schedule with fewer steps says how many."""
    run = line.run
    if not line.name:
        return f"the authors' schedule in {run['steps']:.0f} steps"
    is_scheduled = pd.isna(run.get("sampler")) or run["sampler"] == "fixed"
    is_shorter = is_scheduled and run["steps"] < run["gen_length"]
    return f"{line.name} in {run['steps']:.0f} steps" if is_shorter else line.name


def goal_words(best: Best) -> str:
    """That the best is below what was asked for, and where to look."""
    return f". That is below {GOAL:g} times: {fastest_words(best)} ({curve_words()})"


def fastest_words(best: Best) -> str:
    """What the fastest decoder of all wins and loses."""
    line = best.fastest
    lost = interval(line.qualities[best.part].difference, QUALITY_DIGITS)
    return f"the fastest of all, {best_name(line)}, is {interval(line.speedup, 2)} times as fast, at {lost}"


def curve_words() -> str:
    """Where the whole curve is drawn."""
    return f"the report's figure of {CURVE} has the curve"


def prompts_words(best: Best) -> str:
    """ " on tasks with many right answers": on which prompts; empty for open-ended ones."""
    if best.place.metric != "accuracy":
        return ""
    quality = best.fastest.qualities[best.part]
    return f" on tasks with {quality.prompts}" if quality.prompts else " on all tasks"


def interaction_title(place: Place) -> str:
    return (
        "sampler x cache: the speedup of both over the product of the speedups that each has alone (1: they multiply;"
        " below 1: one takes away what the other could save)"
    )


def interaction_table(interactions: Sequence[Interaction]) -> pd.DataFrame:
    """A line a sampler, a column a cache."""
    caches = list(dict.fromkeys(found.cache for found in interactions))
    by_place = {(found.sampler, found.cache): found.ratio for found in interactions}
    rows = []
    for sampler in dict.fromkeys(found.sampler for found in interactions):
        texts = {cache: estimate_text(by_place.get((sampler, cache)), 2) for cache in caches}
        rows.append({"sampler": sampler} | texts)
    return pd.DataFrame(rows)


def aup_title(place: Place) -> str:
    return (
        "AUP: area under accuracy (%) over tokens a forward, as d3LLM has it, but y_max is vanilla's accuracy here and"
        f" stays whoever else is measured; points more than {aup.MOST_LOST:g} below a curve's first are left out"
    )


def aup_table(areas: Sequence[Area]) -> pd.DataFrame:
    """A line a curve, a column for each part of the prompts."""
    by_place = {(area.curve, area.part): area for area in areas}
    parts = list(dict.fromkeys(area.part for area in areas))
    rows = []
    for curve in dict.fromkeys(area.curve for area in areas):
        own = [by_place.get((curve, part)) for part in parts]
        values = {SHORT_PARTS[p]: MISSING if a is None else f"{a.value:.1f}" for p, a in zip(parts, own, strict=True)}
        counts = [MISSING if a is None else f"{len(a.points) - a.left_out} of {len(a.points)}" for a in own]
        rows.append({"curve": curve} | values | {"points that count (all)": counts[0]})
    return pd.DataFrame(rows)


def cost_sentence(places: Sequence[Place]) -> str:
    """How near the cost model is to the decoders of some places; empty where it says nothing."""
    summary = summary_of(beside_of(places))
    return " ".join(filter(None, [counts_words(summary), time_words(summary)]))


def counts_words(summary: Summary) -> str:
    """Whether the counts that follow from the settings are those that were counted."""
    if not summary.planned:
        return ""
    return (
        f"Cost model: of {summary.planned} runs whose steps are known beforehand, forwards and rows are exactly those"
        f" that were counted in {summary.equal}."
    )


def time_words(summary: Summary) -> str:
    """Measured over predicted time, from the forwards that were counted."""
    if summary.median is None:
        return ""
    return (
        f"Measured over predicted time, from the forwards that were counted: median {summary.median:.2f}"
        f" ({summary.least:.2f} to {summary.most:.2f}, {summary.timed} runs); furthest from 1:"
        f" {summary.worst.ratio:.2f}, of {line_name(summary.worst.place, summary.worst.line)}."
    )
