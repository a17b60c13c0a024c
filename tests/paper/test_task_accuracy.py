"""Accuracy in tasks of lm-evaluation-harness in the report: its section, figure, numbers, and the verdict in front."""

import json
import sys

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from bench.analysis import findings
from bench.store import mlflow_read
from paper import build
from paper.figures import task_accuracy as figures
from paper.tables import task_accuracy as tables
from tests.conftest import REPO
from tests.paper.test_build import FakeTracking
from tests.support.made_up_accuracy import MadeUp, pair_of, right

COUNT = 200
LLAMA = right(120, COUNT)
WITHIN = {None: LLAMA, 8: right(60, COUNT), 16: right(90, COUNT), 32: LLAMA}


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(REPO)


@pytest.fixture
def made_up() -> MadeUp:
    """A task under two templates of which one says otherwise, and another decoder."""
    whole = MadeUp()
    whole.add_all(WITHIN, "own")
    whole.add_all({None: LLAMA, 8: right(40, COUNT), 32: right(60, COUNT)}, "asked")
    whole.add(32, LLAMA, "own", sampler="threshold", threshold=0.9, cache="dual", refresh="block")
    return whole


def section(found, folder) -> str:
    file = folder / "accuracy.tex"
    file.unlink(missing_ok=True)
    tables.write(found, folder)
    return file.read_text() if file.is_file() else ""


def test_the_section_has_the_verdict_and_a_line_for_each_side_of_each_template(made_up, tmp_path):
    text = section(made_up.found(), tmp_path)
    assert text.startswith("\\section{Accuracy in tasks of lm-evaluation-harness}")
    assert "THE VERDICT DIFFERS BY TEMPLATE: own: within 0.05 from 32 steps on" in text
    first = text.split("further columns")[0]  # what is too wide for a line follows under the same number
    lines = [line for line in first.splitlines() if line.startswith(("LLaMA &", "LLaDA, "))]
    assert [line.split(" & ")[1] for line in lines] == ["own"] * 5 + ["asked"] * 3 + ["all 2"] * 3
    assert sum(" & yes & " in line for line in lines) == 2  # 32 steps, and the other decoder
    assert sum(" & not shown & " in line for line in lines) == 6
    assert "LLaDA, threshold 0.9, dual cache (block) & own & 0.600 " in text


def test_nothing_stands_there_where_one_model_is_missing(tmp_path):
    alone = MadeUp()
    alone.add(None, LLAMA)
    assert section(alone.found(), tmp_path) == section([], tmp_path) == ""
    assert tables.numbers(alone.found()) == tables.numbers([]) == {}
    assert figures.accuracy(alone.found()) is figures.accuracy([]) is None


def test_names_with_a_meaning_in_latex_are_text(tmp_path):
    odd = MadeUp()
    odd.add_all(WITHIN, "50%_&", task="my_task")
    text = section(odd.found(), tmp_path)
    assert "my\\_task, template 50\\%\\_\\&, 200 questions" in text
    assert " & 50\\%\\_\\& & " in text


def test_every_number_has_a_name_and_the_cross_over_is_that_of_the_primary_metric(made_up):
    one = MadeUp()
    one.add_all(WITHIN)
    numbers = tables.numbers(one.found())
    assert numbers["words.admissible_steps"]["value"] == 32
    assert numbers["words.time_ratio"]["value"] == pytest.approx(3.2)
    assert numbers["words.items"]["value"] == COUNT
    assert 16 < numbers["words.cross_over_steps"]["value"] <= 32
    assert numbers["words.own.llada.16.accuracy_difference"]["value"] == pytest.approx(-0.15)
    assert numbers["words.own.llama.seconds_an_item"]["unit"] == "s"
    assert all(number["runs"] for number in numbers.values())
    several = tables.numbers(made_up.found())
    assert "words.over.llada.32.accuracy" in several
    assert "words.own.llada.threshold-0.9-dual-cache-block.accuracy" in several
    assert "words.cross_over_steps" not in several  # over the templates it is not shown


def test_a_panel_has_the_line_of_llama_and_a_point_for_each_decoder(made_up):
    figure = figures.accuracy(made_up.found())
    [axes] = [axes for axes in figure.axes if axes.get_visible()]
    labels = axes.get_legend_handles_labels()[1]
    assert set(labels) == {
        "template own", "template asked", "LLaMA",
        "less the margin of 0.05", "LLaDA, by steps",
    }  # fmt: skip
    assert [text.get_text() for text in axes.texts] == ["8", "32"]  # the steps that were asked under both
    plt.close(figure)
    one = MadeUp()
    one.add_all(WITHIN)
    one.add(32, LLAMA, sampler="threshold", threshold=0.9)
    figure = figures.accuracy(one.found())
    assert "threshold 0.9" in figure.axes[0].get_legend_handles_labels()[1]
    across = [line for line in figure.axes[0].lines if set(line.get_ydata()) == {0.6} and len(line.get_ydata()) == 2]
    assert across
    plt.close(figure)


