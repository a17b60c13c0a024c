"""LLaDA's official sampler: blockwise denoising that commits the most confident tokens of each step.

A canvas is a prompt followed by mask tokens. Each step runs the model on the whole canvas, proposes a token
for every masked position and commits a fixed quota of them, block after block, left to right. Committed
tokens never change. Source: the `generate` of the official repository (ML-GSAI/LLaDA), written anew from
its behaviour; `tests/golden` holds its outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

Forward = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]  # ids, attention mask -> logits
HEAD_ROWS = 1024  # of logits at a time, for the lean head


class Body(Protocol):
    """A model in two parts, for the lean head: the official rungs need a plain `Forward`."""

    def __call__(self, ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """Logits [rows, canvas, vocabulary]."""

    def trunk(self, ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """Hidden states [rows, canvas, width] before the head."""

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits [..., vocabulary] of hidden states [..., width]."""


@dataclass(frozen=True)
class Sampling:
    """Options of the official sampler.

    confidence_eos_eot: what to do with the confidence of end tokens. `off`; `official`, what the official
    flag really does (at temperature 0 it removes both end tokens from the distribution, above it only the
    end-of-turn token); `intent`, what it says (both end tokens get confidence 0).
    """

    steps: int
    gen_length: int
    block_length: int
    mask_id: int
    temperature: float = 0.0
    remasking: str = "low_confidence"  # or random
    cfg_scale: float = 0.0
    logits_eos_inf: bool = False
    confidence_eos_eot: str = "off"
    eos_id: int | None = None
    eot_id: int | None = None
    head: str = "official"
    stop_after: int | None = None  # run so many of the steps, whose quotas stay those of all; masks are left then


@dataclass(frozen=True)
class Denoised:
    """canvas [rows, prompt + gen_length]; nfe: forwards; positions: rows x canvas pushed through the model.

    first_step: the step (from 0) at which the first output position of every row was final, or None.
    """

    canvas: torch.Tensor
    nfe: int
    positions: int
    first_step: int | None


