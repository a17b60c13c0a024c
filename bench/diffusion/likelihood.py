"""LLaDA's training losses: cross-entropy of masked tokens, weighted by the inverse masking probability.

Source: Nie et al., "Large Language Diffusion Models" (arXiv 2502.09992), algorithms 1 and 2, and the
official repository's guidelines. All losses are in nats.
"""

import torch
import torch.nn.functional as F

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


def sft_loss(
    logits: torch.Tensor, targets: torch.Tensor, p_mask: torch.Tensor, answer_lengths: torch.Tensor, rows: int
) -> torch.Tensor:
    """Supervised fine-tuning loss over the masked tokens of a batch (scalar).

    logits [masked, vocabulary] and targets [masked] are those of the masked positions only; p_mask and
    answer_lengths [masked] repeat their row's masking probability and answer length (its EOS padding
    counted); rows is the batch size. Sum of CE / p / length over all masked tokens, over rows.
    """
    nats = F.cross_entropy(logits.float(), targets, reduction="none")
    return (nats / p_mask / answer_lengths).sum() / rows
