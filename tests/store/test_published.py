"""What is published of a study: no text of others, no path of a machine, and never fewer records than before."""

import gzip
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from bench.common import paths
from bench.data import tokenizers
from bench.records import merge, types
from bench.store import disk, published, text_size
from tests.conftest import REPO, make_cell
from tests.support.records import llada_call, round_of
from tests.support.refusals import refusal


def record(number: int, **more) -> dict:
    cell = {"model": "llada", "weights": "bench/pocket/llada", "kind": "sweep"}
    ids = {"record": "round", "study": "s", "cell_id": "a", "round": number, "cell": cell, "outcome": "ok"}
    return ids | more


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A clone with no study, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "ROOT", Path("mlruns"))
    return tmp_path


def measure(*records: dict) -> None:
    for each in records:
        disk.append(disk.path("s"), each)


def test_texts_and_paths_are_taken_out_and_counted_and_all_else_stays(place):
    cell = {
        "weights": "/home/John Doe/models/mine/",
        "tokenizer": "package/a",
        "kind": "likelihood",
        "text": "sharegpt",
    }
    rest = "see https://a.b/c and a/b or 3 / 4 (https://"
    said = f"OSError: '/home/John Doe/a b.json' is not in (/opt/x/y), ~/z or C:\\mine\\q, {rest}"
    command = "python --model=/data/m --file '/a b/c d' -o out/x"
    measure(
        record(1, cell=cell, message=said, command=command, warmup_ms=[1.5, 2.0]),
        {"record": "item", "study": "s", "cell_id": "a", "index": 0, "request": 0, "prompt_hash": "h", "seconds": 1.0,
         "rows": 1, "text": "an answer", "outcome": {"prompt": 1.0}},
    )  # fmt: skip
    publication = published.prepare("s")
    first, item = publication.records
    assert first == record(
        1,
        cell=cell | {"weights": "mine"},
        message=f"OSError: 'a b.json' is not in (y), z or q, {rest}",
        command="python --model=m --file 'c d' -o out/x",
        warmup_ms=[1.5, 2.0],
    )
    assert "text" not in item
    assert item["outcome"] == {}
    assert publication.stripped == Counter(
        {
            "texts under `text`": 1,
            "texts under `prompt`": 1,
            "paths under `weights` (their last part stays)": 1,
            "paths under `message` (their last part stays)": 4,
            "paths under `command` (their last part stays)": 2,
        }
    )


def test_answers_whose_tokenizer_no_clone_has_are_published_as_the_size_of_their_text(place):
    """The rate of text that is made from them is the same; made-up weights and a tokenizer of the repository change
    nothing."""
    elsewhere = shutil.copytree(make_cell("llada").tokenizer, place / "mine")
    ids = tokenizers.tokenizer(str(elsewhere)).encode("A plain answer.", add_special_tokens=False)
    calls = [llada_call(0, kept=[len(ids)])]
    for cell in (
        make_cell("llada", tokenizer=str(elsewhere)),
        make_cell("llada", tokenizer=str(elsewhere), random_seed=0),
        make_cell("llada", tokenizer="bench/pocket/tokenizer"),
    ):
        measure(round_of(cell, calls, sequences=[ids]).to_json())
    publication = published.prepare("s")
    of_others, *rest = publication.records
    assert (of_others["kept_bytes"], "sequences" in of_others) == (len("A plain answer."), False)
    assert of_others["cell"]["tokenizer"] == "mine"
    assert [record["sequences"] for record in rest] == [[ids], [ids]]
    ours, theirs = (merge.group(map(types.parse, raw))["c"] for raw in (disk.read_json(disk.path("s")), [of_others]))
    assert text_size.bytes_per_token(ours) == text_size.bytes_per_token(theirs) > 1


@pytest.mark.parametrize("file", sorted((REPO / disk.PUBLISHED).glob(f"*{disk.PACKED}")), ids=lambda file: file.name)
def test_of_what_is_published_already_nothing_would_be_stripped(file):
    stripped = Counter()
    for raw in disk.read_json(file):
        assert published.without_private_parts(raw, stripped) == raw
    assert stripped == {}


def test_a_string_as_long_as_a_text_is_cut(place):
    measure(record(1, message=" ".join(f"w{i}" for i in range(121))))
    [only] = published.prepare("s").records
    assert only["message"].split() == [f"w{i}" for i in range(120)]


def test_a_published_study_packs_to_the_same_bytes_and_grows_but_never_shrinks(place):
    measure(record(1), record(2))
    first = published.prepare("s")
    assert first.is_new
    size = published.write(first)
    file = place / "paper/recorded/s.jsonl.gz"
    assert file.stat().st_size == size
    assert [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()] == [record(1), record(2)]
    again = published.prepare("s")
    assert not again.is_new
    assert again.packed() == file.read_bytes()
    measure(record(3))
    grown = published.prepare("s")
    assert (grown.is_new, grown.before) == (True, 2)
    published.write(grown)
    assert len(disk.read_json(file)) == 3
    disk.path("s").unlink()
    measure(record(1), record(2, message="another"))
    text = refusal(published.prepare, "s")
    assert "paper/recorded/s.jsonl.gz has 2 records that mlruns/s.jsonl lacks" in text
    assert len(disk.read_json(file)) == 3


def test_a_disk_that_is_full_leaves_the_published_file_as_it_was(place, monkeypatch):
    measure(record(1))
    published.write(published.prepare("s"))
    file = place / "paper/recorded/s.jsonl.gz"
    before = file.read_bytes()
    measure(record(2))
    grown = published.prepare("s")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(published.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        published.write(grown)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("name", ["", "other", "../s", "s.jsonl", "a/b", "/etc/passwd"])
def test_a_study_that_there_is_not_is_answered_with_those_that_there_are(name, place):
    assert refusal(published.prepare, name).endswith("; mlruns has: none yet")
    measure(record(1))
    text = refusal(published.prepare, name)
    assert text.endswith("; mlruns has: s")
    assert name in text


def test_a_file_without_records_or_with_records_of_others_is_refused(place):
    disk.touch(disk.path("s"))
    assert "mlruns/s.jsonl has no records yet" in refusal(published.prepare, "s")
    measure(record(1), record(2) | {"study": "t"})
    assert "has records of study t too" in refusal(published.prepare, "s")
