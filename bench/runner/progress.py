"""The progress bar of a run."""

from __future__ import annotations

from tqdm import tqdm

from bench.spec.cell import Cell
from bench.spec.work import Work

ROUNDING = 1e-9  # by which the total is larger, since the sum of many parts may exceed it in its last digits


class Bar:
    """Progress over all rounds in estimated seconds: the cell that runs, its round, and the time left.

    seconds: what each (cell id, round) that is to be run is estimated to take.
    """

    def __init__(self, work: Work, seconds: dict[tuple[str, int], float]):
        self.work = work
        self.seconds = seconds
        self.done_s: dict[tuple[str, int], float] = {}
        self.bar = tqdm(
            total=sum(seconds.values()) * (1 + ROUNDING),
            bar_format="{desc} {percentage:3.0f}% |{bar:24}| {elapsed} gone, {remaining} left",
            mininterval=1,
        )

    def describe(self, cell: Cell, round_: int) -> None:
        """Show which cell runs now."""
        self.bar.set_description_str(f"round {round_}/{self.work.rounds}, cell {cell.label}".ljust(34), refresh=True)

    def advance(self, key: tuple[str, int], share: float) -> None:
        """Move to `share` (0 to 1) of the estimated seconds of a (cell id, round)."""
        done_s = self.seconds.get(key, 0.0) * share
        self.bar.update(done_s - self.done_s.get(key, 0.0))
        self.done_s[key] = done_s

    def close(self) -> None:
        """Leave the bar as it stands."""
        self.bar.close()
