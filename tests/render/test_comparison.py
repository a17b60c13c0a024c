"""The table and the verdict for every outcome, on made-up frames."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.analysis import comparison
from bench.render import comparison as render_comparison
from bench.render import wording
from bench.store import mlflow_read
from paper import build as paper_build
from paper import results
from paper.figures import comparison as figures_comparison
from paper.tables import comparison as tables_comparison

PROMPTS = 32


@pytest.fixture
def study(monkeypatch):
    """Build a comparison; the scores of each run's prompts and its rounds come from the given numbers."""
    histories: dict[tuple[str, str], dict[int, float]] = {}
    monkeypatch.setattr(mlflow_read, "history", lambda run_id, name: histories[run_id, name])

    def build(llama, llada, **changes):
        rows = [row(histories, None, *llama) | changes] if llama else []
        rows += [row(histories, steps, *values) | changes for steps, values in llada.items()]
        found = comparison.comparisons(pd.DataFrame(rows))
        assert len(found) == 1
        return found[0]

    paper_build.histories = histories
    return paper_build


def row(histories, steps, latency, score) -> dict:
    name = f"run-{steps}"
    noise = np.random.default_rng(steps or 0).normal(0, 0.01, PROMPTS)
    histories[name, "per_prompt/bertscore_f1"] = dict(enumerate(score + noise - noise.mean()))
    histories[name, "rounds/latency/latency_ms"] = {1: latency, 2: latency * 1.01, 3: latency * 0.99}
    histories[name, "rounds/throughput/tokens_per_s"] = dict.fromkeys((1, 2, 3), 100000.0 / latency)
    found = {"run_id": name, "outcome": "ok", "verdict": "unknown", "weights": "trained"}
    found |= {"kind": "sweep" if steps else "baseline", "block_length": 32 if steps else None}
    found |= {"gen_length": 128, "prompt_hash": "h", "dtype": "float32", "batch_size": 1, "prompts": PROMPTS}
    found |= {"model": "llada" if steps else "llama", "latency/latency_ms": latency, "quality/bertscore_f1": score}
    return found | ({"steps": steps} if steps else {})


def verdict(found) -> str:
    return " ".join(render_comparison.verdict(found, {"bertscore_f1": 0.02, "accuracy": 0.05}))


def test_a_match_names_the_steps_and_the_price(study):
    found = study((500, 0.45), {4: (80, 0.2), 32: (640, 0.44), 128: (2560, 0.5)})
    text = verdict(found)
    assert "takes as long at about 25 steps" in text
    assert "within 0.02 of LLaMA's BERTScore F1 of 0.450 at 29 [" in text  # 2 ** (2 + 3 * 0.23 / 0.24)
    assert "at 32 steps an answer takes 1.28 [1.28, 1.28] times LLaMA's latency at 0.78 [0.78, 0.78] times" in text


def test_a_model_that_falls_short_is_not_said_to_match(study):
    text = verdict(study((500, 0.6), {4: (80, 0.2), 128: (2560, 0.5)}))
    assert "LLaDA is not shown to come within 0.02 of LLaMA's BERTScore F1 of 0.600 within 128 steps" in text
    assert "in 0% of the bootstrap replicates" in text
    assert "its best is 0.500 at 128 steps, at 5.12 [" in text


def test_a_llama_faster_than_one_step_is_said_so(study):
    assert "less than one LLaDA step takes" in verdict(study((10, 0.4), {4: (80, 0.4), 8: (160, 0.4)}))


@pytest.mark.parametrize(
    ("llama", "llada", "missing"),
    [(None, {4: (80, 0.2)}, "LLaMA (make baseline)"), ((500, 0.4), {}, "LLaDA (make sweep)")],
)
def test_half_a_study_says_what_is_missing(llama, llada, missing, study):
    assert verdict(study(llama, llada)) == f"No verdict yet: {missing} is not measured with these settings."


def test_one_step_count_gives_no_break_even(study):
    assert "two step counts of LLaDA are needed" in verdict(study((500, 0.4), {8: (160, 0.4)}))


def test_random_weights_have_no_quality_and_a_label(study):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.2)}, weights="random")
    assert render_comparison.verdict(found, {})[1] == "Quality: none; the weights are random, the shapes real."
    assert found.label == "random weights, real shapes: no quality"
    assert study((500, 0.4), {4: (80, 0.2)}).label == ""


def test_a_quality_reached_by_the_fewest_steps_is_said_so(study):
    assert "at 4 [4, 4] steps (the fewest measured)" in verdict(study((500, 0.4), {4: (80, 0.5), 8: (160, 0.5)}))


def test_what_is_not_scored_is_not_measured(study):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.2)})
    tasks = comparison.Comparison("tasks", found.llama, found.llada, found.human, found.left_out)
    empty = {"run-None": {}, "run-4": {}, "run-8": {}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow_read, "history", lambda run_id, name: empty[run_id])
        assert (
            render_comparison.quality_verdict(tasks, "accuracy", 0.05)
            == "Quality: accuracy is not measured (make score)."
        )


