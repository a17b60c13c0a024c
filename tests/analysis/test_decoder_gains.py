"""The best decoder within the margin, and whether sampler and cache multiply, on made-up studies."""

import math

import pytest

from bench.analysis.decoder_gains import best_of, front_of, interactions_of
from tests.support import made_up_decoders
from tests.support.made_up_decoders import DUAL, threshold


def test_the_best_is_the_fastest_that_is_shown_to_be_within_the_margin():
    """With one right answer the low threshold is good enough; where positions depend on each other it is not."""
    bests = {best.part: best for best in best_of(made_up_decoders.tasks_study().place)}
    assert {part: best.line.name for part, best in bests.items()} == {
        "all": "threshold 0.9, dual cache (block)",
        "one_answer": "threshold 0.5, dual cache (block)",
        "many_answers": "threshold 0.9, dual cache (block)",
    }
    best = bests["all"]
    assert best.line.speedup.value == pytest.approx(400 / 120)
    assert (best.candidates, best.within, best.reaches_goal) == (6, 3, True)
    assert best.fastest.name == "threshold 0.5, dual cache (block)"


def test_the_front_is_what_nobody_beats_in_both():
    made_up = made_up_decoders.tasks_study()
    made_up.add(130.0, None, sampler="entropy", gamma=0.1)  # not scored
    place = made_up.place
    quality = lambda line: line.qualities["all"].value if line.qualities else math.nan  # noqa: E731
    front = front_of(place.lines, lambda line: line.speedup.value, quality)
    assert [line.name for line in front] == [
        "", "threshold 0.9, dual cache (block)", "threshold 0.5", "threshold 0.5, dual cache (block)"
    ]  # fmt: skip
    assert front[0] is place.vanilla


def test_vanilla_is_never_its_own_best():
    made_up = made_up_decoders.MadeUp()
    made_up.add(400.0)
    made_up.add(500.0, **threshold(0.99))
    [best, *_] = best_of(made_up.place)
    assert best.line.name == "threshold 0.99"
    assert best.line.speedup.value == pytest.approx(0.8)


def test_none_is_best_where_none_is_shown_to_be_good_enough():
    made_up = made_up_decoders.MadeUp()
    made_up.add(400.0)
    made_up.add(50.0, 60, 60, **threshold(0.5))
    [best, *_] = best_of(made_up.place)
    assert (best.line, best.quality, best.reaches_goal, best.fastest.name) == (None, None, False, "threshold 0.5")


def test_the_goal_is_three_times():
    assert [best_of(made_up_decoders.texts_study(ms).place)[0].reaches_goal for ms in (200.0, 130.0)] == [False, True]


def test_nothing_is_best_without_vanilla_or_quality():
    made_up = made_up_decoders.MadeUp()
    made_up.add(100.0, **threshold(0.9))
    assert best_of(made_up.place) == []
    assert best_of(made_up_decoders.shapes_study().decoders.places[0]) == []


def test_an_interaction_is_the_speedup_of_both_over_the_product_of_each():
    """Threshold .9 and the dual cache win 2 times each; together they win 400 / 120, less than 4."""
    found = {i.sampler: i for i in interactions_of(made_up_decoders.tasks_study().place)}
    assert set(found) == {"threshold 0.9", "threshold 0.5"}
    assert found["threshold 0.9"].ratio.value == pytest.approx((400 / 120) / (2 * 2))
    assert found["threshold 0.5"].ratio.value == pytest.approx((400 / 60) / (4 * 2))
    assert found["threshold 0.9"].ratio.low is not None


def test_speedups_that_multiply_have_an_interaction_of_one_and_every_refresh_is_its_own():
    made_up = made_up_decoders.MadeUp()
    made_up.add(400.0)
    made_up.add(100.0, **threshold(0.9))
    for refresh, ms in (("block", 200.0), ("never", 160.0)):
        made_up.add(ms, **DUAL | {"refresh": refresh})
        made_up.add(ms / 4, **threshold(0.9), **DUAL | {"refresh": refresh})
    found = interactions_of(made_up.place)
    assert [(i.cache, i.ratio.value) for i in found] == [
        ("dual cache (block)", pytest.approx(1)), ("dual cache (never)", pytest.approx(1))
    ]  # fmt: skip


def test_with_random_weights_an_imposed_token_a_step_is_the_cache_alone():
    found = interactions_of(made_up_decoders.shapes_study().decoders.places[0])
    assert {i.sampler for i in found} == {"imposed 2", "imposed 4", "imposed 8"}
    assert {i.cache for i in found} == {"dual cache (block)", "dual cache (answer)"}
