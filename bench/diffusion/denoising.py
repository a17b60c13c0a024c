"""LLaDA's loop: blockwise denoising of a canvas, a prompt followed by mask tokens.

Each step runs the model on the whole canvas, proposes a token for every masked position and commits a fixed quota of
them, block after block, left to right. Committed tokens never change. Both engines run this: a step reads and writes
tensors that keep their shapes and places, so that it can also be recorded once and replayed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from bench.diffusion.head import Body, Forward, proposals
from bench.diffusion.samplers import Sampling, commit, schedule


@dataclass(frozen=True)
class Denoised:
    """canvas [rows, prompt + gen_length]; nfe: forwards; positions: rows x canvas pushed through the model.

    first_step: the step (from 0) at which the first output position of every row was final, or None.
    """

    canvas: torch.Tensor
    nfe: int
    positions: int
    first_step: int | None


class Canvas:
    """The state of some rows, and one step of it.

    whole: whether any position may be committed, not only the block's. The official sampler looks at the whole
    canvas up to the block's end, which differs only where a prompt or an earlier block holds mask tokens.
    """

    def __init__(
        self, forward: Forward | Body, options: Sampling, rows: int, prompt_length: int, padded: bool, whole: bool,
        device: torch.device | str,
    ):  # fmt: skip
        self.forward, self.options, self.prompt_length = forward, options, prompt_length
        self.whole = whole or options.head != "lean"
        length = prompt_length + options.gen_length
        self.ids = torch.zeros(rows, length, dtype=torch.long, device=device)
        self.attention_mask = torch.ones_like(self.ids) if padded else None
        self.prompt = torch.zeros_like(self.ids, dtype=torch.bool)
        self.offsets = torch.arange(length if self.whole else options.block_length, device=device)
        self.begin, self.quota, self.steps_before_first = (torch.zeros_like(self.ids[0, 0]) for _ in range(3))

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
        commit(self.ids, positions, candidates, confidence, self.quota, self.options.mask_id)
        self.steps_before_first += (self.ids[:, self.prompt_length] == self.options.mask_id).any()


def run(
    canvas: Canvas, step: Callable[[], None], steps: int, mark: Callable[[str], None], stop_after: int | None = None
) -> Denoised:
    """All blocks of a canvas that was filled. `step` is the canvas's, or a replay of it.

    stop_after: make so many of the steps, whose quotas stay those of all; masks are left then. Calls mark("step")
    after each forward's commits and mark("block") after each finished block. Every block is all masks when its turn
    comes, so what each step commits is known beforehand and nothing is asked of the device.
    """
    options = canvas.options
    blocks = options.gen_length // options.block_length
    quotas, made = schedule(options.block_length, steps // blocks), stop_after or steps
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
    """Generate after `prompts` [rows, prompt length]; `attention_mask` [rows, prompt length] is 0 on padding.

    stop_after: as in `run`. Raises ValueError where the official code asserts: blocks must divide the length, and
    steps the blocks.
    """
    blocks, rest = divmod(options.gen_length, options.block_length)
    if rest or options.steps % blocks:
        raise ValueError("gen_length must be a multiple of block_length, and steps of the number of blocks")
    whole = bool((prompts == options.mask_id).any())
    canvas = Canvas(forward, options, *prompts.shape, attention_mask is not None, whole, prompts.device)
    canvas.fill(prompts, attention_mask)
    return run(canvas, canvas.step, options.steps, mark, stop_after)
