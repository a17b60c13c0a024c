"""The progress bar of a run."""

from __future__ import annotations

from tqdm import tqdm

from bench.spec.cell import Cell
from bench.spec.work import Work


class Bar:
    """Progress over all rounds in estimated seconds: cells, rounds and time left."""

    def __init__(self, work: Work, todo: dict[tuple[str, int], float]):
        self.work, self.todo = work, todo
        self.seen: dict[tuple[str, int], float] = {}
        self.bar = tqdm(
            total=sum(todo.values()) * (1 + 1e-9),  # a hair more, for the rounding of many additions
            bar_format="{desc} {percentage:3.0f}% |{bar:24}| {elapsed} gone, {remaining} left",
            mininterval=1,
        )

    def describe(self, cell: Cell, round_: int) -> None:
        self.bar.set_description_str(f"round {round_}/{self.work.rounds}, cell {cell.label}".ljust(34), refresh=True)

    def advance(self, key: tuple[str, int], share: float) -> None:
        """Move to `share` (0..1) of a cell's estimated seconds."""
        whole = self.todo.get(key, 0.0)
        self.bar.update(whole * share - self.seen.get(key, 0.0))
        self.seen[key] = whole * share

    def close(self) -> None:
        self.bar.close()
