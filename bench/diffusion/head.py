"""LLaDA's head: from the last layer's rows to a candidate token and its confidence at each position.

There are three heads. `official` and `official-old` compute logits for the whole canvas, as the authors' code does now
and did before, when it computed confidence in float64. `lean` computes only the rows that may be committed, and no
distribution is ever written out.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch

from bench.diffusion import samplers
from bench.diffusion.choices import HEAD_ROWS
from bench.diffusion.places import taken
from bench.diffusion.sampling import Sampling
from bench.diffusion.statistics import Statistic

Forward = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]  # ids, attention mask -> logits


class Body(Protocol):
    """A model in two parts, for the lean head; the official heads need a plain `Forward`. A cache needs its `parts`
    besides: (length of the canvas) -> the layers one by one (caches/base.py)."""

    def __call__(self, ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """Logits [rows, canvas, vocabulary]."""

    def trunk(self, ids: torch.Tensor, attention_mask: torch.Tensor | None, positions: torch.Tensor) -> torch.Tensor:
        """What the last layer gives at some positions (LongTensor) of the canvas [rows, positions, width]."""

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits [..., vocabulary] of what the last layer gave [..., width]: its norm, then the head."""


class Proposed(NamedTuple):
    """What a forward says of some positions, each [rows, positions]: a candidate token, the model's probability of it,
    and what the sampler asked besides."""

    candidates: torch.Tensor
    confidence: torch.Tensor
    statistic: torch.Tensor | None = None


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
    candidates = samplers.gumbel_scores(logits, options.temperature).argmax(-1)
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


Propose = Callable[[torch.Tensor, Sampling], tuple[torch.Tensor, torch.Tensor]]


def probability(logits: torch.Tensor, candidates: torch.Tensor, head: str) -> torch.Tensor:
    """The model's probability of each candidate [...] from logits [..., vocabulary], as a head (by name) computes it.

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
    statistic: Statistic | None = None,
    propose: Propose = propose,
) -> Proposed:
    """What a forward says of some positions; no other row meets the head."""
    asked = canvas, attention_mask
    if options.cfg_scale > 0:
        asked = both_halves(canvas, attention_mask, prompt, options.mask_id)
    hidden = body.trunk(*asked, positions)
    shape = (len(canvas), len(positions))
    parts = [half.reshape(-1, half.shape[-1]).split(HEAD_ROWS) for half in hidden.split(len(canvas))]
    proposed = []
    done = 0
    for chunk in zip(*parts, strict=True):
        halves = [body.head(rows) for rows in chunk]
        logits = guide(*halves, options.cfg_scale) if len(halves) > 1 else halves[0]
        rows = slice(done, done := done + len(logits))
        made = propose(logits, options)
        proposed.append((*made, statistic.of(logits, rows)) if statistic else made)
    return Proposed(*(torch.cat(column).view(shape) for column in zip(*proposed, strict=True)))


def proposals(
    forward: Forward | Body,
    canvas: torch.Tensor,
    attention_mask: torch.Tensor | None,
    prompt: torch.Tensor,
    positions: torch.Tensor,
    options: Sampling,
    statistic: Statistic | None = None,
    index: torch.Tensor | None = None,
    propose: Propose = propose,
) -> Proposed:
    """What a forward says of some positions (LongTensor), by the head that `options.head` names.

    The official heads compute logits of all rows that the forward pushes. index [positions] or [rows, positions]: where
    among these the positions are; None where the forward pushes them alone, or all are wanted. propose: `propose`
    itself, or compiled.
    """
    if options.head == "lean":
        return lean_proposals(forward, canvas, attention_mask, prompt, positions, options, statistic, propose)
    logits = guided_logits(forward, canvas, attention_mask, prompt, options.cfg_scale, options.mask_id)
    candidates, confidence = propose(logits, options)
    further = None
    if statistic:
        wanted = logits if index is None else taken(logits, index)
        further = statistic.of(wanted.flatten(0, 1), slice(None)).view(wanted.shape[:2])
    if index is not None:
        candidates, confidence = taken(candidates, index), taken(confidence, index)
    return Proposed(candidates, confidence, further)
