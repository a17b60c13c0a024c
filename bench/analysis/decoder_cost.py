"""The cost model beside decoders: forwards, rows and time by the settings alone, and time by the forwards that were
counted, over what was measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.analysis.comparison import LATENCY
from bench.analysis.decoder_places import Line, Place

PRECISION = 2e-6  # MLflow has six digits of every number, so that equal counts may differ by this share


@dataclass(frozen=True)
class Counts:
    """Forwards and rows of a call; None where they are not known."""

    nfe: float | None
    rows: float | None

    @classmethod
    def of(cls, run: pd.Series, namespace: str) -> "Counts":
        """Those that were tracked of a run in a namespace of metrics."""
        return cls(*(value_of(run, f"{namespace}/{name}") for name in ("nfe", "rows")))


@dataclass(frozen=True)
class Beside:
    """A run's predictions and measurements. None where something was not measured, or does not follow from the
    settings.

    planned: forwards, rows by the settings; counted: as they were run; planned_ms: by the settings at the measured
    ceilings; counted_ms: of the forwards that were counted; ratio: measured over counted_ms.
    """

    place: Place
    line: Line
    planned: Counts
    counted: Counts
    planned_ms: float | None
    counted_ms: float | None
    measured_ms: float | None
    gflop: float | None
    gbyte: float | None

    @property
    def is_planned(self) -> bool:
        """Whether the settings tell how many forwards there are, and they were counted."""
        return self.planned.nfe is not None and self.counted.nfe is not None

    @property
    def is_equal(self) -> bool:
        """Whether every count that follows from the settings is what was counted."""
        pairs = ((self.planned.nfe, self.counted.nfe), (self.planned.rows, self.counted.rows))
        return all(abs(planned - counted) <= PRECISION * counted for planned, counted in pairs if planned and counted)

    @property
    def ratio(self) -> float | None:
        """Measured time over that of the forwards that were counted."""
        return self.measured_ms / self.counted_ms if self.measured_ms and self.counted_ms else None


@dataclass(frozen=True)
class Summary:
    """How near the model is to some runs: of how many the counts follow from the settings, of how many of these they
    are equal; of how many time is predicted, and median, least and most of measured over predicted time. worst: the run
    of which the ratio is furthest from 1, as a factor."""

    planned: int
    equal: int
    timed: int
    median: float | None
    least: float | None
    most: float | None
    worst: Beside | None


def beside_of(places: Sequence[Place]) -> list[Beside]:
    """Every run of a decoder for which the model says something."""
    rows = [beside(place, line) for place in places for line in place.lines]
    return [row for row in rows if row.is_planned or row.counted_ms is not None]


def beside(place: Place, line: Line) -> Beside:
    """What the model says of a run beside what was measured."""
    run = line.run
    return Beside(
        place, line,
        Counts.of(run, "predicted"), Counts.of(run, "compute"),
        *(value_of(run, name) for name in ("predicted/planned_ms", "predicted/latency_ms", LATENCY, "compute/gflop",
                                           "compute/gbyte")),
    )  # fmt: skip


def value_of(run: pd.Series, metric: str) -> float | None:
    """A tracked number; None where there is none."""
    value = run.get(metric)
    return None if value is None or pd.isna(value) else float(value)


def summary_of(rows: Sequence[Beside]) -> Summary:
    """How near the model is to these runs."""
    planned = [row for row in rows if row.is_planned]
    ratios = [row.ratio for row in rows if row.ratio is not None]
    return Summary(
        len(planned),
        sum(row.is_equal for row in planned),
        len(ratios),
        *((float(np.median(ratios)), min(ratios), max(ratios)) if ratios else (None, None, None)),
        max((row for row in rows if row.ratio), key=lambda row: abs(math.log(row.ratio)), default=None),
    )
