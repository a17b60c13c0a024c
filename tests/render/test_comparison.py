"""The table and the verdict for every outcome, on made-up studies."""

from dataclasses import replace

import pandas as pd
import pytest

from bench.render import comparison as render_comparison
from bench.render import wording
from bench.render.comparison import COLUMNS
from bench.render.study import comparison_lines
from tests.support.made_up_comparison import MadeUp


@pytest.fixture
def made_up() -> MadeUp:
    return MadeUp()


def verdict(comparison) -> str:
    return " ".join(render_comparison.verdict(comparison))


def test_a_match_names_the_steps_and_the_price(made_up):
    text = verdict(made_up.comparison((500, 0.45), {4: (80, 0.2), 32: (640, 0.44), 128: (2560, 0.5)}))
    assert "takes as long at 25 [25, 25] steps" in text
    assert "within 0.02 of LLaMA's BERTScore F1 of 0.450 at 29 [" in text  # 2 ** (2 + 3 * 0.23 / 0.24)
    assert "there, at 32 steps, an answer takes 1.28 [" in text


def test_a_model_that_falls_short_is_not_said_to_match(made_up):
    text = verdict(made_up.comparison((500, 0.6), {4: (80, 0.2), 128: (2560, 0.5)}))
    assert "LLaDA is not shown to come within 0.02 of LLaMA's BERTScore F1 of 0.600 within 128 steps" in text
    assert "in 0% of the bootstrap replicates" in text
    assert "its best is 0.500 at 128 steps, at 5.12 [" in text


def test_a_llama_faster_than_one_step_is_said_so(made_up):
    text = verdict(made_up.comparison((10, 0.4), {4: (80, 0.4), 8: (160, 0.4)}))
    assert "less than one LLaDA step takes" in text


@pytest.mark.parametrize(
    ("llama", "llada", "missing"),
    [(None, {4: (80, 0.2)}, "LLaMA (make baseline)"), ((500, 0.4), {}, "LLaDA (make sweep)")],
)
def test_half_a_study_says_what_is_missing(made_up, llama, llada, missing):
    text = verdict(made_up.comparison(llama, llada))
    assert text == f"No verdict yet: {missing} is not measured with these settings."


def test_one_step_count_gives_no_break_even(made_up):
    assert "two step counts of LLaDA are needed" in verdict(made_up.comparison((500, 0.4), {8: (160, 0.4)}))


def test_random_weights_have_no_quality_and_a_label(made_up):
    steps = {4: (80, 0.2), 8: (160, 0.2)}
    made = made_up.comparison((500, 0.4), steps, margins={}, weights="random")
    assert render_comparison.verdict(made)[1] == "Quality: none; the weights are random, the shapes real."
    assert wording.weights_label(made.every) == "random weights, real shapes: no quality"
    assert wording.weights_label(made_up.comparison((500, 0.4), {4: (80, 0.2)}).every) == ""


def test_a_quality_reached_by_the_fewest_steps_is_said_so(made_up):
    text = verdict(made_up.comparison((500, 0.4), {4: (80, 0.5), 8: (160, 0.5)}))
    assert "at 4 [4, 4] steps (the fewest measured)" in text


def test_what_is_not_scored_is_not_measured(made_up):
    tasks = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.2)}, kind="tasks")
    assert render_comparison.quality_verdict(tasks, "accuracy") == "Quality: accuracy is not measured (make score)."


def test_a_title_says_what_the_runs_have_in_common(made_up):
    tasks = made_up.comparison((500, 0.4), {4: (80, 0.2)}, kind="tasks")
    assert (
        wording.comparison_title(tasks) == "32 tasks, 128 tokens, batch 1, float32, greedy, eager engine, official head"
    )
    captured = made_up.comparison((500, 0.4), {4: (80, 0.2)}, engine="captured", temperature="0.7")
    title = wording.comparison_title(captured)
    assert title == "32 prompts, 128 tokens, batch 1, float32, temperature 0.7, captured engine, official head"
    lean = made_up.comparison((500, 0.4), {4: (80, 0.2)}, head="lean")
    assert wording.comparison_title(lean).endswith(", eager engine, lean head")
    for stop, words in (("eos", "natural end"), ("length", "forced length")):
        title = wording.comparison_title(made_up.comparison((500, 0.4), {4: (80, 0.2)}, stop=stop))
        assert title.startswith(f"32 prompts, 128 tokens, {words}, batch 1, ")


