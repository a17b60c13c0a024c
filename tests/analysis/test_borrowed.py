"""Published accuracies beside measured times: recomputed, with the doubt of both, and replaced by one's own."""

import pandas as pd
import pytest

from bench.analysis.borrowed import borrowed_of, way_of
from bench.common import stats
from bench.render import borrowed as render
from bench.spec.pair import read_pair
from tests.support.made_up_published import LLADA, LLAMA, LLAMA_MS, STEP_MS, about, sweep

PAIR = read_pair("8b-shapes")
MARGIN = read_pair("pocket").metrics["accuracy"]
NOTHING = pd.DataFrame()


def borrowed(folder, own_runs=NOTHING, comparison=None, **changes):
    return borrowed_of(PAIR, own_runs, [comparison or sweep()], [], about(folder, **changes))


def llada(**changes) -> dict:
    return {"accuracies": {"llama": LLAMA, "llada": LLADA | changes}}


def test_accuracy_difference_and_price_are_those_of_the_file_and_the_study(tmp_path):
    [task] = borrowed(tmp_path).tasks
    [point] = task.points
    assert point.accuracy == stats.proportion(790, 1000)
    assert task.reference.accuracy == stats.proportion(800, 1000)
    assert point.difference == stats.difference(stats.proportion(790, 1000), stats.proportion(800, 1000))
    assert point.timed.ratio.value == pytest.approx(256 * STEP_MS / LLAMA_MS)
    assert task.margin == MARGIN
    assert task.is_shown(point) == (point.difference.low > -MARGIN)
    assert task.cheapest("whole forwards") is point


def test_the_sentence_follows_the_published_value_and_the_measured_time(tmp_path):
    def sentence(comparison=None, **changes) -> str:
        return render.verdict(borrowed(tmp_path, comparison=comparison, **llada(**changes)))

    assert "within 5 points of LLaMA's accuracy on Sums (1 of 1 accuracies) at 2.05 [" in sentence()
    assert "on Sums (1 of 1 accuracies) at 4.10 [" in sentence(sweep(step_ms=2 * STEP_MS))
    assert "within 5 points of LLaMA's accuracy on no task; not on Sums" in sentence(percent=70.0)
    assert "accuracies) at 0.51 [" in sentence(forwards=64)
    assert ", interpolated" in sentence(forwards=100)


def test_a_value_within_the_margin_that_the_items_do_not_show_is_said_to_be_that(tmp_path):
    few = {"sums": {"label": "Sums", "items": 100, "source": "paper"}}
    [task] = borrowed(tmp_path, tasks=few).tasks
    assert task.is_within(task.points[0])
    assert not task.is_shown(task.points[0])
    assert "by its value alone, not shown" in render.task_sentence(task)


def test_a_canvas_without_a_time_costs_nothing_that_is_known(tmp_path):
    other = LLADA | {"gen_length": 1024, "forwards": 1024}
    points = {"accuracies": {"llama": LLAMA, "llada": LLADA | {"percent": 60.0}, "longer": other}}
    [task] = borrowed(tmp_path, **points).tasks
    assert "of which no time was measured" in render.task_sentence(task)
    assert borrowed(tmp_path, accuracies={"llama": LLAMA, "longer": other}) is None


def test_forwards_with_a_cache_and_of_other_weights_are_no_whole_forwards(tmp_path):
    cached = LLADA | {"forwards": None, "tokens_per_forward": 4.0, "cache": "keys and values", "decoder": "threshold"}
    distilled = cached | {"distilled": True, "tokens_per_forward": 8.0, "decoder": "D"}
    points = {"accuracies": {"llama": LLAMA, "llada": LLADA, "cached": cached, "distilled": distilled}}
    found = borrowed(tmp_path, **points)
    [task] = found.tasks
    assert [point.way for point in task.points] == ["whole forwards", "cache", "distilled"]
    assert task.cheapest("whole forwards").key == "llada"
    sentence = render.task_sentence(task)
    assert "with a cache of keys and values, which was not timed here, at 64 forwards" in sentence
    assert "as many whole forwards would take 0.26 [" in sentence
    assert "not stated" in about(tmp_path, **llada(cache="not stated")).accuracies["llada"].cache
    assert way_of(about(tmp_path, **llada(cache="not stated")).accuracies["llada"]) == "cache"


def test_without_an_accuracy_of_llama_nothing_is_compared(tmp_path):
    [task] = borrowed(tmp_path, accuracies={"llada": LLADA}).tasks
    assert task.reference is None
    assert "nothing is compared" in render.task_sentence(task)


def test_two_harnesses_of_one_setting_are_compared_and_two_settings_are_not(tmp_path):
    other = {
        "llada-2": LLADA | {"harness": "another", "percent": 76.5},
        "llada-3": LLADA | {"shots": 4, "percent": 50.0},
    }
    found = borrowed(tmp_path, accuracies={"llama": LLAMA, "llada": LLADA} | other)
    assert found.harness == pytest.approx(0.025)
    assert "differ by up to 2.5 points" in " ".join(render.about(found))


def own(model: str, value: float, **changes) -> dict:
    row = {
        "run_id": f"own-{model}", "kind": "accuracy", "model": model, "task": "gsm8k", "template": "own",
        "quality/accuracy": value, "quality/accuracy_ci_low": value - 0.02, "quality/accuracy_ci_high": value + 0.02,
        "prompts": "500", "gen_length": 256, "block_length": 8, "steps": 64, "quality/forwards_an_item": 64.0,
    }  # fmt: skip
    return row | changes


def test_own_accuracies_of_real_weights_replace_the_published_ones(tmp_path):
    found = borrowed(tmp_path, pd.DataFrame([own("llama", 0.9), own("llada", 0.89)]))
    [task] = found.tasks
    assert task.is_own
    assert task.items == 500
    assert [point.accuracy.value for point in task.points] == [0.89]
    assert task.points[0].timed.ratio.value == pytest.approx(64 * STEP_MS / LLAMA_MS)
    assert "our own accuracies" in render.task_sentence(task)
    assert render.verdict(found).startswith("By its own accuracies")


@pytest.mark.parametrize(
    "rows",
    [
        [own("llama", 0.9)],
        [own("llama", 0.9, random_seed="0"), own("llada", 0.89, random_seed="0")],
        [own("llama", 0.9, task="mbpp"), own("llada", 0.89, task="mbpp")],
        [own("llama", 0.9), own("llada", 0.0, **{"quality/unmatched_answers": 1.0})],
    ],
    ids=["one model", "random weights", "another task", "no answer understood"],
)
def test_otherwise_the_published_ones_stay(rows, tmp_path):
    [task] = borrowed(tmp_path, pd.DataFrame(rows)).tasks
    assert not task.is_own
    assert [point.key for point in task.points] == ["llada"]


def test_a_pair_that_nobody_has_published_of_has_no_borrowed_quality(tmp_path):
    assert borrowed_of(read_pair("pocket"), NOTHING, [sweep()], [], about(tmp_path)) is None


def test_the_two_sides_are_said_to_be_of_different_people(tmp_path):
    found = borrowed(tmp_path)
    assert "Different people measured the two sides" in render.lines(found)[0]
    assert render.lines(None) == []
