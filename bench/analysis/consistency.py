"""Numbers that cannot be true: a peak of memory that falls where the work grows.

A call with a larger batch, a longer answer or a longer prompt holds every tensor that the smaller call holds, in larger
shapes, so its peak is at least as high. Where it was measured below, one of the two numbers belongs to something else:
most likely to what ran before in the same process, such as workspaces that earlier captured steps left behind.
"""

from dataclasses import dataclass

import pandas as pd

from bench.analysis.runs import that_count, with_columns
from bench.common.units import GIB
from bench.spec.decoder_rules import OPTIONS

FLAG = "contradicted peak"  # what tables say beside a run
NAMES = ["run_id", "cell_id", "kind", "steps"]  # which run it is
AXES = ("batch_size", "gen_length", "prompt_tokens")  # where one grows alone, the peak may not fall
# What two runs must share for that. The number of steps is none of it: every step holds the same tensors. Prompts that
# are not cut to one length are told apart by their hash.
ALIKE = (
    "pair", "model", "revision", "dtype", "platform", "device", "engine", "head", "attention", "fill", "limit_gib",
    "peaks_only", "block_length", "stop", "temperature", "sampler", "remasking", "cache", "cfg_scale",
    "early_stop", *OPTIONS,
)  # fmt: skip
# By how much a peak may fall, by its metric: GiB, or a share of the higher peak where that is more. torch's allocator
# counts tensors to 512 bytes; what may differ between two shapes is the scratch memory of the kernels that were picked
# for them, some MiB. A resident set holds pages that the process took for earlier cells and has not given back: on two
# cores two runs of one shape differed by up to 8.5 %.
TOLERANCES = {
    "memory/allocated_gib": (8 * 2**20 / GIB, 0.0),
    "memory/resident_gib": (8 * 2**20 / GIB, 0.1),
}


@dataclass(frozen=True)
class Fall:
    """A run whose peak is below that of a run which asks for less of one thing and is alike in all else."""

    axis: str  # what grows
    smaller: pd.Series  # the run that asks for less
    larger: pd.Series
    metric: str

    @property
    def gib(self) -> tuple[float, float]:
        """The peaks of the run that asks for less and of the one that asks for more, in GiB."""
        return float(self.smaller[self.metric]), float(self.larger[self.metric])


def falls(runs: pd.DataFrame) -> list[Fall]:
    """Every run of a study whose peak falls where the work grows, beside the highest peak below it, in the order of
    `AXES`. Runs that stand in no table are left out."""
    runs = that_count(runs)
    metrics = [metric for metric in TOLERANCES if metric in runs]
    columns = [*NAMES, *AXES, *ALIKE, "prompt_hash"]
    runs = with_columns(runs, columns)[[*columns, *metrics]]
    runs = runs.assign(**{axis: pd.to_numeric(runs[axis]) for axis in AXES})
    runs["prompts_as_they_are"] = runs["prompt_hash"].where(runs["prompt_tokens"].isna())
    measured = {metric: runs[runs[metric].notna()] for metric in metrics}
    return [fall for metric in metrics for axis in AXES for fall in falls_along(measured[metric], axis, metric)]


def falls_along(runs: pd.DataFrame, axis: str, metric: str) -> list[Fall]:
    """The falls of one metric along one axis."""
    runs = runs[runs[axis].notna()]
    settings = [*ALIKE, "prompts_as_they_are", *(other for other in AXES if other != axis)]
    alike = pd.Series(
        list(zip(*(runs[name].map(str) for name in settings), strict=True)), runs.index
    )  # as text, so that what neither states is equal too
    result = []
    for _, group in runs.groupby(alike, sort=False):
        for _, run in group.sort_values(axis, kind="stable").iterrows():
            below = group[group[axis] < run[axis]]
            if below.empty:
                continue
            highest = below.loc[below[metric].idxmax()]
            if is_fall(highest[metric], run[metric], metric):
                result.append(Fall(axis, highest, run, metric))
    return result


def is_fall(before_gib: float, after_gib: float, metric: str) -> bool:
    """Whether a peak fell by more than may be."""
    gib, share = TOLERANCES[metric]
    return before_gib - after_gib > max(gib, share * before_gib)


def with_flags(runs: pd.DataFrame, found: list[Fall]) -> pd.DataFrame:
    """The runs with `FLAG` among the flags of both runs of each fall, since either peak may be the wrong one."""
    contradicted = {run["run_id"] for fall in found for run in (fall.smaller, fall.larger)}
    if not contradicted:
        return runs
    runs = with_columns(runs, ["flags"])
    added = [FLAG if run_id in contradicted else "" for run_id in runs["run_id"]]
    pairs = zip(runs["flags"].fillna(""), added, strict=True)
    return runs.assign(flags=[", ".join(filter(None, pair)) for pair in pairs])
