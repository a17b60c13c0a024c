"""Samplers: which masked positions of the block a step commits.

The loop is in `denoising.py`, and what is committed comes from the head (`head.py`). README.md in this folder says how
to add a sampler.

Sources: `fixed` is the `generate` of the official repository (ML-GSAI/LLaDA), written anew from its behaviour;
`threshold` and `factor` are Fast-dLLM's (arXiv 2505.22618), `entropy` is EB-Sampler's (arXiv 2505.24857), `klass` is
KLASS's (arXiv 2511.05664). `tests/golden` holds what their authors' code gave.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.diffusion.sampling import Sampling
from bench.diffusion.statistics import Calm, Entropy, Make


def gumbel_scores(logits: Tensor, temperature: float) -> Tensor:
    """Scores whose argmax is a sample at `temperature` (Gumbel-max in float64). Shape kept.

    float64 because low-precision noise makes samples better than they are (arXiv 2409.02908).
    """
    if temperature == 0:
        return logits
    logits = logits.to(torch.float64)
    noise = torch.rand_like(logits, dtype=torch.float64)
    return logits.exp() / (-torch.log(noise)) ** temperature


@dataclass(frozen=True)
class Seen:
    """What a step knows when it chooses, all [rows, positions].

    masked: which positions may be committed: masks of the block. confidence: of each candidate token. statistic: what
    the sampler asked of the logits besides.
    """

    masked: Tensor
    confidence: Tensor
    statistic: Tensor | None = None


def best(scores: Tensor, masked: Tensor, count: Tensor) -> Tensor:
    """The `count` ([], or [rows, 1]) masked positions of each row with the highest scores, bool [rows, positions].

    Of equal scores the first position. A score of -inf is never chosen.
    """
    scores = scores.masked_fill(~masked, -torch.inf)
    sorted_, order = scores.sort(dim=-1, descending=True, stable=True)  # [rows, positions] each
    chosen = (torch.arange(scores.shape[-1], device=scores.device) < count) & (sorted_ > -torch.inf)
    return torch.zeros_like(chosen).scatter_(1, order, chosen)  # back in the order of the positions


def surest(seen: Seen, quota: Tensor, options: Sampling) -> Tensor:
    """The `quota` most confident ones (fixed, imposed)."""
    return best(seen.confidence, seen.masked, quota)


def over_threshold(seen: Seen, quota: Tensor, options: Sampling) -> Tensor:
    """All of confidence `threshold` and more."""
    is_sure = seen.confidence.float() >= options.threshold
    return (is_sure & seen.masked) | best(seen.confidence, seen.masked, quota)


def by_factor(seen: Seen, quota: Tensor, options: Sampling) -> Tensor:
    """The n most confident ones, n the largest number with (n + 1) (1 - confidence of the n-th) <= factor."""
    confidence = seen.confidence.float().masked_fill(~seen.masked, -torch.inf)
    sorted_ = confidence.sort(dim=-1, descending=True).values
    n = torch.arange(1, sorted_.shape[-1] + 1, device=sorted_.device)
    most = torch.where((n + 1) * (1 - sorted_) <= options.factor, n, 0).amax(-1, keepdim=True)  # [rows, 1]
    return best(seen.confidence, seen.masked, torch.maximum(most, quota))


def by_entropy(seen: Seen, quota: Tensor, options: Sampling) -> Tensor:
    """The n of lowest entropy, n the largest number whose entropies, less the largest of them, sum up to gamma at
    most."""
    entropy = seen.statistic.masked_fill(~seen.masked, torch.inf)
    before = entropy.sort(dim=-1).values.cumsum(-1).roll(1, -1)  # sum of the entropies that are lower
    before[:, 0] = 0
    count = (before <= options.gamma).sum(-1, keepdim=True)  # [rows, 1]; sums only grow
    return best(-entropy, seen.masked, torch.maximum(count, quota))


def calm_and_sure(seen: Seen, quota: Tensor, options: Sampling) -> Tensor:
    """All of confidence `threshold` and more whose distribution has been calm for `history` forwards. Only where there
    are none the most confident one, calm or not."""
    chosen = seen.masked & (seen.confidence.float() >= options.threshold) & (seen.statistic >= options.history)
    is_enough = chosen.any(-1, keepdim=True) & (quota == 1)  # [rows, 1]
    return chosen | best(seen.confidence, seen.masked, torch.where(is_enough, 0, quota))


@dataclass(frozen=True)
class Sampler:
    """A way to choose which masked positions a step commits.

    choose: (what the step knows, quota, options) -> bool [rows, positions]. It must not wait for the device nor change
    shapes, because the captured engine records it once. quota: a number on the device [], how many tokens of a row the
    step commits where the sampler has a schedule (choices.py); else the least: 1, and in the last step that is allowed
    as many as a block has. statistic: what it asks of the logits besides candidates and confidence.
    """

    choose: Callable[[Seen, Tensor, Sampling], Tensor]
    statistic: Make | None = None


SAMPLERS = {  # by the names of choices.py
    "fixed": Sampler(surest),
    "threshold": Sampler(over_threshold),
    "factor": Sampler(by_factor),
    "entropy": Sampler(by_entropy, Entropy),
    "klass": Sampler(calm_and_sure, Calm),
    "imposed": Sampler(surest),
}
