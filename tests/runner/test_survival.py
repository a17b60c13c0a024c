"""What a study survives: kills at any moment, Ctrl-C, broken workers, a second study, an MLflow that refuses.

Real processes: `tests/support/fast_study.py` is the parent and its workers, around an adapter that only sleeps.
"""

import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.common.errors import BadInput
from bench.devices import lock
from bench.measure import worker
from bench.records import merge
from bench.records.types import Scores
from bench.runner import launch
from bench.store import disk, mlflow_log
from bench.store.sink import Sink
from tests.conftest import REPO, make_cell
from tests.support import fast_study
from tests.support.fast_study import Study, end_of

KILLS = 50
PAUSE_SHARE = 0.2  # longest wait before a kill, of what an undisturbed study takes


def wait_for(condition: Callable[[], object], process: subprocess.Popen) -> None:
    """Until something is so, while a process runs."""
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "it ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_free(locks: Path, monkeypatch) -> None:
    """The device's lock can be taken."""
    monkeypatch.setenv(lock.LOCKS, str(locks))
    with lock.lock("cpu", "me"):
        pass


def strike(parent: subprocess.Popen, study: Study, dice: random.Random, longest_s: float) -> str:
    """Wait a random while, then kill the parent or its worker; which one, or nothing if there was nothing to kill."""
    try:
        parent.wait(dice.uniform(0, longest_s))
        return "nobody"
    except subprocess.TimeoutExpired:
        workers = [pid for pid in study.processes() if pid != parent.pid]
    if not workers or dice.random() < 0.5:
        parent.kill()
        return "parent"
    try:
        os.kill(workers[0], signal.SIGKILL)
    except ProcessLookupError:  # it has just ended
        return "nobody"
    return "worker"


def torment(study: Study, dice: random.Random, longest_s: float) -> tuple[Counter, int, float]:
    """Kill until the study is complete all the same: who was killed, records lost, the longest life of an orphan."""
    killed, lost, orphan_s, before = Counter(), 0, 0.0, Counter()
    while True:
        parent, here = study.start("--retry", "error"), Counter()
        while parent.poll() is None:
            here[strike(parent, study, dice, longest_s)] += 1
            if here["parent"]:
                break
        code, errors = end_of(parent)
        orphan_s = max(orphan_s, study.orphan_s())
        after = study.good()
        killed, lost, before = killed + here, lost + len(before - after), after
        if code == 0:
            return killed, lost, orphan_s
        assert "Traceback" not in str(errors)
        assert code == -signal.SIGKILL or (code == 1 and here["worker"]), (code, here, errors)


@pytest.mark.slow
def test_no_kill_loses_a_round_or_changes_a_result(tmp_path, monkeypatch, capsys):
    options, dice, total = ("--rounds", "3", "--sentinel"), random.Random(1), Counter()
    calm, start = Study(tmp_path / "calm", *options), time.monotonic()
    assert calm.run() == (0, [])
    longest_s = PAUSE_SHARE * (time.monotonic() - start)
    assert len(calm.facts()) == 8 * 3
    while total["parent"] + total["worker"] < KILLS:
        total["studies"] += 1
        study = Study(tmp_path / f"tormented-{total['studies']}", *options)
        killed, lost, orphan_s = torment(study, dice, longest_s)
        lines = study.file.read_bytes().splitlines()
        torn = len(lines) - len(study.read())
        total += killed + Counter(lost=lost, torn=torn)
        with capsys.disabled():
            print(f"\nkilled {dict(killed)}, lost {lost}, torn {torn}, an orphan lived {orphan_s:.1f} s", end=" ")
        assert study.facts() == calm.facts()
        assert study.good() == calm.good() == Counter(calm.facts().keys())  # none twice
        assert torn <= killed["parent"]
        assert study.file.read_bytes().endswith(b"\n")
        assert_free(study.locks, monkeypatch)
    with capsys.disabled():
        print(f"\nkills tried: {total['parent']} parents, {total['worker']} workers; records lost: {total['lost']}")
    assert total["lost"] == 0
    assert min(total["parent"], total["worker"]) >= KILLS // 5


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_is_one_line_and_the_same_command_goes_on(number, status, tmp_path):
    study = Study(tmp_path / "study")
    parent = study.start()
    wait_for(lambda: len(study.read()) >= 2, parent)
    parent.send_signal(number)
    assert end_of(parent) == (status, ["stopped; what was measured is kept, the same command goes on from here"])
    study.orphan_s()
    records_before = study.read()
    assert len(study.file.read_bytes().splitlines()) == len(records_before) < 6
    assert study.run() == (0, [])
    assert study.read()[: len(records_before)] == records_before
    assert len(study.read()) == len(study.good()) == 6


