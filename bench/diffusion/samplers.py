"""One step of LLaDA's official sampler, in parts: a token proposed for each masked position, the surest committed.

`denoising.py` is the loop. Source: the `generate` of the official repository (ML-GSAI/LLaDA), written anew from its
behaviour; `tests/golden` holds its outputs.
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

    def trunk(self, ids: torch.Tensor, attention_mask: torch.Tensor | None, positions: torch.Tensor) -> torch.Tensor:
        """What the last layer gives at some positions (LongTensor) of the canvas [rows, positions, width]."""

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits [..., vocabulary] of what the last layer gave [..., width]: its norm, then the head."""


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
    positions: torch.Tensor,
    options: Sampling,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Candidates and confidence at some positions, both [rows, positions]; no other row meets the head."""
    asked = canvas, attention_mask
    if options.cfg_scale > 0:
        asked = both_halves(canvas, attention_mask, prompt, options.mask_id)
    hidden = body.trunk(*asked, positions)
    shape = (len(canvas), len(positions))
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
    positions: torch.Tensor,
    options: Sampling,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Candidates and confidence, both [rows, positions], by the rung of `options.head`. The official rungs give them
    for the whole canvas, whatever the positions."""
    if options.head == "lean":
        return lean_proposals(forward, canvas, attention_mask, prompt, positions, options)
    logits = guided_logits(forward, canvas, attention_mask, prompt, options.cfg_scale, options.mask_id)
    return propose(logits, options)


def commit(
    canvas: torch.Tensor, positions: torch.Tensor, candidates: torch.Tensor, confidence: torch.Tensor,
    quota: torch.Tensor, mask_id: int,
) -> None:  # fmt: skip
    """Write each row's `quota` most confident candidates into its masked positions, in place.

    positions: of the canvas, to which candidates and confidence [rows, positions] belong; those of confidence -inf
    and those not masked stay as they are. quota: a number on the device, so that nothing waits for it.
    """
    window = canvas.index_select(1, positions)
    confidence = confidence.masked_fill(window != mask_id, -torch.inf)
    sorted_, order = confidence.sort(dim=-1, descending=True, stable=True)
    chosen = (torch.arange(len(positions), device=canvas.device) < quota) & (sorted_ > -torch.inf)
    chosen = torch.zeros_like(chosen).scatter_(1, order, chosen)
    canvas.index_copy_(1, positions, torch.where(chosen, candidates, window))