def test_other_weights_are_another_comparison(study):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}, revision="old")
    new = found.llada.assign(revision="new", run_id=["a", "b"])
    both = comparison.comparisons(pd.concat([found.rows, new], ignore_index=True))
    assert [one.llada["revision"].unique().tolist() for one in both] in ([["old"], ["new"]], [["new"], ["old"]])
    assert [one.llada["steps"].tolist() for one in both] == [[4, 8], [4, 8]]


@pytest.mark.parametrize("column", ["prompt_hash", "temperature", "gen_length"])
def test_only_runs_that_differ_in_steps_alone_are_compared(study, column):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}, temperature="0.0")
    other = found.rows.assign(**{column: 7, "run_id": ["a", "b", "c"]})[:2]
    first, second = comparison.comparisons(pd.concat([found.rows, other], ignore_index=True))
    assert first.llada["steps"].tolist() == [4, 8]
    assert (first.llama["run_id"].tolist(), second.llama["run_id"].tolist()) == (["run-None"], ["a"])
    assert set(second.rows[column]) == {7}


def test_tasks_and_answers_are_compared_apart_and_the_humans_stand_beside_their_prompts(study):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    tasks = found.rows.assign(kind="tasks", run_id=["a", "b", "c"])
    human = found.llama.assign(kind="reference", model="human", run_id="h")
    answers, about_tasks = comparison.comparisons(pd.concat([tasks, human, found.rows], ignore_index=True))
    assert (answers.about, about_tasks.about) == ("answers", "tasks")
    assert answers.human["run_id"].tolist() == ["h"]
    assert about_tasks.title.startswith("32 tasks, 128 tokens, batch 1, float32, greedy")


def test_failed_runs_are_not_compared_but_stand_in_the_table_and_are_counted(study):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    again = comparison.comparisons(found.rows.assign(outcome=["ok", "oom", "ok"], message=["", "70 GiB & more", ""]))[0]
    assert again.llada["steps"].tolist() == [8]
    assert wording.left_out_sentence(again) == "Left out: 1 of 3 runs (1 oom)."
    assert wording.retry_sentence(again).endswith('RETRY="oom" with the same settings.')
    shown = render_comparison.table(pd.concat([again.rows, again.left_out]), render_comparison.COLUMNS)
    assert shown.iloc[2].tolist() == ["llada", "4", "-", "-", "oom: 70 GiB & more"]
    in_latex = tables_comparison.topic_table(again.every, tables_comparison.TOPICS["latency"][1])
    assert in_latex["note"].tolist() == ["{\\scriptsize }"] * 2 + ["{\\scriptsize oom: 70 GiB \\& more}"]


def test_a_run_whose_worker_told_no_device_stands_with_the_others(study):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}, platform="cuda", verdict="exclusive")
    told = {"device": ["H100", "H100", "cuda"], "outcome": ["ok", "ok", "timeout"], "message": ""}
    [again] = comparison.comparisons(found.rows.assign(**told))
    assert again.left_out["steps"].tolist() == [8]
    assert wording.left_out_sentence(again) == "Left out: 1 of 3 runs (1 timeout)."


def test_gpu_runs_that_were_not_alone_never_become_numbers(study):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.3), 16: (320, 0.3)}, platform="cuda", verdict="exclusive")
    verdicts = {"verdict": ["exclusive", "violated", "unknown", "consistent"]}
    again = comparison.comparisons(found.every.assign(**verdicts, verdict_reason=["", "9 % busy", "MIG", ""]))[0]
    assert again.rows["verdict"].tolist() == ["exclusive", "consistent"]
    assert again.left_out["reason"].tolist() == ["excluded, violated: 9 % busy", "excluded, unknown: MIG"]
    shown = render_comparison.table(
        again.left_out.assign(**{"latency/latency_ms": again.left_out["latency/latency_ms"]}), render_comparison.COLUMNS
    )
    assert shown.columns.tolist() == ["model", "steps", "note"]
    assert tables_comparison.topic_table(again.every, tables_comparison.TOPICS["latency"][1])["total"].tolist()[2:] == [
        "--",
        "--",
    ]
    assert wording.left_out_sentence(again) == "Left out: 2 of 4 runs (2 excluded)."
    assert wording.retry_sentence(again).endswith('RETRY="unknown violated" with the same settings.')
    assert wording.retry_sentence(found) == ""


def test_a_study_of_nothing_but_failures_says_so(study):
    found = study((500, 0.4), {4: (80, 0.2)}, outcome="oom", message="too large")
    assert verdict(found) == "No verdict yet: LLaMA is left out."
    assert "left out: 2 of 2 runs (2 oom)" in wording.left_out_sentence(found).lower()
    assert found.title.startswith("32 prompts, 128 tokens")


