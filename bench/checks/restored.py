"""Does a study give the same numbers where it is restored? Asked before it is published.

Both sets of numbers are asked of processes of their own: this clone's as it stands, and those of a folder that has the
files of a fresh clone, an empty store and the packed records. The paper makes the numbers, which the benchmark does not
import, so it is called by its command.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.common.errors import BadInput
from bench.store import disk
from bench.store.tracking_uri import VARIABLE

CLONED = ("bench", "configs", ".venv")  # folders of a clone that a study is restored with, beside `paper`
NOT_CLONED = ("recorded", "build")  # in `paper`: the folder that is filled here, and what is built from a study
COMPARED = ("value", "low", "high", "unit")  # of a number; the ids of its runs are MLflow's own


def numbers_of(study: str, folder: Path) -> dict[str, dict]:
    """Every number of a study's report in a folder that holds its store. Raises BadInput with what stopped it."""
    return json.loads(run(("paper.numbers", study), folder))


def numbers_when_restored(study: str, packed: bytes) -> dict[str, dict]:
    """The same, of a packed study that is restored into an empty store. Raises BadInput with what stopped it."""
    with tempfile.TemporaryDirectory(prefix="restored-") as name:
        folder = Path(name)
        clone(Path.cwd(), folder)
        (folder / disk.PUBLISHED / f"{study}{disk.PACKED}").write_bytes(packed)
        run(("bench.tracking", "restore", study), folder)
        return numbers_of(study, folder)


def clone(repository: Path, folder: Path) -> None:
    """Make a folder look like a fresh clone of a repository, with no published study in it."""
    for name in CLONED:
        if (repository / name).exists():
            (folder / name).symlink_to(repository / name)
    (folder / disk.PUBLISHED).mkdir(parents=True)
    for part in (repository / "paper").iterdir():
        if part.name not in NOT_CLONED:
            (folder / "paper" / part.name).symlink_to(part)


def run(module_and_arguments: Sequence[str], folder: Path) -> str:
    """What a door prints in a folder. Raises BadInput with the last line that it said if it failed."""
    environment = dict(os.environ)
    if folder != Path.cwd():
        environment.pop(VARIABLE, None)  # the store of the folder, not the user's
    done = subprocess.run(
        [sys.executable, "-m", *module_and_arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
        where = "in this clone" if folder == Path.cwd() else "in an empty store"
        raise BadInput(f"nothing is published: {where}, {said[-1].removeprefix('error: ')}")
    return done.stdout


def differences(ours: dict[str, dict], restored: dict[str, dict]) -> list[str]:
    """A line for each number that the two sets do not share to the last digit, or of another number of runs."""
    lines = [f"{name}: only in this store" for name in sorted(set(ours) - set(restored))]
    lines += [f"{name}: only where it was restored" for name in sorted(set(restored) - set(ours))]
    for name in sorted(set(ours) & set(restored)):
        here, there = facts_of(ours[name]), facts_of(restored[name])
        if here != there:
            lines.append(f"{name}: {words_of(here)} in this store, {words_of(there)} where it was restored")
    return lines


def facts_of(number: dict) -> tuple:
    """What must be equal of a number."""
    return (*(number[name] for name in COMPARED), len(number["runs"]))


def words_of(facts: tuple) -> str:
    """ "0.5 [0.4, 0.6] ms of 3 runs"."""
    value, low, high, unit, runs = facts
    interval = "" if low is None else f" [{low}, {high}]"
    return f"{value}{interval} {unit} of {runs} runs"
