"""A whole database of MLflow, made once: making one takes seconds."""

import shutil
from pathlib import Path

import pytest

from bench.data import prompts
from bench.store import mlflow_database
from tests.support import tracked_study


@pytest.fixture(scope="session")
def whole_database(tmp_path_factory) -> Path:
    """A database with nothing in it."""
    file = tmp_path_factory.mktemp("database") / "mlflow.db"
    mlflow_database.ensure(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def recorded_study(tmp_path_factory) -> Path:
    """A folder with the records of a study `s`, sentinels too, that MLflow has not seen."""
    folder = tmp_path_factory.mktemp("recorded")
    tracked_study.write_records(folder, with_sentinel=True)
    return folder


@pytest.fixture
def place(recorded_study, whole_database, tmp_path, monkeypatch) -> Path:
    """The working directory: a study's records, and an MLflow that holds nothing; no prompts of other tests."""
    prompts.stored.cache_clear()
    folder = shutil.copytree(recorded_study, tmp_path / "here")
    shutil.copy(whole_database, folder)
    tracked_study.stand_in(folder, monkeypatch)
    return folder
