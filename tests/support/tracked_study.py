"""A small study as it lies on disk, and MLflow in a folder of its own."""

from pathlib import Path

import pytest

from bench.measure import worker
from bench.store import disk
from tests.support import fast_study


def write_records(folder: Path, study: str = "s", with_sentinel: bool = False) -> list[dict]:
    """Measure one round of each cell of a study of seconds, in this process; the records, as they lie on disk."""
    work = fast_study.build(study, with_sentinel=with_sentinel)
    raw = []
    for cell in work.cells:
        events: list[dict] = []
        worker.measure(fast_study.Fake(), work, cell, 1, events.append)
        raw.append(events[-1]["record"] | {"rounds": 1})
    for record in raw:
        disk.append(folder / f"mlruns/{study}.jsonl", record)
    return raw


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder the working directory, with MLflow's own database in it."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
