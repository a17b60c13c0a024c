"""Samplers: how many masked positions each step commits, and which.

The loop is in `denoising.py`, and what is committed comes from the head (`head.py`). To add a sampler, write its two
functions here and enter it into SAMPLERS, and its name into `choices.py`.

Source of the sampler `fixed`: the `generate` of the official repository (ML-GSAI/LLaDA), written anew from its
behaviour; `tests/golden` holds its outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Sampling:
    """The options of a generation.

    confidence_eos_eot: what to do with the confidence of end tokens. `off`: nothing. `official`: what the official
    flag really does, which is to remove end tokens from the distribution: both of them at temperature 0, only the
    end-of-turn token above it. `intent`: what the flag's name says, both end tokens get confidence 0. sampler, cache
    and head are names: keys of SAMPLERS, of CACHES (`caches.py`), and one of `official`, `official-old` and `lean`.
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
    sampler: str = "fixed"
    cache: str = "none"


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

    canvas: ids [rows, canvas]. positions: LongTensor [positions], where on the canvas the candidates belong.
    candidates, confidence: [rows, positions]. Positions of confidence -inf, and those that are not masked, stay as
    they are. quota: a number on the device [], so that nothing waits for it.
    """
    window = canvas.index_select(1, positions)  # [rows, positions]
    confidence = confidence.masked_fill(window != mask_id, -torch.inf)
    sorted_, order = confidence.sort(dim=-1, descending=True, stable=True)  # [rows, positions] each
    chosen = (torch.arange(len(positions), device=canvas.device) < quota) & (sorted_ > -torch.inf)
    chosen = torch.zeros_like(chosen).scatter_(1, order, chosen)  # back in the order of the positions
    canvas.index_copy_(1, positions, torch.where(chosen, candidates, window))


@dataclass(frozen=True)
class Sampler:
    """A way to choose which masked positions a step commits.

    schedule: (masked tokens of a block, steps) -> how many tokens each of the steps commits, known beforehand. commit:
    writes that many candidates into the canvas, with the arguments of `commit` above. It must leave all tensors in
    place and must not wait for the device, because the captured engine records it once and replays it.
    """

    schedule: Callable[[int, int], list[int]]
    commit: Callable[..., None]


SAMPLERS = {"fixed": Sampler(schedule, commit)}  # by the names of choices.py; fixed: the official one
