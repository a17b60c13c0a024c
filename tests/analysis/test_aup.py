"""AUP as published, but with a reference that stays: by hand, and when a better rival enters."""

import math

import pytest

from bench.analysis.aup import areas_of, aup, kept_points, weight
from tests.support import made_up_decoders
from tests.support.made_up_decoders import threshold


def test_by_hand():
    """First term 1 x 90; then a trapezium whose heights are weighted."""
    heights = 90 * math.exp(-3 * (1 - 90 / 100)) + 86 * math.exp(-3 * (1 - 86 / 100))
    assert aup([(1.0, 90.0), (3.0, 86.0)], 100.0) == pytest.approx(90 + 2 * heights / 2)
    assert aup([(3.0, 86.0), (1.0, 90.0)], 100.0) == aup([(1.0, 90.0), (3.0, 86.0)], 100.0)
    assert aup([(2.0, 90.0)], 90.0) == 180


def test_a_flat_curve_at_the_reference_has_its_accuracy_times_its_reach():
    assert aup([(1.0, 80.0), (2.0, 80.0), (5.0, 80.0)], 80.0) == pytest.approx(5 * 80)


def test_what_lost_more_than_five_points_against_the_first_does_not_count():
    points = [(1.0, 90.0), (2.0, 85.0), (3.0, 84.9), (4.0, 89.0)]
    assert kept_points(points) == [(1.0, 90.0), (2.0, 85.0), (4.0, 89.0)]
    assert aup(points, 90.0) == aup(kept_points(points), 90.0)


def test_the_weight_falls_below_the_reference_alone():
    assert [weight(accuracy, 80.0) for accuracy in (80.0, 99.0)] == [1.0, 1.0]
    assert weight(40.0, 80.0) == pytest.approx(math.exp(-1.5))


def by_curve(made_up) -> dict[tuple[str, str], float]:
    return {(area.curve, area.part): area.value for area in areas_of(made_up.place)}


def test_a_rival_who_enters_moves_no_other():
    """As published y_max would rise with the rival, and all others would fall."""
    made_up = made_up_decoders.tasks_study()
    before = by_curve(made_up)
    made_up.add(100.0, 0, 0, sampler="entropy", gamma=0.1, **{"compute/nfe": 8.0})
    after = by_curve(made_up)
    assert after.pop(("entropy", "all")) > before["threshold", "all"]
    assert {key: after[key] for key in before} == before
    accuracy = {100 * line.qualities["all"].value for line in made_up.place.lines}
    assert max(accuracy) == 100 > made_up.place.vanilla.qualities["all"].value * 100 == 90
    points = next(area.points for area in areas_of(made_up.place) if (area.curve, area.part) == ("fixed", "one_answer"))
    assert aup(points, 100.0) < aup(points, 90.0)  # what a moving reference would have done


def test_a_curve_is_a_sampler_over_its_settings_under_one_cache():
    areas = {(area.curve, area.part): area for area in areas_of(made_up_decoders.tasks_study().place)}
    assert {curve for curve, _ in areas} == {
        "fixed", "threshold", "fixed, dual cache (block)", "threshold, dual cache (block)"
    }  # fmt: skip
    low = areas["threshold", "one_answer"]
    assert low.points == ((2.0, pytest.approx(90.0)), (4.0, pytest.approx(89.0)))
    assert low.reference == pytest.approx(90.0)
    assert (areas["threshold", "many_answers"].left_out, low.left_out) == (1, 0)


def test_nothing_without_vanilla_without_accuracy_or_where_vanilla_is_always_wrong():
    made_up = made_up_decoders.MadeUp()
    made_up.add(100.0, **threshold(0.9))
    assert areas_of(made_up.place) == []
    made_up.add(400.0, 100, 100)
    assert areas_of(made_up.place) == []
    assert areas_of(made_up_decoders.texts_study().place) == []
