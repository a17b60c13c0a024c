"""Accuracy in tasks of lm-evaluation-harness, paired by question, on made-up items."""

import numpy as np
import pandas as pd
import pytest

from bench.analysis import study as tracked_study
from bench.analysis.task_accuracy import Contest, Side
from bench.analysis.task_runs import task_accuracies
from bench.common import stats
from bench.common.errors import BadInput
from bench.store.sink import Sink
from tests.conftest import REPO
from tests.support.made_up_accuracy import MadeUp, pair_of, right
from tests.support.tracked_study import stand_in

COUNT = 200
LLAMA = right(120, COUNT)


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(REPO)


def contest(by_steps, margin=0.05, **changes) -> Contest:
    """The one contest of a study of one template; None are LLaMA's answers."""
    made_up = MadeUp()
    made_up.add_all(by_steps, **changes)
    [found] = made_up.found(pair_of(margin=margin))
    [only] = found.contests
    return only


def test_a_model_that_wins_is_within_the_margin_and_ahead():
    won = contest({None: LLAMA, 32: right(160, COUNT)})
    [point] = won.points
    assert (point.difference.value, point.accuracy.value) == (pytest.approx(0.2), 0.8)
    assert point.is_within
    assert point.is_shown_to_differ
    assert won.cheapest is point
    assert won.crossing.reached


def test_a_model_that_loses_is_not_within_the_margin_and_has_no_cross_over():
    lost = contest({None: LLAMA, 16: right(60, COUNT), 32: right(80, COUNT)})
    assert [point.is_within for point in lost.points] == [False, False]
    assert lost.points[-1].difference.value == pytest.approx(-0.2)
    assert lost.points[-1].difference.high < 0
    assert lost.cheapest is lost.crossing is None
    assert lost.decisive.side.steps == 32


def test_equal_models_are_within_from_the_fewest_steps_on_and_neither_is_ahead():
    equal = contest({None: LLAMA, 8: LLAMA, 16: LLAMA})
    assert [point.difference.value for point in equal.points] == [0.0, 0.0]
    assert all(point.difference.low < 0 < point.difference.high for point in equal.points)  # nobody disagreed by chance
    assert not any(point.is_shown_to_differ for point in equal.points)
    assert equal.cheapest.side.steps == 8
    assert equal.crossing.steps == 8


def test_the_fewest_steps_are_found_from_the_most_downwards():
    """Eight steps are within as well, but sixteen, between them, are not: that is luck."""
    lucky = contest({None: LLAMA, 8: LLAMA, 16: right(90, COUNT), 32: LLAMA})
    assert [point.is_within for point in lucky.points] == [True, False, True]
    assert lucky.cheapest.side.steps == 32
    few_only = contest({None: LLAMA, 8: LLAMA, 16: right(90, COUNT)})
    assert few_only.cheapest is None


def test_no_number_of_step_counts_makes_a_cross_over_by_luck():
    """Five step counts, each exactly the margin worse: one in twenty studies may say that some is within it."""
    random = np.random.default_rng(0)
    said, studies, margin = 0, 300, 0.1
    for _ in range(studies):
        reference = random.random(150) < 0.6
        worse = [reference & ~(random.random(150) < margin / 0.6) for _ in range(5)]
        sides = [Side({}, ("r",), "", steps, by_number(scores), {}, None, "") for steps, scores in enumerate(worse, 1)]
        llama = Side({}, ("l",), "", None, by_number(reference), {}, None, "")
        said += Contest(("own",), llama, tuple(sides), margin).cheapest is not None
    assert said / studies <= 0.05 + 2 * (0.05 * 0.95 / studies) ** 0.5


def by_number(scores) -> dict[int, float]:
    return dict(enumerate(map(float, scores)))


def test_differences_are_paired_by_question():
    """LLaDA is wrong in four questions that LLaMA answers: as two independent shares that would say much less."""
    paired = contest({None: LLAMA, 32: right(116, COUNT)}).points[0].difference
    alone = stats.difference(stats.proportion(116, COUNT), stats.proportion(120, COUNT))
    assert paired.value == pytest.approx(alone.value) == pytest.approx(-0.02)
    assert paired.high - paired.low < (alone.high - alone.low) / 3


def test_only_questions_that_all_answered_are_compared_and_counted():
    llama, llada = list(LLAMA), list(LLAMA)
    llama[3] = llada[150] = llada[151] = None
    missing = contest({None: llama, 16: llada, 32: LLAMA})
    assert (len(missing.items), missing.left_out_items) == (COUNT - 3, 3)
    assert {3, 150, 151}.isdisjoint(missing.items)
    assert missing.accuracy_of(missing.autoregressive).value == pytest.approx(119 / 197)
    assert [point.difference.value for point in missing.points] == [0.0, 0.0]


