"""The name of a model directory changes with any byte of weights and tokenizer, and large files are read once."""

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.common.errors import BadInput
from bench.models import revision
from bench.models.checkpoint import Checkpoint
from tests.support.model_directory import LLAMA, write_config

LARGE = 4096  # bytes from which on a file counts as large here


@pytest.fixture(autouse=True)
def small_scale(monkeypatch, tmp_path):
    """Files of some KiB are large, and settle at once."""
    monkeypatch.setattr(revision, "LARGE_BYTES", LARGE)
    monkeypatch.setattr(revision, "START_BYTES", LARGE // 8)
    monkeypatch.setattr(revision, "CHUNK_BYTES", LARGE // 4)
    monkeypatch.setattr(revision, "SETTLED_S", 0.02)
    monkeypatch.setattr(revision, "CACHE", tmp_path / "hashes")


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The names of the large files that were read in full, in order."""
    names = []
    read_and_keep = revision.read_and_keep

    def counted(file, advance):
        names.append(file.name)
        return read_and_keep(file, advance)

    monkeypatch.setattr(revision, "read_and_keep", counted)
    return names


def model_dir(folder: Path, config: dict, **weights: bytes) -> Path:
    """A directory whose weights have these bytes, by the name of the file; a name needs no sound file."""
    write_config(folder, config)
    for name, content in (weights or {"model": b"weights"}).items():
        (folder / f"{name}.safetensors").write_bytes(content)
    return folder


def described(folder: Path) -> Checkpoint:
    return Checkpoint(folder, "llama", LLAMA)


def name_of(folder: Path) -> str:
    return revision.of_model(folder, sorted(folder.glob("*.safetensors")))


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.sampled_from([1, LARGE - 1, LARGE, 3 * LARGE + 5]), place=st.floats(0, 1, exclude_max=True))
def test_no_byte_of_the_weights_can_change_unseen(tmp_path, size, place):
    content = bytes(size)
    before = name_of(model_dir(tmp_path / "model", LLAMA, model=content))
    assert name_of(model_dir(tmp_path / "model", LLAMA, model=flipped(content, int(place * size)))) != before
    assert name_of(model_dir(tmp_path / "model", LLAMA, model=content)) == before


def test_a_file_that_keeps_size_and_time_of_writing_is_read_again(tmp_path, reads):
    folder = model_dir(tmp_path / "model", LLAMA, model=bytes(2 * LARGE))
    before = name_of(folder)
    file = folder / "model.safetensors"
    status = file.stat()
    file.write_bytes(flipped(bytes(2 * LARGE), 2 * LARGE - 1))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert name_of(folder) != before
    assert len(reads) == 2


def test_large_files_are_read_once_wherever_they_are_seen_from(tmp_path, reads):
    folder = model_dir(tmp_path, LLAMA, one=bytes(LARGE), two=b"x" * LARGE)
    names = {name_of(folder) for _ in range(3)}
    link = tmp_path / "link"
    link.mkdir()
    for file in folder.glob("*.json"):
        (link / file.name).write_bytes(file.read_bytes())
    for file in folder.glob("*.safetensors"):
        (link / file.name).symlink_to(file)
    names.add(name_of(link))
    assert len(names) == 1
    assert sorted(reads) == ["one.safetensors", "two.safetensors"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"sha256": "0", "file": null}', b"\xff"])
def test_a_damaged_cache_is_not_believed(tmp_path, reads, damage):
    folder = model_dir(tmp_path / "model", LLAMA, model=bytes(LARGE))
    before = name_of(folder)
    [kept] = revision.CACHE.iterdir()
    kept.write_bytes(damage)
    assert name_of(folder) == before
    assert len(reads) == 2


def test_without_a_place_for_the_cache_the_file_is_read_each_time(tmp_path, reads, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(revision, "CACHE", tmp_path / "file" / "hashes")
    folder = model_dir(tmp_path / "model", LLAMA, model=bytes(LARGE))
    assert name_of(folder) == name_of(folder)
    assert len(reads) == 2


def test_a_file_that_is_being_written_is_one_line(tmp_path, monkeypatch):
    folder = model_dir(tmp_path / "model", LLAMA, model=bytes(LARGE))
    file = folder / "model.safetensors"

    def written_meanwhile(self, count):
        with open(file, "ab") as stream:
            stream.write(b"more")

    monkeypatch.setattr(revision.Reading, "advance", written_meanwhile)
    with pytest.raises(BadInput, match="changed while it was read; wait until it is whole"):
        name_of(folder)
    assert not list(revision.CACHE.glob("*"))


def test_reading_that_takes_long_is_announced_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(revision, "SAID_AFTER_S", 0.0)
    reading = revision.Reading(tmp_path, 16_000_000_000, started_s=time.monotonic() - 3)
    for _ in range(3):
        reading.advance(4_000_000_000)
    said = capsys.readouterr().err
    assert said.startswith(f"{tmp_path}: reading all 16.0 GB of its weights once, to tell them from any others (about ")
    assert said.endswith("(about 9 s)\n")
    assert said.count("\n") == 1
    monkeypatch.setattr(revision, "SAID_AFTER_S", 60.0)
    revision.Reading(tmp_path, 10).advance(5)
    assert capsys.readouterr().err == ""


def test_the_former_name_saw_neither_the_end_of_large_weights_nor_a_template_of_its_own(tmp_path):
    folder = model_dir(tmp_path / "model", LLAMA, model=bytes(2 * LARGE))
    before = described(folder)
    names = before.with_tokenizer(folder), before.former_revision(folder)
    (folder / "model.safetensors").write_bytes(flipped(bytes(2 * LARGE), LARGE))
    assert described(folder).former_revision(folder) == names[1]
    assert described(folder).with_tokenizer(folder) != names[0]


@pytest.mark.parametrize(
    "name",
    ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json", "added_tokens.json",
     "additional_chat_templates/tool_use.jinja"],
)  # fmt: skip
def test_every_file_of_a_tokenizer_is_in_the_name(tmp_path, name):
    folder = model_dir(tmp_path / "model", LLAMA)
    names = [described(folder).with_tokenizer(folder)]
    (folder / name).parent.mkdir(exist_ok=True)
    for content in ("{}", json.dumps({"a": 1})):
        (folder / name).write_text(content)
        names.append(described(folder).with_tokenizer(folder))
    assert len(set(names)) == 3


def test_small_weights_and_the_first_files_of_a_tokenizer_keep_their_former_name(tmp_path):
    folder = model_dir(tmp_path / "model", LLAMA, model=bytes(LARGE - 1))
    (folder / "tokenizer.json").write_text("{}")
    about = described(folder)
    assert about.with_tokenizer(folder, 50) == about.former_revision(folder, 50)
