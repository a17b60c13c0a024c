"""The break-even on each of several cards, whose rounds are alike in what a card is."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.analysis import by_card
from bench.analysis.comparison import Comparison
from bench.analysis.study import Histories
from bench.render.comparison import verdict
from paper.results import results
from paper.sentences import threats
from tests.support.made_up_comparison import MadeUp

STEPS = (4, 128)
STEP_MS = 20.0


def comparison_of(llama: dict[int, float], cards: dict[int, str], falls: bool = False) -> Comparison:
    """LLaDA takes STEP_MS for each step in every round, or less the more steps there are. LLaMA's latency by round, and
    the card of each."""
    made_up = MadeUp()
    rows = made_up.comparison((llama[1], 0.4), {count: (STEP_MS * count, 0.3) for count in STEPS}).rows
    values = {"run-None": llama} | {
        f"run-{count}": dict.fromkeys(llama, STEP_MS * (200 - count if falls else count)) for count in STEPS
    }
    histories = {(run, "rounds/latency/latency_ms"): by_round for run, by_round in values.items()}
    [comparison] = made_up.comparisons(rows)
    return replace(comparison, histories=Histories(made_up.histories | histories, dict.fromkeys(values, cards)))


def test_each_card_stands_by_itself_and_once_as_one_value():
    llama = {1: 1000.0, 2: 1020.0, 3: 1200.0, 4: 1210.0, 5: 1220.0}
    cards = {1: "b", 2: "b", 3: "a", 4: "a", 5: "a"}
    of_cards = by_card.of_comparison(comparison_of(llama, cards))
    first, second = (
        np.log([llama[n] / STEP_MS for n, card in cards.items() if card == wanted]) for wanted in ("b", "a")
    )
    assert of_cards.rounds == 5
    assert [steps.value for steps in of_cards.each] == pytest.approx([math.exp(first.mean()), math.exp(second.mean())])
    means = np.array([first.mean(), second.mean()])
    half = scipy_stats.t.ppf(0.975, 1) * means.std(ddof=1) / math.sqrt(2)
    assert of_cards.over_cards.value == pytest.approx(math.exp(means.mean()))
    assert of_cards.over_cards.low == pytest.approx(math.exp(means.mean() - half))
    assert of_cards.over_cards.high == pytest.approx(math.exp(means.mean() + half))


@pytest.mark.parametrize(
    ("cards", "falls"),
    [
        ({1: "a", 2: "a", 3: "a"}, False),  # a single card
        ({1: "a", 2: "b", 3: "c"}, False),  # each round is a card of its own
        ({}, False),  # a processor
        ({1: "a", 2: "a", 3: "b"}, True),  # more steps take less time: nothing is read off such a line
    ],
)
def test_nothing_is_said_where_cards_add_nothing(cards, falls):
    comparison = comparison_of({1: 1000.0, 2: 1020.0, 3: 1200.0}, cards, falls)
    assert by_card.of_comparison(comparison) is None
    assert not any("card" in line for line in verdict(comparison))
    assert not any("card" in name for name in results(comparison))
    assert threats.cards(comparison, "") == ""


def test_terminal_results_and_report_tell_it():
    comparison = comparison_of({1: 1000.0, 2: 1020.0, 3: 1200.0}, {1: "a", 2: "a", 3: "b"})
    [line] = [line for line in verdict(comparison) if line.startswith("Cards: ")]
    assert line.startswith("Cards: the 3 rounds are of 2 cards; by card time breaks even at 50 [45, 57], 60 steps, and")
    numbers = results(comparison, "tasks.")
    assert numbers["tasks.card_2.break_even_steps"]["value"] == pytest.approx(60)
    assert numbers["tasks.over_cards.break_even_steps"]["low"] < 50
    sentence = threats.cards(comparison, "tasks.")
    named = [name for name in numbers if f"\\val{{{name}}}" in sentence]
    assert named == [
        "tasks.card_1.break_even_steps",
        "tasks.card_2.break_even_steps",
        "tasks.over_cards.break_even_steps",
    ]
