"""The frontiers of two studies side by side: the largest batch that fits, line by line and length by length.

A cell of grid `frontier` is one try of a search, so it is no cell to be compared: two searches try other batches, and
out of memory is a result of either. What is compared is where they end.
"""

from dataclasses import dataclass, replace

import pandas as pd

from bench.analysis import matching
from bench.analysis.edges import Edge, edge_of
from bench.analysis.lines import lines_of_runs
from bench.analysis.noise import JudgedStudy
from bench.analysis.scaling import scalings
from bench.spec.cell import FRONTIER

OF_TRY = ("batch_size", "prompts", "prompt_hash")  # in which the tries of a search differ: a prompt for each row
OF_SEARCH = (*(name for name in matching.SETTINGS if name not in OF_TRY), "revision", "on")  # which its tries share


@dataclass(frozen=True)
class TwoEdges:
    """Where the search of a line at a length ended in each of two studies; None where a study did not search there.

    search: its settings, those of a try aside. differences: what the two do not share all the same, in words.
    """

    search: pd.Series
    before: Edge | None
    after: Edge | None
    differences: tuple[str, ...] = ()

    @property
    def edge(self) -> Edge:
        """The edge of the first study that has one; it tells line and length."""
        return self.before or self.after

    @property
    def limit_gib(self) -> float | None:
        """The memory that the tries were allowed, in GiB; None where it was all that the device has."""
        limit_gib = self.search["limit_gib"]
        return None if pd.isna(limit_gib) else float(limit_gib)

    @property
    def is_in_both(self) -> bool:
        """Whether both studies searched here."""
        return self.before is not None and self.after is not None

    @property
    def ratio(self) -> float | None:
        """The largest batch of the second study over that of the first; None where a search is missing or not at its
        end, or where not even one row fits."""
        if not (self.is_in_both and self.before.is_found and self.after.is_found):
            return None
        return self.after.fits / self.before.fits if self.before.fits and self.after.fits else None


def compare(before: JudgedStudy, after: JudgedStudy) -> list[TwoEdges]:
    """The edges of both studies, those that both searched first; none where neither has a frontier. Searches belong
    together as cells do: by their settings, the limit of memory among them."""
    tries = pd.concat(
        [tries_of(study).assign(side=side) for side, study in enumerate((before, after))], ignore_index=True
    )
    if tries.empty:
        return []
    tries["line"] = pd.Series(lines_of_runs(tries), index=tries.index, dtype=object)  # named alike in both studies
    found = matching.match(*(searches_of(tries[tries["side"] == side]) for side in (0, 1)))
    shared = [
        TwoEdges(match.before, match.before["edge"], match.after["edge"], match.differences) for match in found.matches
    ]
    only_before = [TwoEdges(search, search["edge"], None) for _, search in found.only_before.iterrows()]
    only_after = [TwoEdges(search, None, search["edge"]) for _, search in found.only_after.iterrows()]
    return [*shared, *only_before, *only_after]


def tries_of(study: JudgedStudy) -> pd.DataFrame:
    """The tries of a study's frontiers, with the metric of peak memory of their machine in `peak`."""
    runs = study.runs[study.runs["kind"] == FRONTIER]
    groups = scalings(replace(study, runs=runs)) if not runs.empty else []
    return pd.concat([group.every.assign(peak=group.peak) for group in groups]) if groups else runs


def searches_of(tries: pd.DataFrame) -> pd.DataFrame:
    """The searches that some tries belong to, a row each: what its tries share, and its `edge`."""
    rows = []
    for own_tries in matching.grouped(tries, OF_SEARCH).values():
        first = own_tries[0]
        own = tries.loc[[attempt.name for attempt in own_tries]]
        edge = edge_of(first["line"], int(first["gen_length"]), own, first["peak"])
        rows.append(first.to_dict() | {"edge": edge})
    return pd.DataFrame(rows, columns=[name for name in (*tries.columns, "edge") if name not in OF_TRY])
