"""The break-even of a comparison whose rounds were made on several cards: on each card by itself, and over the cards.

Rounds of one card are alike in what they share. An interval over rounds takes each of them for a value of its own, so
that it may be too narrow where cards differ.
"""

from dataclasses import dataclass

from bench.analysis.by_round import Amounts
from bench.analysis.comparison import LATENCY, Comparison, amounts_of
from bench.common import stats


@dataclass(frozen=True)
class ByCard:
    """The steps at which both models take equally long.

    each: on each card, in the order of their first rounds. over_cards: their geometric mean, with the interval that
    takes a card for one value. rounds: how many there are of all cards.
    """

    each: tuple[stats.Estimate, ...]
    over_cards: stats.Estimate
    rounds: int


def of_comparison(comparison: Comparison) -> ByCard | None:
    """None unless there are several cards and more rounds than cards, and where in some round no steps break even."""
    measured = amounts_of(comparison, LATENCY) if comparison.has_both and len(comparison.diffusion) > 1 else None
    if measured is None or not measured.rounds or measured.falls or min(measured.break_evens) <= 0:
        return None
    clusters = by_card(comparison, measured)
    if not 1 < len(clusters) < len(measured.break_evens):
        return None
    each = tuple(map(stats.typical_over_rounds, clusters))
    return ByCard(each, stats.over_clusters(clusters, null=1.0)[0], len(measured.break_evens))


def by_card(comparison: Comparison, measured: Amounts) -> list[list[float]]:
    """The break-evens of each card's rounds; none of rounds that name no card, as those of a processor."""
    clusters: dict[str, list[float]] = {}
    for number, steps in zip(measured.rounds, measured.break_evens, strict=True):
        for card in comparison.histories.cards_of(comparison.rows["run_id"], number):
            clusters.setdefault(card, []).append(steps)
    return list(clusters.values())
