"""The break-even on each of several cards, whose rounds are alike in what a card is."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.analysis import by_card
from bench.analysis.comparison import Comparison
from bench.analysis.findings import findings_of
from bench.analysis.study import Histories, Study
from bench.render.comparison import verdict
from bench.render.scaling import outcome_sentences
from paper.results import results
from paper.selection import select
from paper.sentences import counts, threats
from paper.sentences import study as sentences
from tests.support.made_up_comparison import MadeUp
from tests.support.made_up_scaling import batch_study, groups_of

STEPS = (4, 128)
STEP_MS = 20.0
TWO = {1: "GPU-b", 2: "GPU-b", 3: "GPU-a", 4: "GPU-a", 5: "GPU-a"}
LLAMA = {1: 1000.0, 2: 1020.0, 3: 1200.0, 4: 1210.0, 5: 1220.0}


def study_of(llama: dict[int, float], cards: dict[int, str], falls: bool = False, steps=STEPS, kind="sweep") -> Study:
    """LLaDA takes STEP_MS for each step in every round, or less the more steps there are. LLaMA's latency by round, and
    the card of each."""
    made_up = MadeUp()
    told = {"platform": "cuda", "device": "a GPU", "git": "abc", "verdict": "exclusive", "rounds_logged": "1"}
    rows = made_up.comparison((llama[1], 0.4), {count: (STEP_MS * count, 0.3) for count in steps}, **told).rows
    values = {"run-None": llama}
    values |= {f"run-{count}": dict.fromkeys(llama, STEP_MS * (200 - count if falls else count)) for count in steps}
    histories = {(run, "rounds/latency/latency_ms"): by_round for run, by_round in values.items()}
    rows = rows.assign(machines=json.dumps(cards), **({} if kind == "sweep" else {"kind": kind}))
    by_round = Histories(made_up.histories | histories, dict.fromkeys(values, cards))
    return Study("made up", rows.reset_index(drop=True), by_round)


def comparison_of(*arguments, **settings) -> Comparison:
    study = study_of(*arguments, **settings)
    [comparison] = MadeUp().comparisons(study.runs)
    return replace(comparison, histories=study.histories)


def test_each_card_stands_by_itself_and_two_give_no_interval():
    of_cards = by_card.of_comparison(comparison_of(LLAMA, TWO))
    for card, steps in of_cards.steps.items():
        logs = np.log([LLAMA[number] / STEP_MS for number in LLAMA if TWO[number] == card])
        half = scipy_stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs))
        expected = [math.exp(value) for value in (logs.mean(), logs.mean() - half, logs.mean() + half)]
        assert [steps.value, steps.low, steps.high] == pytest.approx(expected)
    rounds = {card: len(values) for card, values in by_card.by_cluster(LLAMA, TWO).items()}
    assert rounds == {"GPU-b": 2, "GPU-a": 3}
    assert list(of_cards.steps) == list(rounds)
    assert of_cards.over_cards is None


def test_of_three_cards_each_is_one_value():
    over = by_card.of_comparison(comparison_of(LLAMA, {**TWO, 5: "GPU-c"})).over_cards
    means = np.array([np.log([50, 51]).mean(), np.log([60, 60.5]).mean(), np.log(61)])
    half = scipy_stats.t.ppf(0.975, 2) * means.std(ddof=1) / math.sqrt(3)
    expected = [math.exp(value) for value in (means.mean(), means.mean() - half, means.mean() + half)]
    assert [over.value, over.low, over.high] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("llama", "cards", "settings"),
    [
        (LLAMA, dict.fromkeys(LLAMA, "GPU-a"), {}),  # a single card
        (LLAMA, {number: f"GPU-{number}" for number in LLAMA}, {}),  # each round is a card of its own
        (LLAMA, {}, {}),  # a processor
        (LLAMA, {1: "GPU-a", 2: "GPU-b"}, {}),  # of three rounds nobody knows the card
        (LLAMA, TWO, {"falls": True}),  # more steps take less time: nothing is read off such a line
        (LLAMA, TWO, {"steps": (4,)}),  # a single count has no line
        (dict.fromkeys(LLAMA, 10.0), TWO, {}),  # LLaMA answers in less than a step
        ({1: 400.0, 2: 4000.0, 3: 500.0, 4: 5000.0, 5: 1000.0}, TWO, {}),  # too noisy to say with all rounds together
    ],
)
def test_nothing_is_said_where_cards_add_nothing(llama, cards, settings):
    comparison = comparison_of(llama, cards, **settings)
    assert by_card.of_comparison(comparison) is None
    assert not any("Cards" in line for line in verdict(comparison))
    assert not any("card" in name for name in results(comparison))
    assert threats.cards(comparison, "") == ""


def test_runs_that_share_no_round_have_no_card_in_common():
    comparison = comparison_of(LLAMA, TWO)
    values = dict(comparison.histories.values)
    values["run-None", "rounds/latency/latency_ms"] = {11: 1000.0, 12: 1100.0}
    comparison = replace(comparison, histories=Histories(values, comparison.histories.cards))
    assert comparison.break_even_steps.low is None
    assert by_card.of_comparison(comparison) is None


def test_a_cell_that_differs_from_itself_has_no_break_even_by_card():
    comparison = comparison_of(LLAMA, TWO)
    noisy = MadeUp().beside_sentinel(comparison.rows, [10.0, 40.0, 10.0], [30.0, 10.0, 30.0]).noise
    assert by_card.of_comparison(replace(comparison, noise=noisy)) is None


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        (TWO, "on ...GPU-b and ...GPU-a LLaDA takes as long as LLaMA with 50 and 60 steps. What other cards would"),
        ({**TWO, 5: "GPU-c"}, "with 50, 60 and 61 steps (with each card as one value 57 [44, 74] steps)."),
    ],
)
def test_the_terminal_tells_it(cards, words):
    [line] = [line for line in verdict(comparison_of(LLAMA, cards)) if line.startswith("Cards: ")]
    assert words in line


@pytest.mark.parametrize("kind", ["sweep", "tasks"])
def test_the_report_asks_for_numbers_that_are_there(kind):
    """Of whatever comparison leads the report."""
    findings = findings_of(study_of(LLAMA, TWO, kind=kind))
    selection = select(findings)
    numbers = selection.numbers() | counts.numbers(findings, selection.compared)
    prefix = "" if kind == "sweep" else "tasks."
    assert numbers[f"{prefix}card_2.break_even_steps"]["value"] == pytest.approx(60.5, abs=0.01)
    said = sentences.sentences(selection, numbers)["threat_cards"]
    assert [name for name in numbers if f"\\num{{{name}}}" in said] == [
        f"{prefix}card_{number}.break_even_steps" for number in (1, 2)
    ]
    assert "5 rounds of the main comparison are of 2 cards" in said


def test_the_places_of_a_grid_stand_by_card_too():
    """LLaMA takes a tenth longer on the second card. The place of one card alone is left out."""
    group = groups_of(batch_study())["batch"]
    cards = {1: "GPU-b", 2: "GPU-b", 3: "GPU-a", 4: "GPU-a"}
    llama = set(group.rows.loc[group.rows["model"] == "llama", "run_id"])
    values = {
        (run_id, name): {n: by_round[1] * (1.1 if run_id in llama and n > 2 else 1) for n in cards}
        for (run_id, name), by_round in group.histories.values.items()
    }
    on_cards = replace(group, histories=Histories(values, {run_id: cards for run_id, _ in values}))
    places = by_card.of_scaling(on_cards)
    assert len(places) == len(on_cards.break_evens) == 2
    for _, of_cards in places:
        first, second = (steps.value for steps in of_cards.steps.values())
        assert second == pytest.approx(1.1 * first)
    [line] = [line for line in outcome_sentences(on_cards) if line.startswith("Cards: ")]
    assert line.startswith(
        "Cards: on ...GPU-b and ...GPU-a LLaDA takes as long as LLaMA with 20 and 22 steps at batch 1; 2."
    )
    alone = replace(on_cards, histories=Histories(values, {run_id: {1: "GPU-b", 2: "GPU-b"} for run_id, _ in values}))
    assert by_card.of_scaling(alone) == []
