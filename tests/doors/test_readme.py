"""The README's commands are ones that make knows, and what it names exists."""

import re
import subprocess

import pytest

from tests.conftest import REPO

README = (REPO / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]


@pytest.mark.parametrize("line", sorted({line for line in LINES if line.startswith("make")}))
def test_make_knows_the_command(line):
    done = subprocess.run(f"{line} -n", shell=True, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", sorted({line.split()[2] for line in LINES if line.startswith("python -m")}))
def test_modules_exist(module):
    assert (REPO / (module.replace(".", "/") + ".py")).is_file()


def test_it_shows_enough_commands_to_be_worth_testing():
    assert sum(line.startswith("make") for line in LINES) >= 10


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)]+)\)", README))
def test_linked_files_are_in_the_repository(path):
    assert (REPO / path).is_file()


def test_nothing_is_left_to_be_filled_in():
    assert "PLACEHOLDER" not in README
