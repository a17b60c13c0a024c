"""When the report is built anew, and that what is found in a study is found once for terminal and paper."""

import json
import shutil
import sys
from collections import Counter

import pandas as pd
import pytest

from bench.analysis.study import PER_PROMPT, ROUNDS
from bench.common import cross_over
from bench.store import mlflow_read
from paper import build
from tests.conftest import REPO
from tests.support.made_up_comparison import MadeUp
from tests.support.made_up_scaling import batch_study, study_of

SOURCES = (  # in the copied tree: one file of each kind from which a report is made
    "configs/pairs/pocket.yaml",
    "configs/devices.yaml",
    "bench/pocket/card.json",
    "bench/common/stats.py",
    "bench/report.py",
    "paper/facts.py",
    "paper/tables/latex.py",
    "paper/main.tex",
    "paper/sections/steps.tex",
    "paper/refs.bib",
    "paper/hypotheses.yaml",
    "paper/published.yaml",
)
RUNS = pd.DataFrame([{"run_id": "a", "digest": "1"}])


@pytest.fixture
def tree(tmp_path):
    """A copy of what a report is made from."""
    for folder in ("bench", "configs"):
        files = shutil.ignore_patterns("*.safetensors", "__pycache__")
        shutil.copytree(REPO / folder, tmp_path / folder, ignore=files)
    shutil.copytree(REPO / "paper", tmp_path / "paper", ignore=shutil.ignore_patterns("build", "recorded"))
    return tmp_path


def stamp(tree, runs: pd.DataFrame = RUNS) -> str:
    return build.stamp("study", runs, tree / "configs/pairs/pocket.yaml", tree)


def test_nothing_changed_leaves_the_report(tree, tmp_path):
    (tmp_path / "stamp").write_text(stamp(tree))
    assert build.is_current(stamp(tree), tmp_path)
    (tree / "bench/notes.txt").write_text("no source")
    assert build.is_current(stamp(tree), tmp_path)


@pytest.mark.parametrize("source", SOURCES)
def test_a_change_of_any_source_renews_the_report(tree, tmp_path, source):
    (tmp_path / "stamp").write_text(stamp(tree))
    file = tree / source
    file.write_text(file.read_text() + "\n")
    assert not build.is_current(stamp(tree), tmp_path)


def test_a_changed_margin_renews_the_report(tree, tmp_path):
    (tmp_path / "stamp").write_text(stamp(tree))
    file = tree / "configs/pairs/pocket.yaml"
    text = file.read_text()
    assert "\nmargin: 0.05" in text
    file.write_text(text.replace("\nmargin: 0.05", "\nmargin: 0.06"))
    assert not build.is_current(stamp(tree), tmp_path)


