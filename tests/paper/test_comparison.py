"""Comparisons in the report: tables, figures and numbers of made-up studies."""

from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from paper import results
from paper.figures import comparison as figures_comparison
from paper.figures.write import comparison_title
from paper.tables.comparison import TOPICS, topic_table
from tests.support.made_up_comparison import MadeUp

LATENCY_COLUMNS = TOPICS["latency"][1]


@pytest.fixture
def made_up() -> MadeUp:
    return MadeUp()


def test_failed_runs_stand_in_the_table_with_their_reason(made_up):
    whole = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    failed = whole.rows.assign(outcome=["ok", "oom", "ok"], message=["", "70 GiB & more", ""])
    [comparison] = made_up.comparisons(failed)
    table = topic_table(comparison.every, LATENCY_COLUMNS)
    assert table["note"].tolist() == [""] * 2 + ["oom: 70 GiB \\& more"]


def test_gpu_runs_that_were_not_alone_stand_without_numbers(made_up):
    whole = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)}, platform="cuda", verdict="exclusive")
    comparison = made_up.comparisons(whole.every.assign(verdict=["exclusive", "violated", "unknown"]))[0]
    assert topic_table(comparison.every, LATENCY_COLUMNS)["total"].tolist() == ["500.0", "--", "--"]


def test_runs_on_several_engines_are_named_by_them(made_up):
    rows = made_up.comparison((500, 0.4), {4: (80, 0.2)}).rows.assign(**{"latency/step_ms": 5.0})
    captured = rows.assign(engine="captured", run_id=rows["run_id"] + "x")
    every = made_up.comparisons(pd.concat([rows.assign(engine="eager"), captured], ignore_index=True))
    table = topic_table(pd.concat([comparison.every for comparison in every]), LATENCY_COLUMNS)
    assert list(table.index)[:2] == ["LLaMA, captured", "LLaDA, 4 steps, captured, official head"]
    assert "LLaMA, eager" in table.index
    figure = figures_comparison.step_time(every[0], every[1:])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(names) == [
        "LLaDA, captured, official head", "LLaDA, eager, official head",
        "LLaMA, captured", "LLaMA, eager",
    ]  # fmt: skip
    plt.close(figure)


def test_several_precisions_stand_in_one_figure(made_up):
    alone = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    int8 = alone.rows.assign(dtype="int8", run_id=alone.rows["run_id"] + "-int8")
    first, _ = made_up.comparisons(pd.concat([alone.rows, int8], ignore_index=True))
    figure = figures_comparison.pareto(first)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["LLaDA, by steps, float32", "LLaDA, by steps, int8", "LLaMA"]
    assert [text.get_text() for text in figure.axes[0].texts][:2] == ["float32", "int8"]
    plt.close(figure)
    figure = figures_comparison.pareto(alone)
    assert figure.legends[0].get_texts()[0].get_text() == "LLaDA, by steps"
    plt.close(figure)


def test_a_prediction_never_takes_a_measurements_name(made_up):
    comparison = made_up.comparison((500, 0.4), {4: (80, 0.2)})
    predicted = comparison.autoregressive.assign(**{"predicted/latency_ms": 1.0})
    numbers = results.results(replace(comparison, autoregressive=predicted))
    assert numbers["llama.latency_ms"]["value"] == 500
    assert numbers["llama.predicted_latency_ms"]["value"] == 1.0


def test_numbers_are_named_by_model_steps_and_metric(made_up):
    comparison = made_up.comparison((500, 0.45), {4: (80, 0.2), 32: (640, 0.44), 128: (2560, 0.5)})
    numbers = results.results(comparison) | results.cross_overs(comparison)
    assert numbers["llada.32.latency_ratio"]["value"] == pytest.approx(1.28)
    assert numbers["llada.32.latency_ms"]["unit"] == "ms"
    assert numbers["break_even_steps"]["unit"] == "steps"
    assert numbers["bertscore_f1.admissible_steps"]["value"] == 32


def test_a_figure_says_how_answers_end(made_up):
    natural = made_up.comparison((500, 0.4), {4: (80, 0.2)}, stop="eos")
    assert comparison_title(natural) == "natural end"
    random = made_up.comparison((500, 0.4), {4: (80, 0.2)}, stop="length", weights="random", margins={})
    assert comparison_title(random) == "forced length; random weights, real shapes: no quality"
