"""What a sampler may ask of the logits besides candidates and their confidence. Asked only by samplers that need it."""

from collections.abc import Callable
from typing import Protocol

import torch

from bench.diffusion.extent import Extent

TINY = 1e-12  # added to probabilities before their logarithm is taken, as KLASS does


class Statistic(Protocol):
    """A number for each position at each step. What it remembers of earlier steps is in tensors that stay in place."""

    everywhere: bool  # whether it must see all positions of the answer; else the block is enough

    def start(self) -> None:
        """Forget earlier prompts."""

    def begin(self, positions: torch.Tensor, going_on: torch.Tensor) -> None:
        """A forward is made, whose logits come at some positions (LongTensor) of the canvas.

        going_on: bool [rows], the rows whose block is not done: no other row may remember this forward, or it would
        depend on the rows beside it.
        """

    def of(self, logits: torch.Tensor, rows: slice) -> torch.Tensor:
        """Its values [n] for logits [n, vocabulary]: these rows of all (row, position) pairs of the forward."""

    def end(self, values: torch.Tensor) -> torch.Tensor:
        """What the sampler is given, made of all values [rows, positions]."""


class Entropy:
    """Entropy of each position's distribution, in nats."""

    everywhere = False

    def __init__(self, extent: Extent):
        """It remembers nothing of a canvas."""

    def start(self) -> None:
        pass

    def begin(self, positions: torch.Tensor, going_on: torch.Tensor) -> None:
        pass

    def of(self, logits: torch.Tensor, rows: slice) -> torch.Tensor:
        return torch.special.entr(torch.softmax(logits.float(), -1)).sum(-1)

    def end(self, values: torch.Tensor) -> torch.Tensor:
        return values


class Calm:
    """For how many forwards on end a position's distribution has hardly moved: KL(now || before) < kl_threshold.

    A position that the last forward did not push has no distribution before, so that its KL counts as too large. Keeps
    a distribution in float32 for every position of the answer.
    """

    everywhere = True

    def __init__(self, extent: Extent):
        self.extent = extent
        self.kept: torch.Tensor | None = None  # [rows x answer, vocabulary]; made when the vocabulary is known
        shape = extent.rows, extent.gen_length
        self.known = torch.zeros(shape, dtype=torch.bool, device=extent.device)  # whether the last forward pushed it
        self.calm_for = torch.zeros(shape, dtype=torch.long, device=extent.device)

    def start(self) -> None:
        self.known.zero_()
        self.calm_for.zero_()

    def begin(self, positions: torch.Tensor, going_on: torch.Tensor) -> None:
        self.places = positions - self.extent.prompt_length
        first = torch.arange(len(going_on), device=positions.device)[:, None] * self.extent.gen_length
        self.pairs = (first + self.places).flatten()  # [rows x positions], where each is among what is kept
        self.going_on = going_on[:, None]

    def of(self, logits: torch.Tensor, rows: slice) -> torch.Tensor:
        if self.kept is None:
            self.kept = torch.zeros(self.known.numel(), logits.shape[-1], device=logits.device)
        pairs = self.pairs[rows]
        goes_on = self.going_on.expand(-1, len(self.places)).flatten()[rows, None]
        before = self.kept.index_select(0, pairs)
        now = torch.softmax(logits.float(), -1)
        moved = now.add(TINY).log_().sub_(before.add(TINY).log_()).mul_(now).sum(-1)
        self.kept.index_copy_(0, pairs, torch.where(goes_on, now, before))
        return moved

    def end(self, values: torch.Tensor) -> torch.Tensor:
        is_calm = (values < self.extent.options.kl_threshold) & self.known.index_select(1, self.places)
        calm_for = torch.where(is_calm, self.calm_for.index_select(1, self.places) + 1, 0)
        remembered = torch.zeros_like(self.calm_for).index_copy_(1, self.places, calm_for)
        pushed = torch.zeros_like(self.known).index_fill_(1, self.places, True)
        self.calm_for.copy_(torch.where(self.going_on, remembered, self.calm_for))
        self.known.copy_(torch.where(self.going_on, pushed, self.known))
        return calm_for


Make = Callable[[Extent], Statistic]
