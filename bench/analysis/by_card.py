"""Where time breaks even on each of several cards.

Rounds of one card are alike in what they share. An interval over rounds takes each of them for a value of its own, so
that it may be too narrow where cards differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from bench.analysis.comparison import LATENCY, Comparison, amounts_of
from bench.analysis.doubt import is_too_wide
from bench.analysis.noise import floor_of
from bench.analysis.scaling import Scaling
from bench.common import stats

FEWEST_CARDS = 3  # of which a mean has an interval: two that happen to agree would have a narrow one


@dataclass(frozen=True)
class ByCard:
    """The steps at which both models take equally long, on each card.

    steps: by card, in the order of their first rounds: the typical value of its rounds, and their interval. over_cards:
    the typical value of all cards, with the interval that takes a card for one value; None of fewer than
    `FEWEST_CARDS`.
    """

    steps: dict[str, stats.Estimate]
    over_cards: stats.Estimate | None


def of_comparison(comparison: Comparison) -> ByCard | None:
    """Of a sweep. None where it does not say more than all rounds together, or these are too noisy to say anything."""
    steps = comparison.break_even_steps if comparison.has_both else None
    if steps is None or is_doubted(steps, comparison):
        return None
    measured = amounts_of(comparison, LATENCY)
    by_round = dict(zip(measured.rounds, measured.break_evens, strict=True)) if measured.rounds else {}
    return of_rounds(by_round, comparison.histories.cards.get(comparison.diffusion.iloc[0]["run_id"], {}))


def of_scaling(scaling: Scaling) -> list[tuple[pd.Series, ByCard]]:
    """(run, the same) of each place of a grid where it says more than all rounds together."""
    places = zip(scaling.break_evens, scaling.break_evens_by_round, strict=True)
    cards = [
        (run, of_rounds(by_round, scaling.histories.cards.get(run["run_id"], {})))
        for (run, steps), (_, by_round) in places
        if not is_doubted(steps, scaling)
    ]
    return [(run, of_cards) for run, of_cards in cards if of_cards]


def is_doubted(steps: stats.Estimate, group: Comparison | Scaling) -> bool:
    """Whether a break-even is not stated either: too noisy, below one step, or of a cell that differs from itself."""
    return steps.value < 1 or is_too_wide(steps) or is_too_wide(floor_of(group.noise))


def of_rounds(by_round: Mapping[int, float], cards: Mapping[int, str]) -> ByCard | None:
    """Break-evens by round, split by the card of each round. None unless there are several cards and more rounds than
    cards, each round on a card that is named."""
    clusters = by_cluster(by_round, cards)
    if not 1 < len(clusters) < len(by_round) or "" in clusters:
        return None
    over_cards = stats.over_clusters(list(clusters.values()), null=1.0)[0] if len(clusters) >= FEWEST_CARDS else None
    return ByCard({card: stats.typical_over_rounds(values) for card, values in clusters.items()}, over_cards)


def by_cluster(by_round: Mapping[int, float], machines: Mapping[int, str]) -> dict[str, list[float]]:
    """Values by the machine of their round, machines in the order of their first rounds; "" of one without a name."""
    clusters: dict[str, list[float]] = {}
    for number, value in by_round.items():
        clusters.setdefault(machines.get(number, ""), []).append(value)
    return clusters
