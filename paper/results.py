"""Every number of the report, by name."""

import json
import math
from pathlib import Path

import pandas as pd

from bench.analysis import comparison
from bench.analysis.comparison import Comparison
from bench.analysis.noise import Noise
from bench.common import stats
from bench.records.catalogue import unit_in_results
from paper.tables import latex

POCKET_CARD = Path("bench/pocket/card.json")


def entry(estimate: stats.Estimate, unit: str, runs: list[str]) -> dict:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "unit": unit, "runs": runs}


def results(found: Comparison, prefix: str = "") -> dict[str, dict]:
    """Every number of a comparison: `llama.METRIC`, `llada.STEPS.METRIC`, `human.METRIC`, `break_even_steps`. What the
    cost model says of a run is `llama.predicted_METRIC`."""
    numbers = {}
    for _, row in pd.concat([found.rows, found.human]).iterrows():
        name = f"llada.{row['steps']:.0f}" if row["model"] == "llada" else row["model"]
        for metric in sorted(c for c in row.index if "/" in c and not c.startswith(("rounds/", "per_prompt/"))):
            estimate = comparison.estimate_of(row, metric)
            if estimate is not None and not metric.endswith(("_ci_low", "_ci_high")):
                numbers[f"{prefix}{name}.{latex.short(metric)}"] = entry(
                    estimate, unit_in_results(metric), [row["run_id"]]
                )
        if not found.llama.empty and row["model"] == "llada":
            ratio = comparison.ratio_at(found, row["steps"], "latency/latency_ms")
            runs = [row["run_id"], found.llama.iloc[0]["run_id"]]
            numbers[f"{prefix}{name}.latency_ratio"] = entry(ratio, "1", runs)
    numbers |= noise_numbers(found.noise, prefix)
    even = comparison.break_even(found)
    if even is not None:
        numbers[f"{prefix}break_even_steps"] = entry(stats.Estimate(even), "steps", found.rows["run_id"].tolist())
    return numbers


def noise_numbers(noise: Noise | None, prefix: str) -> dict[str, dict]:
    """`aa_ratio` and `drift`; `eager.aa_ratio` where it stands under runs of an engine that no sentinel ran on."""
    if noise is None or noise.ratio is None:
        return {}
    prefix += f"{noise.engine}." if noise.none_ran else ""
    numbers = {f"{prefix}aa_ratio": entry(noise.ratio, "1", list(noise.runs))}
    if noise.drift is not None:
        numbers[f"{prefix}drift"] = entry(stats.Estimate(noise.drift), "1", list(noise.runs))
    return numbers


def cross_overs(found: Comparison, margins: dict[str, float]) -> dict[str, dict]:
    """`METRIC.cross_over_steps` and what it costs there, of the declared metrics; the steps only where reached.

    An upper bound beyond the measured steps is null.
    """
    numbers, runs = {}, found.rows["run_id"].tolist() if not found.rows.empty else []
    for metric, margin in margins.items():
        match = comparison.match(found, metric, margin)
        if match is None:
            continue
        crossing = match.cross_over
        numbers[f"{metric}.p_reached"] = entry(stats.Estimate(crossing.p_reached), "1", runs)
        if match.steps is None:
            continue
        high = crossing.high if math.isfinite(crossing.high) else None
        numbers[f"{metric}.cross_over_steps"] = entry(stats.Estimate(crossing.steps, crossing.low, high), "steps", runs)
        numbers[f"{metric}.admissible_steps"] = entry(stats.Estimate(match.steps), "steps", runs)
        numbers[f"{metric}.latency_ratio"] = entry(match.latency_ratio, "1", runs)
        numbers[f"{metric}.throughput_ratio"] = entry(match.throughput_ratio, "1", runs)
    return numbers


def likelihoods(frame: pd.DataFrame) -> dict[str, dict]:
    """Bits per byte: tracked ones, else those of the shipped pair's model card."""
    metric, found = "quality/bits_per_byte", {}
    if metric in frame:
        for _, row in frame[frame[metric].notna()].iterrows():
            name = f"{row['model']}.{row['text']}.bits_per_byte"
            found[name] = entry(comparison.estimate_of(row, metric), "bits/byte", [row["run_id"]])
    if not found and frame["pair"].iloc[0] == "pocket" and POCKET_CARD.is_file():
        card = json.loads(POCKET_CARD.read_text())
        for model in ("llama", "llada"):
            for text, bits in card[model]["bits_per_byte"].items():
                estimate = stats.Estimate(bits["value"], bits["low"], bits["high"])
                found[f"{model}.{text}.bits_per_byte"] = entry(estimate, "bits/byte", [])
    return found


def digits(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
