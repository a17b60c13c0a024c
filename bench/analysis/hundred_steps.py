"""The question that the study began with: does LLaDA need 100 steps to match LLaMA, and is its latency at 100 steps
higher or lower? An answer for each place that was measured."""

from dataclasses import dataclass, replace

import pandas as pd

from bench.analysis.by_round import Amounts
from bench.analysis.comparison import LATENCY, Comparison, amounts_of
from bench.analysis.lines import DEFAULTS
from bench.analysis.noise import Noise
from bench.analysis.runs import part_of, setting_of
from bench.analysis.scaling import Scaling, reference_of
from bench.common import stats

STEPS = 100
KINDS = (
    "batch",
    "length",
    "prompt",
    "corners",
)  # of scaling groups: whose places are answers of a length that is asked for


@dataclass(frozen=True)
class Latency:
    """LLaDA's latency at 100 steps over LLaMA's, at one place. prompt_tokens is None where prompts differ in length;
    stop says how answers end (bench/spec/cell.py), empty where the runs do not."""

    batch_size: int
    gen_length: int
    prompt_tokens: int | None
    dtype: str
    engine: str
    head: str
    stop: str
    ratio: stats.Estimate
    rounds: int
    noise: tuple[Noise, ...]
    runs: tuple[str, ...]  # ids
    parts: tuple[str, ...] = ()  # how much of their calls was run where times are extrapolated: "8 of 32 steps"

    @property
    def place(self) -> tuple:
        """What tells it from others: a place that several grids measured is shown once."""
        return (self.gen_length, self.batch_size, self.prompt_tokens, self.dtype, self.engine, self.head, self.stop)


def latencies(comparisons: list[Comparison], scalings: list[Scaling]) -> list[Latency]:
    """The ratio at each place, by length and batch. None for answers of fewer than 100 tokens, which a step a token
    writes in fewer steps."""
    ratios = [ratio for comparison in comparisons if (ratio := of_comparison(comparison))]
    ratios += [ratio for group in scalings if group.kind in KINDS for ratio in of_scaling(group)]
    by_place: dict[tuple, Latency] = {}
    for ratio in ratios:
        by_place.setdefault(ratio.place, ratio)
    longs = [ratio for ratio in by_place.values() if ratio.gen_length >= STEPS]
    return sorted(longs, key=lambda ratio: (*ratio.place[:2], ratio.prompt_tokens or 0, *ratio.place[3:]))


def line_of(comparison: Comparison) -> Amounts | None:
    """Latencies whose line through all step counts may be read; None with fewer than two counts, of answers that are
    checked by rule, and where the line falls."""
    measured = amounts_of(comparison, LATENCY) if len(comparison.diffusion) > 1 else None
    return None if measured is None or comparison.is_checked or measured.falls else measured


def of_comparison(comparison: Comparison) -> Latency | None:
    """From the line through a sweep's step counts, the same as its break-even is read off; None without one."""
    measured = line_of(comparison)
    if measured is None:  # of noise the break-even speaks
        return None
    ratios = measured.ratios_on_the_line(STEPS)
    if min(ratios) <= 0:  # of a steep line, which is below 0 at so few steps
        return None
    run = comparison.diffusion.iloc[0]
    return at(run, stats.typical_over_rounds(ratios), len(ratios), comparison.noise, comparison.rows)


def of_scaling(group: Scaling) -> list[Latency]:
    """From a run of some steps at each place: plain denoising has no prefill, so its time is in proportion to them."""
    result = []
    for run, steps in group.break_evens:
        if pd.notna(run["attention"]):
            continue
        per_step = stats.inverse(steps)
        ends = (per_step.value, per_step.low, per_step.high)
        ratio = stats.Estimate(*(None if end is None else STEPS * end for end in ends))
        rounds = len(group.histories.rounds([run["run_id"]], LATENCY))
        latency = at(run, ratio, rounds, group.noise, run.to_frame().T)
        parts = (part_of(run), part_of(reference_of(group, run).iloc[0]))
        result.append(replace(latency, parts=tuple(filter(None, parts))))
    return result


def at(run: pd.Series, ratio: stats.Estimate, rounds: int, noise: tuple[Noise, ...], rows: pd.DataFrame) -> Latency:
    """A ratio with the place of a run with steps."""
    prompt_tokens = pd.to_numeric(run.get("prompt_tokens"))
    return Latency(
        batch_size=int(run["batch_size"]),
        gen_length=int(run["gen_length"]),
        prompt_tokens=None if pd.isna(prompt_tokens) else int(prompt_tokens),
        dtype=run["dtype"],
        engine=setting_of(run, "engine", "eager"),
        head=setting_of(run, "head", DEFAULTS["head"]),
        stop=setting_of(run, "stop", ""),
        ratio=ratio,
        rounds=rounds,
        noise=noise,
        runs=tuple(rows["run_id"]),
    )
