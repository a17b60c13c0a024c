"""What a cache is to the loop, what it asks of a model, and what caches of keys and values have in common.

LLaDA attends in both directions, so every committed token changes the keys (K) and values (V) of all positions. A cache
is therefore an approximation, and the official code has none. With a refresh at every step it is none: then the tokens
are those without a cache.
"""

from typing import Protocol

import torch
from torch import Tensor

from bench.diffusion.extent import Extent
from bench.diffusion.head import Body, Forward
from bench.diffusion.places import taken
from bench.diffusion.plans import PLANS, Pass, Turn


class Cache(Protocol):
    """A cache on one canvas. Its tensors stay in place, and nothing in a forward waits for the device."""

    asks_device: bool  # whether the shape of its next forward depends on what was committed: `unsettled` is then read

    def start(self) -> None:
        """Forget earlier prompts."""

    def plan(self, turn: Turn) -> Pass:
        """The forward of the next step."""

    def body(self, pass_: Pass) -> Forward | Body:
        """The model as it makes this forward: logits of the rows that are pushed, or the last layer at some
        positions."""

    def index_of(self, pass_: Pass, positions: Tensor) -> Tensor | None:
        """Where positions of the canvas are among those that are pushed; None where they are all of these."""

    def layer_positions(self, pass_: Pass) -> float:
        """Positions of a row that a layer gets: the mean over layers."""

    def settle(self, ids: Tensor) -> None:
        """The forward on these ids [rows, canvas] was made; nothing of it is committed yet."""

    def unsettled(self) -> Tensor:
        """The most positions of a row that must be pushed anew, a number on the device []."""


class Parts(Protocol):
    """A model's layers one by one, over K and V that lie still (bench/models/parts.py).

    hidden [rows, queries, width]; place: LongTensor [queries], the positions of the canvas that hidden is of, or
    [rows, queries], or None for the whole canvas; rope: their rotation; visible: bool [rows, 1, 1, canvas] or None;
    keys, values [rows, kv_heads, canvas, head_width], K after rotation.
    """

    layers: int

    def empty(self, rows: int) -> tuple[Tensor, Tensor]:
        """Room for K and V, each [layers, rows, kv_heads, canvas, head_width]."""

    def empty_outputs(self, rows: int) -> Tensor:
        """Room for what each layer adds to the residual stream [layers, rows, canvas, width]."""

    def embed(self, ids: Tensor) -> Tensor:
        """The first layer's input."""

    def rope(self, place: Tensor | None) -> tuple[Tensor, Tensor]:
        """What rotates rows at these positions of the canvas."""

    def layer(
        self, number: int, hidden: Tensor, rope: tuple[Tensor, Tensor], visible: Tensor | None, keys: Tensor,
        values: Tensor, place: Tensor | None, asking: Tensor | None, writing: Tensor | None,
    ) -> Tensor:  # fmt: skip
        """A layer on some positions; their K and V go to their place first, then they look at all positions.

        asking: index among the queries, as in `taken`, of those that go on; None: all. writing: bool [rows, 1, 1, 1],
        the rows whose K and V are renewed; None: all.
        """

    def project(self, number: int, hidden: Tensor, rope: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """A layer's Q, K and V, rotated [rows, heads, queries, head_width]."""

    def values_of(self, number: int, hidden: Tensor) -> Tensor:
        """A layer's V alone [rows, kv_heads, queries, head_width]."""

    def attention(self, number: int, q: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None) -> Tensor:
        """What attention adds to the residual stream [rows, queries, width]."""

    def feed_forward(self, number: int, hidden: Tensor) -> Tensor:
        """What the feed-forward part adds to the residual stream [rows, queries, width]."""

    def head(self, hidden: Tensor) -> Tensor:
        """Logits [..., vocabulary]."""


class KeysAndValues:
    """A cache that keeps K and V of every position and renews those of the positions that a forward pushes.

    Partial forwards of both engines run on the functions of bench/models/layers.py, through `Parts`: transformers'
    modules cannot write K and V to given places of tensors that lie still. So do its full forwards, which must leave
    their K and V there.
    """

    asks_device = False

    def __init__(self, body: Body, extent: Extent):
        self.extent = extent
        self.parts: Parts = body.parts(extent.canvas)
        self.keys, self.values = self.parts.empty(extent.rows)

    def start(self) -> None:
        """Nothing to forget: the first forward is a full one."""

    def plan(self, turn: Turn) -> Pass:
        return PLANS[self.extent.options.cache](self.extent.options, self.extent.prompt_length, turn)

    def place(self, pass_: Pass) -> Tensor | None:
        """The positions of the canvas that a forward pushes, [queries] or [rows, queries]; None: all of them."""
        if pass_.is_full:
            return None
        first = self.extent.prompt_length if pass_.kind == "answer" else self.extent.begin
        return first + torch.arange(pass_.queries, device=self.extent.device)

    def index_of(self, pass_: Pass, positions: Tensor) -> Tensor | None:
        """Positions that are not pushed get an index all the same: what is said there is of no use, as they hold
        tokens. So do those beyond the canvas, which an engine meets that records the forward of another block."""
        place = self.place(pass_)
        if place is None:
            return positions
        if len(positions) == len(place):
            return None
        return (positions - place[0]).clamp(0, pass_.queries - 1)

    def layer_positions(self, pass_: Pass) -> float:
        return pass_.queries

    def body(self, pass_: Pass) -> Body:
        return Cached(self, pass_)

    def layers(self, pass_: Pass, ids: Tensor, visible: Tensor | None, positions: Tensor | None) -> Tensor:
        """All layers [rows, queries or positions, width]. positions: those that go on to the head; None: all."""
        place = self.place(pass_)
        rope = self.parts.rope(place)
        hidden = self.parts.embed(ids if place is None else taken(ids, place))
        asking = None if positions is None else self.index_of(pass_, positions)
        writing = self.writing(ids)
        for number in range(self.parts.layers):
            goes_on = asking if number + 1 == self.parts.layers else None
            hidden = self.parts.layer(
                number, hidden, rope, visible, self.keys[number], self.values[number], place, goes_on, writing
            )
        return hidden

    def writing(self, ids: Tensor) -> Tensor | None:
        """The rows whose K and V a forward renews. A row that waits for others of its batch must not renew what it
        will not refresh by itself, or its text would depend on theirs."""
        if self.extent.options.refresh != "never":
            return None
        block = ids.index_select(1, self.extent.block())
        return (block == self.extent.options.mask_id).any(1)[:, None, None, None]

    def settle(self, ids: Tensor) -> None:
        """K and V lie in place already."""

    def unsettled(self) -> Tensor:
        return torch.zeros_like(self.extent.begin)


class Cached:
    """A model as a cache makes a forward of it: `head.Body`."""

    def __init__(self, cache: KeysAndValues, pass_: Pass):
        self.cache = cache
        self.pass_ = pass_

    def __call__(self, ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        return self.head(self.trunk(ids, attention_mask, None))

    def trunk(self, ids: Tensor, attention_mask: Tensor | None, positions: Tensor | None) -> Tensor:
        visible = None if attention_mask is None else attention_mask[:, None, None, :].bool()
        return self.cache.layers(self.pass_, ids, visible, positions)

    def head(self, hidden: Tensor) -> Tensor:
        return self.cache.parts.head(hidden)
