"""Runs with other decoders stand in no comparison and in no scaling group; they are compared at places of their own."""

import numpy as np
import pandas as pd
import pytest

from bench.analysis.comparison import comparisons
from bench.analysis.decoder_places import decoders_of
from bench.analysis.decoders import cache_label, family_of, name_of, sampler_label
from bench.analysis.noise import judge
from bench.analysis.scaling import scalings
from bench.analysis.study import Histories, Study
from bench.common import cross_over
from paper.decoder_selection import main_places
from tests.support import made_up_comparison, made_up_decoders
from tests.support.made_up_decoders import DUAL, threshold

FAST = threshold(0.9, **DUAL)


def judged(rows: list[dict], histories: dict):
    return judge(Study("made up", pd.DataFrame(rows), Histories(histories)))


@pytest.fixture
def study():
    """A sweep as its authors decode, and a run of it with other decoders at each of two step counts."""
    made_up = made_up_comparison.MadeUp()
    rows = [made_up.row(None, 100, 0.4), *(made_up.row(steps, 10.0 * steps, 0.4) for steps in (4, 8, 16))]
    rows += [made_up.row(160, 40.0, 0.3) | FAST | {"run_id": "fast", "steps": 16, "compute/nfe": 6.5}]
    rows += [made_up.row(80, 30.0, 0.3) | {"run_id": "stops", "steps": 8, "early_stop": "True"}]
    return judged([row | {"cell_id": row["run_id"], "device": "x"} for row in rows], made_up.histories)


@pytest.mark.parametrize(("settings", "name"), [
    ({}, ""), ({"sampler": "fixed", "cache": "none"}, ""), ({"sampler": None, "cache": float("nan")}, ""),
    (FAST, "threshold 0.9, dual cache (block)"), (FAST | {"threshold": "0.90"}, "threshold 0.9, dual cache (block)"),
    ({"early_stop": "True"}, "early stop"), ({"sampler": "imposed", "tokens_per_step": 4.0}, "imposed 4"),
    ({"cache": "interval", "prompt_every": 50, "response_every": 7, "ratio": 0.25}, "interval cache (50 7 0.25)"),
], ids=str)  # fmt: skip
def test_a_decoder_has_a_name_and_the_authors_has_none(settings, name):
    assert name_of(pd.Series(settings, dtype=object)) == name


@pytest.mark.parametrize(("settings", "parts"), [
    ({}, ("fixed, 16 steps", "no cache", "fixed")),
    (FAST, ("threshold 0.9", "dual cache (block)", "threshold, dual cache (block)")),
    (DUAL | {"early_stop": "True"}, ("fixed, 16 steps", "dual cache (block)", "fixed, dual cache (block), early stop")),
], ids=str)  # fmt: skip
def test_sampler_and_cache_are_named_apart(settings, parts):
    run = pd.Series({"steps": 16} | settings, dtype=object)
    assert (sampler_label(run), cache_label(run), family_of(run)) == parts


def test_a_comparison_is_of_the_authors_decoder_alone(study):
    [comparison] = comparisons(study, made_up_comparison.MARGINS)
    assert comparison.diffusion["run_id"].tolist() == ["run-4", "run-8", "run-16"]
    assert comparison.break_even_steps.value == pytest.approx(10)


def test_a_scaling_group_is_of_the_authors_decoder_alone(study):
    rows = [row.to_dict() | {"kind": "batch"} for _, row in study.runs.iterrows()]
    [group] = scalings(judged(rows, {}))
    assert not set(group.every["run_id"]) & {"fast", "stops"}
    assert len(group.every) == 4


def test_other_decoders_stand_beside_the_authors_and_the_autoregressive_model(study):
    [place] = decoders_of(study, made_up_comparison.MARGINS).places
    assert [line.run["run_id"] for line in place.lines] == ["run-16", "run-8", "run-4", "fast", "stops"]
    assert place.autoregressive.run["run_id"] == "run-None"
    assert place.vanilla is None  # a step a token was not measured


def test_a_study_without_them_has_no_place():
    made_up = made_up_comparison.MadeUp()
    assert decoders_of(judged([made_up.row(4, 10, 0.4)], made_up.histories)).places == ()


def test_the_grid_of_decoders_is_a_place_even_with_the_authors_alone():
    made_up = made_up_decoders.MadeUp()
    made_up.add(400.0)
    assert made_up.place.vanilla.speedup.value == pytest.approx(1)


def by_name(place) -> dict:
    return {line.name or f"steps {line.run['steps']:.0f}": line for line in place.lines}


def test_speed_is_paired_by_round_against_vanilla_and_against_the_other_model():
    """Round 2 is slower for all: paired, the ratios do not move, and so have no width."""
    lines = by_name(made_up_decoders.tasks_study().place)
    both = lines["threshold 0.9, dual cache (block)"]
    assert both.speedup.value == pytest.approx(400 / 120)
    assert both.speedup.high - both.speedup.low < 1e-9
    assert both.speed_over_autoregressive.value == pytest.approx(200 / 120)
    assert both.rate_ratio.value == pytest.approx(400 / 120)
    assert both.rounds == 3


