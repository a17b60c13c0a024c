"""A real tracking server: it has what a file would have, and whatever happens to it costs and doubles nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import ui
from bench.common.errors import BadInput, exit_code
from bench.data import prompts
from bench.devices import lock
from bench.store import disk, mlflow_client, mlflow_experiment, mlflow_owner, mlflow_read, mlflow_report
from bench.store.sink import Sink
from bench.store.tracking_uri import PASSWORD, TOKEN, VARIABLE
from tests.conftest import REPO
from tests.support import fast_study
from tests.support.mlflow_server import Server, guarded, losing_answers, without_tracking

SECRET = "tok-9f31c0ffee"  # of these tests, to be looked for where it must not be
OWN_IDS = ("run_id", "artifacts")  # of a run, which differ from store to store
PLACED = ("rounds/", "per_prompt/")  # how names of metrics begin that have a value for each round or prompt


@pytest.fixture(scope="module")
def server(tmp_path_factory, whole_database) -> Iterator[Server]:
    """A server that all tests share which do not stop it; each has a study of its own."""
    running = Server(tmp_path_factory.mktemp("server") / "mlflow", whole_database)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def own_server(tmp_path, whole_database) -> Iterator[Server]:
    """A server that a test may stop."""
    running = Server(tmp_path / "mlflow", whole_database)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def renamed(folder: Path, study: str, shift_s: float = 0.0) -> str:
    """The records of study `s` as those of another one, measured so much later; its name."""
    for raw in disk.read_json(folder / "mlruns/s.jsonl"):
        later = {name: raw[name] + shift_s for name in ("started", "ended") if name in raw}
        disk.append(folder / f"mlruns/{study}.jsonl", raw | {"study": study} | later)
    return study


def with_prompts(folder: Path) -> None:
    """Let the study's answers have prompts, so that its runs carry texts as artifacts."""
    asked = [{"text": f"question {number}", "reference": None, "ids": {}} for number in range(3)]
    (folder / "mlruns/prompts").mkdir()
    (folder / "mlruns/prompts/h.json").write_text(json.dumps(asked))
    prompts.stored.cache_clear()


def shown(study: str, has_grown: bool = False) -> dict:
    """All that MLflow has of a study: each run's row, every value that was ever logged, texts, and the experiment's own
    tags. has_grown: leave out the earlier values of what is told of all rounds together, which each round changes."""
    mlflow = mlflow_client.client()
    rows = mlflow_read.frame(study)
    runs = {}
    for run_id, row in zip(rows["run_id"], rows.to_dict("records"), strict=True):
        known = {name: value for name, value in row.items() if name not in OWN_IDS and value == value}
        names = [name for name in mlflow.get_run(run_id).data.metrics if name.startswith(PLACED) or not has_grown]
        logged = {name: sorted((m.step, m.value) for m in mlflow.get_metric_history(run_id, name)) for name in names}
        runs[row["cell_id"]] = (known, logged, mlflow_read.generations_of(run_id))
    assert len(runs) == len(rows)
    tags = mlflow_experiment.find(mlflow, study).tags
    own_tags = (mlflow_experiment.STUDY_TAG, mlflow_experiment.KIND_TAG)
    return runs | {"experiment": {name: tags[name] for name in own_tags}}


def test_a_study_on_a_server_is_the_one_that_a_file_has_and_is_sent_once(server, place, monkeypatch, capsys):
    with_prompts(place)
    assert Sink("s").track()
    in_a_file = shown("s")
    assert any(texts for *_, texts in (in_a_file[cell_id] for cell_id in disk.by_cell("s")))
    before = sorted(place.rglob("*"))
    monkeypatch.setenv(VARIABLE, server.uri)
    Sink("s").check()
    assert shown("s") == in_a_file  # the first door that reads it sends it
    cells = len(disk.by_cell("s"))
    assert (
        capsys.readouterr().err == f"MLflow lacked {cells} of the {cells} runs of study s: logged from mlruns/s.jsonl\n"
    )
    assert sorted(place.rglob("*")) == before  # nothing of it is here
    assert list(server.folder.glob("artifacts/**/generations.jsonl"))
    monkeypatch.setattr(type(mlflow_client.client()), "log_batch", lambda *_, **__: pytest.fail("logged again"))
    assert Sink("s").track()
    assert shown("s") == in_a_file


