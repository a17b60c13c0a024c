"""How large a canvas is and where its block lies: what samplers and caches make their tensors by."""

from dataclasses import dataclass

import torch

from bench.diffusion.sampling import Sampling


@dataclass(frozen=True)
class Extent:
    """The sizes of a canvas.

    begin: the position at which the block begins, a number on the device [] that changes in place, so that a recorded
    step can be used for every block. is_recorded: whether steps are recorded and replayed, once for each shape of a
    forward.
    """

    rows: int
    prompt_length: int
    options: Sampling
    begin: torch.Tensor
    is_recorded: bool = False

    @property
    def gen_length(self) -> int:
        return self.options.gen_length

    @property
    def canvas(self) -> int:
        """Positions of a row: its prompt and its answer."""
        return self.prompt_length + self.gen_length

    @property
    def granule(self) -> int:
        """Of what number the positions are a multiple that a cache pushes where their number is not known beforehand.
        Where steps are recorded it is the block, so that there are few shapes; some positions are then pushed twice."""
        return self.options.block_length if self.is_recorded else 1

    def whole_granules(self, positions: int) -> int:
        """The least multiple of the granule, above 0, that is at least so many positions."""
        return max(1, -(-positions // self.granule)) * self.granule

    @property
    def device(self) -> torch.device:
        return self.begin.device

    def answer(self) -> torch.Tensor:
        """The positions of the answer on the canvas [gen_length]."""
        return torch.arange(self.prompt_length, self.canvas, device=self.device)

    def block(self) -> torch.Tensor:
        """The positions of the block on the canvas [block_length]."""
        return self.begin + torch.arange(self.options.block_length, device=self.device)
