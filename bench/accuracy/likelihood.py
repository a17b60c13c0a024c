"""The likelihood of given continuations: exact for an autoregressive model, LLaDA's own estimate for a diffusion model.

The estimate is a lower bound of log p(continuation | context) by Monte Carlo, in nats (bench/diffusion/likelihood.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from bench.diffusion.likelihood import log_likelihood_bound


@dataclass(frozen=True)
class Pair:
    """What is given and what is to be predicted after it, as token ids. A diffusion model needs no context."""

    context: list[int]
    continuation: list[int]

    def __len__(self) -> int:
        return len(self.context) + len(self.continuation)


@dataclass(frozen=True)
class LogLikelihood:
    """In nats. is_greedy: whether greedy decoding gives the continuation; None where that was not asked."""

    nats: float
    standard_error: float
    is_greedy: bool | None


@torch.inference_mode()
def exact(model, pairs: list[Pair]) -> list[LogLikelihood]:
    """By an autoregressive model, in one forward. Rows are padded at their ends, where no token before them looks."""
    device, longest = model.device, max(map(len, pairs)) - 1
    rows = torch.zeros(len(pairs), longest, dtype=torch.long)
    for row, pair in zip(rows, pairs, strict=True):
        row[: len(pair) - 1] = torch.tensor([*pair.context, *pair.continuation][:-1])
    all_logits = model(rows.to(device), use_cache=False).logits
    results = []
    for logits, pair in zip(all_logits, pairs, strict=True):
        of_continuation = logits[len(pair.context) - 1 : len(pair) - 1]
        targets = torch.tensor(pair.continuation, device=device)
        nats = -F.cross_entropy(of_continuation.float(), targets, reduction="sum")
        results.append(LogLikelihood(float(nats), 0.0, bool((of_continuation.argmax(-1) == targets).all())))
    return results


@dataclass(frozen=True)
class Estimator:
    """How a diffusion model's likelihood is estimated: noisy versions in all and in one forward, guidance, and whether
    greedy decoding is asked as well."""

    mask_id: int
    samples: int
    rows: int
    cfg_scale: float = 0.0
    greedy: bool = False


@torch.inference_mode()
def estimated(model, pair: Pair, how: Estimator, seed: int) -> LogLikelihood:
    """By a diffusion model. seed: of the noise, so that a run that goes on later draws the same."""
    torch.manual_seed(seed)
    given = (torch.tensor(ids, dtype=torch.long, device=model.device) for ids in (pair.context, pair.continuation))
    context, continuation = given
    bound = log_likelihood_bound(
        lambda canvas, mask: model(canvas, attention_mask=mask, use_cache=False).logits,
        context, continuation, how.mask_id, how.samples, how.rows, how.cfg_scale,
    )  # fmt: skip
    is_greedy = greedy_gives(model, context, continuation, how.mask_id) if how.greedy else None
    return LogLikelihood(bound.nats, bound.standard_error, is_greedy)


def greedy_gives(model, context: torch.Tensor, continuation: torch.Tensor, mask_id: int) -> bool:
    """Whether a diffusion model that commits its most confident token in each forward writes the continuation.

    The authors' `suffix_greedy_prediction`: one token at a time over a canvas of exactly its length.
    """
    canvas = torch.cat([context, torch.full_like(continuation, mask_id)])
    for _ in range(len(continuation)):
        masked = (canvas == mask_id).nonzero()[:, 0]
        probabilities = model(canvas[None], use_cache=False).logits[0, masked].float().softmax(-1)
        confidence, tokens = probabilities.max(-1)
        best = confidence.argmax()
        canvas[masked[best]] = tokens[best]
    return bool((canvas[len(context) :] == continuation).all())
