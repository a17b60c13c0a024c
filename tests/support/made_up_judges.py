"""Tiny judges with random weights, sound ones and those that cannot judge; each is a directory."""

import json
import shutil
from pathlib import Path

import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from tests.conftest import REPO

TOKENIZER = REPO / "bench/pocket/tokenizer"  # of 4096 ids
VOCABULARY = 4096


def put(folder: Path, model: PreTrainedModel, tokenizer: Path | None = TOKENIZER) -> str:
    """Save a model with a tokenizer beside it; returns the directory."""
    model.save_pretrained(folder)
    if tokenizer:
        shutil.copytree(tokenizer, folder, dirs_exist_ok=True)
    return str(folder)


def gpt2(folder: Path, **config) -> str:
    """A sound judge, unless the configuration says otherwise."""
    torch.manual_seed(0)
    small = {"vocab_size": VOCABULARY, "n_positions": 512, "n_embd": 32, "n_layer": 2, "n_head": 2}
    return put(folder, GPT2LMHeadModel(GPT2Config(**(small | config))))


def llama(folder: Path) -> str:
    torch.manual_seed(0)
    small = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 512}
    return put(folder, LlamaForCausalLM(LlamaConfig(**small, **heads)))


def edit(file: Path, **values) -> None:
    """Change keys of a JSON file; None takes a key out."""
    content = json.loads(file.read_text()) | values
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def short(folder: Path) -> str:
    return gpt2(folder, n_positions=32)


def pickled(folder: Path) -> str:
    gpt2(folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    return str(folder)


def bad_json(folder: Path) -> str:
    gpt2(folder)
    (folder / "config.json").write_text('{"model_type": "gpt2",')
    return str(folder)


def a_list(folder: Path) -> str:
    gpt2(folder)
    (folder / "config.json").write_text("[]")
    return str(folder)


def of_no_type(folder: Path) -> str:
    gpt2(folder)
    edit(folder / "config.json", model_type=None)
    return str(folder)


def of_unknown_type(folder: Path) -> str:
    gpt2(folder)
    edit(folder / "config.json", model_type="nobody_has_this")
    return str(folder)


def git_lfs_pointer(folder: Path) -> str:
    gpt2(folder)
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    return str(folder)


def cut_short(folder: Path) -> str:
    gpt2(folder)
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    return str(folder)


def without_tokenizer(folder: Path) -> str:
    gpt2(folder)
    for file in TOKENIZER.iterdir():
        (folder / file.name).unlink()
    return str(folder)


def broken_tokenizer(folder: Path) -> str:
    gpt2(folder)
    (folder / "tokenizer.json").write_text("{")
    return str(folder)


def small_vocabulary(folder: Path) -> str:
    return gpt2(folder, vocab_size=100)


def not_causal(folder: Path) -> str:
    torch.manual_seed(0)
    small = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return put(folder, BertForMaskedLM(BertConfig(**small, intermediate_size=48, initializer_range=0.5)))


def encoder_and_decoder(folder: Path) -> str:
    torch.manual_seed(0)
    small = {"vocab_size": VOCABULARY, "d_model": 32, "d_ff": 48, "num_layers": 1, "num_heads": 2, "d_kv": 16}
    return put(folder, T5ForConditionalGeneration(T5Config(**small)))


def more_layers_than_files(folder: Path) -> str:
    gpt2(folder)
    edit(folder / "config.json", n_layer=3)
    return str(folder)


def not_finite(folder: Path) -> str:
    torch.manual_seed(0)
    gpt2(folder)
    model = GPT2LMHeadModel.from_pretrained(folder)
    with torch.no_grad():
        model.transformer.ln_f.weight[0] = float("nan")
    model.save_pretrained(folder)
    return str(folder)


def refusing_template(folder: Path) -> str:
    gpt2(folder)
    edit(folder / "tokenizer_config.json", chat_template="{{ raise_exception('system first') }}")
    return str(folder)


def custom_code(folder: Path) -> str:
    gpt2(folder)
    edit(
        folder / "config.json",
        model_type="mine",
        auto_map={"AutoModelForCausalLM": "mine.Mine", "AutoConfig": "mine.C"},
    )
    (folder / "mine.py").write_text("raise SystemExit('this code must not run')\n")
    return str(folder)


def quantised(folder: Path) -> str:
    gpt2(folder)
    edit(folder / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    return str(folder)


def without_a_shard(folder: Path) -> str:
    gpt2(folder)
    shards = {"transformer.wte.weight": "model-00001-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    (folder / "model.safetensors").rename(folder / "model-00002-of-00002.safetensors")
    return str(folder)


UNFIT = {  # by function: a part of what is said
    short: "has 32 positions",
    pickled: "no safetensors files (pytorch_model.bin is a pickle",
    bad_json: "cannot be read as JSON",
    a_list: "expected a JSON object, not list",
    of_no_type: "no `model_type`",
    of_unknown_type: "nobody_has_this",
    git_lfs_pointer: "git lfs pull",
    cut_short: "cannot judge",
    without_tokenizer: "no tokenizer there",
    broken_tokenizer: "cannot judge",
    small_vocabulary: "its tokenizer has ids up to 4095, the model a vocabulary of 100",
    not_causal: "it is not causal",
    encoder_and_decoder: "cannot judge",
    more_layers_than_files: "its files lack",
    not_finite: "is not a number",
    refusing_template: "system first",
    custom_code: "cannot judge",
    quantised: "cannot judge",
    without_a_shard: "cannot judge",
}
