"""Weights into transformers' `LlamaForCausalLM`, the one body that both models run on.

LLaDA is the same block without the causal mask; its official checkpoints name the parameters
differently, one to one (the table is `official_name`). No remote code is executed.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from bench.checkpoint import Checkpoint, weight_files
from bench.errors import BadInput

BLOCK_NAMES = {  # Hugging Face name inside a layer: official name inside a block
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "q_proj",
    "self_attn.k_proj": "k_proj",
    "self_attn.v_proj": "v_proj",
    "self_attn.o_proj": "attn_out",
    "post_attention_layernorm": "ff_norm",
    "mlp.gate_proj": "ff_proj",
    "mlp.up_proj": "up_proj",
    "mlp.down_proj": "ff_out",
}
TOP_NAMES = {"model.embed_tokens": "wte", "model.norm": "ln_f", "lm_head": "ff_out"}


def official_name(name: str) -> str:
    """LLaDA's name of a `LlamaForCausalLM` parameter."""
    stem = name.removesuffix(".weight")
    if stem in TOP_NAMES:
        return f"model.transformer.{TOP_NAMES[stem]}.weight"
    _, _, layer, inner = stem.split(".", 3)
    return f"model.transformer.blocks.{layer}.{BLOCK_NAMES[inner]}.weight"


def llama_config(checkpoint: Checkpoint) -> LlamaConfig:
    """The transformers configuration of a checkpoint of either format."""
    config = checkpoint.config
    if checkpoint.kind == "llama":
        return LlamaConfig.from_dict(config)
    return LlamaConfig(
        vocab_size=config["embedding_size"] or config["vocab_size"],
        hidden_size=config["d_model"],
        intermediate_size=config["mlp_hidden_size"],
        num_hidden_layers=config["n_layers"],
        num_attention_heads=config["n_heads"],
        num_key_value_heads=config["n_kv_heads"],
        max_position_embeddings=config["max_sequence_length"],
        rms_norm_eps=config["rms_norm_eps"],
        rope_parameters={"rope_type": "default", "rope_theta": config["rope_theta"]},
        tie_word_embeddings=config["weight_tying"],
        bos_token_id=None,
        eos_token_id=config["eos_token_id"],
        pad_token_id=None,
    )


def build(config: LlamaConfig, causal: bool) -> LlamaForCausalLM:
    """An untrained model on the default device; `causal=False` lets every position see every other."""
    config._attn_implementation = "sdpa"
    config.is_causal = causal
    model = LlamaForCausalLM(config)
    for layer in model.model.layers:
        layer.self_attn.is_causal = causal
    return model


def load(checkpoint: Checkpoint, device: str, dtype: torch.dtype) -> LlamaForCausalLM:
    """The checkpoint's model on `device`, in evaluation mode. Raises BadInput naming a wrong tensor."""
    with torch.device("meta"):
        model = build(llama_config(checkpoint), checkpoint.causal)
    wanted = {name: parameter.shape for name, parameter in model.named_parameters()}
    if not checkpoint.causal:
        source = {official_name(name): name for name in wanted}
    else:
        source = {name: name for name in wanted}
    missing = set(source)
    for name, tensor in read_tensors(checkpoint):
        if name not in source:
            raise BadInput(f"{checkpoint.path}: tensor {name} is not part of this architecture")
        if tensor.shape != wanted[source[name]]:
            shapes = f"{list(tensor.shape)}, not {list(wanted[source[name]])}"
            raise BadInput(f"{checkpoint.path}: tensor {name} has shape {shapes}")
        state = {source[name]: tensor.to(device=device, dtype=dtype)}
        model.load_state_dict(state, strict=False, assign=True)
        missing.discard(name)
    if missing:
        raise BadInput(f"{checkpoint.path}: tensor {min(missing)} is missing from the weights")
    model.tie_weights()
    # Built anew: buffers are not in checkpoints, and the frequencies must stay float32 whatever the dtype.
    model.model.rotary_emb = type(model.model.rotary_emb)(model.config).to(device)
    return model.eval().requires_grad_(False)


def read_tensors(checkpoint: Checkpoint) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield (name, tensor) one at a time, so that the host never holds more than one tensor."""
    for file in weight_files(checkpoint.path):
        with safe_open(file, framework="pt") as shard:
            for name in shard.keys():  # noqa: SIM118 - safe_open is no mapping
                yield name, shard.get_tensor(name)


def save(model: LlamaForCausalLM, directory: Path, official: bool) -> None:
    """Write the weights as bfloat16 safetensors, under LLaDA's names if `official`. A tied head is left out."""
    directory.mkdir(parents=True, exist_ok=True)
    rename = official_name if official else (lambda name: name)
    tensors = {rename(n): p.detach().to(torch.bfloat16).cpu().contiguous() for n, p in model.named_parameters()}
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