def test_failed_runs_stand_in_the_table_and_are_counted(made_up):
    whole = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    failed = whole.rows.assign(outcome=["ok", "oom", "ok"], message=["", "70 GiB & more", ""])
    [comparison] = made_up.comparisons(failed)
    assert wording.left_out_sentence(comparison) == "Left out: 1 of 3 runs (1 oom)."
    assert wording.retry_sentence(comparison).endswith('RETRY="oom" with the same settings.')
    table = render_comparison.table(comparison.every, COLUMNS)
    assert table.iloc[2].tolist() == ["llada", "4", "-", "-", "oom: 70 GiB & more"]


def test_a_run_that_timed_out_is_counted(made_up):
    whole = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}, platform="cuda", verdict="exclusive")
    told = {"device": ["H100", "H100", "cuda"], "outcome": ["ok", "ok", "timeout"], "message": ""}
    [comparison] = made_up.comparisons(whole.rows.assign(**told))
    assert wording.left_out_sentence(comparison) == "Left out: 1 of 3 runs (1 timeout)."


def test_gpu_runs_that_were_not_alone_stand_without_numbers(made_up):
    steps = {4: (80, 0.2), 8: (160, 0.3), 16: (320, 0.3)}
    whole = made_up.comparison((500, 0.4), steps, platform="cuda", verdict="exclusive")
    verdicts = {"verdict": ["exclusive", "violated", "unknown", "consistent"]}
    comparison = made_up.comparisons(whole.every.assign(**verdicts, verdict_reason=["", "9 % busy", "MIG", ""]))[0]
    assert render_comparison.table(comparison.left_out, COLUMNS).columns.tolist() == ["model", "steps", "note"]
    assert wording.left_out_sentence(comparison) == "Left out: 2 of 4 runs (2 excluded)."
    assert wording.retry_sentence(comparison).endswith('RETRY="unknown violated" with the same settings.')
    assert wording.retry_sentence(whole) == ""


def test_a_study_of_nothing_but_failures_says_so(made_up):
    comparison = made_up.comparison((500, 0.4), {4: (80, 0.2)}, outcome="oom", message="too large")
    assert verdict(comparison) == "No verdict yet: LLaMA is left out."
    assert wording.left_out_sentence(comparison) == "Left out: 2 of 2 runs (2 oom)."
    assert wording.comparison_title(comparison).startswith("32 prompts, 128 tokens")


def test_the_noise_floor_and_a_drift_are_said_beside_the_ratios(made_up):
    rows = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}).rows
    steady = verdict(made_up.beside_sentinel(rows, [100, 101, 100], [100, 101, 100]))
    assert "Noise: the same eager cell of LLaMA twice in a round differs by a factor of 1.00 [1.00, 1.00]" in steady
    assert "from round to round it moved by 1.0%." in steady
    moving = verdict(made_up.beside_sentinel(rows, [100, 120], [100, 120]))
    assert "moved by 20.0% (MORE THAN 3%: LLAMA'S EAGER RUNS DRIFTED)" in moving
    of_one_round = verdict(made_up.beside_sentinel(rows, [100], [110]))
    assert "differs by a factor of 0.91." in of_one_round


def test_the_table_has_a_line_a_run_and_leaves_out_what_nobody_measured(made_up):
    table = render_comparison.table(made_up.comparison((500, 0.4), {4: (80, 0.2)}).rows, COLUMNS)
    assert table.columns.tolist() == ["model", "steps", "latency ms", "BERTScore"]
    assert table.iloc[0].tolist() == ["llama", "-", "500.0", "0.400"]


def test_a_table_of_runs_without_step_counts_has_dashes():
    runs = pd.DataFrame([{"model": "llama", "latency/latency_ms": 2.0}])
    assert render_comparison.table(runs, COLUMNS)["steps"].tolist() == ["-"]


def test_what_was_not_scored_is_counted_in_the_table_and_said_under_it():
    whole = MadeUp().comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    words = "bertscore-minilm 1 of 32 texts (the reference is empty)"
    rows = whole.rows.assign(not_scored=["", words, words], **{"quality/not_scored": [None, 1, 1]})
    comparison = replace(whole, autoregressive=rows.head(1), diffusion=rows.tail(2))
    lines = comparison_lines(comparison)
    assert "not scored" in lines[0]
    assert f"Not scored of llada 4 steps, llada 8 steps: {words}." in lines
    assert not [line for line in comparison_lines(whole) if "Not scored" in line or "not scored" in line]


def test_a_judge_that_was_asked_for_is_named():
    whole = MadeUp().comparison((500, 0.4), {4: (80, 0.2)}, **{"quality/judge_perplexity": 3.0, "judge": "smollm2"})
    assert not [line for line in comparison_lines(whole) if "Judge" in line]
    other = MadeUp().comparison((500, 0.4), {4: (80, 0.2)}, **{"quality/judge_perplexity": 3.0, "judge": "mine-12ab"})
    assert "Judge perplexity is by mine-12ab; it compares with no other judge's." in comparison_lines(other)
