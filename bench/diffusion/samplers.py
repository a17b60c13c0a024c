"""One step of LLaDA's official sampler, in parts: a token proposed for each masked position, the surest committed.

`denoising.py` is the loop. Source: the `generate` of the official repository (ML-GSAI/LLaDA), written anew from its
behaviour; `tests/golden` holds its outputs.
"""

from dataclasses import dataclass

import torch


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