def test_a_pair_of_the_users_own_is_a_source(tree, tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text("name: own\n")
    before = build.stamp("study", RUNS, file, tree)
    file.write_text("name: own\nmetrics: {}\n")
    assert build.stamp("study", RUNS, file, tree) != before


def test_new_records_renew_the_report(tree):
    assert stamp(tree, RUNS.assign(digest="2")) != stamp(tree)


def test_a_build_that_was_never_finished_is_not_current(tmp_path):
    assert not build.is_current("any", tmp_path / "nothing here")


LLAMA = (500, 0.45)  # milliseconds, score
STEPS = {4: (80, 0.2), 8: (160, 0.44), 16: (320, 0.46)}


class FakeTracking:
    """Stands for MLflow: a study of answers, tasks and a grid over batches; counts what is asked."""

    def __init__(self, llama=LLAMA, steps=STEPS, **changes) -> None:
        """llama, steps: milliseconds and score of LLaMA, and of LLaDA by steps. changes: of every run."""
        made_up = MadeUp()
        told = {"platform": "cpu", "device": "a CPU", "rounds_logged": "1 2 3"} | changes
        answers = made_up.comparison(llama, steps, **told).rows
        tasks = answers.assign(kind="tasks", run_id=answers["run_id"] + "-tasks")
        tasks = tasks.rename(columns={"quality/bertscore_f1": "quality/accuracy"})
        grid = study_of([row | changes for row in batch_study()])
        self.histories = made_up.histories | grid.histories.values
        for (run_id, name), values in made_up.histories.items():
            self.histories[f"{run_id}-tasks", name.replace("bertscore_f1", "accuracy")] = values
        self.runs = pd.concat([answers, tasks, grid.runs], ignore_index=True).assign(git="abc")
        for name in {name for _, name in self.histories}:
            last_values = [self.histories.get((run_id, name)) for run_id in self.runs["run_id"]]
            self.runs[name] = [list(values.values())[-1] if values else None for values in last_values]
        self.asked = Counter()

    def history(self, run_id: str, name: str) -> dict[int, float]:
        self.asked[run_id, name] += 1
        return self.histories[run_id, name]


def without_mlflow(monkeypatch, folder, fake: FakeTracking | None = None) -> FakeTracking:
    """A study that stands in memory, and a folder for its report."""
    fake = fake or FakeTracking()
    monkeypatch.setattr(mlflow_read, "frame", lambda name: fake.runs)
    monkeypatch.setattr(mlflow_read, "history", fake.history)
    monkeypatch.setattr(build, "BUILD", folder / "build")
    return fake


@pytest.fixture
def tracking(monkeypatch, tmp_path) -> FakeTracking:
    """A whole report without MLflow and without LaTeX, in a folder of its own."""
    fake = without_mlflow(monkeypatch, tmp_path)
    monkeypatch.setattr(build, "make_pdf", lambda: ("no LaTeX wanted", True))
    monkeypatch.setattr(sys, "argv", ["paper.build", "made-up"])
    return fake


def test_a_report_asks_for_each_history_once_and_bootstraps_each_cross_over_once(tracking, monkeypatch, capsys):
    margins = []
    whole = cross_over.cross_over

    def counted(reference, scores, steps, margin):
        margins.append(margin)
        return whole(reference, scores, steps, margin)

    monkeypatch.setattr(cross_over, "cross_over", counted)
    assert build.main() == 0
    assert set(tracking.asked.values()) == {1}
    assert {name for _, name in tracking.asked} >= {f"{ROUNDS}latency/latency_ms", f"{PER_PROMPT}accuracy"}
    assert len(margins) == 2  # BERTScore of the answers, accuracy of the tasks
    assert "Quality: LLaDA comes within" in capsys.readouterr().out
    numbers = json.loads((build.BUILD / "results.json").read_text())
    assert numbers["bertscore_f1.p_reached"]["value"] == 1
    assert "accuracy.p_reached" in numbers


def test_a_second_build_of_the_same_study_draws_nothing(tracking, monkeypatch, capsys):
    assert build.main() == 0
    monkeypatch.setattr(build, "make_parts", lambda findings: pytest.fail("drawn again"))
    assert build.main() == 0
    assert "nothing has changed since the report was built" in capsys.readouterr().out


@pytest.mark.parametrize("model", ["llama", "llada"])
def test_runs_that_a_scorer_failed_at_stand_in_the_report_without_its_number(model, tracking, capfd):
    """And the sentence under the table, the numbers and the figures are made all the same."""
    runs = tracking.runs
    failed = runs[(runs["kind"] != "tasks") & (runs["model"] == model) & runs["quality/bertscore_f1"].notna()].index[0]
    runs.loc[failed, ["quality/bertscore_f1", "per_prompt/bertscore_f1"]] = None
    runs.loc[failed, "not_scored"] = "bertscore-minilm no text (MemoryError: 50 % of it)"
    assert build.main() == 0
    said = capfd.readouterr()
    assert f"Not scored of {model}" in said.out
    assert "BERTScore F1 is not measured (make score)" in said.out
    assert "finite" not in said.err
    numbers = json.loads((build.BUILD / "results.json").read_text())
    assert "bertscore_f1.p_reached" not in numbers
    assert "llada.8.latency_ms" in numbers
    assert r"MemoryError: 50 \% of it" in (build.BUILD / "tables/quality.tex").read_text()
