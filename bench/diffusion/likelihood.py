"""LLaDA's likelihood bound and training losses: cross-entropy of masked tokens over the masking probability.

Source: Nie et al., "Large Language Diffusion Models" (arXiv 2502.09992), algorithms 1 and 2, and the
official repository's guidelines. All losses are in nats.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from bench.diffusion.head import Forward, guided_logits

EPSILON = 1e-3  # the smallest masking probability


def masking_probability(t: torch.Tensor) -> torch.Tensor:
    """Masking probability of each row for noise levels t in [0, 1): (1 - eps) t + eps. Shape kept."""
    return (1 - EPSILON) * t + EPSILON


def stratified_levels(rows: int, offset: torch.Tensor) -> torch.Tensor:
    """Noise levels [rows] that sweep [0, 1) evenly from one random offset.

    Each is uniform, as the paper asks, but a batch covers all levels, which lowers the variance of the
    gradient (Kingma et al., "Variational Diffusion Models", arXiv 2107.00630, appendix I.1).
    """
    return (offset + torch.arange(rows, device=offset.device) / rows) % 1


def corrupt(
    ids: torch.Tensor, p_mask: torch.Tensor, answer: torch.Tensor, noise: torch.Tensor, mask_id: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Replace answer tokens by the mask where noise < p. Prompts stay clean.

    ids, noise [rows, length]; p_mask [rows]; answer bool [rows, length].
    Returns the noisy ids and the bool mask of what was replaced, both [rows, length].
    """
    masked = (noise < p_mask[:, None]) & answer
    return torch.where(masked, mask_id, ids), masked


def masked_loss(
    logits: torch.Tensor, targets: torch.Tensor, p_mask: torch.Tensor, lengths: torch.Tensor, rows: int
) -> torch.Tensor:
    """The training loss over the masked tokens of a batch (scalar).

    logits [masked, vocabulary] and targets [masked] are those of the masked positions only; p_mask and
    lengths [masked] repeat their row's masking probability and length: the answer's, its EOS padding counted,
    for fine-tuning; the whole row's for pretraining. rows is the batch size. Sum of CE / p / length over all
    masked tokens, over rows.
    """
    nats = F.cross_entropy(logits.float(), targets, reduction="none")
    return (nats / p_mask / lengths).sum() / rows


@dataclass(frozen=True)
class Bound:
    """Monte-Carlo estimate of a lower bound of log p(answer | prompt), in nats, with its standard error."""

    nats: float
    standard_error: float


def mask_answer(
    prompt: torch.Tensor, answer: torch.Tensor, rows: int, mask_id: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """(noisy ids [rows, length], masking probability [rows]) of one mini-batch of the estimator.

    Row j masks exactly n_j answer tokens, where n sweeps the levels 1..L evenly from a random start, so a
    mini-batch is stratified. Draws, in the official order: the start, then one permutation a row.
    """
    length = len(answer)
    start = int(torch.randint(1, length + 1, ()))
    counts = torch.linspace(float(start), start + (rows - 1) * (length / rows), steps=rows).round().long()
    counts = (counts - 1) % length + 1
    replaced = torch.stack([(torch.arange(length) < count)[torch.randperm(length)] for count in counts])
    noisy = torch.where(replaced.to(answer.device), mask_id, answer)
    return torch.cat([prompt.repeat(rows, 1), noisy], dim=1), (counts / length).to(answer.device)


@torch.inference_mode()
def log_likelihood_bound(
    forward: Forward,
    prompt: torch.Tensor,
    answer: torch.Tensor,
    mask_id: int,
    samples: int = 128,
    batch_rows: int = 16,
    cfg_scale: float = 0.0,
) -> Bound:
    """The official estimator (its `get_log_likelihood`): minus the mean over mini-batches of the weighted CE.

    prompt, answer: 1-D ids. samples: noisy versions of the answer in all, batch_rows a forward. The standard
    error is over mini-batches; 0 if there is a single mini-batch.
    """
    ids = torch.cat([prompt, answer])
    is_prompt = torch.arange(len(ids), device=ids.device) < len(prompt)
    bounds = []
    for _ in range(samples // batch_rows):
        noisy, p_mask = mask_answer(prompt, answer, batch_rows, mask_id)
        logits = guided_logits(forward, noisy, None, is_prompt.repeat(batch_rows, 1), cfg_scale, mask_id)
        masked = noisy == mask_id
        nats = F.cross_entropy(logits[masked].float(), ids.repeat(batch_rows, 1)[masked], reduction="none")
        bounds.append((nats / p_mask[:, None].expand(noisy.shape)[masked]).sum() / batch_rows)
    values = torch.stack(bounds)
    standard_error = float(values.std() / len(values) ** 0.5) if len(values) > 1 else 0.0
    return Bound(-float(values.mean()), standard_error)