@pytest.fixture(scope="module")
def failing(tmp_path_factory) -> tuple[Study, int, list[str]]:
    """A study in which four cells misbehave, each in its way."""
    study = Study(tmp_path_factory.mktemp("failing") / "study")
    return study, *study.run(fails="leaves crashes hangs swells")


def test_a_bad_cell_costs_itself_alone(failing):
    study, code, errors = failing
    endings = {kind: (record["outcome"], record["message"]) for kind, record in study.last().items()}
    assert endings.pop("crashes")[1].startswith("worker ended with signal 11: ")
    assert endings == {
        "calm": ("ok", ""),
        "llama": ("ok", ""),
        "leaves": ("error", "worker ended with status 1: no such weights"),
        "hangs": ("timeout", "no end within the time limit"),
        "swells": ("oom", "MemoryError: no room for the canvas"),
    }
    assert (code, len(errors), len(study.read())) == (1, 4, 6)
    study.orphan_s()


def test_a_crash_is_not_explained_by_an_earlier_workers_last_words(failing):
    assert fast_study.LAST_WORDS not in failing[0].last()["crashes"]["message"]


START = "print(json.dumps({'event': 'start', 'cell_id': 'a'}), flush=True)"
RECORD = "print(json.dumps({'event': 'record', 'record': {'cell_id': 'a'}}), flush=True)"
KILL = "os.kill(os.getpid(), signal.SIGKILL)"
ODD_ENDS = {
    "a record cut by a kill": ([START, "print('{\"event\": \"rec', end='', flush=True)", KILL], ["start", "died"]),
    "no end after the last record": ([START, RECORD, "time.sleep(60)"], ["start", "record"]),
    "no beginning": ([KILL], ["died"]),
}


@pytest.mark.parametrize("name", ODD_ENDS)
def test_a_worker_that_ends_oddly_ends_its_events(name, tmp_path, monkeypatch):
    body, expected = ODD_ENDS[name]
    monkeypatch.setattr(launch, "COMMAND", (sys.executable, "-c", "\n".join(["import json, os, signal, time", *body])))
    monkeypatch.setattr(launch, "STARTUP_LIMIT_S", 2.0)
    worker = launch.Worker(tmp_path, 1, ["a"], tmp_path / "worker.log")
    assert [event["event"] for event in worker.events({"a": 60.0})] == expected
    assert worker.process.poll() is not None


def test_a_worker_that_is_gone_before_it_is_asked_died(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "COMMAND", ("true",))
    for _ in range(30):  # some of them end before the parent has written to them
        worker = launch.Worker(tmp_path, 1, ["a"], tmp_path / "worker.log")
        assert [event["event"] for event in worker.events({"a": 60.0})] == ["died"]


def test_retry_runs_the_cells_of_its_outcomes_again_and_no_others(failing, tmp_path):
    study = Study(tmp_path / "study")
    shutil.copy(failing[0].file, study.file)
    before = study.read()
    assert study.run()[0] == 1
    assert study.read() == before
    assert study.run("--retry", "timeout")[0] == 1
    once = study.read()
    assert [record["cell"]["kind"] for record in once[len(before) :]] == ["hangs"]
    assert study.last() == failing[0].last() | {"hangs": once[-1]}
    assert study.run("--retry", "timeout")[0] == 1
    assert study.read() == once
    assert study.run("--retry", "error oom")[0] == 0
    assert study.read()[: len(once)] == once
    assert {record["outcome"] for record in study.last().values()} == {"ok"}
    assert len(study.good()) == study.good().total() == 6


