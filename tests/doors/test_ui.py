"""MLflow's pages: what cannot be shown is one line; otherwise a link to each study, and then the server."""

import os

import pytest

from bench import ui
from bench.common.errors import exit_code
from bench.store import mlflow_client, mlflow_experiment
from tests.support.tracked_study import stand_in


def called(monkeypatch, *arguments: str) -> int:
    """Exit status of the door. The server is not started: this process would become it."""
    monkeypatch.setattr("sys.argv", ["bench.ui", *arguments])
    return exit_code(ui.main)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch)
    return tmp_path


def test_a_server_that_does_not_answer_shows_nothing(monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    assert called(monkeypatch) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: MLflow's pages cannot be shown: http://127.0.0.1:9 does not answer: ")
    assert said.count("\n") == 1


def test_an_unusable_database_is_one_line_with_a_remedy(here, monkeypatch, capsys):
    (here / "mlflow.db").write_text("Dear diary, " * 500)
    assert called(monkeypatch) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: MLflow's pages cannot be shown: ")
    assert said.endswith("move it away (mv mlflow.db mlflow.db.old), and a new one is made from the records\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("studies", "line"),
    [
        ([("s", "7")], "study s: http://127.0.0.1:5001/#/experiments/7/runs?viewStateShareKey=steps"),
        ([], "no study is tracked yet; `make study` makes one"),
    ],
)
def test_it_links_each_study_and_becomes_mlflows_server(studies, line, here, monkeypatch, capsys):
    started = []
    monkeypatch.setattr(mlflow_client, "client", lambda: None)
    monkeypatch.setattr(mlflow_experiment, "studies", lambda mlflow, are_only_read: studies)
    monkeypatch.setattr(os, "execv", lambda program, command: started.append(command))
    called(monkeypatch, "--port", "5001")
    assert capsys.readouterr().out.startswith(line)
    assert f"sqlite:///{here}/mlflow.db" in started[0]
