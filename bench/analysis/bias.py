"""How far a time that was extrapolated from a part of its call may be off, by calls that were made both ways.

Part over whole is measured at some places of a group, for each model, engine and head. A place is a batch, a length of
the answer and a length of the prompt. Which of these ratios a run takes is decided by where it stands:

- at a measured place, that place's own;
- elsewhere those of the places that enclose it: on each axis the nearest measured value on either side counts, and a
  run beyond all of them takes the nearest one. From one measured place alone every run takes that one's ratio;
- where no measured place has these values on all axes, every measured place counts.

The bias may also be smaller than what was measured, or none. So what rests on an extrapolated time has an interval that
holds both ends: without the correction, and with all of it.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bench.common.stats import Estimate

Place = tuple[float, float, float]  # batch, tokens of the answer, tokens of the prompt


@dataclass(frozen=True)
class Bias:
    """By which factors an extrapolated time may be longer than the true one: from `least` to `most`, around 1."""

    least: float = 1.0
    most: float = 1.0

    @classmethod
    def of(cls, ratios: list[Estimate]) -> "Bias":
        """The bias from measured ratios of part over whole, each with its interval where it has one."""
        ends = [end for ratio in ratios for end in (ratio.value, ratio.low, ratio.high) if end is not None]
        return cls(min([1.0, *ends]), max([1.0, *ends]))

    def over(self, other: "Bias") -> "Bias":
        """The bias of a ratio of two times, this one's over another's."""
        return Bias(self.least / other.most, self.most / other.least)

    def of_time(self, estimate: Estimate) -> Estimate:
        """An extrapolated time, its interval widened; it keeps its value. Without an interval it stays as it is."""
        if estimate.low is None:
            return estimate
        return replace(estimate, low=estimate.low / self.most, high=estimate.high / self.least)

    def of_rate(self, estimate: Estimate) -> Estimate:
        """The same for what grows as a time falls: a rate, or the steps that fit into a given time."""
        if estimate.low is None:
            return estimate
        return replace(estimate, low=estimate.low * self.least, high=estimate.high * self.most)


NONE = Bias()


def at_place(place: Place, measured: list[tuple[Place, Estimate]]) -> Bias:
    """The bias at a place, by the ratios of part over whole that were measured and where; none where none was."""
    near = places_around(place, {where for where, _ in measured}) if measured else set()
    return Bias.of([ratio for where, ratio in measured if where in near])


def places_around(place: Place, measured: set[Place]) -> set[Place]:
    """The measured places whose ratios hold at a place: itself, or those that enclose it, or all."""
    if place in measured:
        return {place}
    nearest_values = [nearest(value, values) for value, values in zip(place, zip(*measured, strict=True), strict=True)]
    corners = itertools.product(*nearest_values)
    return measured.intersection(corners) or measured


def nearest(value: float, measured: Iterable[float]) -> set[float]:
    """The nearest measured values on either side of one; a value that was measured is its own neighbour."""
    below = [other for other in measured if other <= value]
    above = [other for other in measured if other >= value]
    return {*([max(below)] if below else []), *([min(above)] if above else [])}
