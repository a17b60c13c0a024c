"""Weights in eight bits through torchao: each row of a matrix has a scale of its own.

`int8` quantises weights alone: activations stay in bfloat16, and so do products. `float8` (e4m3) quantises the
activations as well, each row when a product needs it, and multiplies in eight bits: that takes half the arithmetic
where there are many rows. bench/models/layers.py joins Q, K and V into one matrix and gate and up into another; the
joined matrices are quantised, and transformers' modules get parts of them.
"""

from dataclasses import replace

import torch
from transformers import LlamaForCausalLM

from bench.models.layers import LEAST_OF_A_ROW, weights_of


def quantise(model: LlamaForCausalLM, dtype: str) -> None:
    """Quantise all matrices but the embedding to `int8` or `float8`, in place. A tied head gets its own copy."""
    weights, layers = weights_of(model), []
    for module, layer in zip(model.model.layers, weights.layers, strict=True):
        attention, mlp = module.self_attn, module.mlp
        qkv, out, gate_up, down = (
            quantised(matrix, dtype) for matrix in (layer.qkv, layer.out, layer.gate_up, layer.down)
        )
        give(qkv, attention.q_proj, attention.k_proj, attention.v_proj)
        give(gate_up, mlp.gate_proj, mlp.up_proj)
        give(out, attention.o_proj)
        give(down, mlp.down_proj)
        query_rows = attention.q_proj.out_features
        parts = {"q": qkv[:query_rows], "kv": qkv[query_rows:], "v": qkv[-attention.v_proj.out_features :]}
        layers.append(layer._replace(qkv=qkv, **parts, out=out, gate_up=gate_up, down=down))
    head = quantised(weights.head, dtype)
    give(head, model.lm_head)
    model.block_weights = replace(weights, layers=tuple(layers), head=head)


def give(matrix: torch.Tensor, *modules: torch.nn.Linear) -> None:
    """Let each module read its rows of a joined matrix, in the order in which they were joined."""
    start = 0
    for module in modules:
        module.weight = frozen(matrix[start : start + module.out_features])
        start += module.out_features


def quantised(matrix: torch.Tensor, dtype: str) -> torch.Tensor:
    """A matrix [out, in] in eight bits, a tensor of torchao's."""
    return {"int8": as_int8, "float8": as_float8}[dtype](matrix)


def as_int8(matrix: torch.Tensor) -> torch.Tensor:
    """[out, in] as torchao's int8 tensor."""
    from torchao.quantization import Int8WeightOnlyConfig, quantize_  # takes a second, and few cells need it

    linear = torch.nn.Linear(*reversed(matrix.shape), bias=False, device="meta")
    linear.weight = frozen(matrix)
    # torchao would else turn on a search of inductor's for all that this process compiles, half a minute a shape, and
    # let products of float32 be less exact.
    quantize_(linear, Int8WeightOnlyConfig(set_inductor_config=False))
    return linear.weight


def as_float8(matrix: torch.Tensor) -> torch.Tensor:
    """[out, in] as torchao's float8 tensor, which quantises what it is multiplied with.

    Made directly, since torchao's `quantize_` refuses devices without such products, and torch has them on a CPU too.
    """
    from torchao.float8.inference import Float8MMConfig
    from torchao.quantization import Float8Tensor, PerRow
    from torchao.quantization.quantize_.workflows import QuantizeTensorToFloat8Kwargs

    return Float8Tensor.from_hp(
        matrix, torch.float8_e4m3fn, PerRow(), Float8MMConfig(use_fast_accum=True),
        act_quant_kwargs=QuantizeTensorToFloat8Kwargs(torch.float8_e4m3fn, PerRow(), hp_value_lb=LEAST_OF_A_ROW),
    )  # fmt: skip


def frozen(matrix: torch.Tensor) -> torch.nn.Parameter:
    """A parameter without a gradient."""
    return torch.nn.Parameter(matrix, requires_grad=False)


def bytes_of(tensor: torch.Tensor) -> int:
    """Bytes of a tensor; of a quantised one those of its eight-bit numbers and of its scales."""
    if not hasattr(tensor, "__tensor_flatten__"):
        return tensor.numel() * tensor.element_size()
    names, _ = tensor.__tensor_flatten__()
    return sum(bytes_of(part) for name in names if (part := getattr(tensor, name)) is not None)
