"""A comparison in the terminal: its table, and the verdict in words."""

import math

import pandas as pd

from bench.analysis.comparison import ENERGY, LATENCY, Comparison, Match
from bench.analysis.doubt import is_too_wide
from bench.analysis.noise import floor_of
from bench.analysis.runs import estimate_of, lead, setting_of
from bench.common import cross_over
from bench.common.stats import Estimate
from bench.data import problems, tasks
from bench.models import kinds
from bench.models.engines import SERVER
from bench.records.catalogue import columns
from bench.render import by_card, noise, parity, wording
from bench.render.doubt import break_even_words, equal_words
from bench.render.wording import interval

METRIC_NAMES = {"bertscore_f1": "BERTScore F1", "accuracy": "accuracy"}  # of declared metrics, in sentences
MEASURES = columns((  # in every table of a terminal
    "latency/latency_ms", "latency/ttft_ms", "latency/step_ms", "throughput/tokens_per_s",
    "throughput/text_bytes_per_s", "memory/allocated_gib", "memory/resident_gib",
))  # fmt: skip
COLUMNS = MEASURES | columns((
    "quality/accuracy", "quality/accuracy_one_answer", "quality/accuracy_many_answers", "quality/bertscore_f1",
    "quality/bertscore_f1_mpnet", "quality/judge_perplexity", "quality/entropy", "quality/distinct_2",
    "quality/repetition", "quality/mean_length", "quality/not_scored",
))  # fmt: skip
# The parts that accuracy is told of beside the whole, by what a comparison is about.
PART_COLUMNS = {
    "tasks": columns(f"quality/accuracy_{task}" for task in tasks.TASKS),
    "problems": columns(f"quality/accuracy_depth_{depth}" for depth in problems.DEPTHS),
}
PART_TITLES = {
    "tasks": "accuracy by task; positions depend on each other from shuffle on",
    "problems": "accuracy by depth: how many lines the working has",
}


def table(rows: pd.DataFrame, metrics: dict[str, tuple[str, int]]) -> pd.DataFrame:
    """Runs with headings, one line a run; a metric that no run has is left out.

    metrics: (heading, digits) by metric.
    """
    steps = rows["steps"] if "steps" in rows else [float("nan")] * len(rows)
    result = pd.DataFrame({"model": rows["model"], "steps": [wording.format_value(count, 0) for count in steps]})
    return wording.with_notes(wording.with_metrics(result, rows, metrics), rows)


def labels(comparison: Comparison) -> tuple[str, str]:
    """The names of the autoregressive and of the diffusion model."""
    return (
        wording.label_of_models(comparison.autoregressive, with_steps=False),
        wording.label_of_models(comparison.diffusion, with_steps=True),
    )


def time_verdict(comparison: Comparison) -> str:
    """One sentence on where time breaks even."""
    autoregressive, diffusion = labels(comparison)
    steps = comparison.break_even_steps
    latency = estimate_of(comparison.autoregressive.iloc[0], LATENCY)
    served = wording.server_words(comparison.autoregressive)
    answers = f"Time: {autoregressive} answers in {interval(latency, 0)} ms{served}"
    if steps is None:
        return f"{answers}; two step counts of {diffusion} are needed for a break-even."
    if steps.value < 1 and not is_too_wide(steps):
        return f"{answers}, less than one {diffusion} step takes."
    floor = floor_of(comparison.noise)
    return f"{answers}; {break_even_words(steps, f'{diffusion} takes as long', comparison.rounds, floor)}."


def energy_verdict(comparison: Comparison) -> str:
    """One sentence on where energy breaks even; empty where it was not measured."""
    autoregressive, diffusion = labels(comparison)
    steps = comparison.energy_break_even_steps
    if steps is None:
        return ""
    joules = estimate_of(comparison.autoregressive.iloc[0], ENERGY)
    answers = f"Energy: an answer of {autoregressive} takes {interval(joules, 0)} J"
    if steps.value < 1 and not is_too_wide(steps):
        return f"{answers}, less than one {diffusion} step takes."
    return f"{answers}; {break_even_words(steps, f'{diffusion} takes as much', comparison.rounds)}."


def steps_text(crossing: cross_over.CrossOver, most: float) -> str:
    """ "27 [24, 31]", with bounds that lie beyond the measured steps said in words."""
    high = f"{crossing.high:.0f}" if math.isfinite(crossing.high) else f"beyond {most:.0f}"
    return f"{crossing.steps:.0f} [{crossing.low:.0f}, {high}]"


