"""The delayed cache: K and V of a token are reused from the second forward on that meets it as a token.

K and V of a position change most when its mask becomes a token. So a forward pushes all masks, and the tokens that the
step before committed, once. Rows of a batch may commit different numbers of tokens: the row with most to push sets the
shape, and the others push a position twice, which computes the same twice.

Source: dKV-Cache (arXiv 2505.15781), its variant for decoding. There all rows must commit equally many.
"""

import torch
from torch import Tensor

from bench.diffusion.caches.base import KeysAndValues
from bench.diffusion.extent import Extent
from bench.diffusion.head import Body
from bench.diffusion.plans import Pass


class Delayed(KeysAndValues):
    """The first two steps of each block and every `refresh`-th are full; the others push what is not settled."""

    asks_device = True

    def __init__(self, body: Body, extent: Extent):
        super().__init__(body, extent)
        # bool [rows, canvas]: positions that held a token in the last forward, so that their K and V can stay
        self.settled = torch.zeros(extent.rows, extent.canvas, dtype=torch.bool, device=extent.device)

    def place(self, pass_: Pass) -> Tensor | None:
        if pass_.is_full:
            return None
        unsettled_first = self.settled.int().argsort(dim=1, stable=True)  # [rows, canvas]
        last = (self.count() - 1).clamp(min=0)[:, None]  # [rows, 1]
        return unsettled_first.gather(1, torch.arange(pass_.queries, device=last.device).minimum(last))

    def index_of(self, pass_: Pass, positions: Tensor) -> Tensor | None:
        """Positions that are settled get an index all the same: they hold tokens, so what is said there is of no
        use."""
        if pass_.is_full:
            return positions
        before = (~self.settled).cumsum(1) - 1  # [rows, canvas], how many unsettled positions stand before each
        return before.index_select(1, positions).clamp(0, pass_.queries - 1)

    def start(self) -> None:
        self.settled.zero_()

    def settle(self, ids: Tensor) -> None:
        """A mask token of the prompt is never committed: the prompt counts as settled."""
        self.settled.copy_(ids != self.extent.options.mask_id)
        self.settled[:, : self.extent.prompt_length] = True

    def count(self) -> Tensor:
        """How many positions of each row are not settled [rows]."""
        return (~self.settled).sum(1)

    def unsettled(self) -> Tensor:
        return self.count().amax()