def test_a_device_has_one_study_at_a_time_and_a_killed_one_lets_go(tmp_path, monkeypatch):
    first = Study(tmp_path / "first", locks=tmp_path)
    second = Study(tmp_path / "second", locks=tmp_path)
    parent = first.start()
    wait_for(lambda: (first.folder / "worker.log").exists(), parent)
    code, [line] = second.run()
    assert code == 2
    assert line.startswith(f"error: device cpu is in use by study first (process {parent.pid}, since ")
    assert not second.file.exists()
    parent.kill()
    parent.communicate()
    assert_free(tmp_path, monkeypatch)
    first.orphan_s()


def test_a_full_disk_stops_a_study_in_one_line(tmp_path):
    study = Study(tmp_path / "study", file=Path("/dev/full"))
    code, [line] = study.run()
    assert (code, line.startswith("error: /dev/full: cannot be written (No space left on device)")) == (2, True)
    study.orphan_s()


def test_what_a_full_disk_cut_off_is_skipped_and_measured_again(tmp_path):
    file = tmp_path / "s.jsonl"
    sink = Sink("s", file)
    sink.take(Scores("s", "1", "x" * 100, {}))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 50, hard))
        with pytest.raises(BadInput, match=re.escape(f"{file}: cannot be written")):
            sink.take(Scores("s", "2", "x" * 100, {}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    sink.take(Scores("s", "3", "x" * 100, {}))
    assert [record.cell_id for record in disk.read(file)] == ["1", "3"]


@pytest.mark.parametrize("place", ["", "taken/s.jsonl"])
def test_a_file_that_cannot_be_written_is_named_in_one_line(tmp_path, place):
    (tmp_path / "taken").touch()
    sink = Sink("s", tmp_path / place)
    for attempt in (sink.check, lambda: sink.take(Scores("s", "c", "judge", {}))):
        with pytest.raises(BadInput, match=re.escape(f"{sink.file}: ")) as caught:
            attempt()
        assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def tracked(tmp_path_factory) -> Path:
    """A working directory with the records of a study and an MLflow that holds nothing yet."""
    folder = tmp_path_factory.mktemp("tracked")
    work = fast_study.build("s")
    for cell in work.cells:
        events: list[dict] = []
        worker.measure(fast_study.Fake(), work, cell, 1, events.append)
        disk.append(folder / "mlruns/s.jsonl", events[-1]["record"] | {"rounds": 1})
    python(folder, "from bench.store import mlflow_client; mlflow_client.client().search_experiments()")
    return folder


def python(folder: Path, code: str, limit: int | None = None, **env: str) -> tuple[str, str]:
    """Run code in a working directory; what it printed and said. limit: bytes that a file may have."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"} | env,
        preexec_fn=limit and (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip(), done.stderr


@contextmanager
def locked(db: Path):
    connection = sqlite3.connect(db, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    yield {}
    connection.close()


@contextmanager
def read_only(db: Path):
    yield {"MLFLOW_TRACKING_URI": "sqlite:///file:mlflow.db?mode=ro&uri=true"}  # root may write what it may not


@contextmanager
def unopenable(db: Path):
    moved_away = db.rename(db.with_suffix(".moved_away"))
    db.mkdir()
    yield {}
    db.rmdir()
    moved_away.rename(db)


@contextmanager
def of_another_version(db: Path):
    with sqlite3.connect(db) as connection:
        [(version,)] = connection.execute("SELECT version_num FROM alembic_version")
        connection.execute("UPDATE alembic_version SET version_num = 'unknown'")
    yield {}
    with sqlite3.connect(db) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))


@contextmanager
def on_a_full_disk(db: Path):
    yield {"limit": db.stat().st_size + 20_000}  # full in the middle of a run


@pytest.mark.parametrize("obstacle", [locked, unopenable, of_another_version])
def test_a_report_of_what_mlflow_cannot_read_is_one_line(obstacle, tracked, tmp_path):
    folder = shutil.copytree(tracked, tmp_path / "here")
    show = (
        "import sys; from bench import report; from bench.common import errors; sys.argv = ['', 's'];"
        "print(errors.exit_code(report.main))"
    )
    with obstacle(folder / "mlflow.db"):
        answer, said = python(folder, show)
    assert answer == "2"
    assert said.splitlines()[-1].startswith("error: MLflow does not answer (")
    assert said.splitlines()[-1].endswith("the records are in mlruns/s.jsonl")
    assert said.count("\n") == 1


def test_a_round_measured_again_leaves_nothing_of_the_one_before(tracked, tmp_path):
    folder = shutil.copytree(tracked, tmp_path / "here")
    file = folder / "mlruns/s.jsonl"
    first = next(r for r in disk.read_json(file) if r["cell"]["kind"] == "calm")
    energy = {"joules": 5.0, "seconds": 1.0, "calls": 1, "tokens": 1}
    disk.append(
        file, {"record": "beside", "energy": energy} | {k: first[k] for k in ("study", "cell_id", "round", "started")}
    )
    show = (
        "from bench.store import mlflow_read; from bench.store.sink import Sink; Sink('s').track();"
        "f = mlflow_read.frame('s').set_index('kind'); r = f.loc['calm'];"
        "print(len(f), r['latency/latency_ms'], r.get('energy/j', 0) > 0,"
        " mlflow_read.history(r['run_id'], 'rounds/latency/latency_ms')[1])"
    )
    cells, before, has_energy, of_round = python(folder, show)[0].split()
    assert (has_energy, of_round) == ("True", before)
    slower = [call | {"latency_ms": 3 * call["latency_ms"]} for call in first["calls"]]
    disk.append(file, first | {"calls": slower, "started": first["started"] + 9, "again": first["started"]})
    again = python(folder, show)[0].split()
    assert again[0] == cells
    assert float(again[1]) == float(again[3]) == pytest.approx(3 * float(before), rel=1e-4)
    assert again[2] == "False"


@pytest.mark.parametrize("obstacle", [locked, of_another_version])
def test_a_replay_that_mlflow_refuses_is_one_line_and_keeps_the_records(obstacle, tracked, tmp_path):
    folder = shutil.copytree(tracked, tmp_path / "here")
    (folder / "mlruns/s.jsonl").rename(folder / "elsewhere.jsonl")
    replay = (
        "import sys; from bench import tracking; from bench.common import errors;"
        "sys.argv = ['', 'replay', 'elsewhere.jsonl'];"
        "print(errors.exit_code(tracking.main))"
    )
    with obstacle(folder / "mlflow.db"):
        answer, said = python(folder, replay)
    assert answer.splitlines()[-1] == "1"
    assert said.count("\n") == 1
    assert said.startswith("MLflow did not take everything (")
    assert disk.read_json(folder / "mlruns/s.jsonl") == disk.read_json(folder / "elsewhere.jsonl")


def test_runs_that_another_code_logged_are_logged_anew(monkeypatch):
    entry = merge.CellRecords(make_cell("llama"))
    before = mlflow_log.digest(entry)
    monkeypatch.setattr(mlflow_log, "RULES", mlflow_log.RULES + 1)
    assert mlflow_log.digest(entry) != before


@pytest.mark.parametrize("obstacle", [locked, read_only, unopenable, of_another_version, on_a_full_disk])
def test_what_mlflow_refuses_is_one_line_and_logged_once_by_the_next_run(obstacle, tracked, tmp_path):
    folder = shutil.copytree(tracked, tmp_path / "here")
    track = "from bench.store.sink import Sink; print(Sink('s').track())"
    with obstacle(folder / "mlflow.db") as settings:
        answer, said = python(folder, track, **settings)
    assert answer == "False"
    assert said.splitlines()[-1].startswith("MLflow did not take everything (")
    assert "nothing is lost: the records are in mlruns/s.jsonl" in said.splitlines()[-1]
    assert said.count("\n") == 1
    show = (
        "from bench.store import mlflow_read;"
        " print(mlflow_read.frame('s')[['cell_id', 'status']].to_json(orient='values'))"
    )
    answer, said = python(folder, f"{track}; {show}")
    assert (answer.splitlines()[0], said) == ("True", "")
    ids = [cell.cell_id for cell in fast_study.build("s").cells]
    assert sorted(json.loads(answer.splitlines()[1])) == sorted([cell_id, "FINISHED"] for cell_id in ids)
