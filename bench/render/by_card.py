"""Where time breaks even on each of several cards, in lines of the terminal."""

from collections.abc import Iterable

import pandas as pd

from bench.analysis import by_card
from bench.analysis.by_card import FEWEST_CARDS, ByCard
from bench.analysis.comparison import Comparison
from bench.analysis.runs import with_steps
from bench.analysis.scaling import Scaling
from bench.common.plural import listed
from bench.common.stats import Estimate
from bench.render.doubt import steps_interval
from bench.render.wording import label_of_models, places_words

SHOWN = 6  # characters at the end of a card's UUID
FEW_CARDS = "What other cards would differ by cannot be told from two."


def comparison_sentences(comparison: Comparison) -> list[str]:
    """Of a sweep; none where no card has several rounds beside those of another."""
    cards = by_card.of_comparison(comparison)
    return sentences(comparison.diffusion, [(cards, "")]) if cards else []


def scaling_sentences(scaling: Scaling) -> list[str]:
    """Of the places of a grid, a sentence for those that were measured on the same cards."""
    places = by_card.of_scaling(scaling)
    words = places_words(scaling, [run for run, _ in places])
    return sentences(scaling.rows, [(cards, f" at {where}") for (_, cards), where in zip(places, words, strict=True)])


def sentences(runs: pd.DataFrame, places: Iterable[tuple[ByCard, str]]) -> list[str]:
    """A sentence for the places of the same cards. places: (break-evens, in words where) of each."""
    by_cards: dict[tuple[str, ...], list[str]] = {}
    for cards, where in places:
        by_cards.setdefault(tuple(cards.steps), []).append(f"{steps_words(cards)}{where}")
    diffusion = label_of_models(with_steps(runs), with_steps=True)
    autoregressive = label_of_models(runs.head(0), with_steps=False)
    return [
        f"Cards: on {listed([f'...{card[-SHOWN:]}' for card in names])} {diffusion} takes as long as"
        f" {autoregressive} with {'; '.join(words)}.{f' {FEW_CARDS}' if len(names) < FEWEST_CARDS else ''}"
        for names, words in by_cards.items()
    ]


def steps_words(cards: ByCard) -> str:
    """ "107 and 105 steps": the break-even on each card; behind that of all cards with each as one value."""
    each = [steps_interval(Estimate(steps.value)).removesuffix(" steps") for steps in cards.steps.values()]
    over = f" (with each card as one value {steps_interval(cards.over_cards)})" if cards.over_cards else ""
    return f"{listed(each)} steps{over}"