def test_each_task_has_a_panel():
    several = MadeUp()
    for task in ("words", "sums", "proofs"):
        several.add_all(WITHIN, task=task, prompt_hash=task)
    figure = figures.accuracy(several.found())
    assert [axes.get_title() for axes in figure.axes] == [
        "words, template own", "proofs, template own", "sums, template own", "",
    ]  # fmt: skip
    plt.close(figure)


def report(monkeypatch, tmp_path, made_up, pair, beside=None) -> dict:
    """The report of a study of accuracies, beside other runs if given: results.json and numbers.tex."""
    whole = made_up.study()
    runs = whole.accuracies.assign(
        **{name: [whole.histories.values.get((run, name), {0: None})[0] for run in whole.accuracies["run_id"]]
           for name in ("per_prompt/accuracy", "per_prompt/seconds_an_item")}
    )  # fmt: skip
    runs = runs if beside is None else pd.concat([beside.runs, runs])
    histories = whole.histories.values | ({} if beside is None else beside.histories)
    monkeypatch.setattr(mlflow_read, "frame", lambda name: runs)
    monkeypatch.setattr(mlflow_read, "history", lambda run_id, name: histories[run_id, name])
    monkeypatch.setattr(build, "BUILD", tmp_path / "build")
    monkeypatch.setattr(build, "make_pdf", lambda: ("no LaTeX wanted", True))
    monkeypatch.setattr(findings, "read_pair", lambda name: pair)
    monkeypatch.setattr(sys, "argv", ["paper.build", "made-up"])
    assert build.main() == 0
    return json.loads((tmp_path / "build/results.json").read_text())


def test_a_study_of_accuracies_alone_has_a_report(monkeypatch, tmp_path, capsys):
    one = MadeUp()
    one.add_all(WITHIN)
    numbers = report(monkeypatch, tmp_path, one, pair_of())
    assert numbers["primary.cross_over_steps"] == numbers["words.cross_over_steps"]
    assert numbers["primary.time_ratio"]["value"] == pytest.approx(3.2)
    words = (tmp_path / "build/numbers.tex").read_text()
    assert "num@abstract\\endcsname{words, template own, 200 questions: LLaDA comes within 0.05 of" in words
    assert "num@device\\endcsname{a card}" in words
    assert (tmp_path / "build/figures/task_accuracy.pdf").is_file()
    assert "study made-up, words (the primary metric), 200 questions" in capsys.readouterr().out


def test_where_a_task_is_primary_its_verdict_comes_before_those_of_texts(monkeypatch, tmp_path, capsys):
    one = MadeUp()
    one.add_all(WITHIN)
    both = {"primary_metric": "words", "secondary_metric": "bertscore_f1", "secondary_margin": 0.02}
    pair = pair_of().model_copy(update=both)
    numbers = report(monkeypatch, tmp_path, one, pair, FakeTracking())
    verdict = (tmp_path / "build/numbers.tex").read_text().split("num@abstract\\endcsname{")[1]
    assert verdict.index("words, template own") < verdict.index("BERTScore F1")
    out = capsys.readouterr().out
    assert out.index("words (the primary metric)") < out.index("BERTScore")
    assert numbers["primary.cross_over_steps"] == numbers["words.cross_over_steps"]
    assert "bertscore_f1.cross_over_steps" in numbers


def test_a_primary_task_that_is_not_measured_is_said_in_front(monkeypatch, tmp_path, capsys):
    one = MadeUp()
    one.add_all(WITHIN)
    numbers = report(monkeypatch, tmp_path, one, pair_of("gsm8k"), FakeTracking())
    verdict = (tmp_path / "build/numbers.tex").read_text().split("num@abstract\\endcsname{")[1]
    assert verdict.startswith("Accuracy in gsm8k, the primary metric: not measured of both models")
    assert not [name for name in numbers if name.startswith("primary.")]


def test_of_another_primary_metric_the_names_are_those_of_its_cross_over(monkeypatch, tmp_path, capsys):
    one = MadeUp()
    one.add_all(WITHIN)
    pair = pair_of(None, 0.02)
    numbers = report(monkeypatch, tmp_path, one, pair, FakeTracking())
    assert numbers["primary.cross_over_steps"] == numbers["bertscore_f1.cross_over_steps"]
    assert "words.cross_over_steps" not in numbers  # no margin is declared for accuracy
