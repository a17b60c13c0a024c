"""LLaDA's time for a number of forwards: measured, between what was measured, or beyond it."""

import pytest

from bench.analysis.time_at import steps_for_factor, time_at
from tests.support.made_up_published import LLAMA_MS, STEP_MS, sweep
from tests.support.made_up_scaling import batch_study, groups_of


@pytest.mark.parametrize(
    ("forwards", "how"), [(64, "measured"), (100, "interpolated"), (8, "extrapolated"), (300, "extrapolated")]
)
def test_a_sweep_gives_its_own_run_or_the_line_through_its_steps(forwards, how):
    timed = time_at([sweep()], [], 256, forwards)
    assert timed.how == how
    assert timed.ratio.value == pytest.approx(forwards * STEP_MS / LLAMA_MS, rel=1e-3)
    assert timed.latency_ms.value == pytest.approx(forwards * STEP_MS, rel=1e-3)
    assert timed.rate.value == pytest.approx(256e3 / (forwards * STEP_MS), rel=1e-3)
    assert (timed.engine, timed.head, timed.stop) == ("captured", "official", "length")


def test_nothing_is_said_of_a_canvas_a_batch_or_an_engine_that_was_not_run():
    assert time_at([sweep()], [], 128, 64) is None
    assert time_at([sweep()], [], 256, 64, "eager") is None
    assert time_at([sweep(batch_size=8)], [], 256, 64) is None


def test_of_one_step_count_time_is_in_proportion_and_says_so():
    groups = list(groups_of(batch_study()).values())  # at batch 1: LLaMA 65 ms, from a part; 16 steps 51.2 ms, whole
    timed = time_at([], groups, 64, 32)
    assert timed.how == "extrapolated"
    assert timed.latency_ms.value == pytest.approx(2 * 51.2)
    assert timed.ratio.value == pytest.approx(2 * 51.2 / 65)
    assert timed.parts == ("16 of 64 tokens",)
    assert time_at([], groups, 64, 16).how == "extrapolated"  # LLaMA's side was run in part
    whole = [row | ({"tokens_timed": None} if row["model"] == "llama" else {}) for row in batch_study()]
    assert time_at([], list(groups_of(whole).values()), 64, 16).how == "measured"


def test_the_steps_of_a_claimed_factor_are_where_the_line_meets_that_part_of_llamas_time():
    steps = steps_for_factor(sweep(), 1.5)
    assert steps.value == pytest.approx(LLAMA_MS / 1.5 / STEP_MS, rel=1e-3)
    assert steps.low < steps.value < steps.high
    assert steps_for_factor(sweep(step_ms=2 * STEP_MS), 1.5).value == pytest.approx(steps.value / 2, rel=1e-3)
