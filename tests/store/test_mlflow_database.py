"""MLflow's database is whole or not there, whoever is killed and however many make it at once."""

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from bench.store import file_lock, mlflow_database
from bench.store.mlflow_database import Contents, UnusableDatabase
from bench.store.mlflow_package import database
from tests.conftest import REPO

ENSURE = "from bench.store import mlflow_database; mlflow_database.ensure('sqlite:///mlflow.db')"


@pytest.fixture(autouse=True)
def soon_settled(monkeypatch):
    """A half-made database of these tests is nobody's work in progress."""
    monkeypatch.setattr(mlflow_database, "STANDSTILL_S", 0.05)


def ensure(file: Path) -> None:
    mlflow_database.ensure(f"sqlite:///{file}")


def started(folder: Path, code: str = ENSURE) -> subprocess.Popen:
    """A process that makes the database of a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env={"PYTHONPATH": str(REPO)}, stderr=subprocess.PIPE, text=True
    )


def take_steps(file: Path, steps: int) -> None:
    """Leave a database as a kill leaves it that MLflow made in place: its first tables, and some of its steps."""
    from alembic import command

    engine = database.create_sqlalchemy_engine(f"sqlite:///{file}")
    database.InitialBase.metadata.create_all(engine)
    oldest_first = mlflow_database.revisions()[::-1]
    if steps:
        config = database._get_alembic_config(f"sqlite:///{file}")
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, oldest_first[steps - 1])
    engine.dispose()


def tables(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return sorted(name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))


@pytest.mark.parametrize("killed_after_s", [0.0, 0.5, 1.0, 2.0])
def test_a_kill_at_any_moment_leaves_a_whole_database_or_none(killed_after_s, tmp_path, whole_database):
    process = started(tmp_path)
    while not (tmp_path / "mlflow.db.part").exists() and process.poll() is None:
        time.sleep(0.02)
    time.sleep(killed_after_s)
    process.kill()
    process.wait()
    file = tmp_path / "mlflow.db"
    assert not file.exists() or mlflow_database.contents(file).is_whole
    ensure(file)
    assert tables(file) == tables(whole_database)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db", "mlflow.db.lock"]


def test_processes_that_begin_at_once_share_one_database(tmp_path, whole_database):
    processes = [started(tmp_path) for _ in range(3)]
    ends = [(process.communicate()[1], process.returncode) for process in processes]
    assert ends == [("", 0)] * 3
    assert tables(tmp_path / "mlflow.db") == tables(whole_database)


def test_a_whole_database_is_left_alone(whole_database, tmp_path):
    file = Path(shutil.copy(whole_database, tmp_path))
    before = file.read_bytes()
    ensure(file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("steps", [None, 0, 1, 20, -1])
def test_a_half_made_database_with_nothing_in_it_is_mended(steps, tmp_path, whole_database):
    file = tmp_path / "mlflow.db"
    if steps is None:
        file.touch()
    else:
        take_steps(file, steps if steps >= 0 else len(mlflow_database.revisions()) + steps)
    ensure(file)
    assert mlflow_database.contents(file).is_whole
    assert tables(file) == tables(whole_database)


def test_a_half_made_database_whose_last_transaction_was_cut_off_is_mended(tmp_path, whole_database):
    file = tmp_path / "mlflow.db"
    take_steps(file, 10)
    code = (
        "import os, signal, sqlite3; c = sqlite3.connect('mlflow.db', isolation_level=None);"
        "c.execute('PRAGMA cache_size = 1'); c.execute('BEGIN'); c.execute('CREATE TABLE big (text TEXT)');"
        "c.executemany('INSERT INTO big VALUES (?)', [('x' * 4000,)] * 500); os.kill(os.getpid(), signal.SIGKILL)"
    )
    started(tmp_path, code).wait()
    assert (tmp_path / "mlflow.db-journal").exists()
    ensure(file)
    assert tables(file) == tables(whole_database)


def refused(file: Path) -> str:
    """The one line with which a database is refused; it is left as it is."""
    before = file.read_bytes()
    with pytest.raises(UnusableDatabase) as caught:
        ensure(file)
    assert file.read_bytes() == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def put_a_run_in(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO runs (run_uuid, name) VALUES ('r', 'somebody measured this')")


@pytest.mark.parametrize("steps", [0, 20])
def test_a_half_made_database_with_something_in_it_is_named_with_a_remedy_that_works(steps, tmp_path):
    file = tmp_path / "mlflow.db"
    take_steps(file, steps)
    put_a_run_in(file)
    said = refused(file)
    assert said == (
        f"{file} is half made, or of an earlier MLflow, and holds 1 run; move it away (mv mlflow.db mlflow.db.old), and"
        " a new one is made from the records"
    )
    file.rename(file.with_name("mlflow.db.old"))
    ensure(file)
    assert mlflow_database.contents(file).is_whole


def test_a_database_of_another_mlflow_is_refused(whole_database, tmp_path):
    file = Path(shutil.copy(whole_database, tmp_path))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'of next year'")
    assert "was made by another version of MLflow; move it away" in refused(file)


@pytest.mark.parametrize("damage", ["another file", "cut off"])
def test_what_is_no_sound_database_is_refused(damage, whole_database, tmp_path):
    file = Path(shutil.copy(whole_database, tmp_path))
    file.write_bytes(b"Dear diary, " * 500 if damage == "another file" else whole_database.read_bytes()[:20_000])
    assert "is no sound database (" in refused(file)


def test_a_database_that_another_process_is_making_is_waited_for(tmp_path, monkeypatch):
    file = tmp_path / "mlflow.db"
    take_steps(file, 1)
    last = mlflow_database.revisions()[0]
    looks = [Contents("a", ()), Contents("b", ()), Contents("c", ()), Contents(last, ())]
    monkeypatch.setattr(mlflow_database, "contents", lambda file: looks.pop(0))
    assert mlflow_database.settled(file).is_whole
    assert looks == []


def test_a_database_that_somebody_began_while_ours_was_made_is_not_replaced(tmp_path, whole_database):
    part, file = Path(shutil.copy(whole_database, tmp_path / "part")), tmp_path / "mlflow.db"
    file.write_text("theirs")
    assert not mlflow_database.put(part, file)
    assert file.read_text() == "theirs"


def test_where_nothing_can_be_written_the_system_says_so(tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(OSError, match="taken"):
        ensure(tmp_path / "taken/mlflow.db")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:///mlflow.db", "mlflow.db"),
        ("sqlite:////home/me/my project/mlflow.db", "/home/me/my project/mlflow.db"),
        ("sqlite:///mlflow.db?timeout=5", "mlflow.db"),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("sqlite:///file:mlflow.db?mode=ro&uri=true", None),
        ("http://127.0.0.1:5000", None),
        ("postgresql://me@host/runs", None),
        ("file:///tmp/mlruns", None),
    ],
)
def test_only_a_file_of_sqlite_is_looked_after(uri, path):
    assert mlflow_database.file_of(uri) == (path and Path(path))


def test_a_lock_that_another_process_holds_is_named_after_the_wait(tmp_path):
    second = file_lock.held(tmp_path / "lock", 0.2)
    with file_lock.held(tmp_path / "lock", 1.0), pytest.raises(TimeoutError, match=r"lock for 0 s; wait for it"):
        second.__enter__()
    with file_lock.held(tmp_path / "lock", 0.0):
        pass
