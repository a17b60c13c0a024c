"""A study is published only if it gives the same numbers where it is restored."""

import gzip
import json
import os
import re
import subprocess
import sys

import pytest

from bench.checks import restored
from bench.store import disk
from tests.conftest import REPO

NUMBER = {"value": 0.5, "low": 0.25, "high": 0.75, "unit": "ms", "runs": ["a", "b"]}


def test_equal_numbers_of_other_runs_are_no_difference():
    assert restored.differences({"a": NUMBER}, {"a": NUMBER | {"runs": ["c", "d"]}}) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": 0.5000001}, "0.5000001 [0.25, 0.75] ms of 2 runs"),
        ({"low": None, "high": None}, "0.5 ms of 2 runs"),
        ({"high": None}, "0.5 [0.25, None] ms of 2 runs"),
        ({"unit": "s"}, "0.5 [0.25, 0.75] s of 2 runs"),
        ({"runs": ["a"]}, "0.5 [0.25, 0.75] ms of 1 runs"),
    ],
)
def test_a_number_that_differs_is_named_with_both_values(changes, words):
    lines = restored.differences({"a": NUMBER}, {"a": NUMBER | changes})
    assert lines == [f"a: 0.5 [0.25, 0.75] ms of 2 runs in this store, {words} where it was restored"]


def test_numbers_that_one_store_lacks_are_named():
    lines = restored.differences({"a": NUMBER, "b": NUMBER}, {"b": NUMBER, "c": NUMBER})
    assert lines == ["a: only in this store", "c: only where it was restored"]


def called(folder, study: str) -> subprocess.CompletedProcess:
    """`make record` in a clone."""
    env = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    env |= {"HF_HUB_OFFLINE": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "bench.record", study]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def few_cells() -> list[dict]:
    """Of the published study `pocket` LLaMA, and LLaDA in 4 and in 32 steps, with their scores."""
    steps = {"baseline": (None,), "sweep": (4, 32)}
    raw = disk.read_json(REPO / disk.PUBLISHED / f"pocket{disk.PACKED}")
    return [
        record | {"study": "mine"}
        for record in raw
        if (cell := record.get("cell")) and cell.get("steps") in steps.get(cell["kind"], ())
    ]


@pytest.fixture
def clone(tmp_path):
    """A clone with a study `mine`, made of published records, in which a path and a text were put."""
    restored.clone(REPO, tmp_path)
    raw = few_cells()
    raw[0] |= {"command": "python --prompts-file /home/me/mine.jsonl", "text": "a prompt of somebody"}
    for record in raw:
        disk.append(tmp_path / "mlruns/mine.jsonl", record)
    return tmp_path


def test_a_study_is_published_once_it_gives_the_same_numbers_in_an_empty_store(clone):
    done = called(clone, "mine")
    assert done.returncode == 0, done.stderr
    count = len(few_cells())
    first, second, third = done.stdout.splitlines()
    assert first == (
        f"study mine: {count} records; stripped: paths under `command` (their last part stays): 1;"
        " texts under `text`: 1"
    )
    shown = re.fullmatch(
        r"restored into an empty store: all (\d+) numbers of results.json are equal to those here", second
    )
    assert int(shown[1]) > 50
    file = clone / "paper/recorded/mine.jsonl.gz"
    assert third.startswith(f"published: paper/recorded/mine.jsonl.gz ({file.stat().st_size:,} bytes, ")
    packed = gzip.decompress(file.read_bytes()).decode()
    assert "/home/me" not in packed
    assert "somebody" not in packed
    assert [json.loads(line)["study"] for line in packed.splitlines()] == ["mine"] * count
    again = called(clone, "mine")
    assert again.stdout == f"study mine: nothing to do, paper/recorded/mine.jsonl.gz has all of its {count} records\n"


def test_a_study_whose_numbers_differ_where_it_is_restored_is_not_published(clone, monkeypatch):
    """Here the store holds one measurement more than the records that are packed."""
    from bench import record
    from bench.store import published
    from tests.support.refusals import refusal

    monkeypatch.chdir(clone)
    publication = published.prepare("mine")
    fewer = [each for each in publication.records if each.get("round") != 3]
    text = refusal(record.count_of_equal_numbers, published.Publication("mine", fewer, publication.stripped))
    assert text.startswith("nothing is published: ")
    assert " numbers of study mine are not the same where it is restored (the first 5 are above)" in text
    assert list((clone / disk.PUBLISHED).iterdir()) == []


def test_what_stops_the_restored_study_is_said_in_one_line(clone):
    file = clone / "mlruns/mine.jsonl"
    file.write_text(file.read_text().replace('"pair": "pocket"', '"pair": "gone"'))
    done = called(clone, "mine")
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: nothing is published: in this clone, ")
    assert "gone" in line
    assert list((clone / disk.PUBLISHED).iterdir()) == []
