"""The frontier of memory: the largest batch that fits."""

from dataclasses import dataclass

import pandas as pd

from bench.analysis.lines import Line
from bench.spec.cell import FRONTIER

RESERVED = "memory/reserved_gib"


@dataclass(frozen=True)
class Edge:
    """The largest batch that fits at a length, and the smallest that was seen not to; None where none was.

    reserved_gib: what a GPU's allocator held at the largest; far more than the peak of what was allocated where the
    freed pieces that it holds are of the wrong sizes, and then they are the wall.
    """

    line: Line
    gen_length: int
    fits: int | None
    peak_gib: float | None
    fails: int | None
    reserved_gib: float | None = None

    @property
    def is_found(self) -> bool:
        """Whether search has come to an end: nothing is left between, within a thirty-second."""
        return self.fails is not None and self.fails - (self.fits or 0) <= max(1, (self.fits or 0) // 32)


def too_large(runs: pd.DataFrame) -> pd.Series:
    """Which runs are tries of a search that ran out of memory: what a search looks for, and no failures."""
    return (runs["kind"] == FRONTIER) & (runs["outcome"] == "oom")


def edge_of(line: Line, gen_length: int, probes: pd.DataFrame, peak: str | None) -> Edge:
    """The largest batch of some probes that fits, and the smallest that does not. peak: the metric of peak memory."""
    fitting = probes[probes["outcome"] == "ok"]
    failing = probes[probes["outcome"] == "oom"]
    fails = int(failing["batch_size"].min()) if not failing.empty else None
    if fitting.empty:
        return Edge(line, gen_length, None, None, fails)
    largest = fitting.loc[fitting["batch_size"].idxmax()]
    peak_gib, reserved_gib = (
        None if pd.isna(largest.get(metric)) else float(largest[metric]) for metric in (peak, RESERVED)
    )
    return Edge(line, gen_length, int(largest["batch_size"]), peak_gib, fails, reserved_gib)
