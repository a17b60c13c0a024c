"""Model directories: what is refused and how, what is read, when the revision changes."""

import json
from pathlib import Path

import pytest

from bench.common.errors import BadInput
from bench.models import checkpoint, revision
from tests.support.model_directory import LLADA, LLAMA, write, write_config


def refusal(folder: Path) -> str:
    """The message of the BadInput that reading a directory raises: one line."""
    with pytest.raises(BadInput) as caught:
        checkpoint.read(folder)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def without(config: dict, *keys: str) -> dict:
    return {key: value for key, value in config.items() if key not in keys}


def test_directory_without_config_is_no_model(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert refusal(tmp_path).startswith(f"{tmp_path}: no model there (config.json is missing)")
    assert refusal(tmp_path / "gone").startswith(f"{tmp_path / 'gone'}: no model there")


def test_an_adapter_is_no_whole_model(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    assert "merge it into its base model" in refusal(tmp_path)
    assert "merge it into its base model" in refusal(write(tmp_path, LLAMA))


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize("text", ["", "{", "{'model_type': 'llama'}", DEEP, '{"a": %s}' % ("9" * 5000)])
def test_config_that_is_no_json_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    assert refusal(tmp_path).startswith(f"{tmp_path / 'config.json'}: not valid JSON")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_config_that_another_editor_saved_is_read(tmp_path, encoding):
    write(tmp_path, LLAMA)
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text, encoding=encoding)
    assert checkpoint.read(tmp_path).kind == "llama"


@pytest.mark.parametrize("text", ["[]", '"llama"', "5", "null"])
def test_config_that_is_no_object_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    assert refusal(tmp_path).startswith(f"{tmp_path / 'config.json'}: ")


@pytest.mark.parametrize("kind", ["bert", "mistral", "LLaMA", "", None, 5, ["llama"], {}])
def test_unknown_model_type_is_named(tmp_path, kind):
    text = refusal(write_config(tmp_path, LLAMA | {"model_type": kind}))
    assert text.startswith(f"{tmp_path / 'config.json'}: model_type is {kind!r}")


def test_missing_model_type_is_refused(tmp_path):
    assert "model_type is None" in refusal(write_config(tmp_path, without(LLAMA, "model_type")))


@pytest.mark.parametrize("config", [LLAMA, LLADA], ids=["llama", "llada"])
def test_missing_eos_id_is_refused(tmp_path, config):
    for eos in ({}, {"eos_token_id": None}, {"eos_token_id": []}):
        text = refusal(write_config(tmp_path, without(config, "eos_token_id") | eos))
        assert text.startswith(f"{tmp_path / 'config.json'}: eos_token_id is missing")


def test_llama_is_read(tmp_path):
    described = checkpoint.read(write(tmp_path, LLAMA | {"eos_token_id": [1, 7]}))
    assert (described.path, described.kind, described.causal, described.eos_ids) == (tmp_path, "llama", True, (1, 7))
    assert described == checkpoint.read(str(tmp_path))


def test_llada_is_read(tmp_path):
    described = checkpoint.read(write(tmp_path, LLADA | {"eos_token_id": 0, "mask_token_id": 0}))
    assert (described.kind, described.causal, described.eos_ids, described.mask_id) == ("llada", False, (0,), 0)


@pytest.mark.parametrize("eos", [5, [5, 6], 0])
def test_generation_config_says_where_answers_end(tmp_path, eos):
    folder = write(tmp_path, LLAMA)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": eos}))
    assert checkpoint.read(folder).config["eos_token_id"] == eos
    (folder / "generation_config.json").write_text("{}")
    assert checkpoint.read(folder).eos_ids == (1,)


def test_random_weights_need_no_files_and_their_seed_is_in_the_revision(tmp_path):
    folder = write_config(tmp_path, LLADA)
    (folder / "model.safetensors").write_bytes(b"not read")
    seeded = [checkpoint.read(folder, random_seed=seed) for seed in (0, 1)]
    assert [described.random_seed for described in seeded] == [0, 1]
    assert seeded[0].revision != seeded[1].revision
    assert checkpoint.read(write(folder, LLADA)).revision not in {described.revision for described in seeded}


def test_a_read_directory_has_the_revision_of_its_files(tmp_path):
    described = checkpoint.read(write(tmp_path, LLAMA))
    assert described.revision == revision.of_model(tmp_path, [tmp_path / "model.safetensors"])
    assert len(described.revision) == 12
    assert int(described.revision, 16) >= 0


def revision_of(folder: Path, config: dict = LLAMA, **weights: bytes) -> str:
    """The revision of a directory whose weights have these bytes, by the name of the file."""
    write_config(folder, config)
    files = []
    for name, content in (weights or {"model": b"weights"}).items():
        files.append(folder / f"{name}.safetensors")
        files[-1].write_bytes(content)
    return revision.of_model(folder, files)


def test_revision_is_of_content_not_of_place(tmp_path):
    assert revision_of(tmp_path / "first") == revision_of(tmp_path / "second")


def test_revision_changes_with_generation_config(tmp_path):
    revisions = {revision_of(tmp_path)}
    for eos in (5, 6):
        (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": eos}))
        revisions.add(revision_of(tmp_path))
    assert len(revisions) == 3


def test_revision_changes_with_weights(tmp_path):
    assert len({revision_of(tmp_path, model=content) for content in (b"weights", b"weightz", b"weight")}) == 3


def test_revision_changes_with_any_shard(tmp_path):
    shards = [(b"1", b"2"), (b"x", b"2"), (b"1", b"x"), (b"2", b"1")]
    assert len({revision_of(tmp_path, first=a, second=b) for a, b in shards}) == 4


def test_revision_changes_with_config(tmp_path):
    configs = LLAMA, LLAMA | {"rope_theta": 500000.0}, LLAMA | {"eos_token_id": 2}
    assert len({revision_of(tmp_path, config) for config in configs}) == 3


def test_revision_changes_with_tokenizer(tmp_path):
    described = checkpoint.read(write(tmp_path, LLAMA))
    revisions = [described.with_tokenizer(tmp_path)]
    for name in ("tokenizer.json", "tokenizer_config.json"):
        for content in ("{}", '{"a": 1}'):
            (tmp_path / name).write_text(content)
            revisions.append(described.with_tokenizer(tmp_path))
    assert len(set(revisions)) == 5
    assert described.with_tokenizer(str(tmp_path)) == revisions[-1]
    other = checkpoint.read(write(tmp_path, LLAMA, byte=1))
    assert other.with_tokenizer(tmp_path) != revisions[-1]
