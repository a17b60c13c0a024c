"""How long LLaDA takes for a number of forwards over a canvas, from what a study measured at batch 1.

A sweep's own step count is measured; others are read off the line through its steps, as its break-even is. Of a canvas
that was run with a single step count, time is in proportion to the steps: plain denoising has no prefill.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from bench.analysis.comparison import LATENCY, Comparison, amounts_of
from bench.analysis.hundred_steps import KINDS
from bench.analysis.lines import DEFAULTS
from bench.analysis.noise import Noise
from bench.analysis.runs import estimate_of, lead, part_of, setting_of
from bench.analysis.scaling import Scaling, reference_of
from bench.common import stats


@dataclass(frozen=True)
class Timed:
    """LLaDA's latency for some forwards over a canvas, and over LLaMA's for as many tokens at the same place.

    steps_run: the step counts that it is read from. parts: how much of those calls was run ("8 of 128 steps"), where a
    part. prompt_tokens: None where prompts differ in length. stop: how answers end, empty where runs do not say it.
    """

    gen_length: int
    forwards: float
    latency_ms: stats.Estimate
    ratio: stats.Estimate
    how: Literal["measured", "interpolated", "extrapolated"]
    engine: str
    head: str
    prompt_tokens: int | None
    stop: str
    steps_run: tuple[int, ...]
    rounds: int
    noise: tuple[Noise, ...]
    runs: tuple[str, ...]
    parts: tuple[str, ...] = ()

    @property
    def rate(self) -> stats.Estimate:
        """Tokens of the canvas a second."""
        tokens = 1e3 * self.gen_length
        return scaled(stats.inverse(self.latency_ms), tokens)


def scaled(estimate: stats.Estimate, factor: float) -> stats.Estimate:
    """An estimate times a number above 0."""
    ends = (estimate.value, estimate.low, estimate.high)
    return stats.Estimate(*(None if end is None else end * factor for end in ends))


def sweep_of(comparisons: list[Comparison], gen_length: int, engine: str | None = None) -> Comparison | None:
    """The largest comparison of answers of a length at batch 1 with several step counts; of any engine, or of one."""
    for comparison in comparisons:
        first = lead(comparison.every)
        is_place = first["gen_length"] == gen_length and first["batch_size"] == 1 and comparison.about == "answers"
        is_engine = engine is None or setting_of(first, "engine", "eager") == engine
        if is_place and is_engine and comparison.has_both and len(comparison.diffusion) > 1:
            return comparison
    return None


def time_at(
    comparisons: list[Comparison], scalings: list[Scaling], gen_length: int, forwards: float, engine: str | None = None
) -> Timed | None:
    """The time of so many forwards over a canvas of so many tokens at batch 1; None where nothing was run there."""
    sweep = sweep_of(comparisons, gen_length, engine)
    timed = of_sweep(sweep, forwards) if sweep else None
    return timed or of_scalings(scalings, gen_length, forwards, engine)


def of_sweep(comparison: Comparison, forwards: float) -> Timed | None:
    """From a sweep: its own run, or the line through its steps; None where that line falls or was not measured."""
    amounts = amounts_of(comparison, LATENCY)
    if amounts is None:
        return None
    lines = [np.polyfit(amounts.steps, row, 1) for row in amounts.diffusion]
    on_lines = [float(np.polyval(line, forwards)) for line in lines]
    if min(on_lines) <= 0:
        return None
    steps = tuple(int(count) for count in amounts.steps)
    if forwards in steps:
        run = comparison.diffusion[comparison.diffusion["steps"] == forwards].iloc[0]
        latency, ratio, how = estimate_of(run, LATENCY), comparison.latency_ratios[run["steps"]], "measured"
    else:
        latency = stats.typical_over_rounds(on_lines)
        ratio = stats.typical_over_rounds(amounts.ratios_on_the_line(forwards))
        how = "interpolated" if steps[0] < forwards < steps[-1] else "extrapolated"
    first = comparison.diffusion.iloc[0]
    runs = tuple(comparison.rows["run_id"])
    return timed_of(first, forwards, latency, ratio, how, steps, len(on_lines), comparison.noise, runs)


def of_scalings(scalings: list[Scaling], gen_length: int, forwards: float, engine: str | None) -> Timed | None:
    """From the first of the scaling grids that has the canvas at batch 1."""
    groups = sorted((group for group in scalings if group.kind in KINDS), key=lambda group: KINDS.index(group.kind))
    for group in groups:
        for run, steps in group.break_evens:
            is_place = run["gen_length"] == gen_length and run["batch_size"] == 1 and pd.isna(run["attention"])
            if is_place and engine in (None, setting_of(run, "engine", "eager")):
                return of_run(group, run, steps, forwards)
    return None


def of_run(group: Scaling, run: pd.Series, steps: stats.Estimate, forwards: float) -> Timed:
    """In proportion to the steps of a run. steps: at which both models take equally long at its place."""
    reference = reference_of(group, run).iloc[0]
    parts = tuple(filter(None, (part_of(run), part_of(reference))))
    how = "measured" if run["steps"] == forwards and not parts else "extrapolated"
    latency = scaled(estimate_of(run, LATENCY), forwards / run["steps"])
    ratio = scaled(stats.inverse(steps), forwards)
    rounds = len(group.histories.rounds([run["run_id"], reference["run_id"]], LATENCY))
    runs = (run["run_id"], reference["run_id"])
    return timed_of(run, forwards, latency, ratio, how, (int(run["steps"]),), rounds, group.noise, runs, parts)


def timed_of(run: pd.Series, forwards: float, latency: stats.Estimate, ratio: stats.Estimate, how: str, *rest) -> Timed:
    """With the place of a run with steps. rest: steps_run, rounds, noise, runs, parts."""
    steps_run, rounds, noise, runs, *parts = rest
    prompt_tokens = pd.to_numeric(run.get("prompt_tokens"))
    return Timed(
        gen_length=int(run["gen_length"]),
        forwards=forwards,
        latency_ms=latency,
        ratio=ratio,
        how=how,
        engine=setting_of(run, "engine", "eager"),
        head=setting_of(run, "head", DEFAULTS["head"]),
        prompt_tokens=None if pd.isna(prompt_tokens) else int(prompt_tokens),
        stop=setting_of(run, "stop", ""),
        steps_run=steps_run,
        rounds=rounds,
        noise=noise,
        runs=runs,
        parts=parts[0] if parts else (),
    )


def steps_for_factor(comparison: Comparison, factor: float) -> stats.Estimate | None:
    """The most steps at which LLaDA is so many times as fast as LLaMA, by the line of each round."""
    amounts = amounts_of(comparison, LATENCY)
    if amounts is None:
        return None
    targets = [latency / factor for latency in amounts.autoregressive]
    return stats.break_even_over_rounds(amounts.steps, amounts.diffusion, targets)
