"""The table and the verdict for every outcome, on made-up frames."""

import numpy as np
import pandas as pd
import pytest

from bench import report, tracking

PROMPTS = 32


@pytest.fixture
def study(monkeypatch):
    """Build a comparison; the scores of each run's prompts and its rounds come from the given numbers."""
    histories: dict[tuple[str, str], dict[int, float]] = {}
    monkeypatch.setattr(tracking, "history", lambda run_id, name: histories[run_id, name])

    def build(llama, llada, **changes):
        rows = [row(histories, None, *llama) | changes] if llama else []
        rows += [row(histories, steps, *values) | changes for steps, values in llada.items()]
        return report.comparison(pd.DataFrame(rows))

    return build


def row(histories, steps, latency, score) -> dict:
    name = f"run-{steps}"
    noise = np.random.default_rng(steps or 0).normal(0, 0.01, PROMPTS)
    histories[name, "per_prompt/bertscore_f1"] = dict(enumerate(score + noise - noise.mean()))
    histories[name, "rounds/latency/latency_ms"] = {1: latency, 2: latency * 1.01, 3: latency * 0.99}
    found = {"run_id": name, "outcome": "ok", "kind": "sweep" if steps else "baseline", "weights": "trained"}
    found |= {"gen_length": 128, "prompt_hash": "h", "dtype": "float32", "batch_size": 1, "prompts": PROMPTS}
    found |= {"model": "llada" if steps else "llama", "latency/latency_ms": latency, "quality/bertscore_f1": score}
    return found | ({"steps": steps} if steps else {})


def verdict(found) -> str:
    return " ".join(report.verdict(found, "bertscore_f1", 0.02))


def test_a_match_names_the_fewest_steps_and_the_price(study):
    found = study((500, 0.45), {4: (80, 0.2), 32: (640, 0.44), 128: (2560, 0.5)})
    text = verdict(found)
    assert "takes as long at about 25 steps" in text
    assert "within 0.02 of LLaMA's BERTScore F1 of 0.450 from 32 steps on (0.440)" in text
    assert "at 1.28 [" in text


def test_a_model_that_falls_short_is_not_said_to_match(study):
    text = verdict(study((500, 0.6), {4: (80, 0.2), 128: (2560, 0.5)}))
    assert "up to 128 steps LLaDA is not shown to come within 0.02" in text
    assert "its best is 0.500 at 128 steps, at 5.12 [" in text


def test_a_llama_faster_than_one_step_is_said_so(study):
    assert "less than one LLaDA step takes" in verdict(study((10, 0.4), {4: (80, 0.4), 8: (160, 0.4)}))


@pytest.mark.parametrize(
    ("llama", "llada", "missing"),
    [(None, {4: (80, 0.2)}, "LLaMA (make baseline)"), ((500, 0.4), {}, "LLaDA (make sweep)")],
)
def test_half_a_study_says_what_is_missing(llama, llada, missing, study):
    assert verdict(study(llama, llada)) == f"No verdict yet: {missing} is not measured on these prompts."


def test_one_step_count_gives_no_break_even(study):
    assert "two step counts of LLaDA are needed" in verdict(study((500, 0.4), {8: (160, 0.4)}))


def test_random_weights_have_no_quality_and_a_label(study):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.2)}, weights="random")
    assert report.verdict(found, None, 0.0)[1] == "Quality: none; the weights are random, the shapes real."
    assert found.label == "random weights, real shapes: no quality"
    assert study((500, 0.4), {4: (80, 0.2)}).label == ""


def test_only_runs_on_the_same_prompts_are_compared(study):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    frame = pd.concat([found.rows, found.rows.assign(prompt_hash="other", run_id="x")[:1]])
    again = report.comparison(frame)
    assert set(again.rows["prompt_hash"]) == {"h"}
    assert again.llada["steps"].tolist() == [4, 8]


def test_failed_runs_stand_apart(study):
    found = study((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    frame = found.rows.assign(outcome=["ok", "oom", "ok"])
    again = report.comparison(frame)
    assert again.failed["run_id"].tolist() == ["run-4"]
    assert again.llada["steps"].tolist() == [8]


def test_the_table_has_a_line_a_run_and_leaves_out_what_nobody_measured(study):
    shown = report.table(study((500, 0.4), {4: (80, 0.2)}).rows)
    assert shown.columns.tolist() == ["model", "steps", "latency ms", "BERTScore"]
    assert shown.iloc[0].tolist() == ["llama", "-", "500.0", "0.400"]
