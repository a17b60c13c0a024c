"""What the tests of this room share: tasks in a folder, the pocket pair, and a study whose records are a plain file."""

from pathlib import Path

import pytest

from bench.spec.pair import PairFile, read_pair
from bench.store.sink import Sink
from tests.conftest import REPO

NEEDS_LM_EVAL = "lm-eval is not installed (configs/requirements-accuracy.txt)"


@pytest.fixture(scope="session")
def local_tasks(tmp_path_factory) -> Path:
    """A folder of a user's tasks and recipes."""
    pytest.importorskip("lm_eval", reason=NEEDS_LM_EVAL)
    from tests.accuracy import local_tasks

    return local_tasks.write_all(tmp_path_factory.mktemp("tasks"))


@pytest.fixture
def pocket(monkeypatch) -> PairFile:
    monkeypatch.chdir(REPO)
    return read_pair("pocket")


@pytest.fixture
def sink(tmp_path) -> Sink:
    return Sink("s", tmp_path / "records.jsonl")