def test_a_report_lies_on_the_server_and_is_replaced_there(server, place, monkeypatch):
    monkeypatch.setenv(VARIABLE, server.uri)
    study = renamed(place, "reported")
    assert Sink(study).track()
    for mark, names in (("1", ("report.html", "figures/a.png")), ("2", ("report.html",))):
        folder = place / f"build-{mark}"
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"{name} {mark}")
        mlflow_report.log(study, folder, mark)
        assert mlflow_report.is_logged(study, mark)
        mlflow = mlflow_client.client()
        [run] = mlflow_report.runs_of(mlflow, mlflow_experiment.find(mlflow, study))
        assert set(mlflow_report.artifacts_in(mlflow, run.info.run_id)) == set(names)
        there = mlflow.download_artifacts(run.info.run_id, "report.html")
        assert Path(there).read_text() == f"report.html {mark}"


def test_the_pages_of_a_server_are_its_own(server, place, monkeypatch, capsys):
    monkeypatch.setenv(VARIABLE, server.uri.replace("://", f"://me:{SECRET}@"))
    study = renamed(place, "linked")
    assert Sink(study).track()
    monkeypatch.setattr("sys.argv", ["bench.ui"])
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("pages were started"))
    capsys.readouterr()
    assert exit_code(ui.main) == 0
    said = capsys.readouterr()
    number = mlflow_client.client().get_experiment_by_name(study).experiment_id
    assert f"study {study}: {server.uri}/#/experiments/{number}/runs?viewStateShareKey=steps" in said.out
    assert said.out.endswith(f"these pages are at {server.uri} (MLFLOW_TRACKING_URI), so none are started here\n")
    assert SECRET not in said.out + said.err


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("shown_token", [None, "tok-of-somebody-else"])
def test_a_token_that_is_missing_or_wrong_is_refused_before_anything_is_measured(
    shown_token, status, server, place, monkeypatch
):
    if shown_token:
        monkeypatch.setenv(TOKEN, shown_token)
    with guarded(server.uri, SECRET, status) as uri:
        monkeypatch.setenv(VARIABLE, uri)
        with pytest.raises(BadInput) as caught:
            Sink("t").check()
    assert str(caught.value) == (
        f"{VARIABLE}: {uri} does not let this user in (it answers {status}); put a token that it takes into the"
        " environment as MLFLOW_TRACKING_TOKEN, or a name and a password as MLFLOW_TRACKING_USERNAME and"
        " MLFLOW_TRACKING_PASSWORD"
    )
    assert not disk.path("t").exists()


def test_a_token_lets_in_and_is_written_nowhere(server, place, monkeypatch, capsys):
    study = renamed(place, "secret")
    monkeypatch.setenv(TOKEN, SECRET)
    monkeypatch.setenv(PASSWORD, SECRET)
    with guarded(server.uri, SECRET) as uri:
        monkeypatch.setenv(VARIABLE, uri)
        Sink(study).check()
        assert Sink(study).track()
        assert len(mlflow_read.frame(study)) == len(disk.by_cell(study))
        monkeypatch.setenv(TOKEN, "tok-of-somebody-else")
        with pytest.raises(BadInput, match="does not let this user in"):
            mlflow_read.frame(study)
    said = capsys.readouterr()
    kept = b"\n".join(file.read_bytes() for file in place.rglob("*") if file.is_file())
    assert study.encode() in server.content()
    for text in (server.content(), kept, (said.out + said.err).encode()):
        assert SECRET.encode() not in text
        assert b"tok-of-somebody-else" not in text


MOMENTS = [9, *(pytest.param(answers, marks=pytest.mark.slow) for answers in (3, 6, 11, 14, 18))]


@pytest.mark.parametrize("answers", MOMENTS)
def test_an_answer_that_is_lost_at_any_moment_costs_and_doubles_nothing(answers, server, place, monkeypatch, capsys):
    """The server did what it was asked, and nobody heard of it."""
    study = renamed(place, f"lost-{answers}")
    assert Sink(study).track()
    in_a_file = shown(study)
    with losing_answers(server.uri, answers) as uri:
        monkeypatch.setenv(VARIABLE, uri)
        assert not Sink(study).track()
    said = capsys.readouterr().err
    how = "as a web server does" if answers < 4 else "any more"  # the first answers are those of the sign of life
    assert said.startswith(f"MLflow did not take everything ({uri} does not answer {how}: it hung up); nothing is lost")
    assert said.count("\n") == 1
    monkeypatch.setenv(VARIABLE, server.uri)
    assert Sink(study).track()
    assert shown(study) == in_a_file