def schedule(masked: int, steps: int) -> list[int]:
    """How many of `masked` tokens each step commits: evenly, the remainder one each to the first steps.

    With more steps than tokens the last steps commit none, and still cost a forward.
    """
    return [masked // steps + (step < masked % steps) for step in range(steps)]


def gumbel_scores(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Scores whose argmax is a sample at `temperature` (Gumbel-max in float64). Shape kept.

    float64 because low-precision noise makes samples better than they are (arXiv 2409.02908).
    """
    if temperature == 0:
        return logits
    logits = logits.to(torch.float64)
    noise = torch.rand_like(logits, dtype=torch.float64)
    return logits.exp() / (-torch.log(noise)) ** temperature


def both_halves(
    canvas: torch.Tensor, attention_mask: torch.Tensor | None, prompt: torch.Tensor, mask_id: int
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The canvas and, as further rows, the canvas without its prompt (bool [rows, canvas]), for guidance."""
    unconditional = torch.where(prompt, mask_id, canvas)
    both_masks = None if attention_mask is None else attention_mask.repeat(2, 1)
    return torch.cat([canvas, unconditional]), both_masks


def guide(logits: torch.Tensor, bare: torch.Tensor, cfg_scale: float) -> torch.Tensor:
    """Classifier-free guidance: away from what is said without the prompt."""
    return bare + (cfg_scale + 1) * (logits - bare)


def guided_logits(
    forward: Forward,
    canvas: torch.Tensor,
    attention_mask: torch.Tensor | None,
    prompt: torch.Tensor,
    cfg_scale: float,
    mask_id: int,
) -> torch.Tensor:
    """Logits [rows, canvas, vocabulary], with classifier-free guidance if its scale is above 0.

    prompt: bool [rows, canvas], what the unconditional half does not see.
    """
    if cfg_scale <= 0:
        return forward(canvas, attention_mask)
    return guide(*forward(*both_halves(canvas, attention_mask, prompt, mask_id)).chunk(2), cfg_scale)


def propose(logits: torch.Tensor, options: Sampling) -> tuple[torch.Tensor, torch.Tensor]:
    """Candidate token and its confidence at every position, both [rows, canvas].

    The candidate is drawn with noise; its confidence is the model's probability without noise.
    """
    if options.logits_eos_inf:
        logits[..., options.eos_id] = -torch.inf
    candidates = gumbel_scores(logits, options.temperature).argmax(-1)
    if options.confidence_eos_eot == "official":
        if options.temperature == 0:
            logits[..., options.eos_id] = -torch.inf
        logits[..., options.eot_id] = -torch.inf
    if options.remasking == "random":
        confidence = torch.rand(candidates.shape, device=logits.device)
    else:
        confidence = probability(logits, candidates, options.head)
    if options.confidence_eos_eot == "intent":
        ends = (candidates == options.eos_id) | (candidates == options.eot_id)
        confidence = confidence.masked_fill(ends, 0.0)
    return candidates, confidence


def probability(logits: torch.Tensor, candidates: torch.Tensor, head: str) -> torch.Tensor:
    """The model's probability of each candidate [...] from logits [..., vocabulary], as a rung of the head has it.

    `lean` divides by the sum of exponentials and never writes out a distribution; float32 whatever the logits.
    """
    if head == "lean":
        most = logits.amax(-1, keepdim=True)
        total = (logits - most).float().exp().sum(-1)
        return (logits.gather(-1, candidates[..., None]) - most)[..., 0].float().exp() / total
    precise = logits.to(torch.float64) if head == "official-old" else logits
    return torch.softmax(precise, -1).gather(-1, candidates[..., None])[..., 0]


def lean_proposals(
    body: Body,
    canvas: torch.Tensor,
    attention_mask: torch.Tensor | None,
    prompt: torch.Tensor,
    window: slice,
    options: Sampling,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Candidates and confidence of a window of the canvas, both [rows, window]; no other row meets the head."""
    asked = canvas, attention_mask
    if options.cfg_scale > 0:
        asked = both_halves(canvas, attention_mask, prompt, options.mask_id)
    hidden = body.trunk(*asked)[:, window]
    shape = (len(canvas), hidden.shape[1])
    parts = [half.reshape(-1, half.shape[-1]).split(HEAD_ROWS) for half in hidden.split(len(canvas))]
    found = []
    for chunk in zip(*parts, strict=True):
        logits = [body.head(rows) for rows in chunk]
        found.append(propose(guide(*logits, options.cfg_scale) if len(logits) > 1 else logits[0], options))
    candidates, confidence = (torch.cat(column).view(shape) for column in zip(*found, strict=True))
    return candidates, confidence


def proposals(
    forward: Forward | Body,
    canvas: torch.Tensor,
    attention_mask: torch.Tensor | None,
    prompt: torch.Tensor,
    window: slice,
    options: Sampling,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Candidates and confidence of a window of the canvas, both [rows, window], by the rung of `options.head`."""
    if options.head == "lean":
        return lean_proposals(forward, canvas, attention_mask, prompt, window, options)
    logits = guided_logits(forward, canvas, attention_mask, prompt, options.cfg_scale, options.mask_id)
    candidates, confidence = propose(logits, options)
    return candidates[:, window], confidence[:, window]


def commit(
    canvas: torch.Tensor, candidates: torch.Tensor, confidence: torch.Tensor, quota: list[int], mask_id: int
) -> None:
    """Write each row's `quota` most confident candidates into its masked positions, in place. All [rows, window]."""
    confidence = confidence.masked_fill(canvas != mask_id, -torch.inf)
    for row, count in enumerate(quota):
        if count:
            chosen = confidence[row].topk(count).indices
            masked = canvas[row, chosen] == mask_id
            canvas[row, chosen] = torch.where(masked, candidates[row, chosen], canvas[row, chosen])


@torch.inference_mode()
def denoise(
    forward: Forward | Body,
    prompts: torch.Tensor,
    attention_mask: torch.Tensor | None,
    options: Sampling,
    mark: Callable[[str], None] = lambda kind: None,
) -> Denoised:
    """Generate after `prompts` [rows, prompt length]; `attention_mask` [rows, prompt length] is 0 on padding.

    Calls mark("step") after each forward's commits and mark("block") after each finished block. Raises ValueError
    where the official code asserts: blocks must divide the length, and steps the blocks.
    """
    rows, start = prompts.shape
    blocks, rest = divmod(options.gen_length, options.block_length)
    if rest or options.steps % blocks:
        raise ValueError("gen_length must be a multiple of block_length, and steps of the number of blocks")
    masks = prompts.new_full((rows, options.gen_length), options.mask_id)
    canvas = torch.cat([prompts, masks], dim=1)
    if attention_mask is not None:
        attention_mask = torch.cat([attention_mask, torch.ones_like(masks)], dim=1)
    prompt = canvas != options.mask_id
    per_block, steps = options.steps // blocks, options.stop_after or options.steps
    prompts_are_whole = bool((prompts != options.mask_id).all())  # the official sampler fills masks of a prompt too
    steps_before_first = torch.zeros((), dtype=torch.long, device=canvas.device)
    for block in range(-(-steps // per_block)):
        begin = start + block * options.block_length
        end = begin + options.block_length
        window = slice(begin if options.head == "lean" and prompts_are_whole else 0, end)
        masked = (canvas[:, begin:end] == options.mask_id).sum(1).tolist()
        quotas = list(zip(*(schedule(count, per_block) for count in masked), strict=True))
        for quota in quotas[: steps - block * per_block]:
            candidates, confidence = proposals(forward, canvas, attention_mask, prompt, window, options)
            commit(canvas[:, window], candidates, confidence, list(quota), options.mask_id)
            steps_before_first += (canvas[:, start] == options.mask_id).any()
            mark("step")
        if steps >= (block + 1) * per_block:
            mark("block")
    positions = canvas.numel() * steps * (2 if options.cfg_scale > 0 else 1)
    first = int(steps_before_first)
    return Denoised(canvas, steps, positions, first if first < steps else None)
