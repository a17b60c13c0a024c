"""Decoders in the terminal: a table for each place, the best combination, and how sampler and cache go together."""

from collections.abc import Sequence

import pandas as pd

from bench.analysis import aup
from bench.analysis.aup import Area, areas_of
from bench.analysis.decoder_cost import Summary, beside_of, summary_of
from bench.analysis.decoder_gains import Interaction, interactions_of
from bench.analysis.decoder_places import Line, Place, Quality
from bench.analysis.ends import CANVAS_RATE, mean_kept
from bench.common.stats import Estimate
from bench.models import kinds
from bench.records.catalogue import columns
from bench.render import decoder_words, noise, wording
from bench.render.comparison import METRIC_NAMES
from bench.render.decoder_words import QUALITY_DIGITS
from bench.render.wording import MISSING, format_value, interval

COUNTED = columns(("compute/nfe_full", "compute/nfe_partial", "compute/rows", "compute/tokens_per_forward"))
MEASURED = columns(("latency/latency_ms", "throughput/tokens_per_s"))
AUTHORS = "the authors'"  # in place of an empty name
VANILLA = "vanilla: the authors', a step a token"
SHORT_PARTS = {"all": "all", "one_answer": "one", "many_answers": "many"}


def lines_of(place: Place) -> list[str]:
    """Everything that a terminal shows of a place under its title."""
    runs = place.every
    parts = [wording.weights_label(runs).upper(), table(place).to_string(index=False), wording.left_out_sentence(place)]
    parts += decoder_words.verdict(place)
    parts += noise.sentences(place.noise) if place.vanilla else [missing_sentence(place)]
    parts += table_lines(interaction_title(place), interaction_table(interactions_of(place)))
    parts += table_lines(aup_title(place), aup_table(areas_of(place)))
    return [part for part in parts if part]


def table_lines(title: str, shown: pd.DataFrame) -> list[str]:
    """A small table under its title; nothing where it is empty."""
    return [] if shown.empty else ["", title, shown.to_string(index=False)]


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