def quality_verdict(comparison: Comparison, metric: str) -> str:
    """One sentence on a declared metric, whatever the outcome."""
    match = comparison.matches[metric]
    if match is None:
        return f"Quality: {METRIC_NAMES[metric]} is not measured (make score)."
    return reached_verdict(comparison, match) if match.steps is not None else missed_verdict(comparison, match)


def reached_verdict(comparison: Comparison, match: Match) -> str:
    """Where the diffusion model's quality is close enough, and what it costs there."""
    autoregressive, diffusion = labels(comparison)
    step_counts = comparison.diffusion["steps"]
    fewest = " (the fewest measured)" if match.cross_over.steps == step_counts.min() else ""
    return (
        f"Quality: {diffusion} comes within {match.margin} of {autoregressive}'s {reference_text(comparison, match)} at"
        f" {steps_text(match.cross_over, step_counts.max())} steps{fewest};"
        f" there, at {match.steps} steps, an answer takes {interval(match.latency_ratio, 2)} times"
        f" {autoregressive}'s latency at {interval(match.throughput_ratio, 2)} times its tokens/s{text_words(match)}"
        f"{faster_words(comparison, match.latency_ratio)}."
    )


def text_words(match: Match) -> str:
    """The ratio of bytes of text a second, behind that of tokens; empty where texts are not on record."""
    return f" and {interval(match.text_ratio, 2)} times its bytes of text a second" if match.text_ratio else ""


def missed_verdict(comparison: Comparison, match: Match) -> str:
    """That the diffusion model's quality was not shown to be close enough, and what its best costs."""
    autoregressive, diffusion = labels(comparison)
    column = f"quality/{match.metric}"
    best = comparison.diffusion.loc[comparison.diffusion[column].idxmax()]
    ratio = comparison.latency_ratios[best["steps"]]
    return (
        f"Quality: {diffusion} is not shown to come within {match.margin} of {autoregressive}'s"
        f" {reference_text(comparison, match)} within {comparison.diffusion['steps'].max():.0f} steps"
        f" (it does in {match.cross_over.p_reached:.0%} of the bootstrap replicates); its best is"
        f" {interval(estimate_of(best, column), 3)} at {best['steps']:.0f} steps, at"
        f" {interval(ratio, 2)} times the latency{faster_words(comparison, ratio)}."
    )


def faster_words(comparison: Comparison, latency_ratio: Estimate) -> str:
    """What stands behind a ratio of latencies that may be noise alone; empty where it is more."""
    return equal_words(latency_ratio, comparison.rounds, floor_of(comparison.noise), "which of the two is faster")


def reference_text(comparison: Comparison, match: Match) -> str:
    """ "accuracy of 0.900 [0.880, 0.920]": a declared metric of the autoregressive model."""
    reference = estimate_of(comparison.autoregressive.iloc[0], f"quality/{match.metric}")
    return f"{METRIC_NAMES[match.metric]} of {interval(reference, 3)}"


def verdict(comparison: Comparison) -> list[str]:
    """The outcome of a comparison in sentences; says what is missing where it cannot be given."""
    if not comparison.has_both:
        return [missing_verdict(comparison)]
    quality = [quality_verdict(comparison, metric) for metric in comparison.declared]
    if not comparison.margins:
        quality = ["Quality: none; the weights are random, the shapes real."]
    cards, floors = by_card.comparison_sentences(comparison), parity.comparison_sentences(comparison)
    times = [time_verdict(comparison), *cards, *floors, energy_verdict(comparison)]
    parts = [*times, *quality, *noise.sentences(comparison.noise)]
    return [part for part in parts if part]


def missing_verdict(comparison: Comparison) -> str:
    """Which model's run a comparison lacks, and how to get it."""
    autoregressive, diffusion = labels(comparison)
    lacks_diffusion = not comparison.autoregressive.empty
    engine = setting_of(lead(comparison.every), "engine", "eager")
    engines_of_diffusion = {name for kind in kinds.KINDS.values() if kind.has_steps for name in kind.engines}
    if lacks_diffusion and engine not in {*engines_of_diffusion, SERVER}:
        return f"No verdict: {diffusion} has no engine {engine}; compare engines of {autoregressive} with make engines."
    name, door = (diffusion, "sweep") if lacks_diffusion else (autoregressive, "baseline")
    left_out = comparison.left_out
    if not left_out.empty and (left_out["model"].map(kinds.has_steps) == lacks_diffusion).any():
        return f"No verdict yet: {name} is left out."
    return f"No verdict yet: {name} (make {door}) is not measured with these settings."