def test_seconds_are_compared_question_by_question():
    [point] = contest({None: LLAMA, 32: LLAMA}).points
    assert point.time_ratio.value == pytest.approx(3.2)
    assert point.time_ratio.high - point.time_ratio.low < 1e-6  # each question takes as many times as long
    assert point.seconds.value == pytest.approx(0.3296, rel=1e-3)
    assert point.side.tokens.value == 10


def test_times_of_two_devices_have_no_ratio_and_accuracies_are_compared():
    made_up = MadeUp()
    made_up.add(None, LLAMA)
    made_up.device = "another card"
    made_up.add(32, LLAMA)
    [found] = made_up.found()
    assert found.main.points[0].time_ratio is None
    assert found.main.cheapest.side.steps == 32


def test_a_run_that_went_on_on_another_device_has_no_ratio():
    made_up = MadeUp(device="a card and another card")
    made_up.add_all({None: LLAMA, 32: LLAMA})
    assert made_up.found()[0].main.points[0].time_ratio is None


def test_records_that_do_not_say_their_device_are_compared_on_one_platform():
    made_up = MadeUp(device="")
    made_up.add_all({None: LLAMA, 32: LLAMA})
    [found] = made_up.found()
    assert found.main.autoregressive.device == "cuda"
    assert found.main.points[0].time_ratio is not None


def test_templates_are_told_apart_and_their_mean_is_paired_by_question():
    made_up = MadeUp()
    made_up.add_all({None: LLAMA, 8: LLAMA, 16: LLAMA}, "own")
    made_up.add_all({None: LLAMA, 8: right(60, COUNT), 16: right(80, COUNT), 32: LLAMA}, "asked")
    [found] = made_up.found()
    assert [each.templates for each in found.all_contests] == [("own",), ("asked",), ("own", "asked")]
    assert found.main is found.over
    assert [point.side.name for point in found.over.points] == ["8 steps", "16 steps"]  # asked under both
    assert found.over.points[-1].difference.value == pytest.approx((0.0 - 0.2) / 2)
    assert len(found.over.points[-1].side.run_ids) == 2
    assert found.over.is_binary
    assert found.over.points[-1].time_ratio.value == pytest.approx(1.6)
    assert found.differs_by_template  # within from 8 steps on, and from 32 on


def test_a_ranking_that_flips_is_a_verdict_that_differs():
    made_up = MadeUp()
    made_up.add_all({None: LLAMA, 16: right(140, COUNT)}, "own")
    made_up.add_all({None: right(140, COUNT), 16: LLAMA}, "asked")
    [found] = made_up.found(pair_of(None))
    assert [point.difference.value for each in found.contests for point in each.points] == pytest.approx([0.1, -0.1])
    assert found.differs_by_template
    assert found.over.points[0].difference.value == pytest.approx(0)


def test_templates_that_say_the_same_do_not_differ():
    made_up = MadeUp()
    for template in ("own", "asked"):
        made_up.add_all({None: LLAMA, 16: LLAMA}, template)
    assert not made_up.found()[0].differs_by_template


def test_other_questions_are_not_paired():
    made_up = MadeUp()
    made_up.add(None, LLAMA)
    made_up.add(32, LLAMA, prompt_hash="others")
    [found] = made_up.found()
    assert found.contests == ()
    assert found.main is None
    assert found.left_out == (
        "template own: the diffusion model has no accuracy on these questions",
        "template own: the autoregressive model has no accuracy on these questions",
    )


def test_one_question_in_common_decides_nothing():
    made_up = MadeUp()
    made_up.add_all({None: [1.0, None, None], 32: [1.0, 1.0, 0.0]})
    [found] = made_up.found()
    assert found.left_out == ("template own: both models answered 1 of the questions, and two are needed",)


def test_a_text_in_which_nothing_matched_is_no_accuracy():
    made_up = MadeUp()
    made_up.add(None, LLAMA)
    made_up.no_match(made_up.add(16, [0.0] * COUNT))
    made_up.add(32, LLAMA)
    [found] = made_up.found()
    assert [side.steps for side in found.main.sides] == [32]
    assert found.left_out == ("template own, llada 16 steps: no answer matched, so this is not the model's accuracy",)


def test_without_a_margin_nothing_is_within_it():
    made_up = MadeUp()
    made_up.add_all({None: LLAMA, 32: LLAMA})
    [found] = made_up.found(pair_of(None))
    assert found.main.margin is None
    assert found.main.points[0].is_within is None
    assert found.main.cheapest is found.main.crossing is None


