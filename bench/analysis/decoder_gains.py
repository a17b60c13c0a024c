"""What decoders gain at a place: the best combination within the margin, and whether sampler and cache multiply."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.analysis.comparison import LATENCY
from bench.analysis.decoder_places import Line, Place, Quality
from bench.analysis.decoders import cache_label, order_of, sampler_label
from bench.common import stats

TPF = "compute/tokens_per_forward"
GOAL = 3.0  # times vanilla's speed: below it the report says so, and points to the curve


@dataclass(frozen=True)
class Best:
    """The fastest decoder of a place among those that are shown to be worse than vanilla by at most the margin, on a
    part of the prompts. line is None where none is shown to be; `fastest` is the fastest whatever its quality.
    most_parallel: of those within the margin the one with most tokens a forward, which no machine has a part in; None
    where these were not counted.

    candidates: how many decoders were judged. The fastest of several is a maximum, so that its speedup is read beside
    its interval; each decoder's quality was judged at 95 % by itself.
    """

    place: Place
    part: str
    line: Line | None
    fastest: Line
    candidates: int
    within: int  # how many of them are shown to be within the margin
    most_parallel: Line | None

    @property
    def quality(self) -> Quality | None:
        """The quality of the best."""
        return self.line and self.line.qualities[self.part]

    @property
    def reaches_goal(self) -> bool:
        """Whether the best is as many times faster as was asked for."""
        return self.line is not None and self.line.speedup.value >= GOAL


def best_of(place: Place) -> list[Best]:
    """The best decoder for each part of the prompts; none where there is no vanilla, or no quality."""
    result = []
    for part in place.parts:
        judged = [line for line in others(place) if line.speedup is not None and part in line.qualities]
        within = [line for line in judged if line.qualities[part].is_within]
        if judged:
            fastest, best = (max(lines, key=speed, default=None) for lines in (judged, within))
            counted = [line for line in within if pd.notna(line.run.get(TPF))]
            parallel = max(counted, key=parallelism, default=None)
            result.append(Best(place, part, best, fastest, len(judged), len(within), parallel))
    return result


def fastest_of(place: Place) -> Line | None:
    """Of the decoders of a place whose answers have no score the one with most tokens a second over the autoregressive
    model's; None where a score decides, or no decoder was compared with that model."""
    compared = [line for line in place.lines if line.name and line.rate_over_autoregressive is not None]
    return None if place.metric else max(compared, key=lambda line: line.rate_over_autoregressive.value, default=None)


def others(place: Place) -> list[Line]:
    """The decoders of a place but for vanilla."""
    return [line for line in place.lines if line is not place.vanilla]


def speed(line: Line) -> float:
    """How many times vanilla's speed a decoder has."""
    return line.speedup.value


def parallelism(line: Line) -> float:
    """Tokens a forward of a decoder for which they were counted."""
    return float(line.run[TPF])


@dataclass(frozen=True)
class Interaction:
    """The speedup of a sampler with a cache over the product of the two speedups that each has alone: below 1 where
    one takes away what the other could have saved.

    both, sampler_alone, cache_alone: the lines; the cache alone is with vanilla's sampler.
    """

    sampler: str
    cache: str
    ratio: stats.Estimate
    both: Line
    sampler_alone: Line
    cache_alone: Line


def interactions_of(place: Place) -> list[Interaction]:
    """Every combination of a place of which sampler and cache were measured alone as well."""
    if place.vanilla is None:
        return []
    lines = [line for line in place.lines if "early stop" not in line.name]
    without_cache = {sampler_label(line.run): line for line in lines if cache_label(line.run) == "no cache"}
    own = sampler_label(place.vanilla.run)
    alone = {cache_label(line.run): line for line in lines if sampler_label(line.run) == own}
    result = []
    for line in lines:
        sampler, cache = sampler_label(line.run), cache_label(line.run)
        if cache == "no cache" or sampler == own or sampler not in without_cache or cache not in alone:
            continue
        ratio = interaction(place, line, without_cache[sampler], alone[cache])
        if ratio is not None:
            result.append(Interaction(sampler, cache, ratio, line, without_cache[sampler], alone[cache]))
    return result


def interaction(place: Place, both: Line, sampler_alone: Line, cache_alone: Line) -> stats.Estimate | None:
    """[vanilla / both] / ([vanilla / sampler alone] [vanilla / cache alone]), paired by round."""
    runs = [line.run for line in (sampler_alone, cache_alone, place.vanilla, both)]
    rounds = list(place.histories.rounds([run["run_id"] for run in runs], LATENCY).values())
    if not rounds:
        values = [run.get(LATENCY) for run in runs]
        if any(value is None or pd.isna(value) for value in values):
            return None
        rounds = [values]
    return stats.typical_over_rounds([sampler * cache / (vanilla * together)
                                      for sampler, cache, vanilla, together in rounds])  # fmt: skip


def front_of(lines: Sequence[Line], x: Callable[[Line], float], y: Callable[[Line], float]) -> list[Line]:
    """The lines that no other beats in both, sorted by x: of those that have both values (the others are NaN), each is
    better in y than every line that is better in x. More is better."""
    known = [line for line in lines if not math.isnan(x(line) + y(line))]
    front: list[Line] = []
    for line in sorted(known, key=lambda line: (-x(line), -y(line))):
        if not front or y(line) > y(front[-1]):
            front.append(line)
    return front[::-1]


@dataclass(frozen=True)
class Curve:
    """Decoders of a place that differ in one thing: a sampler's options, or vanilla's steps."""

    name: str
    lines: tuple[Line, ...]


def curves_of(place: Place, key: Callable[[pd.Series], str]) -> list[Curve]:
    """The lines of a place as curves, each sorted by its options. key: a run -> the curve's name."""
    curves: dict[str, list[Line]] = {}
    for line in place.lines:
        curves.setdefault(key(line.run), []).append(line)
    return [Curve(name, tuple(sorted(lines, key=lambda line: order_of(line.run)))) for name, lines in curves.items()]
