"""Bits per byte of held-out text, where `make likelihood` measured them."""

from dataclasses import dataclass

import pandas as pd

from bench.analysis.runs import estimate_of
from bench.common import stats

METRIC = "quality/bits_per_byte"


@dataclass(frozen=True)
class Likelihood:
    """A model's bits per byte of a text; an upper bound for a model that has no exact likelihood."""

    model: str
    text: str  # name of the held-out text
    bits_per_byte: stats.Estimate
    runs: tuple[str, ...]  # ids of the runs that measured it


def likelihoods(runs: pd.DataFrame) -> list[Likelihood]:
    """The likelihoods among a study's runs, by text and model."""
    if METRIC not in runs:
        return []
    scored = runs[runs[METRIC].notna()].sort_values(["text", "model"])
    return [
        Likelihood(run["model"], run["text"], estimate_of(run, METRIC), (run["run_id"],))
        for _, run in scored.iterrows()
    ]
