"""Runs with another sampler than the authors', a cache or an early stop.

Comparisons and scaling groups are of the authors' decoder: they take steps to cost the same each, which is false where
some forwards are partial. So other decoders are kept out of them and stand in a table of their own.
"""

from dataclasses import dataclass, field

import pandas as pd

from bench.analysis.noise import JudgedStudy
from bench.analysis.runs import with_steps, without_numbers
from bench.diffusion import choices
from bench.spec.decoder_rules import OPTIONS

KIND = "decoders"  # the grid that sets them side by side, the authors' among them
FIELDS = ("sampler", "cache", *OPTIONS, "early_stop")


@dataclass(frozen=True)
class Decoders:
    """Runs of a study with other decoders, and beside them those of the grid `decoders`; empty without such runs."""

    rows: pd.DataFrame = field(default_factory=pd.DataFrame)  # with a column `decoder`, as `name_of` says it
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)  # failed, or not to be believed: no numbers

    @property
    def every(self) -> pd.DataFrame:
        """All that stands in a table."""
        return pd.concat([self.rows, self.left_out])


def name_of(run: pd.Series) -> str:
    """A run's decoder in words; empty for the authors'."""
    return choices.label({name: run[name] for name in FIELDS if name in run and pd.notna(run[name])})


def names_of(runs: pd.DataFrame) -> pd.Series:
    """The decoder of each run."""
    return pd.Series([name_of(run) for _, run in runs.iterrows()], runs.index, dtype=object)


def plain(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of the authors' decoder, and those of models without steps."""
    return runs[names_of(runs) == ""]


def decoders_of(study: JudgedStudy) -> Decoders:
    """The runs of a study with other decoders."""
    runs = with_steps(study.runs)
    runs = runs.assign(decoder=names_of(runs))
    runs = runs[(runs["decoder"] != "") | (runs["kind"] == KIND)]
    if runs.empty:
        return Decoders()
    runs = runs.sort_values(["kind", "batch_size", "gen_length"], kind="stable")
    return Decoders(runs[runs["reason"] == ""], without_numbers(runs[runs["reason"] != ""]))
