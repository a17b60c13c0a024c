"""Numbers as the text prints them, and when a ratio counts as a difference."""

import math

import pytest

from bench.common.stats import Estimate
from paper import values

FLOOR = Estimate(1.0, 0.9, 1.1)  # the same cell twice


def number(value: float, low: float | None = None, high: float | None = None) -> dict:
    return {"value": value, "low": low, "high": high}


@pytest.mark.parametrize(
    ("name", "shown", "text"),
    [
        ("llama.latency_ms", number(892.94, 809.4, 985.2), "893 [809, 985]"),
        ("llama.latency_ms", number(1507.8, 1454.7, 1562.8), "1,508 [1,455, 1,563]"),
        ("llada.4.latency_ratio", number(0.14224, 0.0866, 0.2339), "0.142 [0.087, 0.234]"),
        ("break_even_steps", number(26.28, 15.34, 45.02), "26 [15, 45]"),
        ("batch.llada.lean.break_even_steps", number(5.52, 5.27, 5.6), "5.5 [5.3, 5.6]"),
        ("accuracy.cross_over_steps", number(100.2, 64.0, None), "100 [64, unbounded]"),
        ("accuracy.admissible_steps", number(30.0), "30"),
        ("frontier.llama.l128.largest_batch", number(1688.0), "1,688"),
        ("decoders.best.all.difference", number(0.000458, -0.0148, 0.0167), "0.000 [-0.015, 0.017]"),
        ("llama.j", number(940.2, 940.1, 940.3), "940"),
        ("x", number(0.0), "0"),
    ],
)
def test_a_number_has_three_digits_and_its_interval(name, shown, text):
    assert values.interval_text(name, shown) == text
    assert values.value_text(name, shown) == text.split(" [")[0]


def test_an_interval_without_an_end_stays_without_one():
    assert values.estimate({"a": number(2.0, 1.0, None)}, "a") == Estimate(2.0, 1.0, math.inf)
    assert values.estimate({"a": number(2.0)}, "a") == Estimate(2.0)


@pytest.mark.parametrize(
    ("ratio", "floor", "word", "is_bold"),
    [
        (Estimate(2.0, 1.8, 2.2), FLOOR, "higher", True),
        (Estimate(0.5, 0.4, 0.6), FLOOR, "lower", True),
        (Estimate(1.3, 0.9, 1.9), FLOOR, "equal", False),  # its interval holds 1
        (Estimate(1.05, 1.02, 1.08), FLOOR, "equal", False),  # the same cell twice differs as much
        (Estimate(1.05, 1.02, 1.08), None, "higher", False),  # nobody knows the noise: no bold
        (Estimate(2.0), FLOOR, "equal", False),  # one round, or rounds of two cards
    ],
)
def test_a_ratio_counts_only_beyond_its_interval_and_the_noise(ratio, floor, word, is_bold):
    assert values.direction(ratio, floor, "higher", "lower", "equal") == word
    assert values.stands_out(ratio, floor) == is_bold


def test_without_an_interval_no_direction_is_told_whatever_a_cell_that_ran_twice_says():
    assert values.direction(Estimate(2.0), None, "higher", "lower", "open") == "open"
    assert values.direction(Estimate(2.0), FLOOR, "higher", "lower", "open") == "open"
    assert values.direction(Estimate(2.0, 1.8, 2.2), None, "higher", "lower", "open") == "higher"
