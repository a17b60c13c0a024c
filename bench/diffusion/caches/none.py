"""No cache: each step computes the keys and values of the whole canvas, as the official code does."""

import torch
from torch import Tensor

from bench.diffusion.extent import Extent
from bench.diffusion.head import Body, Forward
from bench.diffusion.plans import Pass, Turn, no_cache


class NoCache:
    """Every forward is a full one."""

    asks_device = False

    def __init__(self, body: Forward | Body, extent: Extent):
        self.model = body
        self.extent = extent

    def start(self) -> None:
        """Nothing to forget."""

    def plan(self, turn: Turn) -> Pass:
        return no_cache(self.extent.options, self.extent.prompt_length, turn)

    def body(self, pass_: Pass) -> Forward | Body:
        return self.model

    def index_of(self, pass_: Pass, positions: Tensor) -> Tensor | None:
        return None if len(positions) == self.extent.canvas else positions

    def layer_positions(self, pass_: Pass) -> float:
        return pass_.queries

    def settle(self, ids: Tensor) -> None:
        """Nothing is kept."""

    def unsettled(self) -> Tensor:
        return torch.zeros_like(self.extent.begin)