def test_quality_is_paired_by_prompt_and_apart_where_positions_depend_on_each_other():
    lines = by_name(made_up_decoders.tasks_study().place)
    low = lines["threshold 0.5"].qualities
    assert low["all"].difference.value == pytest.approx(-41 / 200)
    assert low["one_answer"].difference.value == pytest.approx(-1 / 100)
    assert low["many_answers"].difference.value == pytest.approx(-40 / 100)
    assert [low[part].is_within for part in ("all", "one_answer", "many_answers")] == [False, True, False]
    high = lines["threshold 0.9"].qualities
    assert all(quality.is_within for quality in high.values())
    assert high["all"].difference.low < high["all"].difference.value == pytest.approx(-1 / 200)


def test_within_the_margin_is_decided_as_a_comparison_decides_it():
    """The same scores as a cross-over of one step count: reached where this says within."""
    rng = np.random.default_rng(5)
    for lost in (0.0, 0.02, 0.04, 0.06):
        reference = (rng.random(100) < 0.9).astype(float)
        own = np.where(rng.random(100) < lost, 0.0, reference)
        crossing = cross_over.cross_over(reference, [own], [8], 0.05)
        assert cross_over.is_not_inferior(own - reference, 0.05) == crossing.reached
        difference = cross_over.difference_over_prompts(own - reference)
        assert difference.low <= difference.value <= difference.high


def test_few_prompts_that_all_agree_still_leave_doubt():
    difference = cross_over.difference_over_prompts(np.zeros(12))
    assert difference.low < 0 < difference.high
    assert not cross_over.is_not_inferior(np.zeros(12), 0.05)


def test_texts_that_are_alike_leave_no_doubt():
    """All differences are 0: of a score that is no yes or no, that is an answer."""
    made_up = made_up_decoders.texts_study()
    made_up.add(300.0, scores=[0.4 + 0.001 * (prompt % 7) for prompt in range(made_up_decoders.PROMPTS)], **DUAL)
    quality = by_name(made_up.place)["dual cache (block)"].qualities["all"]
    assert (quality.difference.value, quality.difference.low, quality.difference.high) == (0, 0, 0)
    assert quality.is_within
    assert made_up.place.vanilla.qualities["all"].difference.low is None


def test_texts_have_one_part_and_random_weights_none():
    assert made_up_decoders.texts_study().place.parts == ["all"]
    places = made_up_decoders.shapes_study().decoders.places
    assert [(place.metric, place.parts, place.first["batch_size"]) for place in places] == [
        ("", [], 1), ("", [], 8), ("", [], 32)
    ]  # fmt: skip
    assert places[0].vanilla.name == "imposed 1"


def test_the_place_of_greedy_answers_comes_before_that_of_sampled_ones_and_leads():
    made_up = made_up_decoders.MadeUp()
    for temperature in ("1.0", "0.0"):
        made_up.add(400.0, temperature=temperature)
        made_up.add(100.0, temperature=temperature, **threshold(0.9))
    assert [place.first["temperature"] for place in made_up.decoders.places] == ["0.0", "1.0"]
    [leading] = main_places(made_up.decoders)
    assert leading.first["temperature"] == "0.0"


def test_vanilla_of_another_grid_serves_where_the_own_has_none():
    made_up = made_up_decoders.MadeUp()
    made_up.add(100.0, **threshold(0.9))
    made_up.add(400.0, kind="sweep")
    made_up.add(50.0, kind="sweep", head="official")  # another head is another place
    assert by_name(made_up.place)["threshold 0.9"].speedup.value == pytest.approx(4)


def test_a_whole_run_stands_for_its_part():
    made_up = made_up_decoders.MadeUp()
    made_up.add(390.0, steps_timed=8)
    made_up.add(400.0)
    made_up.add(200.0, steps=16, steps_timed=8)  # of which there is no whole run
    place = made_up.place
    assert [line.run["latency/latency_ms"] for line in place.lines] == [400.0, 200.0]
    assert place.vanilla.run["latency/latency_ms"] == 400.0


def test_what_failed_stands_in_no_line():
    made_up = made_up_decoders.tasks_study()
    made_up.add(1.0, **threshold(0.7), outcome="oom", message="no room")
    place = made_up.place
    assert len(place.left_out) == 1
    assert "threshold 0.7" not in by_name(place)
    assert len(place.every) == len(place.lines) + 2


def test_decoders_are_sorted_by_sampler_cache_and_how_much_they_commit():
    names = [line.name or f"steps {line.run['steps']:.0f}" for line in made_up_decoders.tasks_study().place.lines]
    assert names == [
        "steps 32", "steps 8", "dual cache (block)", "threshold 0.9", "threshold 0.5",
        "threshold 0.9, dual cache (block)", "threshold 0.5, dual cache (block)",
    ]  # fmt: skip
