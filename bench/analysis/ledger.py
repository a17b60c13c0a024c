"""The ledger: each published claim beside what a study measured of it. Blank where nothing was run.

What stands beside a claim is stated in paper/published.yaml: a number of results.json, or one that is read off a sweep.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.analysis import published
from bench.analysis.comparison import Comparison
from bench.analysis.noise import Noise
from bench.analysis.published import Claim, Ours, Published
from bench.analysis.scaling import Scaling
from bench.analysis.time_at import scaled, steps_for_factor, sweep_of, time_at
from bench.common import stats
from bench.spec.pair import PairFile


@dataclass(frozen=True)
class Entry:
    """One number of ours beside a claim. measured and deviation (ours over theirs) are None where nothing was run, and
    deviation where the two are no like numbers."""

    about: Ours
    measured: stats.Estimate | None = None
    deviation: stats.Estimate | None = None
    how: str = ""  # interpolated, extrapolated; empty where measured
    runs: tuple[str, ...] = ()
    noise: tuple[Noise, ...] = ()  # of a sweep that it is read from

    @property
    def drift(self) -> float | None:
        """By how much the machine moved between rounds of that sweep, where it drifted."""
        return max((noise.drift for noise in self.noise if noise.drifted), default=None)

    @property
    def direction(self) -> str:
        """Whether ours lies above theirs or below, with all of its interval; empty where neither is shown."""
        if self.deviation is None:
            return ""
        low, high = self.deviation.low, self.deviation.high
        if low is None:
            low = high = self.deviation.value
        return "above" if low > 1 else "below" if high < 1 else ""


@dataclass(frozen=True)
class LedgerLine:
    """A claim and what stands beside it."""

    key: str
    claim: Claim
    source: str
    at: str
    entries: tuple[Entry, ...]
    other_card: str  # the study's card, where the claim is of another

    @property
    def measured(self) -> list[Entry]:
        """What was run of it."""
        return [entry for entry in self.entries if entry.measured is not None]


def ledger_of(
    pair: PairFile, device: str, comparisons: list[Comparison], scalings: list[Scaling], numbers: Mapping[str, dict],
    about: Published | None = None,
) -> list[LedgerLine]:  # fmt: skip
    """A line for each claim of the file; none for a pair that it is not about.

    device: the study's. numbers: of results.json, by name.
    """
    about = about or published.read()
    if pair.name not in about.pairs:
        return []
    lines = []
    for key, claim in about.claims.items():
        source = about.sources[claim.source]
        entries = tuple(entry_of(claim, ours, comparisons, scalings, numbers) for ours in claim.ours)
        lines.append(LedgerLine(key, claim, source.name, source.at, entries, "" if claim.card in device else device))
    return lines if any(line.measured for line in lines) else []


def entry_of(
    claim: Claim, ours: Ours, comparisons: list[Comparison], scalings: list[Scaling], numbers: Mapping[str, dict]
) -> Entry:
    """What a study says of one of a claim's numbers."""
    if ours.quantity == "number":
        return of_numbers(claim, ours, numbers)
    if ours.quantity == "steps_for_value":
        sweep = sweep_of(comparisons, ours.gen_length, ours.engine)
        steps = steps_for_factor(sweep, claim.value) if sweep else None
        return Entry(ours, steps, runs=tuple(sweep.rows["run_id"]), noise=sweep.noise) if steps else Entry(ours)
    forwards = ours.gen_length / ours.tokens_per_forward
    timed = time_at(comparisons, scalings, ours.gen_length, forwards, ours.engine)
    if timed is None:
        return Entry(ours)
    measured = timed.rate if ours.quantity == "rate" else stats.inverse(timed.ratio)
    how = "" if timed.how == "measured" else timed.how
    return Entry(ours, measured, over(measured, claim.value), how, timed.runs, timed.noise)


def of_numbers(claim: Claim, ours: Ours, numbers: Mapping[str, dict]) -> Entry:
    """A number of results.json, perhaps over another and in another unit."""
    names = [name for name in (ours.number, ours.over) if name]
    if any(name not in numbers for name in names):
        return Entry(ours)
    values = [estimate(numbers[name]) for name in names]
    measured = scaled(ratio(*values) if ours.over else values[0], ours.times)
    runs = tuple(run for name in names for run in numbers[name]["runs"])
    return Entry(ours, measured, None if ours.is_contrast else over(measured, claim.value), runs=runs)


def estimate(number: Mapping) -> stats.Estimate:
    """A number of results.json; without an interval where that has no end."""
    if number["low"] is None or number["high"] is None:
        return stats.Estimate(number["value"])
    return stats.Estimate(number["value"], number["low"], number["high"])


def ratio(one: stats.Estimate, other: stats.Estimate) -> stats.Estimate:
    """One estimate over another. Its bounds are those of both at their worst, since nothing says how they vary
    together."""
    value = one.value / other.value
    if one.low is None or other.low is None:
        return stats.Estimate(value)
    return stats.Estimate(value, one.low / other.high, one.high / other.low)


def over(measured: stats.Estimate, value: float | None) -> stats.Estimate | None:
    """Ours over theirs; None of a claim without a number."""
    return None if value is None else scaled(measured, 1 / value)
