"""What every door has in common: help that teaches, and one line for a wrong argument, under the door's own name."""

import importlib
import subprocess
import sys

import pytest

from bench.common.errors import exit_code
from tests.conftest import REPO

BY_HAND_NEVER = "worker"  # the parent starts it and talks to it: it has no command line for people
DOORS = sorted(
    f"bench.{file.stem}" for file in (REPO / "bench").glob("*.py") if file.stem not in ("__init__", BY_HAND_NEVER)
)
DOORS += ["bench.quality", "paper.build", "paper.compare", "paper.numbers"]
WITH_TORCH = {"paper.build"}  # its figures import what imports torch


def module_of(door: str) -> str:
    return f"{door}.__main__" if door == "bench.quality" else door


def called(door: str, monkeypatch, *arguments: str) -> int:
    """Exit status of a door, run in this process."""
    monkeypatch.setattr("sys.argv", [door, *arguments])
    try:
        return exit_code(importlib.import_module(module_of(door)).main)
    except SystemExit as end:
        return end.code


@pytest.mark.parametrize("door", DOORS)
def test_a_wrong_argument_is_one_line_that_names_the_door(door, monkeypatch, capsys):
    assert called(door, monkeypatch, "--foo") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.endswith(f"; see python -m {door} --help\n")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("door", "arguments", "complaint"),
    [
        ("bench.run", ["smoke", "--rounds", "four"], "argument --rounds: invalid int value: 'four'"),
        ("bench.selfcheck", ["--rounds", "four"], "argument --rounds: invalid int value: 'four'"),
        ("bench.selfcheck", ["--rounds", "0"], "--rounds 0: expected 1 to 100"),
        ("bench.ladder", ["--repeats", "1"], "--repeats 1: expected 2 to 1000"),
        ("bench.perplexity", ["--texts", "0"], "--texts 0: expected 1 or more"),
        ("bench.agreement", ["--prompts", "0"], "--prompts 0: expected 1 to 1000"),
        ("bench.predictions", ["--prompt", "0"], "--prompt 0: expected 1 to 1048576"),
        ("bench.ceilings", ["--seconds", "nan"], "--seconds nan: expected more than 0, at most 600"),
        ("bench.frontier", ["--limit-gib", "-1"], "--limit-gib -1: expected more than 0"),
        ("bench.run", [], "give grids, or a work folder with --cells"),
        ("bench.run", ["--cells", "work"], "--cells needs --record FILE"),
        ("bench.record", [], "the following arguments are required: STUDY"),
        ("bench.report", [], "the following arguments are required: STUDY"),
        ("bench.tracking", ["redo", "x"], "invalid choice: 'redo' (choose from 'replay', 'restore')"),
        ("bench.train", ["--model", "gpt"], "argument --model: invalid choice: 'gpt' (choose from 'llama', 'llada')"),
    ],
)
def test_a_value_outside_its_range_is_one_line(door, arguments, complaint, monkeypatch, capsys):
    assert called(door, monkeypatch, *arguments) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.endswith(f"; see python -m {door} --help\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize("door", DOORS)
def test_help_is_the_whole_docstring_and_the_options(door, monkeypatch, capsys):
    assert called(door, monkeypatch, "--help") == 0
    said = capsys.readouterr()
    text = importlib.import_module(module_of(door)).__doc__.strip()
    assert said.out.startswith(f"usage: python -m {door} ")
    assert text in said.out
    assert f"python -m {door}" in text
    assert "--help" in said.out
    assert said.err == ""


def test_help_answers_without_torch():
    """Torch takes seconds to import, on a slow disk many."""
    doors = [door for door in DOORS if door not in WITH_TORCH]
    code = (
        "import importlib, sys\n"
        "for door in sys.argv[1:]:\n"
        "    sys.argv = [door, '--help']\n"
        "    try:\n"
        "        importlib.import_module(door).main()\n"
        "    except SystemExit:\n"
        "        assert 'torch' not in sys.modules, door\n"
    )
    command = [sys.executable, "-c", code, *map(module_of, doors)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
