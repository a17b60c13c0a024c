"""Weights into transformers' `LlamaForCausalLM`, the one body that all kinds of model run on.

LLaDA is the same block without the causal mask. What a kind of model calls a parameter in its files, and what its
configuration is called in transformers, is stated in the file of the kind (`llama.py`, `llada.py`). No remote code is
executed.
"""

import itertools
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AttentionInterface, AttentionMaskInterface, LlamaConfig, LlamaForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from bench.models.checkpoint import Checkpoint
from bench.models.llada import LLADA
from bench.models.llama import LLAMA


def llama_config(checkpoint: Checkpoint) -> LlamaConfig:
    """The transformers configuration of a checkpoint of any kind."""
    return LlamaConfig(**checkpoint.about_kind.llama_settings(checkpoint.config))


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
    """The checkpoint's model on `device`, in evaluation mode. Raises BadInput naming a wrong file or tensor.

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
    """Put the checkpoint's tensors in place one by one, each straight to the device, so that the host never holds more
    than one of them."""
    places = sorted(checkpoint.tensors().items(), key=lambda item: item[1].file)
    for file, of_file in itertools.groupby(places, key=lambda item: item[1].file):
        with safe_open(file, framework="pt") as shard:
            for name, stored in of_file:
                put(model, name, shard.get_tensor(stored.name), device, dtype)


def put(model: LlamaForCausalLM, name: str, tensor: torch.Tensor, device: str, dtype: torch.dtype) -> None:
    """Replace one parameter of the model by a tensor of the same shape."""
    module_name, _, leaf = name.rpartition(".")
    module = model.get_submodule(module_name)
    own = tensor.to(device=device, dtype=dtype, copy=True)  # not a view of the mapped file, read at first use
    setattr(module, leaf, torch.nn.Parameter(own, requires_grad=False))


STD = 0.02  # standard deviation of random matrices
TAIL = 3  # degrees of freedom of heavy tails: the smallest whole number for which there is a variance


def fill_at_random(
    model: LlamaForCausalLM, seed: int, device: str, dtype: torch.dtype, fill: str | None = None
) -> None:
    """Seeded weights made on the device: matrices normal(0, 0.02), norms one, biases zero.

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
        elif name.endswith(".bias") or (parameter.ndim > 1 and fill == "zero"):
            tensor.zero_()
        put(model, name, tensor, device, dtype)


def save(model: LlamaForCausalLM, directory: Path, official: bool) -> None:
    """Write the weights as bfloat16 safetensors, if `official` under LLaDA's names. A tied head is left out."""
    directory.mkdir(parents=True, exist_ok=True)
    rename = (LLADA if official else LLAMA).parameter_name
    tensors = {rename(n): p.detach().to(torch.bfloat16).cpu().contiguous() for n, p in model.named_parameters()}
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
