"""Weights into transformers' `LlamaForCausalLM`, the one body that both models run on.

LLaDA is the same block without the causal mask; its official checkpoints name the parameters
differently, one to one (the table is `official_name`). No remote code is executed.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AttentionInterface, AttentionMaskInterface, LlamaConfig, LlamaForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from bench.common.errors import BadInput
from bench.models.checkpoint import Checkpoint, weight_files

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


def own_name(name: str) -> str:
    """A `LlamaForCausalLM` parameter under the name that it has there."""
    return name


PARAMETER_NAMES = {"llama": own_name, "llada": official_name}  # by kind of model: names in a checkpoint's files


def llama_config(checkpoint: Checkpoint) -> LlamaConfig:
    """The transformers configuration of a checkpoint of either format."""
    config = checkpoint.config
    if checkpoint.kind == "llama":
        return LlamaConfig.from_dict(config)
    return LlamaConfig(
        vocab_size=config.get("embedding_size") or config["vocab_size"],
        hidden_size=config["d_model"],
        intermediate_size=config["mlp_hidden_size"],
        num_hidden_layers=config["n_layers"],
        num_attention_heads=config["n_heads"],
        num_key_value_heads=config.get("n_kv_heads") or config["n_heads"],
        max_position_embeddings=config["max_sequence_length"],
        rms_norm_eps=config["rms_norm_eps"],
        rope_parameters={"rope_type": "default", "rope_theta": config["rope_theta"]},
        tie_word_embeddings=config.get("weight_tying", True),
        bos_token_id=None,
        eos_token_id=config["eos_token_id"],
        pad_token_id=None,
    )


class FullPrecisionRotary(LlamaRotaryEmbedding):
    """cos and sin in float32 whatever the activations' dtype, as LLaDA's `rope_full_precision` asks."""

    def forward(self, x: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return super().forward(x.float(), position_ids)


def attention_after_full_rope(module, query, key, value, attention_mask, **options):
    """SDPA on queries and keys that were rotated in float32 and are cast back only now, as in the official code."""
    query, key = query.to(value.dtype), key.to(value.dtype)
    return sdpa_attention_forward(module, query, key, value, attention_mask, **options)


def build(config: LlamaConfig, causal: bool, full_precision_rope: bool = False) -> LlamaForCausalLM:
    """An untrained model on the default device; `causal=False` lets every position see every other."""
    config._attn_implementation = "sdpa"
    if full_precision_rope:
        AttentionInterface.register("sdpa_full_rope", attention_after_full_rope)
        AttentionMaskInterface.register("sdpa_full_rope", sdpa_mask)
        config._attn_implementation = "sdpa_full_rope"
    config.is_causal = causal
    model = LlamaForCausalLM(config)
    if full_precision_rope:
        model.model.rotary_emb = FullPrecisionRotary(config)
    for layer in model.model.layers:
        layer.self_attn.is_causal = causal
    return model


def load(checkpoint: Checkpoint, device: str, dtype: torch.dtype, fill: str | None = None) -> LlamaForCausalLM:
    """The checkpoint's model on `device`, in evaluation mode. Raises BadInput naming a wrong tensor.

    fill: of weights made from a seed, what other values the matrices have (`fill_at_random`).
    """
    with torch.device("meta"):
        model = build(llama_config(checkpoint), checkpoint.causal, checkpoint.full_precision_rope)
    if checkpoint.random_seed is None:
        fill_from_files(model, checkpoint, device, dtype)
    else:
        fill_at_random(model, checkpoint.random_seed, device, dtype, fill)
    model.tie_weights()
    # Built anew: buffers are not in checkpoints, and the frequencies must stay float32 whatever the dtype.
    model.model.rotary_emb = type(model.model.rotary_emb)(model.config).to(device)
    return model.eval().requires_grad_(False)


def fill_from_files(model: LlamaForCausalLM, checkpoint: Checkpoint, device: str, dtype: torch.dtype) -> None:
    """Put the checkpoint's tensors in place one by one, each straight to the device."""
    rename = PARAMETER_NAMES[checkpoint.kind]
    wanted = {rename(name): name for name, _ in model.named_parameters()}
    tied = rename("lm_head.weight")  # some files carry the tied head too
    missing = dict(wanted)
    for name, tensor in read_tensors(checkpoint):
        if name == tied and name not in wanted:
            continue
        if name not in wanted:
            raise BadInput(f"{checkpoint.path}: tensor {name} is not part of this architecture")
        put(model, wanted[name], tensor, name, checkpoint.path, device, dtype)
        missing.pop(name, None)
    if missing:
        raise BadInput(f"{checkpoint.path}: tensor {min(missing)} is missing from the weights")


def put(model, name: str, tensor: torch.Tensor, source: str, path: Path, device: str, dtype: torch.dtype) -> None:
    """Replace one parameter of the model by a tensor of the same shape."""
    module_name, _, leaf = name.rpartition(".")
    module = model.get_submodule(module_name)
    shape = getattr(module, leaf).shape
    if tensor.shape != shape:
        raise BadInput(f"{path}: tensor {source} has shape {list(tensor.shape)}, not {list(shape)}")
    own = tensor.to(device=device, dtype=dtype, copy=True)  # not a view of the mapped file, read at first use
    setattr(module, leaf, torch.nn.Parameter(own, requires_grad=False))


STD = 0.02  # standard deviation of random matrices
TAIL = 3  # degrees of freedom of heavy tails: the smallest whole number for which there is a variance


def fill_at_random(
    model: LlamaForCausalLM, seed: int, device: str, dtype: torch.dtype, fill: str | None = None
) -> None:
    """Seeded weights made on the device: matrices normal(0, 0.02), norms one.

    fill: `heavy-tailed`, Student's t of three degrees of freedom with the same variance; `zero`.
    """
    generator = torch.Generator(device).manual_seed(seed)
    for name, parameter in list(model.named_parameters()):
        tensor = torch.ones(parameter.shape, device=device, dtype=dtype)
        if parameter.ndim > 1:
            tensor.normal_(0, STD, generator=generator)
        if parameter.ndim > 1 and fill == "heavy-tailed":  # t = normal / sqrt(chi square / freedom); its variance is 3
            squares = [torch.empty_like(tensor).normal_(generator=generator).square_() for _ in range(TAIL)]
            tensor.div_(sum(squares).sqrt_())
        elif parameter.ndim > 1 and fill == "zero":
            tensor.zero_()
        put(model, name, tensor, name, Path("random"), device, dtype)


def read_tensors(checkpoint: Checkpoint) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield (name, tensor) one at a time, so that the host never holds more than one tensor."""
    for file in weight_files(checkpoint.path):
        with safe_open(file, framework="pt") as shard:
            for name in shard.keys():  # noqa: SIM118 - safe_open is no mapping
                yield name, shard.get_tensor(name)


def save(model: LlamaForCausalLM, directory: Path, official: bool) -> None:
    """Write the weights as bfloat16 safetensors, if `official` under LLaDA's names. A tied head is left out."""
    directory.mkdir(parents=True, exist_ok=True)
    rename = PARAMETER_NAMES["llada" if official else "llama"]
    tensors = {rename(n): p.detach().to(torch.bfloat16).cpu().contiguous() for n, p in model.named_parameters()}
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
