"""int8 weights through torchao: each row of a matrix in eight bits with a scale of its own.

Activations keep their dtype. bench/models/layers.py joins Q, K and V into one matrix and gate and up into another; the
joined matrices are quantised, and transformers' modules get parts of them.
"""

from dataclasses import replace

import torch
from transformers import LlamaForCausalLM

from bench.models.layers import weights_of


def to_int8(model: LlamaForCausalLM) -> None:
    """Quantise all matrices but the embedding, in place. A tied head gets its own copy."""
    weights, layers = weights_of(model), []
    for module, layer in zip(model.model.layers, weights.layers, strict=True):
        attention, mlp = module.self_attn, module.mlp
        qkv, out, gate_up, down = map(quantised, (layer.qkv, layer.out, layer.gate_up, layer.down))
        give(qkv, attention.q_proj, attention.k_proj, attention.v_proj)
        give(gate_up, mlp.gate_proj, mlp.up_proj)
        give(out, attention.o_proj)
        give(down, mlp.down_proj)
        query_rows = attention.q_proj.out_features
        parts = {"q": qkv[:query_rows], "kv": qkv[query_rows:]}
        layers.append(layer._replace(qkv=qkv, **parts, out=out, gate_up=gate_up, down=down))
    head = quantised(weights.head)
    give(head, model.lm_head)
    model.block_weights = replace(weights, layers=tuple(layers), head=head)


def give(matrix: torch.Tensor, *modules: torch.nn.Linear) -> None:
    """Let each module read its rows of a joined matrix, in the order in which they were joined."""
    start = 0
    for module in modules:
        module.weight = frozen(matrix[start : start + module.out_features])
        start += module.out_features


def quantised(matrix: torch.Tensor) -> torch.Tensor:
    """[out, in] as torchao's int8 tensor."""
    from torchao.quantization import Int8WeightOnlyConfig, quantize_  # takes a second, and few cells need it

    linear = torch.nn.Linear(*reversed(matrix.shape), bias=False, device="meta")
    linear.weight = frozen(matrix)
    quantize_(linear, Int8WeightOnlyConfig())
    return linear.weight


def frozen(matrix: torch.Tensor) -> torch.nn.Parameter:
    """A parameter without a gradient."""
    return torch.nn.Parameter(matrix, requires_grad=False)


def bytes_of(tensor: torch.Tensor) -> int:
    """Bytes of a tensor; of a quantised one those of its eight-bit numbers and of its scales."""
    if not hasattr(tensor, "__tensor_flatten__"):
        return tensor.numel() * tensor.element_size()
    names, _ = tensor.__tensor_flatten__()
    return sum(bytes_of(part) for name in names if (part := getattr(tensor, name)) is not None)
