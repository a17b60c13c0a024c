"""How far a time that was extrapolated from a part of its call may be off, by calls that were made both ways.

Part over whole is measured at one place of a group, for each model. At the other places the bias may be smaller or
none, so what rests on an extrapolated time has an interval that holds both: without the correction, and with all of it.
"""

from dataclasses import dataclass, replace

from bench.common.stats import Estimate


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
