"""Which runs are compared with which, on made-up studies."""

import pandas as pd
import pytest

from bench.analysis.comparison import by_block, by_block_and_temperature, on_other_engines
from tests.support.made_up_comparison import MadeUp


@pytest.fixture
def made_up() -> MadeUp:
    return MadeUp()


def test_other_weights_are_another_comparison(made_up):
    old = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}, revision="old")
    new = old.diffusion.assign(revision="new", run_id=["a", "b"])
    every = made_up.comparisons(pd.concat([old.rows, new], ignore_index=True))
    revisions = [comparison.diffusion["revision"].unique().tolist() for comparison in every]
    assert sorted(revisions) == [["new"], ["old"]]
    assert [comparison.diffusion["steps"].tolist() for comparison in every] == [[4, 8], [4, 8]]


@pytest.mark.parametrize("column", ["prompt_hash", "temperature", "gen_length"])
def test_only_runs_that_differ_in_steps_alone_are_compared(made_up, column):
    whole = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}, temperature="0.0")
    changed = whole.rows.assign(**{column: 7, "run_id": ["a", "b", "c"]})[:2]
    first, second = made_up.comparisons(pd.concat([whole.rows, changed], ignore_index=True))
    assert first.diffusion["steps"].tolist() == [4, 8]
    assert first.autoregressive["run_id"].tolist() == ["run-None"]
    assert second.autoregressive["run_id"].tolist() == ["a"]
    assert set(second.rows[column]) == {7}


def test_tasks_and_answers_are_compared_apart_and_the_humans_stand_beside_their_prompts(made_up):
    answers = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    tasks = answers.rows.assign(kind="tasks", run_id=["a", "b", "c"])
    human = answers.autoregressive.assign(kind="reference", model="human", run_id="h")
    first, second = made_up.comparisons(pd.concat([tasks, human, answers.rows], ignore_index=True))
    assert (first.about, second.about) == ("answers", "tasks")
    assert first.human["run_id"].tolist() == ["h"]
    assert (list(first.declared), list(second.declared)) == (["bertscore_f1"], ["accuracy"])


def test_failed_runs_are_not_compared(made_up):
    whole = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    failed = whole.rows.assign(outcome=["ok", "oom", "ok"], message=["", "70 GiB & more", ""])
    [comparison] = made_up.comparisons(failed)
    assert comparison.diffusion["steps"].tolist() == [8]
    assert comparison.left_out["steps"].tolist() == [4]


def test_a_run_whose_worker_told_no_device_stands_with_the_others(made_up):
    whole = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}, platform="cuda", verdict="exclusive")
    told = {"device": ["H100", "H100", "cuda"], "outcome": ["ok", "ok", "timeout"], "message": ""}
    [comparison] = made_up.comparisons(whole.rows.assign(**told))
    assert comparison.left_out["steps"].tolist() == [8]


def test_gpu_runs_that_were_not_alone_never_become_numbers(made_up):
    steps = {4: (80, 0.2), 8: (160, 0.3), 16: (320, 0.3)}
    whole = made_up.comparison((500, 0.4), steps, platform="cuda", verdict="exclusive")
    verdicts = {"verdict": ["exclusive", "violated", "unknown", "consistent"]}
    comparison = made_up.comparisons(whole.every.assign(**verdicts, verdict_reason=["", "9 % busy", "MIG", ""]))[0]
    assert comparison.rows["verdict"].tolist() == ["exclusive", "consistent"]
    assert comparison.left_out["reason"].tolist() == ["excluded, violated: 9 % busy", "excluded, unknown: MIG"]
    assert comparison.left_out["latency/latency_ms"].isna().all()


def test_a_good_llama_is_taken_where_another_failed(made_up):
    whole = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    failed = whole.autoregressive.assign(outcome="oom", run_id="newer")
    comparison = made_up.comparisons(pd.concat([failed, whole.rows], ignore_index=True))[0]
    assert comparison.autoregressive["run_id"].tolist() == ["run-None"]


def test_two_engines_are_two_comparisons(made_up):
    rows = made_up.comparison((500, 0.4), {4: (80, 0.2)}).rows
    captured = rows.assign(engine="captured", run_id=rows["run_id"] + "x")
    every = made_up.comparisons(pd.concat([rows.assign(engine="eager"), captured], ignore_index=True))
    # Of equally large ones that comes first which times the device alone.
    assert [set(comparison.rows["engine"]) for comparison in every] == [{"captured"}, {"eager"}]
    assert on_other_engines(every[0], every) == [every[1]]


def test_greedy_answers_come_before_sampled_ones_and_those_of_the_same_stand_beside_them(made_up):
    greedy = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}, temperature="0.0").rows
    short = greedy[1:].assign(block_length=8, run_id=greedy["run_id"][1:] + "-short")
    hot = greedy.assign(temperature="1.0", run_id=greedy["run_id"] + "-hot")
    other = hot.assign(prompt_hash="other", run_id=hot["run_id"] + "-other")  # other prompts: no variant of the first
    every = made_up.comparisons(pd.concat([other, hot, greedy, short], ignore_index=True))
    variants = by_block_and_temperature(every, "answers")
    assert [set(each.diffusion["run_id"]) for each in variants] == [
        {"run-4-short", "run-8-short"}, {"run-4", "run-8"}, {"run-4-hot", "run-8-hot"},
    ]  # fmt: skip
    assert by_block(every, "answers") == variants[:2]
    assert [each.rows["temperature"].iloc[0] for each in every] == ["0.0", "0.0", "1.0", "1.0"]


def test_two_machines_are_two_comparisons(made_up):
    whole = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}, platform="cpu", device="laptop")
    server = whole.rows.assign(device="server", run_id=["a", "b", "c"])
    every = made_up.comparisons(pd.concat([whole.rows, server], ignore_index=True))
    assert [len(comparison.rows) for comparison in every] == [3, 3]


def test_the_same_in_another_precision_stands_beside_a_comparison(made_up):
    rows = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}).rows
    int8 = rows.assign(dtype="int8", run_id=rows["run_id"] + "-int8")
    hot = rows.assign(dtype="int8", temperature=1.0, run_id=rows["run_id"] + "-hot")
    hot_float32 = hot.assign(dtype="float32")
    every = made_up.comparisons(pd.concat([rows, int8, hot, hot_float32], ignore_index=True))
    precisions = [(comparison.dtype, [beside.dtype for beside in comparison.others]) for comparison in every]
    assert precisions == [
        ("float32", ["int8"]), ("int8", ["float32"]), ("int8", ["float32"]), ("float32", ["int8"]),
    ]  # fmt: skip


def test_ratios_and_matches_belong_to_the_steps_and_metrics(made_up):
    comparison = made_up.comparison((500, 0.45), {4: (80, 0.2), 32: (640, 0.44), 128: (2560, 0.5)})
    assert {steps: ratio.value for steps, ratio in comparison.latency_ratios.items()} == {
        4: pytest.approx(0.16), 32: pytest.approx(1.28), 128: pytest.approx(5.12),
    }  # fmt: skip
    assert comparison.matches["bertscore_f1"].steps == 32
    assert comparison.break_even_steps.value == pytest.approx(25)


def test_what_is_not_scored_has_no_match(made_up):
    comparison = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.2)}, kind="tasks")
    assert comparison.matches == {"accuracy": None}
