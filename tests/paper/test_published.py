"""Published studies: no text of others, no machine's paths, and what pages print is what the studies restore to."""

import os
import re
import subprocess
import sys

import pytest

from bench.store import disk
from tests.conftest import REPO

PUBLISHED = sorted((REPO / disk.PUBLISHED).glob(f"*{disk.PACKED}"))
# Keys that would hold some; among the settings of a cell `text` is the name of a source, `texts` their number.
TEXTS = {"prompt", "prompts_text", "reference", "text", "texts", "generation", "messages"}
MOST_WORDS = 120  # in a string of a record: torch says in about eighty that memory has run out
PAGES = ("README.md", "bench/quality/README.md")  # they print parts of the study `pocket`
ROW = re.compile(r"(llama|llada|human) +(-|\d+) ")


def parts(value: object, key: str = ""):
    """(key, value) of everything inside a JSON value."""
    yield key, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from parts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from parts(inner, key)


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.name)
def test_no_text_of_others_and_no_path_of_a_machine_is_published(file):
    raw = disk.read_json(file)
    assert {record["study"] for record in raw} == {file.name.removesuffix(disk.PACKED)}
    for record in raw:
        settings = record.get("cell", {})
        for key, value in parts(record):
            assert key not in TEXTS or settings.get(key) == value, f"{key}: {value}"
            if isinstance(value, str):
                assert not re.search(r"(^|[\s'\"=])(/\S|~/|[A-Z]:\\)", value), f"{key}: {value}"
                assert len(value.split()) <= MOST_WORDS, f"{key}: {value}"


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> str:
    """What the restored study `pocket` prints."""
    return printed_of("pocket", tmp_path_factory.mktemp("restored"))


def printed_of(study: str, folder) -> str:
    """What a published study prints that was restored in an empty folder."""
    for name in ("bench", "configs", "paper"):
        (folder / name).symlink_to(REPO / name)
    env = os.environ | {"PYTHONPATH": str(REPO), "HF_HUB_OFFLINE": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    python("bench.tracking", "restore", study)
    return python("bench.report", study)


def sample_of(page: str) -> str:
    """The block of a page that shows what the study printed."""
    blocks = re.findall(r"^```\n(study pocket, .*?)```", (REPO / page).read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    return blocks[0]


def rows_of(text: str) -> list[list[str]]:
    """The words of each row of a table."""
    return [line.split() for line in text.splitlines() if ROW.match(line)]


def is_part(words: list[str], of: list[str]) -> bool:
    """Whether words stand in a row in the same order, perhaps with others between them."""
    rest = iter(of)
    return all(word in rest for word in words)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_prints_of_the_study_is_what_it_restores_to(page, printed):
    """Pages leave out columns and rows and break long lines; every number of theirs must be there."""
    sample = sample_of(page)
    rows = rows_of(sample)
    assert len(rows) >= 5
    for row in rows:
        assert any(is_part(row, full) for full in rows_of(printed)), " ".join(row)
    sentences = " ".join(line for line in sample.splitlines() if not ROW.match(line) and not line.startswith("model "))
    whole = " ".join(printed.split())
    for sentence in re.split(r" (?=Time:|Quality:|Noise:|Engines:|accuracy by task)", " ".join(sentences.split())):
        assert sentence in whole, sentence


def test_numbers_in_the_words_of_the_readme_are_those_of_the_study(printed):
    """The steps at which accuracy comes within its margin, as the first paragraphs quote them."""
    quoted = re.search(
        r"accuracy at (\d+ \[\d+, \d+\]) steps for 32 tokens", " ".join((REPO / "README.md").read_text().split())
    )
    assert f"LLaMA's accuracy of 1.000 [0.979, 1.000] at {quoted[1]} steps" in " ".join(printed.split())


def test_what_is_said_of_the_decoders_is_what_their_study_restores_to(tmp_path):
    page = (REPO / disk.PUBLISHED / "README.md").read_text()
    sample = " ".join(re.search(r"```\n(Best decoder on all.*?)```", page, re.DOTALL)[1].split())
    whole = " ".join(printed_of("pocket-decoders", tmp_path).split())
    sentences = re.split(r" (?=Best decoder|the fastest of all)", sample)
    assert len(sentences) == 4
    for sentence in sentences:
        assert sentence in whole, sentence
