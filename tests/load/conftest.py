"""A whole database of MLflow, made once: making one takes seconds."""

from pathlib import Path

import pytest

from bench.store import mlflow_database


@pytest.fixture(scope="session")
def whole_database(tmp_path_factory) -> Path:
    """A database with nothing in it."""
    file = tmp_path_factory.mktemp("database") / "mlflow.db"
    mlflow_database.ensure(f"sqlite:///{file}")
    return file