def test_other_decoders_are_points_and_no_steps():
    made_up = MadeUp()
    made_up.add_all({None: LLAMA, 16: LLAMA})
    made_up.add(32, LLAMA, sampler="threshold", threshold=0.9, cache="dual", refresh="block")
    [found] = made_up.found()
    assert [(point.side.name, point.side.steps) for point in found.main.points] == [
        ("16 steps", 16), ("threshold 0.9, dual cache (block)", None),
    ]  # fmt: skip
    assert len(found.main.curve) == 1


def test_likelihoods_are_compared_without_steps():
    made_up = MadeUp()
    own = {"gen_length": 0, "block_length": None, "prompt_hash": "choices"}
    made_up.add(None, LLAMA, **own)
    cell = made_up.add(None, right(110, COUNT), **own, model="llada", samples=128)
    assert cell.steps is None
    [found] = made_up.found()
    assert [point.side.name for point in found.main.points] == ["128 samples"]
    assert found.main.points[0].difference.value == pytest.approx(-0.05)
    assert found.main.cheapest is None
    assert found.main.decisive is found.main.points[0]


def test_scores_between_right_and_wrong_have_a_bootstrap_of_their_own():
    random = np.random.default_rng(1)
    partial = contest({None: random.random(COUNT).tolist(), 32: random.random(COUNT).tolist()})
    assert not partial.is_binary
    assert partial.accuracy_of(partial.autoregressive).low is not None


def test_what_differs_in_more_than_steps_stands_apart_and_more_questions_come_first():
    made_up = MadeUp()
    made_up.add_all({None: LLAMA[:50], 32: LLAMA[:50]}, prompt_hash="first 50")  # LIMIT=50
    made_up.add_all({None: LLAMA, 16: LLAMA, 32: LLAMA})
    for changes in ({"block_length": 32}, {"shots": 4}, {"seed": 1}):
        made_up.add(32, LLAMA, **changes)
    found = made_up.found()
    sizes = [[len(each.main.items), len(each.main.sides)] for each in found]
    assert sizes == [[COUNT, 2], [COUNT, 1], [COUNT, 1], [COUNT, 1], [50, 1]]
    assert all(len(each.contests) == 1 for each in found)


def test_a_cross_over_is_never_beyond_what_was_measured():
    """Two questions, one lost: with a wide margin the replicates are within it more often than not."""
    few = contest({None: [1.0, 1.0, 1.0], 32: [1.0, 0.0, 0.0]}, margin=0.6)
    assert few.points[0].is_within is False
    assert few.crossing is None


def test_the_primary_task_comes_first():
    made_up = MadeUp()
    for task in ("a task", "words"):
        made_up.add_all({None: LLAMA, 32: LLAMA}, task=task, prompt_hash=task)
    assert [each.task for each in made_up.found()] == ["words", "a task"]
    assert [each.task for each in made_up.found(pair_of(None))] == ["a task", "words"]


def test_of_llamas_of_several_lengths_the_one_as_long_as_llada_counts():
    made_up = MadeUp()
    made_up.add(None, right(20, COUNT), gen_length=64)
    made_up.add(None, LLAMA)
    made_up.add(None, right(10, COUNT), gen_length=128)
    made_up.add(32, LLAMA)
    assert made_up.found()[0].main.points[0].difference.value == 0


def test_a_study_without_accuracies_finds_none():
    runs = pd.DataFrame([{"run_id": "a", "kind": "sweep"}])
    assert task_accuracies(tracked_study.Study("s", runs, accuracies=runs.head(0)), pair_of()) == []


def test_from_records_through_mlflow_the_same_is_found(tmp_path, monkeypatch):
    made_up = MadeUp()
    made_up.add_all({None: LLAMA[:20], 16: LLAMA[5:25], 32: LLAMA[:20]})
    expected = made_up.found()[0].main
    stand_in(tmp_path, monkeypatch)
    sink = Sink("s")
    for item in made_up.items:
        sink.take(item)
    for entry in made_up.records.values():
        sink.take(entry.scores["lm-eval"])
    assert sink.track()
    whole = tracked_study.read("s")
    assert whole.runs.empty
    assert len(whole.accuracies) == 3
    monkeypatch.chdir(REPO)  # where the pair's file is
    [found] = task_accuracies(whole, pair_of())
    assert [point.difference for point in found.main.points] == [point.difference for point in expected.points]
    assert found.main.autoregressive.device == "a card"
    assert found.main.points[1].time_ratio.value == pytest.approx(3.2, rel=1e-4)


def test_a_study_of_nothing_is_refused_in_one_line(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch)
    with pytest.raises(BadInput, match="is not tracked here"):
        tracked_study.read("s")
