"""What MLflow shows of scores: whose they are, what has none, and nothing that does not count any more."""

import json
import os
import subprocess
import sys

import pytest

from bench.records.merge import CellRecords
from bench.records.settings import HumanReferences
from bench.records.types import Scores
from bench.store import disk, shown_scores
from tests.conftest import REPO, make_cell
from tests.support.records import llada_call, round_of

CELL = make_cell("llada", kind="sweep", prompts=2)
TRACK = """
from bench.store import mlflow_read
from bench.store.sink import Sink

assert Sink("s").track()
print(mlflow_read.frame("s").to_json(orient="records"))
"""


def by_judge(name: str, ended_s: float, **changes) -> Scores:
    return Scores("s", "c", f"judge-{name}", {}, cell=CELL, ended_s=ended_s, **changes)


@pytest.fixture
def track(tmp_path, monkeypatch):
    """Put records on disk and track them, each time in a process of its own; returns the only run."""
    monkeypatch.chdir(tmp_path)

    def run(*records) -> dict:
        for record in records:
            disk.append(disk.path("s"), record.to_json())
        env = os.environ | {"PYTHONPATH": str(REPO)}
        done = subprocess.run([sys.executable, "-c", TRACK], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        [row] = json.loads(done.stdout.splitlines()[-1])
        return row

    return run


def test_a_former_judges_number_goes_when_another_fails(track):
    calls = [llada_call(0), llada_call(1)]
    row = track(round_of(CELL, calls), by_judge("a", 1.0, nats=[2.0, 2.0], tokens=[2, 2]))
    assert (row["judge"], row["not_scored"]) == ("a", "")
    assert row["quality/judge_perplexity"] == pytest.approx(2.71828)
    row = track(by_judge("b", 2.0, failure="no memory"))
    assert (row["judge"], row["not_scored"]) == ("b", "judge-b no text (no memory)")
    assert row.get("quality/judge_perplexity") is None
    assert row["quality/not_scored"] == 2
    assert row["latency/latency_ms"] == 32
    row = track(by_judge("b", 3.0, nats=[None, 4.0], tokens=[0, 2], not_scored={0: "the text is empty"}))
    assert row["quality/judge_perplexity"] == pytest.approx(7.38906)
    assert row["not_scored"] == "judge-b 1 of 2 texts (the text is empty)"
    assert row["quality/not_scored"] == 1


def test_a_number_that_is_none_is_stale():
    entry = CellRecords(CELL)
    entry.take_scores(by_judge("a", 1.0, nats=[2.0], tokens=[2]))
    assert not shown_scores.are_stale(["quality/judge_perplexity", "latency/latency_ms"], entry)
    entry.take_scores(by_judge("b", 2.0, nats=[float("nan")], tokens=[2]))
    assert shown_scores.are_stale(["quality/judge_perplexity", "latency/latency_ms"], entry)


@pytest.mark.parametrize(("device", "shown"), [("a card", "a card"), ("", None)])
def test_an_accuracy_says_where_it_was_answered(track, device, shown):
    """Records of the first version do not name the device."""
    cell = make_cell("llada", kind="accuracy", prompts=2, device="cuda", task="words", template="own")
    row = track(Scores("s", "c", "lm-eval", {"accuracy": [1.0, 0.0]}, cell, device=device))
    assert (row["platform"], row.get("device")) == ("cuda", shown)


def test_references_and_scores_of_other_cells_have_no_place():
    scores = {"lm-eval": Scores("s", "c", "lm-eval", {}, device="a card")}
    assert shown_scores.place_tags(CellRecords(CELL, scores=scores)) == {}
    references = HumanReferences("pocket", "t", 8, 2, "h")
    assert shown_scores.place_tags(CellRecords(references, scores=scores)) == {}
