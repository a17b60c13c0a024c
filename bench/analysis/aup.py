"""AUP, accuracy under parallelism: the area under accuracy over tokens a forward, with a reference that stays.

Published by d3LLM (arXiv 2601.07568): accuracy in percent over TPF, each point weighted by
W(y) = min(exp(-alpha (1 - y / y_max)), 1), where y_max is the best accuracy of all methods that are compared. So
whoever enters with a better one takes from all others. Here y_max is vanilla's accuracy at a step a token in the same
study and place, whoever else is there: no decoder moves another's AUP. Where a decoder is better than vanilla the
weight stays 1, as published.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bench.analysis.decoder_gains import TPF, curves_of
from bench.analysis.decoder_places import Place
from bench.analysis.decoders import family_of

ALPHA = 3.0  # how steeply lost accuracy is punished, as published
MOST_LOST = 5.0  # points of accuracy below a curve's first; what has lost more is left out, as published
PERCENT = 100.0


@dataclass(frozen=True)
class Area:
    """The AUP of a curve: a sampler over its settings under one cache.

    part: of the prompts (bench/analysis/decoder_places.py). points: (TPF, accuracy in percent), rising; left_out: how
    many of them lost too much. reference: vanilla's accuracy in percent.
    """

    curve: str
    part: str
    value: float
    points: tuple[tuple[float, float], ...]
    left_out: int
    reference: float
    runs: tuple[str, ...]


def weight(accuracy: float, reference: float) -> float:
    """W(y): 1 from the reference on, below it falling."""
    return min(math.exp(-ALPHA * (1 - accuracy / reference)), 1.0)


def kept_points(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points (TPF, accuracy in percent) that count, rising: those that lost too much against the first do not."""
    ordered = sorted(points)
    return [point for point in ordered if point[1] >= ordered[0][1] - MOST_LOST]


def aup(points: Sequence[tuple[float, float]], reference: float) -> float:
    """TPF_1 y_1 + sum of (TPF_i - TPF_i-1) (y_i W(y_i) + y_i-1 W(y_i-1)) / 2 over the points that count.

    points: (tokens a forward, accuracy in percent), one at least. reference: y_max, above 0: vanilla's accuracy in
    percent, which is fixed (see above).
    """
    kept = kept_points(points)
    area = kept[0][0] * kept[0][1]
    for (before, accuracy_before), (tpf, accuracy) in itertools.pairwise(kept):
        heights = accuracy * weight(accuracy, reference) + accuracy_before * weight(accuracy_before, reference)
        area += (tpf - before) * heights / 2
    return area


def areas_of(place: Place) -> list[Area]:
    """The AUP of every curve of a place, for each part of the prompts; none without accuracy, or where vanilla has no
    right answer."""
    if place.metric != "accuracy" or place.vanilla is None:
        return []
    result = []
    for curve in curves_of(place, family_of):
        for part in place.parts:
            reference = place.vanilla.qualities.get(part)
            lines = [line for line in curve.lines if part in line.qualities and pd.notna(line.run.get(TPF))]
            if reference is None or reference.value <= 0 or not lines:
                continue
            points = tuple(sorted((float(line.run[TPF]), PERCENT * line.qualities[part].value) for line in lines))
            y_max = PERCENT * reference.value
            left_out = len(points) - len(kept_points(points))
            runs = tuple(line.run["run_id"] for line in lines)
            result.append(Area(curve.name, part, aup(points, y_max), points, left_out, y_max, runs))
    return result
