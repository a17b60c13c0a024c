"""A model directory with a fault is one line and status 2 at the door, before anything loads or is measured."""

import json
import shutil

import pytest

from bench import run
from bench.common.errors import exit_code
from tests.conftest import REPO
from tests.support.model_directory import LLADA, LLAMA, tensors_of, write, write_shards, write_tensors

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 4976698672\n"
# As large as the ids of the tokenizer and the prompts of the grids need them.
LARGE = {"vocab_size": 4096}
KINDS = {
    "llama": LLAMA | LARGE | {"max_position_embeddings": 2048},
    "llada": LLADA | LARGE | {"max_sequence_length": 2048},
}


def edit(file, **values) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def cut(file) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def lose_a_shard(folder, config) -> None:
    (folder / "model.safetensors").unlink()
    write_shards(folder, config, 3)
    (folder / "part-1.safetensors").unlink()


FAULTS = {
    "a pointer in place of the weights": lambda f, c: (f / "model.safetensors").write_text(POINTER),
    "a pointer in place of the tokenizer": lambda f, c: (f / "tokenizer.json").write_text(POINTER),
    "a pointer in place of config.json": lambda f, c: (f / "config.json").write_text(POINTER),
    "a download cut short": lambda f, c: cut(f / "model.safetensors"),
    "quantised weights": lambda f, c: write_tensors(f / "model.safetensors", tensors_of(c), "I8"),
    "a quantised configuration": lambda f, c: edit(f / "config.json", quantization_config={"quant_method": "awq"}),
    "names of another wrapper": lambda f, c: write_tensors(
        f / "model.safetensors", {f"module.{name}": shape for name, shape in tensors_of(c).items()}
    ),
    "a key without its type": lambda f, c: edit(f / "config.json", vocab_size="4096"),
    "a missing shard": lose_a_shard,
    "an adapter": lambda f, c: (f / "adapter_config.json").write_text("{}"),
    "weights as a pickle": lambda f, c: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
    "a vocabulary smaller than the ids": lambda f, c: write(f, c | {"vocab_size": 100}),
    "a template that refuses": lambda f, c: edit(
        f / "tokenizer_config.json", chat_template="{{ raise_exception('no') }}"
    ),
    "templates without a default one": lambda f, c: edit(
        f / "tokenizer_config.json", chat_template=[{"name": "tools", "template": "x"}]
    ),
    "a tokenizer of a newer library": lambda f, c: edit(f / "tokenizer.json", pre_tokenizer={"type": "Future"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_at_the_door(fault, kind, monkeypatch, tmp_path, capsys):
    folder = write(tmp_path / "model", KINDS[kind])
    shutil.copytree(REPO / "bench/pocket/tokenizer", folder, dirs_exist_ok=True)
    FAULTS[fault](folder, KINDS[kind])
    asked = tmp_path / "asked.jsonl"
    asked.write_text('{"prompt": "Why does rain fall on the mountains?"}\n')
    grid = "baseline" if kind == "llama" else "sweep"
    monkeypatch.setattr("sys.argv", [
        "bench.run", str(REPO / f"configs/grids/{grid}.yaml"), "--model", str(folder), "--prompts-file", str(asked),
        "--device", "cpu", "--gen", "32", "--plan",
    ])  # fmt: skip
    assert exit_code(run.main) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert str(folder) in said.err
    assert said.err.count("\n") == 1


def test_a_sound_directory_is_planned(monkeypatch, tmp_path, capsys):
    """Otherwise the lines above could come from something else."""
    folder = write(tmp_path / "model", KINDS["llama"])
    shutil.copytree(REPO / "bench/pocket/tokenizer", folder, dirs_exist_ok=True)
    asked = tmp_path / "asked.jsonl"
    asked.write_text('{"prompt": "Why does rain fall on the mountains?"}\n')
    monkeypatch.setattr("sys.argv", [
        "bench.run", str(REPO / "configs/grids/baseline.yaml"), "--model", str(folder), "--prompts-file", str(asked),
        "--device", "cpu", "--gen", "32", "--plan",
    ])  # fmt: skip
    assert exit_code(run.main) == 0, capsys.readouterr().err
