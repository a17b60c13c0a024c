"""LLaDA's loop: blockwise denoising of a canvas, which is a prompt followed by mask tokens.

Each step runs the model on the canvas (through a cache, `caches.py`), proposes a token for every masked position
(`head.py`) and commits some of them (`samplers.py`), block after block, from left to right. Committed tokens never
change. Both engines run this loop: a step reads and writes tensors that keep their shapes and places, so that it can
also be recorded once and replayed.

Source: the `generate` of the official repository (ML-GSAI/LLaDA), written anew from its behaviour; Nie et al., "Large
Language Diffusion Models" (arXiv 2502.09992).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from bench.diffusion.caches import CACHES
from bench.diffusion.head import Body, Forward, proposals
from bench.diffusion.samplers import SAMPLERS, Sampling


@dataclass(frozen=True)
class Denoised:
    """The outcome of a denoising loop.

    canvas: ids [rows, prompt length + gen_length]. nfe: number of forwards. positions: rows x canvas pushed through the
    model, summed over forwards. first_step: the step, from 0, at which the first output position of every row was
    final; None if it never was.
    """

    canvas: torch.Tensor
    nfe: int
    positions: int
    first_step: int | None


class Canvas:
    """The canvas of some rows as tensors that stay in place, and one step on it.

    whole: whether any position up to the block's end may be committed, not only those of the block. The official
    sampler looks at all of them, which makes a difference only where a prompt or an earlier block holds mask tokens.
    """

    def __init__(
        self, forward: Forward | Body, options: Sampling, rows: int, prompt_length: int, padded: bool, whole: bool,
        device: torch.device | str,
    ):  # fmt: skip
        self.forward = CACHES[options.cache](forward)
        self.sampler = SAMPLERS[options.sampler]
        self.options = options
        self.prompt_length = prompt_length
        self.whole = whole or options.head != "lean"
        length = prompt_length + options.gen_length
        self.ids = torch.zeros(rows, length, dtype=torch.long, device=device)  # [rows, canvas]
        self.attention_mask = torch.ones_like(self.ids) if padded else None  # [rows, canvas], 0 on padding
        self.prompt = torch.zeros_like(self.ids, dtype=torch.bool)  # [rows, canvas], what guidance hides
        self.offsets = torch.arange(length if self.whole else options.block_length, device=device)  # [positions]
        self.begin = torch.zeros_like(self.ids[0, 0])  # [], where the block begins on the canvas
        self.quota = torch.zeros_like(self.ids[0, 0])  # [], how many tokens a row the step commits
        self.steps_before_first = torch.zeros_like(self.ids[0, 0])  # [], steps while position 0 was masked in some row

    def fill(self, prompts: torch.Tensor, attention_mask: torch.Tensor | None) -> None:
        """Start anew after other prompts [rows, prompt_length]."""
        self.ids[:, : self.prompt_length] = prompts
        self.ids[:, self.prompt_length :] = self.options.mask_id
        torch.ne(self.ids, self.options.mask_id, out=self.prompt)
        if attention_mask is not None:
            self.attention_mask[:, : self.prompt_length] = attention_mask
        self.steps_before_first.zero_()

    def step(self) -> None:
        """One forward, and what it commits: `quota` tokens a row before the end of the block at `begin`."""
        positions = self.offsets if self.whole else self.offsets + self.begin
        candidates, confidence = proposals(
            self.forward, self.ids, self.attention_mask, self.prompt, positions, self.options
        )
        if self.whole:
            confidence = confidence.masked_fill(positions >= self.begin + self.options.block_length, -torch.inf)
        self.sampler.commit(self.ids, positions, candidates, confidence, self.quota, self.options.mask_id)
        self.steps_before_first += (self.ids[:, self.prompt_length] == self.options.mask_id).any()


def run(
    canvas: Canvas, step: Callable[[], None], steps: int, mark: Callable[[str], None], stop_after: int | None = None
) -> Denoised:
    """Denoise all blocks of a canvas that was filled. `step` is the canvas's own, or a replay of it.

    stop_after: make only so many of the steps, each with the quota that it has among all of them; masks are left then.
    Calls mark("step") after the commits of each forward, and mark("block") after each finished block. Every block is
    all masks when its turn comes, so what each step commits is known beforehand and nothing is asked of the device.
    """
    options = canvas.options
    blocks = options.gen_length // options.block_length
    quotas = canvas.sampler.schedule(options.block_length, steps // blocks)  # of each step of a block
    made = stop_after or steps
    for block in range(-(-made // len(quotas))):
        canvas.begin.fill_(canvas.prompt_length + block * options.block_length)
        for quota in quotas[: made - block * len(quotas)]:
            canvas.quota.fill_(quota)
            step()
            mark("step")
        if made >= (block + 1) * len(quotas):
            mark("block")
    positions = canvas.ids.numel() * made * (2 if options.cfg_scale > 0 else 1)
    first = int(canvas.steps_before_first)
    return Denoised(canvas.ids.clone(), made, positions, first if first < made else None)


@torch.inference_mode()
def denoise(
    forward: Forward | Body,
    prompts: torch.Tensor,
    attention_mask: torch.Tensor | None,
    options: Sampling,
    mark: Callable[[str], None] = lambda kind: None,
    stop_after: int | None = None,
) -> Denoised:
    """Generate after `prompts`, ids [rows, prompt length]. attention_mask: [rows, prompt length], 0 on padding.

    mark, stop_after: as in `run`. Raises ValueError where the official code asserts: blocks must divide the length, and
    steps the blocks.
    """
    blocks, rest = divmod(options.gen_length, options.block_length)
    if rest or options.steps % blocks:
        raise ValueError("gen_length must be a multiple of block_length, and steps of the number of blocks")
    whole = bool((prompts == options.mask_id).any())
    canvas = Canvas(forward, options, *prompts.shape, attention_mask is not None, whole, prompts.device)
    canvas.fill(prompts, attention_mask)
    return run(canvas, canvas.step, options.steps, mark, stop_after)
