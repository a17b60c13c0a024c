"""Reports are built here from studies that stand in memory: what goes into MLflow is tested in tests/store."""

import pytest

from bench.store import mirror, mlflow_report


@pytest.fixture(autouse=True)
def no_report_in_mlflow(monkeypatch):
    """A report that counts as tracked."""
    monkeypatch.setattr(mlflow_report, "is_logged", lambda study, mark: True)
    monkeypatch.setattr(mlflow_report, "log", lambda study, folder, mark: None)
    monkeypatch.setattr(mirror, "describe", lambda study, verdicts: None)
