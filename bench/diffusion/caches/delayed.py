"""The delayed cache: K and V of a token are reused from the second forward on that meets it as a token.

K and V of a position change most when its mask becomes a token. So a forward pushes all masks, and the tokens that the
step before committed, once. Rows of a batch may commit different numbers of tokens: the row with most to push sets the
shape, and the others push a position twice, which computes the same twice.

Source: dKV-Cache (arXiv 2505.15781), its variant for decoding. There all rows must commit equally many.
"""

import torch
from torch import Tensor

from bench.diffusion.caches.base import KeysAndValues, Pass, Turn
from bench.diffusion.extent import Extent
from bench.diffusion.head import Body


class Delayed(KeysAndValues):
    """The first two steps of each block and every `refresh`-th are full; the others push what is not settled."""

    asks_device = True

    def __init__(self, body: Body, extent: Extent):
        super().__init__(body, extent)
        # bool [rows, canvas]: positions that held a token in the last forward, so that their K and V can stay
        self.settled = torch.zeros(extent.rows, extent.canvas, dtype=torch.bool, device=extent.device)

    def plan(self, turn: Turn) -> Pass:
        if turn.step <= 1 or (isinstance(self.refresh, int) and turn.step % self.refresh == 0):
            return Pass("full", self.extent.canvas)
        return self.of_size(turn.unsettled)

    def passes(self) -> list[Pass]:
        sizes = range(1, self.extent.gen_length + 1)  # what is not settled are masks of the answer, or just were
        return list(dict.fromkeys([Pass("full", self.extent.canvas), *map(self.of_size, sizes)]))

    def of_size(self, unsettled: int) -> Pass:
        """The forward that pushes so many positions. Where steps are recorded it pushes whole blocks, some positions
        twice, so that there are few shapes."""
        granule = self.extent.options.block_length if self.extent.is_recorded else 1
        return Pass("partial", max(1, -(-unsettled // granule)) * granule)

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
