"""int8 weights through torchao: each row of a matrix in eight bits with a scale of its own, activations as they were.

Q, K and V are one matrix and gate and up another, as bench/models/layers.py joins them; transformers' modules
get parts of it.
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
        asking = attention.q_proj.out_features
        layers.append(layer._replace(qkv=qkv, q=qkv[:asking], kv=qkv[asking:], out=out, gate_up=gate_up, down=down))
    head = quantised(weights.head)
    give(head, model.lm_head)
    model.block_weights = replace(weights, layers=tuple(layers), head=head)


def give(matrix: torch.Tensor, *modules: torch.nn.Linear) -> None:
    """Let modules read their parts of a joined matrix."""
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
    return torch.nn.Parameter(matrix, requires_grad=False)


def bytes_of(tensor: torch.Tensor) -> int:
    """What a tensor holds: of a quantised one its eight bits and its scales."""
    if not hasattr(tensor, "__tensor_flatten__"):
        return tensor.numel() * tensor.element_size()
    names, _ = tensor.__tensor_flatten__()
    return sum(bytes_of(part) for name in names if (part := getattr(tensor, name)) is not None)