def test_another_machines_study_of_the_same_name_is_left_alone(server, place, monkeypatch, capsys):
    monkeypatch.setenv(VARIABLE, server.uri)
    study = renamed(place, "shared")
    assert Sink(study).track()
    theirs = shown(study)
    disk.path(study).unlink()
    says = rf"^STUDY=shared: {server.uri} has a study of this name from other records than mlruns/shared.jsonl, and its"
    with pytest.raises(BadInput, match=says):
        Sink(study).check()
    renamed(place, study, shift_s=1.0)
    for door in (Sink(study).check, lambda: mlflow_read.frame(study)):
        with pytest.raises(BadInput, match=says):
            door()
    assert not Sink(study).track()
    assert "give another STUDY" in capsys.readouterr().err
    disk.path(study).unlink()
    renamed(place, study)  # a copy of the first one's records
    Sink(study).check()
    assert shown(study) == theirs
    assert mlflow_owner.name_of("another") is None


def tracked_study(folder: Path, uri: str) -> subprocess.Popen:
    """A study of seconds in real processes, tracked at an address."""
    env = without_tracking(os.environ) | {"PYTHONPATH": str(REPO), VARIABLE: uri, lock.LOCKS: str(folder)}
    line = [sys.executable, fast_study.__file__, "parent", str(folder / "work/live"), "-", "--tracked", "--rounds", "2"]
    return subprocess.Popen(line, cwd=folder, env=env, stderr=subprocess.PIPE, text=True)


def runs_on(server: Server, study: str) -> int:
    """How many runs a server has of a study."""
    mlflow = mlflow_client.client_of(server.uri)
    experiment = mlflow_experiment.find(mlflow, study)
    return len(mlflow.search_runs([experiment.experiment_id])) if experiment else 0


@pytest.mark.slow
def test_a_server_that_stops_in_mid_study_stops_no_measuring_and_gets_the_rest_later(own_server, place, monkeypatch):
    process = tracked_study(place, own_server.uri)
    while not runs_on(own_server, "live"):
        assert process.poll() is None
        time.sleep(0.2)
    there = runs_on(own_server, "live")
    own_server.stop()
    status, lines = fast_study.end_of(process)
    assert status == 1
    [line] = lines
    assert re.match(
        rf"MLflow did not take everything \({own_server.uri} does not answer( any more)?: \w[\w ]+\); ", line
    )
    assert line.endswith("nothing is lost: the records are in mlruns/live.jsonl, and the next run logs them")
    cells = {cell.cell_id for cell in fast_study.build("live").cells}
    rounds = [(raw["cell_id"], raw["round"]) for raw in disk.read_json(place / "mlruns/live.jsonl")]
    assert sorted(rounds) == sorted((cell_id, number) for cell_id in cells for number in (1, 2))
    own_server.start()
    assert runs_on(own_server, "live") == there
    env = os.environ | {"PYTHONPATH": str(REPO), VARIABLE: own_server.uri}
    line = [sys.executable, "-m", "bench.tracking", "replay", "mlruns/live.jsonl"]
    for _ in range(2):
        done = subprocess.run(line, cwd=place, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    monkeypatch.setenv(VARIABLE, own_server.uri)
    on_the_server = shown("live", has_grown=True)
    monkeypatch.delenv(VARIABLE)
    assert Sink("live").track()
    assert on_the_server == shown("live", has_grown=True)


@pytest.mark.slow
def test_a_wrong_address_ends_a_study_before_it_measures(place):
    process = tracked_study(place, "http://127.0.0.1:9")
    status, [line] = fast_study.end_of(process)
    assert status == 2
    assert line.startswith("error: MLFLOW_TRACKING_URI: http://127.0.0.1:9 does not answer: connection refused; start")
    assert not (place / "mlruns/live.jsonl").exists()
    shutil.rmtree(place / "work", ignore_errors=True)
