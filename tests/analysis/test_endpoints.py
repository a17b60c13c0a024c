"""Primary endpoints: adjusted for being several, on cards as clusters, and only as they were declared."""

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from bench.analysis import endpoints
from bench.analysis.comparison import Comparison
from bench.common import stats
from bench.render import endpoints as render
from bench.spec.study_file import StudyFile
from tests.support.made_up_comparison import MadeUp

STARTED = datetime(2026, 11, 29, tzinfo=UTC)
PLACE = {"engine": "eager", "head": "official"}
ONE = {"quantity": "latency_ratio", "steps": 64, **PLACE}
EVEN = {"quantity": "break_even_steps", "against": 128, **PLACE}


def declared(when: str = "2026-11-28T12:00:00", **more) -> StudyFile:
    return StudyFile(**{"declared": when, "rounds": 5, "endpoints": {"one": ONE, "even": EVEN}, **more})


def comparison_of(llama: list[float], cards: list[str] | None = None, step_ms: float = 20.0) -> Comparison:
    """LLaDA takes 80 ms for 4 steps and step_ms for each of 128; LLaMA's latency by round, and the card of each."""
    made_up = MadeUp()
    rows = made_up.comparison((llama[0], 0.4), {4: (80, 0.3), 128: (2560, 0.4)}).rows
    numbers = range(1, len(llama) + 1)
    made_up.histories["run-None", "rounds/latency/latency_ms"] = dict(zip(numbers, llama, strict=True))
    for steps in (4, 128):
        latency = 80.0 if steps == 4 else step_ms * steps
        made_up.histories[f"run-{steps}", "rounds/latency/latency_ms"] = dict.fromkeys(numbers, latency)
    machines = json.dumps({number: (cards or ["a"] * len(llama))[number - 1] for number in numbers})
    [comparison] = made_up.comparisons(rows.assign(machines=machines))
    return comparison


def outcomes(comparison: Comparison, file: StudyFile) -> list[endpoints.Outcome]:
    runs = pd.DataFrame({"started_ms": [1e3 * STARTED.timestamp()]})
    return endpoints.outcomes(file, [comparison], [], runs)


def test_holms_rule_by_hand():
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm([0.5, 0.9]) == [1.0, 1.0]
    assert stats.holm([0.02]) == [0.02]
    assert stats.holm([]) == []


def test_rounds_of_one_card_are_values_and_p_is_that_of_the_t_test():
    llama = [900.0, 1000.0, 1100.0, 950.0, 1050.0]
    one, even = outcomes(comparison_of(llama), declared())
    expected = scipy_stats.ttest_1samp(np.log(1280 / np.array(llama)), 0).pvalue
    assert (one.rounds, one.cards, one.p) == (5, 1, pytest.approx(expected))
    assert one.measured.value == pytest.approx(np.exp(np.mean(np.log(1280 / np.array(llama)))))
    assert one.adjusted == pytest.approx(max(one.p, min(2 * one.p, 1)) if one.p < even.p else max(one.p, 2 * even.p))
    assert one.is_shown
    assert even.measured.value == pytest.approx(one.measured.value**-1 * 64)


def test_a_line_that_falls_decides_nothing():
    one, even = outcomes(comparison_of([900.0, 1000.0, 1100.0, 950.0, 1050.0], step_ms=0.6), declared())
    assert (one.missing, even.missing) == ("not measured", "not measured")


def test_two_cards_are_two_values_however_many_rounds_they_had():
    llama = [900.0, 900.1, 899.9, 1100.0, 1100.1, 1099.9]
    cards = ["a"] * 3 + ["b"] * 3
    one, _ = outcomes(comparison_of(llama, cards), declared(cards=2))
    alone, _ = outcomes(comparison_of(llama), declared())
    assert (one.cards, one.rounds) == (2, 6)
    assert one.measured.value == pytest.approx(alone.measured.value)
    assert one.measured.high / one.measured.low > 3 * alone.measured.high / alone.measured.low
    assert one.p > 0.05 > alone.p
    assert not one.is_shown


@pytest.mark.parametrize(
    ("changes", "rounds", "missing"),
    [
        ({"rounds": 6}, 5, "5 of 6 rounds"),
        ({"cards": 2}, 5, "1 of 2 cards"),
        ({"when": "2026-11-30T00:00:00"}, 5, "declared after the first run began (2026-11-29 00:00 UTC)"),
        ({"endpoints": {"one": ONE | {"batch": 8}}}, 5, "not measured"),
    ],
)
def test_what_was_not_run_as_declared_is_not_decided(changes, rounds, missing):
    first, *_ = outcomes(comparison_of([1000.0 + i for i in range(rounds)]), declared(**changes))
    assert (first.missing, first.adjusted, first.is_shown) == (missing, None, False)
    assert missing in render.outcome_line(first)


def test_quality_is_shown_by_the_share_of_replicates():
    file = declared(endpoints={"good": {"quantity": "quality", "metric": "bertscore_f1", **PLACE}})
    [good] = outcomes(comparison_of([1000.0] * 5), file)
    assert good.p == pytest.approx(1 / 2000)
    assert good.is_shown
    assert render.outcome_line(good).endswith("adjusted 0.0005: SHOWN.")


def test_words():
    file = declared()
    results = outcomes(comparison_of([900.0, 1000.0, 1100.0, 950.0, 1050.0]), file)
    head, one, even = render.lines("mine", file, results)
    assert head.startswith("Primary endpoints, declared 2026-11-28 12:00 UTC, p values adjusted for being 2 (Holm);")
    question = "LLaDA's latency at 64 steps over LLaMA's, 128 tokens, batch 1, eager engine, official head"
    assert one.startswith(f"  one: {question}: 1.28 [")
    assert "against 1 (5 rounds on 1 card), p 0.00" in one
    assert one.endswith(": SHOWN to be more.")
    assert even.endswith(": SHOWN to be less.")
    [nothing] = render.lines("mine", None, [])
    assert nothing.startswith("No primary endpoint was declared for this study (configs/studies/mine.yaml): ")
