"""The dimensions of a LLaMA block."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """Dimensions of a LLaMA block and how many there are."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    feed_forward: int
    vocabulary: int
    tied: bool

    @property
    def layer_matrices(self) -> int:
        """Parameters of a layer's matrices: each row of activations meets all of them once."""
        attention = 2 * self.width * self.head_width * (self.heads + self.kv_heads)
        return attention + 3 * self.width * self.feed_forward

    @property
    def parameters(self) -> int:
        """Of the whole model, a tied head counted once."""
        norms = self.width * (2 * self.layers + 1)
        return self.layers * self.layer_matrices + norms + self.vocabulary * self.width * (1 if self.tied else 2)
