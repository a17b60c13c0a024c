"""Every number of the report, by name."""

import json
import math
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from bench.analysis import by_card, parity
from bench.analysis.comparison import Comparison
from bench.analysis.hundred_steps import Latency
from bench.analysis.likelihood import Likelihood
from bench.analysis.noise import Noise
from bench.analysis.parity import Parity
from bench.analysis.runs import estimate_of
from bench.common import stats
from bench.models import kinds
from bench.records.catalogue import INTERVAL_ENDINGS, unit_in_results
from paper.tables import latex

POCKET_CARD = Path("bench/pocket/card.json")
NO_UNIT = "1"


def entry(estimate: stats.Estimate, unit: str, runs: list[str]) -> dict:
    """A number as results.json has it: value, bounds (null where there are none), unit, ids of the runs behind it."""
    high = estimate.high if estimate.high is not None and math.isfinite(estimate.high) else None
    return {"value": estimate.value, "low": estimate.low, "high": high, "unit": unit, "runs": runs}


def name_of(run: pd.Series) -> str:
    """`llama`, `llada.STEPS` or `human`: a run within its comparison."""
    return f"{run['model']}.{run['steps']:.0f}" if kinds.has_steps(run["model"]) else run["model"]


def results(comparison: Comparison, prefix: str = "") -> dict[str, dict]:
    """Every number of a comparison: `llama.METRIC`, `llada.STEPS.METRIC`, `human.METRIC`, `break_even_steps`. What the
    cost model says of a run is `llama.predicted_METRIC`. Of several cards: `card_1.break_even_steps` and so on, in the
    order of their first rounds, and of three or more `over_cards.break_even_steps`."""
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
    runs = comparison.rows["run_id"].tolist() if comparison.has_both else []
    for name in ("break_even_steps", "energy_break_even_steps"):
        if (steps := getattr(comparison, name)) is not None:
            numbers[prefix + name] = entry(steps, "steps", runs)
    if cards := by_card.of_comparison(comparison):
        for number, on_card in enumerate(cards.steps.values(), 1):
            numbers[f"{prefix}card_{number}.break_even_steps"] = entry(on_card, "steps", runs)
        if cards.over_cards:
            numbers[f"{prefix}over_cards.break_even_steps"] = entry(cards.over_cards, "steps", runs)
    if at_parity := parity.of_comparison(comparison):
        numbers[f"{prefix}break_even_steps_at_equal_distance"] = entry(band(at_parity), "steps", runs)
    return numbers


def band(at_parity: Parity) -> stats.Estimate:
    """A break-even at equal distance from both floors; its bounds are the band up to the measured one's interval."""
    return stats.Estimate(at_parity.steps, *at_parity.band)


def noise_numbers(noises: Iterable[Noise], prefix: str) -> dict[str, dict]:
    """`MODEL.aa_ratio` and `MODEL.drift`, of the sentinel of each model."""
    numbers = {}
    for noise in noises:
        runs = list(noise.runs)
        if noise.ratio is not None:
            numbers[f"{prefix}{noise.model}.aa_ratio"] = entry(noise.ratio, NO_UNIT, runs)
        if noise.drift is not None:
            numbers[f"{prefix}{noise.model}.drift"] = entry(stats.Estimate(noise.drift), NO_UNIT, runs)
    return numbers


def hundred_steps(latencies: Iterable[Latency]) -> dict[str, dict]:
    """LLaDA's latency at 100 steps over LLaMA's at each place."""
    return {name_of_latency(latency): entry(latency.ratio, NO_UNIT, list(latency.runs)) for latency in latencies}


def name_of_latency(latency: Latency) -> str:
    """`at_100_steps.DTYPE.ENGINE.HEAD.PLACE.latency_ratio`. Of answers that are not of forced length, the place says
    how they end."""
    prompts = "" if latency.prompt_tokens is None else f".p{latency.prompt_tokens}"
    kind = f"at_100_steps.{latency.dtype}.{latency.engine}.{latency.head}"
    ends = "" if latency.stop in ("", "length") else f".{latency.stop}"
    return f"{kind}.b{latency.batch_size}.l{latency.gen_length}{prompts}{ends}.latency_ratio"


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
        steps = stats.Estimate(crossing.steps, crossing.low, crossing.high)
        numbers[f"{metric}.cross_over_steps"] = entry(steps, "steps", runs)
        numbers[f"{metric}.admissible_steps"] = entry(stats.Estimate(match.steps), "steps", runs)
        numbers[f"{metric}.latency_ratio"] = entry(match.latency_ratio, NO_UNIT, runs)
        numbers[f"{metric}.throughput_ratio"] = entry(match.throughput_ratio, NO_UNIT, runs)
        if match.text_ratio is not None:
            numbers[f"{metric}.text_ratio"] = entry(match.text_ratio, NO_UNIT, runs)
    return numbers


def of_primary(numbers: dict[str, dict], metric: str | None) -> dict[str, dict]:
    """`primary.NAME`: what the cross-over of the pair's primary metric is, so that a text can ask for it whatever the
    metric is called. metric: the declared one; None where the pair declares none."""
    names = {name: name.removeprefix(f"{metric}.") for name in numbers if name.startswith(f"{metric}.")}
    return {f"primary.{rest}": numbers[name] for name, rest in names.items() if "." not in rest}


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
