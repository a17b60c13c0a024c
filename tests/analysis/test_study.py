"""A study is read once: what is asked of MLflow, and who may ask."""

import ast
from pathlib import Path

import pandas as pd
import pytest

from bench.analysis import study
from bench.analysis.study import Histories, Study
from bench.common.errors import BadInput
from bench.store import mlflow_read
from tests.conftest import REPO

# Which may import bench.store: what reads a study, and what puts its report there.
READERS = {REPO / name for name in ("bench/analysis/study.py", "paper/build.py", "paper/publish.py")}
OTHERS = sorted(
    file for room in ("bench/analysis", "bench/render", "paper") for file in (REPO / room).rglob("*.py")
    if file not in READERS
)  # fmt: skip
RUNS = pd.DataFrame(
    [
        {"run_id": "a", "rounds/latency/latency_ms": 2.0, "per_prompt/accuracy": 1.0, "latency/latency_ms": 3.0},
        {"run_id": "b", "rounds/latency/latency_ms": 2.0, "per_prompt/accuracy": None, "latency/latency_ms": 3.0},
    ]
).assign(kind=["sweep", "baseline"])


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, str]]:
    """What is asked of MLflow: (run id, name of the history)."""
    calls = []

    def history(run_id: str, name: str) -> dict[int, float]:
        calls.append((run_id, name))
        return {1: 2.0, 2: 4.0}

    monkeypatch.setattr(mlflow_read, "history", history)
    monkeypatch.setattr(mlflow_read, "frame", lambda name: RUNS)
    return calls


@pytest.mark.parametrize("file", OTHERS, ids=lambda file: str(file.relative_to(REPO)))
def test_nobody_else_asks_the_store(file: Path):
    modules = [node.module or "" for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    names = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert not [name for name in (*modules, *names) if name.startswith("bench.store")]


def test_histories_that_a_run_has_are_asked_for_once(asked):
    whole = study.read("a study")
    assert asked == [
        ("a", "rounds/latency/latency_ms"),
        ("b", "rounds/latency/latency_ms"),
        ("a", "per_prompt/accuracy"),
    ]
    assert whole.histories.scores("a", "accuracy") == {1: 2.0, 2: 4.0}
    assert whole.histories.scores("b", "accuracy") == {}
    assert list(whole.runs) == ["run_id", "latency/latency_ms", "kind"]  # the last round's value is of no use


def test_rounds_are_those_that_all_runs_have():
    latency = "rounds/latency/latency_ms"
    histories = Histories({("a", latency): {1: 10.0, 2: 20.0, 3: 30.0}, ("b", latency): {1: 1.0, 3: 3.0}})
    assert histories.rounds(["b", "a"], "latency/latency_ms") == {1: [1.0, 10.0], 3: [3.0, 30.0]}
    assert histories.rounds(["a", "never measured"], "latency/latency_ms") == {}
    assert histories.rounds([], "latency/latency_ms") == {}
    assert histories.by_round(["b", "a"], "latency/latency_ms") == {1: ["b", "a"], 2: ["a"], 3: ["b", "a"]}
    assert histories.by_round(["never measured"], "latency/latency_ms") == {}


def test_a_round_that_two_cards_share_is_no_round_of_a_ratio(monkeypatch):
    """Of a processor and of a server no card is told, and their rounds count."""
    machines = ['{"1": "A", "2": "A"}', '{"1": "A", "2": "B"}', '{"1": "host server", "2": "host server"}']
    runs = pd.DataFrame(
        {"run_id": ["a", "b", "s"], "platform": ["cuda", "cuda", "server"], "machines": machines, "kind": "sweep"}
    )
    values = {(run_id, "rounds/latency/latency_ms"): {1: 1.0, 2: 2.0} for run_id in "abs"}
    monkeypatch.setattr(mlflow_read, "histories", lambda names: values)
    histories = study.with_histories("s", runs).histories
    assert histories.rounds(["a", "b"], "latency/latency_ms") == {1: [1.0, 1.0]}
    assert histories.rounds(["a", "s"], "latency/latency_ms") == {1: [1.0, 1.0], 2: [2.0, 2.0]}
    assert histories.rounds(["b"], "latency/latency_ms") == {1: [1.0], 2: [2.0]}
    assert histories.by_round(["a", "b"], "latency/latency_ms") == {1: ["a", "b"]}


def test_answers_to_tasks_of_the_harness_stand_apart(asked, monkeypatch):
    of_tasks = RUNS.assign(run_id=["c", "d"], kind="accuracy")
    monkeypatch.setattr(mlflow_read, "frame", lambda name: pd.concat([RUNS, of_tasks]))
    whole = study.read("a study")
    assert list(whole.runs["run_id"]) == ["a", "b"]
    assert list(whole.accuracies["run_id"]) == ["c", "d"]
    assert whole.histories.scores("c", "accuracy") == {1: 2.0, 2: 4.0}
    monkeypatch.setattr(mlflow_read, "frame", lambda name: of_tasks)
    assert study.read("a study").runs.empty


def test_a_study_without_runs_is_refused_in_one_line(asked, monkeypatch):
    monkeypatch.setattr(mlflow_read, "frame", lambda name: pd.DataFrame())
    with pytest.raises(BadInput, match="has no runs yet"):
        study.read("empty")


def test_generations_are_read_when_asked_for(monkeypatch):
    monkeypatch.setattr(mlflow_read, "generations_of", lambda run_id: [{"text": run_id}])
    assert Study("a study", RUNS).generations_of("a") == [{"text": "a"}]
