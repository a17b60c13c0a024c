"""A worker's death, hanging or orderly end, as events with an owner. Real processes, no model."""

import os
import sys

import pytest

from bench.runner import launch

HEAD = "import json, os, signal, sys, time\nids = json.loads(sys.stdin.readline())\n"
EMIT = "def emit(**event): print(json.dumps(event), flush=True)\n"


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start a worker whose program is the given text."""

    def begin(body: str, ids: list[str]) -> launch.Worker:
        package = tmp_path / "bench"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        (package / "worker.py").write_text(HEAD + EMIT + body)
        monkeypatch.chdir(tmp_path)
        return launch.Worker(tmp_path, 1, ids, tmp_path / "worker.log")

    return begin


def test_an_orderly_worker_ends_without_a_last_event(start):
    worker = start(
        "for i in ids: emit(event='start', cell_id=i); emit(event='record', record={'cell_id': i})", ["a", "b"]
    )
    events = list(worker.events({"a": 30, "b": 30}))
    assert [e["event"] for e in events] == ["start", "record", "start", "record"]


def test_what_comes_behind_the_last_record_may_fail(start):
    body = "emit(event='record', record={}); emit(event='beside', record={}); os.kill(os.getpid(), signal.SIGSEGV)"
    assert [e["event"] for e in start(body, ["a"]).events({"a": 30})] == ["record", "beside"]


def test_a_worker_may_end_of_itself_with_cells_left(start):
    worker = start("emit(event='record', record={}); emit(event='end'); time.sleep(600)", ["a", "b"])
    assert [e["event"] for e in worker.events({"a": 30, "b": 30})] == ["record"]
    assert worker.process.poll() is not None


def test_an_end_between_two_cells_costs_neither(start):
    worker = start("emit(event='record', record={}); os.kill(os.getpid(), signal.SIGKILL)", ["a", "b"])
    assert [e["event"] for e in worker.events({"a": 30, "b": 30})] == ["record"]


def test_a_killed_worker_names_the_cell_it_was_on(start):
    worker = start("emit(event='start', cell_id='b'); os.kill(os.getpid(), signal.SIGKILL)", ["a", "b"])
    last = list(worker.events({"a": 30, "b": 30}))[-1]
    assert (last["event"], last["cell_id"]) == ("died", "b")
    assert "signal 9" in last["message"]


def test_a_crash_quotes_its_last_words(start):
    last = list(start("sys.exit('no such weights')", ["a"]).events({"a": 30}))[-1]
    assert last == {"event": "died", "cell_id": None, "message": "worker ended with status 1: no such weights"}


def test_a_hanging_worker_is_killed_at_the_time_limit(start):
    worker = start("emit(event='start', cell_id='a'); time.sleep(600)", ["a"])
    last = list(worker.events({"a": 0.3}))[-1]
    assert (last["event"], last["cell_id"]) == ("timeout", "a")
    assert worker.process.poll() is not None


def test_the_worker_is_this_python(start):
    worker = start("emit(event='start', cell_id=sys.executable); emit(event='record', record={})", ["a"])
    assert next(iter(worker.events({sys.executable: 30})))["cell_id"] == sys.executable
    worker.stop()


def test_a_worker_may_be_pinned_to_some_cores_and_the_parent_keeps_its_own(start, tmp_path):
    own = os.sched_getaffinity(0)
    start("", [])  # writes nothing but the program
    (tmp_path / "bench/worker.py").write_text(
        HEAD + EMIT + "emit(event='start', cell_id='a'); emit(event='record', record=sorted(os.sched_getaffinity(0)))"
    )
    worker = launch.Worker(tmp_path, 1, ["a"], tmp_path / "worker.log", cores=[min(own)])
    records = [event["record"] for event in worker.events({"a": 30}) if event["event"] == "record"]
    assert records == [[min(own)]]
    assert os.sched_getaffinity(0) == own
