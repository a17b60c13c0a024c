"""The dimensions of a LLaMA block, and how many rows of it are computed at once. Imports no torch."""

from dataclasses import dataclass

# Rows that meet the captured engine's feed-forward part at a time (bench/models/layers.py). With all rows at once, the
# wide rows between its matrices would be the peak of memory.
FEED_FORWARD_ROWS = 16384


@dataclass(frozen=True)
class Shape:
    """Dimensions of a LLaMA block, and the number of blocks."""

    layers: int
    width: int  # of the residual stream
    heads: int  # of the queries
    kv_heads: int  # of keys and values; fewer than `heads` where several queries share one
    head_width: int
    feed_forward: int  # width between the matrices of the feed-forward part
    vocabulary: int
    tied: bool  # whether embedding and head are one matrix
    attention_bias: bool = False  # whether queries, keys, values and attention's output have biases
    feed_forward_bias: bool = False  # whether the three matrices of the feed-forward part have biases

    def to_json(self) -> dict:
        """The dimensions by name; biases only where there are any, as in records of before they were stated."""
        return {name: value for name, value in vars(self).items() if value or not name.endswith("_bias")}

    @property
    def layer_matrices(self) -> int:
        """Number of parameters in the matrices of one layer. Each row of activations meets all of them once."""
        attention = 2 * self.width * self.head_width * (self.heads + self.kv_heads)
        return attention + 3 * self.width * self.feed_forward

    @property
    def cached_numbers(self) -> int:
        """Number of keys and values of one position, in all layers: what a cache keeps of a token."""
        return 2 * self.layers * self.kv_heads * self.head_width

    @property
    def layer_biases(self) -> int:
        """Number of bias parameters of one layer; 0 in most models."""
        of_attention = self.head_width * (self.heads + 2 * self.kv_heads) + self.width
        of_feed_forward = 2 * self.feed_forward + self.width
        return of_attention * self.attention_bias + of_feed_forward * self.feed_forward_bias

    @property
    def parameters(self) -> int:
        """Number of parameters of the whole model. A tied head is counted once."""
        norms = self.width * (2 * self.layers + 1)
        vocabulary = self.vocabulary * self.width * (1 if self.tied else 2)
        return self.layers * (self.layer_matrices + self.layer_biases) + norms + vocabulary
