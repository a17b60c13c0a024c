"""A generation that is watched step by step, and other forwards on the canvases that it went through.

So a cache, or a model in another precision, can be asked what it says where the first one stood, whatever it would have
committed itself (teacher forcing).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from bench.diffusion.denoising import Canvas, Denoised, run
from bench.diffusion.head import Body
from bench.diffusion.plans import Pass, Turn
from bench.diffusion.sampling import Sampling

RENEWALS = ("full", "answer")  # forwards after which the answer's keys and values are new
See = Callable[[Turn, Tensor, Tensor], None]  # turn, ids before the step, logits of the block [rows, block, vocabulary]


class Heard:
    """A model of whose last forward the logits are kept."""

    def __init__(self, body: Body):
        self.body = body
        self.logits: list[Tensor] = []  # in the parts in which the head computed them, each [positions, vocabulary]

    def __call__(self, ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        return self.body(ids, attention_mask)

    def trunk(self, ids: Tensor, attention_mask: Tensor | None, positions: Tensor) -> Tensor:
        self.logits.clear()
        return self.body.trunk(ids, attention_mask, positions)

    def head(self, hidden: Tensor) -> Tensor:
        logits = self.body.head(hidden)
        self.logits.append(logits)
        return logits


def canvas_of(body: Body, prompts: Tensor, attention_mask: Tensor | None, options: Sampling) -> Canvas:
    """A canvas behind prompts without mask tokens, ready for its first step."""
    canvas = Canvas(body, options, *prompts.shape, attention_mask is not None, False, prompts.device)
    canvas.fill(prompts, attention_mask)
    return canvas


@torch.inference_mode()
def watched(body: Body, prompts: Tensor, attention_mask: Tensor | None, options: Sampling, see: See) -> Denoised:
    """Generate as `denoising.denoise` does and tell `see` of every step. prompts [rows, prompt length].

    options: a sampler whose steps are known, no cache, the lean head, which computes logits of the block alone.
    """
    heard = Heard(body)
    canvas = canvas_of(heard, prompts, attention_mask, options)
    of_a_block = (options.steps or options.gen_length) // options.blocks
    forwards = 0

    def step(pass_: Pass) -> None:
        nonlocal forwards
        before = canvas.ids.clone()
        canvas.step(pass_)
        logits = torch.cat(heard.logits).view(len(before), options.block_length, -1)
        see(Turn(*divmod(forwards, of_a_block), forwards), before, logits)
        forwards += 1

    return run(canvas, step, options.steps, lambda kind: None)


class Follower:
    """A cache that is led through the canvases of another generation: it pushes what it would push there."""

    def __init__(self, body: Body, prompts: Tensor, attention_mask: Tensor | None, options: Sampling):
        self.canvas = canvas_of(body, prompts, attention_mask, options)
        self.age = 0  # forwards since the last that renewed the answer's keys and values

    def logits(self, turn: Turn, ids: Tensor) -> Tensor:
        """What it says of the block [rows, block, vocabulary] where the canvas is `ids`; turns must come in order."""
        canvas, cache = self.canvas, self.canvas.cache
        canvas.ids.copy_(ids)
        canvas.begin.fill_(canvas.prompt_length + turn.block * canvas.options.block_length)
        pass_ = cache.plan(with_unsettled(turn, canvas))
        body = cache.body(pass_)
        logits = body.head(body.trunk(canvas.ids, canvas.attention_mask, canvas.extent.block()))
        cache.settle(canvas.ids)
        self.age = 0 if pass_.kind in RENEWALS else self.age + 1
        return logits


def with_unsettled(turn: Turn, canvas: Canvas) -> Turn:
    """The turn with the positions that the canvas's cache must push anew."""
    return turn._replace(unsettled=canvas.extent.whole_granules(int(canvas.cache.unsettled())))
