"""The pages that explain the repository: their commands work, their links lead somewhere, their table is fresh."""

import contextlib
import importlib
import io
import re
import shlex
import subprocess
import sys
from functools import cache
from operator import attrgetter
from pathlib import Path
from unittest import mock

import pytest

from bench.records import catalogue
from tests.conftest import REPO

PAGES = {
    str(page.relative_to(REPO)): page.read_text()
    for page in (
        REPO / "README.md",
        REPO / "configs/README.md",
        *sorted((REPO / "bench").glob("*/README.md")),
        *sorted((REPO / "paper/recorded").glob("*.md")),
    )
}
MOST_BYTES_OF_README = 10_240
SET_VARIABLE = re.compile(r"[A-Z_]+=\S*")  # NAME=value before a command


def commands(text: str) -> list[str]:
    """The lines of a page's shell blocks, without comments and with lines that end in a backslash joined."""
    blocks = re.findall(r"^ *```sh\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [stripped for line in lines if (stripped := re.sub(r"(^|\s)#.*", "", line).strip())]


COMMANDS = sorted({line for text in PAGES.values() for line in commands(text)})
OF_MAKE = [line for line in COMMANDS if line.startswith("make")]
OF_PYTHON = [line for line in COMMANDS if line.startswith("python -m")]


@cache
def help_of(module: str) -> str:
    """What a door prints when it is asked for help. Asked in this process, which has torch already."""
    printed = io.StringIO()
    asked = mock.patch.object(sys, "argv", [module, "--help"])
    with asked, contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
        importlib.import_module(module).main()
    return printed.getvalue()


def slug(heading: str) -> str:
    """The anchor that a heading gets on a page: small letters, hyphens for spaces, no punctuation."""
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


def links() -> list[tuple[str, str]]:
    """(page, target) of every link and image that is not on the web."""
    targets_of = {name: re.findall(r"\]\(((?!http)[^)\s]+)\)", text) for name, text in PAGES.items()}
    return sorted({(name, target) for name, targets in targets_of.items() for target in targets})


def test_readme_is_short():
    assert len((REPO / "README.md").read_bytes()) <= MOST_BYTES_OF_README


def test_every_command_is_one_that_is_checked_here():
    assert sorted(OF_MAKE + OF_PYTHON) == COMMANDS
    assert len(OF_MAKE) >= 20
    assert len(OF_PYTHON) >= 5


@pytest.mark.parametrize("line", OF_MAKE)
def test_make_knows_the_command(line):
    done = subprocess.run(f"{line} -n", shell=True, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


MAKEFILE_VARIABLES = set(re.findall(r"^([A-Z_]+) =", (REPO / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("line", OF_MAKE)
def test_make_knows_the_variables(line):
    given = {word.split("=")[0] for word in shlex.split(line) if SET_VARIABLE.match(word)}
    assert given <= MAKEFILE_VARIABLES


@pytest.mark.parametrize("line", OF_PYTHON)
def test_doors_know_the_options(line):
    words = shlex.split(line)
    module = words[2]
    assert (REPO / (module.replace(".", "/") + ".py")).is_file()
    for option in [word for word in words if word.startswith("--")]:
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", help_of(module)), f"{module} has no option {option}"


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_command_or_a_sentence_names_exist(page):
    """Paths in commands and in `code`, except those that a command makes and patterns such as NAME.yaml."""
    words = " ".join([*commands(PAGES[page]), *re.findall(r"`([^`\n]+)`", PAGES[page])])
    named = set(re.findall(r"(?<![\w/.-])(?:bench|configs|paper|tests)/[\w./-]+", words))
    missing = [path for path in named if not (REPO / path).exists() and not re.search("[A-Z]{4}", path)]
    assert [path for path in missing if not path.startswith(("paper/build", "paper/compared"))] == []


@pytest.mark.parametrize(("page", "target"), links())
def test_links_lead_somewhere(page, target):
    path, _, anchor = target.partition("#")
    file = (REPO / page).parent / path if path else REPO / page
    assert file.exists()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
        assert anchor in map(slug, headings)


def test_every_image_is_on_a_page():
    used = {((REPO / page).parent / target).resolve() for page, target in links() if target.endswith(".png")}
    assert used == set((REPO / "paper/images").glob("*.png"))


def test_the_table_of_metrics_is_the_generated_one():
    assert catalogue.markdown_table() in PAGES["bench/records/README.md"]


def test_the_tree_names_every_room():
    rooms = {str(file.parent.relative_to(REPO)) for file in (REPO / "bench").glob("*/__init__.py")}
    assert rooms <= set(re.findall(r"^(bench/\w+) +\w", PAGES["README.md"], re.MULTILINE))


def test_the_call_tree_of_diffusion_names_what_is_there():
    steps = re.findall(r"^[ │├└─]*(\w+)\.(\w+(?:\.\w+)?)(?:\(| {2})", PAGES["bench/diffusion/README.md"], re.MULTILINE)
    assert len(steps) >= 8
    for module, name in steps:
        attrgetter(name)(importlib.import_module(f"bench.diffusion.{module}"))


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_left_to_be_filled_in(page):
    assert "PLACEHOLDER" not in PAGES[page]
    assert "TODO" not in PAGES[page]


def test_pages_are_found():
    assert {Path(page).parent.name for page in PAGES} >= {"", "configs", "measure", "records", "recorded"}