def sentinels(study, rows, a: list[float], b: list[float]):
    """The comparison of some runs beside a sentinel with these latencies in each round."""
    twins = []
    for twin, values in (("a", a), ("b", b)):
        twins.append(
            rows.iloc[0].to_dict() | {"run_id": f"twin-{twin}", "kind": "sentinel", "twin": twin, "watches": "w"}
        )
        study.histories[f"twin-{twin}", "rounds/latency/latency_ms"] = dict(enumerate(values, 1))
    return comparison.comparisons(pd.concat([rows, pd.DataFrame(twins)], ignore_index=True))[0]


def test_a_good_llama_is_taken_where_another_failed(study):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    failed = found.llama.assign(outcome="oom", run_id="newer")
    again = comparison.comparisons(pd.concat([failed, found.rows], ignore_index=True))[0]
    assert again.llama["run_id"].tolist() == ["run-None"]


def test_two_engines_are_two_comparisons(study):
    found = study((500, 0.4), {4: (80, 0.2)})
    rows = found.rows.assign(**{"latency/step_ms": 5.0})
    other = rows.assign(engine="captured", run_id=rows["run_id"] + "x")
    both = comparison.comparisons(pd.concat([rows.assign(engine="eager"), other], ignore_index=True))
    assert [set(one.rows["engine"]) for one in both] == [{"captured"}, {"eager"}]  # of equal ones it times the device
    assert [one.title.endswith(", captured") for one in both] == [True, False]
    assert comparison.on_other_engines(both[0], both) == [both[1]]
    table = tables_comparison.topic_table(
        pd.concat([one.every for one in both]), tables_comparison.TOPICS["latency"][1]
    )
    assert list(table.index)[:2] == ["LLaMA, captured", "LLaDA, 4 steps, captured, official head"]
    assert "LLaMA, eager" in table.index
    figure = figures_comparison.step_time(both[0], both[1:])
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert sorted(names) == ["LLaDA, captured", "LLaDA, eager", "LLaMA, captured", "LLaMA, eager"]


def test_two_machines_are_two_comparisons(study):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}, platform="cpu", device="laptop")
    other = found.rows.assign(device="server", run_id=["a", "b", "c"])
    both = comparison.comparisons(pd.concat([found.rows, other], ignore_index=True))
    assert [len(one.rows) for one in both] == [3, 3]


def test_the_noise_floor_and_a_drift_are_said_beside_the_ratios(study):
    rows = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}).rows
    steady = sentinels(study, rows, [100, 101, 100], [100, 101, 100])
    assert "Noise: the same eager cell twice in a round differs by a factor of 1.00 [1.00, 1.00]" in verdict(steady)
    assert verdict(steady).endswith("from round to round it moved by 1.0%.")
    moving = sentinels(study, rows, [100, 120], [100, 120])
    assert "moved by 20.0% (MORE THAN 3%: EAGER RUNS DRIFTED)" in verdict(moving)
    once = sentinels(study, rows, [100], [110])
    assert verdict(once).endswith("differs by a factor of 0.91.")


def test_the_table_has_a_line_a_run_and_leaves_out_what_nobody_measured(study):
    shown = render_comparison.table(study((500, 0.4), {4: (80, 0.2)}).rows, render_comparison.COLUMNS)
    assert shown.columns.tolist() == ["model", "steps", "latency ms", "BERTScore"]
    assert shown.iloc[0].tolist() == ["llama", "-", "500.0", "0.400"]


def test_the_same_in_another_precision_stands_beside_a_comparison(study):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    int8 = found.rows.assign(dtype="int8", run_id=found.rows["run_id"] + "-int8")
    hot = found.rows.assign(dtype="int8", temperature=1.0, run_id=found.rows["run_id"] + "-hot")
    parts = comparison.comparisons(pd.concat([found.rows, int8, hot, hot.assign(dtype="float32")], ignore_index=True))
    assert [(part.dtype, [other.dtype for other in part.others]) for part in parts] == [
        ("float32", ["int8"]), ("int8", ["float32"]), ("int8", ["float32"]), ("float32", ["int8"]),
    ]  # fmt: skip
    figure = figures_comparison.pareto(parts[0])
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["LLaDA, by steps, float32", "LLaDA, by steps, int8", "LLaMA"]
    assert [text.get_text() for text in figure.axes[0].texts][:2] == ["float32", "int8"]
    assert figures_comparison.pareto(found).axes[0].get_legend().get_texts()[0].get_text() == "LLaDA, by steps"


def test_a_prediction_never_takes_a_measurements_name(study):
    found = study((500, 0.4), {4: (80, 0.2)})
    numbers = results.results(replace(found, llama=found.llama.assign(**{"predicted/latency_ms": 1.0})))
    assert numbers["llama.latency_ms"]["value"] == 500
    assert numbers["llama.predicted_latency_ms"]["value"] == 1.0
