"""Verdicts over noise say so, and what to do, on made-up studies."""

import pytest

from bench.analysis.scaling import scalings
from bench.common.stats import Estimate
from bench.render import comparison as render_comparison
from bench.render import doubt
from bench.render import scaling as render_scaling
from tests.support.made_up_comparison import MadeUp
from tests.support.made_up_noise import judged, runs, twins


def times(llama: list[float], by_steps: dict[int, list[float]], aa: list[float] | None = None) -> str:
    """The verdict on time of a study with these latencies by round, beside a sentinel with this A/A by round."""
    made_up = MadeUp()
    typical = {steps: (values[0], 0.4) for steps, values in by_steps.items()}
    comparison = made_up.comparison((llama[0], 0.4), typical)
    for steps, values in {None: llama, **by_steps}.items():
        made_up.histories[f"run-{steps}", "rounds/latency/latency_ms"] = dict(enumerate(values, 1))
    if aa:
        comparison = made_up.beside_sentinel(comparison.rows, aa, [1.0] * len(aa))
    else:
        [comparison] = made_up.comparisons(comparison.rows)
    return render_comparison.time_verdict(comparison)


def test_a_slow_machine_prints_no_break_even():
    """LLaMA's rounds differ by a factor of three: the steps that take as long do as well."""
    text = times([1500.0, 4500.0, 2500.0], {4: [200.0, 210.0, 190.0], 128: [5600.0, 5500.0, 5700.0]})
    assert "too noisy to say at how many steps LLaDA takes as long: 58 [" in text
    assert "What to do: measure on a machine that does nothing else, or give ROUNDS=" in text


def test_a_cell_that_differs_from_itself_by_more_than_a_doubling_says_so():
    steady = {4: [200.0, 210.0, 190.0], 128: [5600.0, 5500.0, 5700.0]}
    assert "LLaDA takes as long at 58 [" in times([2500.0, 2600.0, 2550.0], steady)
    text = times([2500.0, 2600.0, 2550.0], steady, aa=[0.6, 1.4, 0.9])
    assert "too noisy to say at how many steps LLaDA takes as long: 58 [" in text
    assert "; the same cell twice differs by a factor of 0.91 [" in text


def test_rounds_that_contradict_each_other_say_so():
    text = times([500.0, 510.0], {4: [300.0, 700.0], 8: [600.0, 400.0]})
    assert "too noisy to say" in text
    assert "here 30 rounds would not settle it" in text


def test_one_round_has_no_interval_and_says_so():
    text = times([250.0], {4: [50.0], 8: [90.0]})
    assert text.endswith("LLaDA takes as long at 24 steps (fewer than two common rounds: no interval).")


@pytest.mark.parametrize(
    ("ratio", "rounds", "words"),
    [
        (Estimate(1.28, 1.25, 1.31), 3, ""),
        (Estimate(0.80, 0.60, 1.07), 3, ", or give ROUNDS="),
        (Estimate(1.0, 0.93, 1.075), 3, "; here 30 rounds would not show so small a difference)"),
        (Estimate(0.94, 0.93, 0.95), 3, ": the same cell twice differs as much)"),
    ],
)
def test_a_ratio_that_may_be_noise_is_said_to_be_that(ratio, rounds, words):
    text = doubt.equal_words(ratio, rounds, Estimate(1.0, 0.92, 1.08), "which is faster")
    begin = " (too noisy to say which is faster: measure on a machine that does nothing else"
    assert text.startswith(begin + words) if words else text == ""


def test_an_interval_close_around_1_is_an_answer():
    assert doubt.equal_words(Estimate(1.0, 0.98, 1.02), 3, None, "which is faster") == " (they differ by 2.0% at most)"


def test_break_evens_along_an_axis_say_it_too():
    rows = [row | {"rounds": [50.0, 200.0]} if row["model"] == "llama" else row for row in runs("batch", "eager")]
    [scaling] = scalings(judged([*rows, *twins("eager")]))
    text = " ".join(render_scaling.sentences(scaling))
    assert "with a number of steps that is too noisy to state (" in text
    assert "What to do: measure on a machine that does nothing else" in text
