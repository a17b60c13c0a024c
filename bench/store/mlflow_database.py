"""MLflow's database file: it is whole, or it is not there.

MLflow makes its database in place, in some 70 steps that are not one transaction. A kill in those seconds, or two
processes at once, would leave it half made for good. So it is made beside its place and put there in one step, under a
lock. One that was left half made by other means is mended if nothing is in it, and named with a remedy otherwise: the
records on disk are the source of everything in it, so it can always be made anew.
"""

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import make_url

from bench.common.plural import counted
from bench.store import file_lock
from bench.store.mlflow_package import ScriptDirectory, database

LOCK_LIMIT_S = 120.0  # a slow machine makes a database in half a minute
BUSY_LIMIT_S = 5.0  # to wait for another process that writes
STANDSTILL_S = 2.0  # a half-made database that changes in this time is being made by another process
MOST_LOOKS = 60  # at a database that another process is making
DEFAULT_EXPERIMENT = 0  # MLflow's own, which is always there


class UnusableDatabase(Exception):
    """A database that MLflow cannot work with. The message says in one line what is wrong and what to do."""


@dataclass(frozen=True)
class Contents:
    """What is in a database. revision: the last step that made it, None before the first. rows: by table."""

    revision: str | None
    rows: tuple[tuple[str, int], ...]

    @property
    def is_whole(self) -> bool:
        """Whether all steps of this MLflow have been taken."""
        return self.revision == revisions()[0]

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been tracked yet."""
        return not any(count for _, count in self.rows)


@cache
def revisions() -> tuple[str, ...]:
    """The names of the steps in which this MLflow makes a database, the last one first."""
    scripts = ScriptDirectory.from_config(database._get_alembic_config(""))
    return tuple(script.revision for script in scripts.walk_revisions())


def ensure(uri: str) -> None:
    """Make the database that a tracking URI names, if it is a file of SQLite and not there.

    Raises UnusableDatabase, and OSError where it cannot be written.
    """
    file = file_of(uri)
    if file is None or (file.exists() and contents(file).is_whole):
        return
    with file_lock.held(beside(file, ".lock"), LOCK_LIMIT_S):
        if not file.exists() and put(make(file), file):
            return
        mend(file)


def file_of(uri: str) -> Path | None:
    """The file of a tracking URI; None where it names a server, a database in memory, or SQLite's own `file:` form."""
    if not uri.startswith("sqlite:"):
        return None
    path = make_url(uri).database
    return None if not path or path == ":memory:" or path.startswith("file:") else Path(path)


def beside(file: Path, ending: str) -> Path:
    """A file next to the database, with a longer name."""
    return file.with_name(file.name + ending)


def make(file: Path) -> Path:
    """A new, whole database beside its place; returns where. The lock is held, so what lies there is a leftover."""
    part = beside(file, ".part")
    for leftover in (part, beside(part, "-journal")):
        leftover.unlink(missing_ok=True)
    engine = database.create_sqlalchemy_engine(f"sqlite:///{part}")
    try:
        database._initialize_tables(engine)
    finally:
        engine.dispose()
    return part


def put(part: Path, file: Path) -> bool:
    """Give a whole database its name; False if another process, which knows no lock, has begun one there."""
    try:
        os.link(part, file)  # unlike a rename, it never replaces what another process has made
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        part.rename(file)
        return True
    part.unlink()
    return True


def mend(file: Path) -> None:
    """Make a half-made database whole if nothing is in it. Raises UnusableDatabase if something is."""
    there = settled(file)
    if there.is_whole:
        return
    if there.revision is not None and there.revision not in revisions():
        raise UnusableDatabase(f"{file} was made by another version of MLflow; {remedy(file)}")
    if not there.is_empty:
        count = dict(there.rows).get("runs", 0)
        raise UnusableDatabase(
            f"{file} is half made, or of an earlier MLflow, and holds {counted(count, 'run')}; {remedy(file)}"
        )
    part = make(file)
    copy(part, file)
    part.unlink()


def remedy(file: Path) -> str:
    """What to do about a database that cannot be mended."""
    return f"move it away (mv {file.name} {file.name}.old), and a new one is made from the records"


def settled(file: Path) -> Contents:
    """What is in a half-made database, once it has stopped changing: another process may be making it."""
    there = contents(file)
    for _ in range(MOST_LOOKS):
        if there.is_whole:
            break
        time.sleep(STANDSTILL_S)
        before, there = there, contents(file)
        if there == before:
            break
    return there


def contents(file: Path) -> Contents:
    """What is in a database. A transaction that a kill has cut off is rolled back first, by SQLite.

    Raises UnusableDatabase.
    """
    try:
        with closing(connect(file)) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            revision = None
            if "alembic_version" in names:
                revision = next(
                    (name for (name,) in connection.execute("SELECT version_num FROM alembic_version")), None
                )
            if revision == revisions()[0]:
                return Contents(revision, ())
            return Contents(revision, tuple((name, rows_of(connection, name)) for name in sorted(names)))
    except sqlite3.OperationalError as error:
        advice = "; another process writes there: wait for it, or stop it" if "locked" in str(error) else ""
        raise UnusableDatabase(f"{file}: {error}{advice}") from error
    except sqlite3.DatabaseError as error:  # another file, or a damaged one
        raise UnusableDatabase(f"{file} is no sound database ({error}); {remedy(file)}") from error


def connect(file: Path) -> sqlite3.Connection:
    """A connection to a database that is there."""
    return sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, timeout=BUSY_LIMIT_S)


def rows_of(connection: sqlite3.Connection, table: str) -> int:
    """How many rows of a table somebody has tracked: what MLflow itself puts into a new database does not count."""
    if table in ("alembic_version", "workspaces") or table.startswith("sqlite_"):
        return 0
    where = f" WHERE experiment_id != {DEFAULT_EXPERIMENT}" if table == "experiments" else ""
    return connection.execute(f'SELECT COUNT(*) FROM "{table}"{where}').fetchone()[0]


def copy(whole: Path, file: Path) -> None:
    """Replace what is in a database by what is in another, in one transaction, so that a kill leaves either."""
    deadline_s = time.monotonic() + BUSY_LIMIT_S

    def give_up(status: int, remaining: int, total: int) -> None:
        if remaining and time.monotonic() > deadline_s:
            raise UnusableDatabase(f"{file}: another process writes there: wait for it, or stop it")

    with closing(connect(whole)) as source, closing(connect(file)) as target:
        source.backup(target, progress=give_up)
