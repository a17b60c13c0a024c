"""A model's layers one by one, over keys and values that lie still: what caches ask for (bench/diffusion/caches)."""

from collections.abc import Callable

from torch import Tensor
from transformers import LlamaForCausalLM

from bench.models import layers
from bench.models.layers import Weights


class Parts:
    """Both engines run these functions; an engine may pass `layer_over_cache` and `logits` compiled. For shapes see
    bench/diffusion/caches/base.py."""

    def __init__(
        self, weights: Weights, rope_table: tuple[Tensor, Tensor], layer_over_cache: Callable = layers.layer_over_cache,
        logits: Callable = Weights.logits,
    ):  # fmt: skip
        self.weights = weights
        self.layers = len(weights.layers)
        self.cos, self.sin = rope_table  # each [canvas, head_width]
        self.layer_over_cache = layer_over_cache
        self.logits = logits

    @classmethod
    def of(cls, model: LlamaForCausalLM, canvas: int) -> "Parts":
        """The parts of a model for canvases of one length."""
        return cls(layers.weights_of(model), layers.rope_table(model, canvas))

    def empty(self, rows: int) -> tuple[Tensor, Tensor]:
        dims = self.weights.dims
        shape = 2, self.layers, rows, dims.kv_heads, len(self.cos), dims.head_width
        return tuple(self.weights.embedding.new_zeros(shape))

    def empty_outputs(self, rows: int) -> Tensor:
        return self.weights.embedding.new_zeros(self.layers, rows, len(self.cos), self.weights.embedding.shape[1])

    def embed(self, ids: Tensor) -> Tensor:
        return self.weights.embed(ids)

    def rope(self, place: Tensor | None) -> tuple[Tensor, Tensor]:
        tables = (self.cos, self.sin) if place is None else (self.cos[place], self.sin[place])
        return tuple(table[None, None] if table.ndim == 2 else table[:, None] for table in tables)

    def layer(
        self, number: int, hidden: Tensor, rope: tuple[Tensor, Tensor], visible: Tensor | None, keys: Tensor,
        values: Tensor, place: Tensor | None, asking: Tensor | None, writing: Tensor | None,
    ) -> Tensor:  # fmt: skip
        weights = self.weights.layers[number], self.weights.dims
        return self.layer_over_cache(hidden, *weights, *rope, visible, keys, values, place, asking, writing)

    def project(self, number: int, hidden: Tensor, rope: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        return layers.project(hidden, self.weights.layers[number], self.weights.dims, *rope)

    def values_of(self, number: int, hidden: Tensor) -> Tensor:
        layer, dims = self.weights.layers[number], self.weights.dims
        return layers.heads_of(layers.linear(layers.rms_norm(hidden, layer.norm, dims.eps), layer.v), dims)

    def attention(self, number: int, q: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None) -> Tensor:
        return layers.linear(layers.attend(q, keys, values, visible, causal=False), self.weights.layers[number].out)

    def feed_forward(self, number: int, hidden: Tensor) -> Tensor:
        layer = self.weights.layers[number]
        return layers.feed_forward(layers.rms_norm(hidden, layer.mlp_norm, self.weights.dims.eps), layer)

    def head(self, hidden: Tensor) -> Tensor:
        return self.logits(self.weights, hidden)
