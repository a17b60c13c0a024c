"""Every number of the report, by name."""

import json
import math
from pathlib import Path

import pandas as pd

from bench.analysis.comparison import Comparison
from bench.analysis.likelihood import Likelihood
from bench.analysis.noise import Noise
from bench.analysis.runs import estimate_of
from bench.common import stats
from bench.models import kinds
from bench.records.catalogue import INTERVAL_ENDINGS, unit_in_results
from paper.tables import latex

POCKET_CARD = Path("bench/pocket/card.json")
NO_UNIT = "1"


def entry(estimate: stats.Estimate, unit: str, runs: list[str]) -> dict:
    """A number as results.json has it: value, bounds (null where there are none), unit, ids of the runs behind it."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "unit": unit, "runs": runs}


def name_of(run: pd.Series) -> str:
    """`llama`, `llada.STEPS` or `human`: a run within its comparison."""
    return f"{run['model']}.{run['steps']:.0f}" if kinds.has_steps(run["model"]) else run["model"]


def results(comparison: Comparison, prefix: str = "") -> dict[str, dict]:
    """Every number of a comparison: `llama.METRIC`, `llada.STEPS.METRIC`, `human.METRIC`, `break_even_steps`. What the
    cost model says of a run is `llama.predicted_METRIC`."""
    numbers = {}
    for _, run in pd.concat([comparison.rows, comparison.human]).iterrows():
        name = prefix + name_of(run)
        for metric in sorted(column for column in run.index if "/" in column):
            estimate = estimate_of(run, metric)
            if estimate is not None and not metric.endswith(INTERVAL_ENDINGS):
                numbers[f"{name}.{latex.short(metric)}"] = entry(estimate, unit_in_results(metric), [run["run_id"]])
    for _, run in comparison.diffusion.iterrows() if comparison.has_both else ():
        runs = [run["run_id"], comparison.autoregressive.iloc[0]["run_id"]]
        ratio = comparison.latency_ratios[run["steps"]]
        numbers[f"{prefix}{name_of(run)}.latency_ratio"] = entry(ratio, NO_UNIT, runs)
    numbers |= noise_numbers(comparison.noise, prefix)
    if comparison.break_even_steps is not None:
        steps = stats.Estimate(comparison.break_even_steps)
        numbers[f"{prefix}break_even_steps"] = entry(steps, "steps", comparison.rows["run_id"].tolist())
    return numbers


def noise_numbers(noise: Noise | None, prefix: str) -> dict[str, dict]:
    """`aa_ratio` and `drift`; `eager.aa_ratio` where it stands under runs of an engine on which no sentinel ran."""
    if noise is None or noise.ratio is None:
        return {}
    prefix += f"{noise.engine}." if noise.none_ran else ""
    numbers = {f"{prefix}aa_ratio": entry(noise.ratio, NO_UNIT, list(noise.runs))}
    if noise.drift is not None:
        numbers[f"{prefix}drift"] = entry(stats.Estimate(noise.drift), NO_UNIT, list(noise.runs))
    return numbers


def cross_overs(comparison: Comparison) -> dict[str, dict]:
    """`METRIC.cross_over_steps` and what it costs there, of the declared metrics; the steps only where reached.

    An upper bound beyond the measured steps is null.
    """
    numbers = {}
    for metric, match in comparison.matches.items():
        if match is None:
            continue
        runs = comparison.rows["run_id"].tolist()
        crossing = match.cross_over
        numbers[f"{metric}.p_reached"] = entry(stats.Estimate(crossing.p_reached), NO_UNIT, runs)
        if match.steps is None:
            continue
        high = crossing.high if math.isfinite(crossing.high) else None
        numbers[f"{metric}.cross_over_steps"] = entry(stats.Estimate(crossing.steps, crossing.low, high), "steps", runs)
        numbers[f"{metric}.admissible_steps"] = entry(stats.Estimate(match.steps), "steps", runs)
        numbers[f"{metric}.latency_ratio"] = entry(match.latency_ratio, NO_UNIT, runs)
        numbers[f"{metric}.throughput_ratio"] = entry(match.throughput_ratio, NO_UNIT, runs)
    return numbers


def with_card(likelihoods: list[Likelihood], pair: str) -> list[Likelihood]:
    """The study's own likelihoods; of a study of the pocket pair without any, those of the shipped pair's card."""
    if likelihoods or pair != "pocket" or not POCKET_CARD.is_file():
        return likelihoods
    card = json.loads(POCKET_CARD.read_text())
    return [
        Likelihood(model, text, stats.Estimate(bits["value"], bits["low"], bits["high"]), ())
        for model in kinds.KINDS
        if model in card
        for text, bits in card[model]["bits_per_byte"].items()
    ]


def likelihood_numbers(likelihoods: list[Likelihood]) -> dict[str, dict]:
    """`MODEL.TEXT.bits_per_byte`."""
    return {
        f"{likelihood.model}.{likelihood.text}.bits_per_byte": entry(
            likelihood.bits_per_byte, "bits/byte", list(likelihood.runs)
        )
        for likelihood in likelihoods
    }


def digits(value: float) -> str:
    """A number in the report's text: three digits, of large ones all before the point."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
