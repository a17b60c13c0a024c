"""The interval cache: the prompt is renewed every so many forwards, the answer more often, and in between only those
rows of the answer whose V has changed most.

Besides K and V it keeps what attention and feed-forward part of each layer added to the residual stream. A row that is
not renewed adds what it added before. Forwards are counted over the whole generation, not anew in each block. The first
layer is always computed in full.

Source: dLLM-Cache (arXiv 2506.06295) and its code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.diffusion.caches.base import KeysAndValues
from bench.diffusion.extent import Extent
from bench.diffusion.head import Body
from bench.diffusion.places import put, taken
from bench.diffusion.plans import Pass


class Interval(KeysAndValues):
    """Full where prompt and answer are due at once; `prompt`, `answer`, or `rest` where only one of them is, or
    none."""

    def __init__(self, body: Body, extent: Extent):
        super().__init__(body, extent)
        self.attended = self.parts.empty_outputs(extent.rows)  # [layers, rows, canvas, width]
        self.fed = torch.zeros_like(self.attended)
        self.renewed = int(extent.options.ratio * extent.gen_length)  # rows of the answer where it is not due
        self.prompt = torch.arange(extent.prompt_length, device=extent.device)

    def index_of(self, pass_: Pass, positions: Tensor) -> Tensor | None:
        """Every position has a last row, computed or put together."""
        return positions

    def layer_positions(self, pass_: Pass) -> float:
        return (self.extent.canvas + (self.parts.layers - 1) * pass_.queries) / self.parts.layers

    def layers(self, pass_: Pass, ids: Tensor, visible: Tensor | None, positions: Tensor | None) -> Tensor:
        hidden = self.parts.embed(ids)  # [rows, canvas, width]
        everything = torch.arange(self.extent.canvas, device=ids.device)
        for number in range(self.parts.layers):
            place = everything if number == 0 or pass_.is_full else self.due(pass_, number, hidden)
            if place is not None:
                q, k, v = self.parts.project(number, taken(hidden, place), self.parts.rope(place))
                put(self.keys[number], place, k)
                put(self.values[number], place, v)
                added = self.parts.attention(number, q, self.keys[number], self.values[number], visible)
                put(self.attended[number], place, added)
            hidden = hidden + self.attended[number]
            if place is not None:
                put(self.fed[number], place, self.parts.feed_forward(number, taken(hidden, place)))
            hidden = hidden + self.fed[number]
        return hidden if positions is None else hidden.index_select(1, positions)

    def due(self, pass_: Pass, number: int, hidden: Tensor) -> Tensor | None:
        """The positions that a layer renews, [n] or [rows, n]; None where there are none. Renews V of the answer where
        its rows are compared."""
        if pass_.kind == "answer":
            return self.extent.answer()
        prompt = self.prompt if pass_.kind == "prompt" else self.prompt[:0]
        if not self.extent.options.ratio:
            return prompt if len(prompt) else None
        former = self.values[number][:, :, self.extent.prompt_length :]  # [rows, kv_heads, answer, head_width]
        now = self.parts.values_of(number, hidden[:, self.extent.prompt_length :])
        likeness = F.cosine_similarity(*(v.transpose(1, 2).flatten(2).float() for v in (now, former)), dim=-1)
        former.copy_(now)
        least_alike = likeness.topk(self.renewed, largest=False).indices + self.extent.prompt_length  # [rows, renewed]
        place = torch.cat([prompt.expand(len(hidden), -1), least_alike], dim=1)
        return place if place.shape[1] else None
