"""How far are a low precision's logits from float32's, on the captured engine and in transformers' own code?

In bfloat16 two right engines need not give the same tokens. With random weights most tokens of an answer differ, since
many logits lie closer together than a rounding step. So each engine is held to the same weights computed in float32,
and the captured engine may be at most 1.1 times as far from them as transformers' own modules are.

The float32 model is never in memory as a whole: each layer is copied, widened, run and dropped.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from transformers import DynamicCache, LlamaForCausalLM

from bench.adapters import captured
from bench.checks.finding import Finding
from bench.models import eight_bits, weights
from bench.models.checkpoint import Checkpoint
from bench.models.release import release
from bench.spec.pair import PairFile

MOST = 1.1  # times transformers' own error
PROMPT_TOKENS = 128
ANSWER_TOKENS = 128  # of a canvas
TOKENS_DECODED = 32  # one by one, behind a prompt
BATCHES = (1, 8)


@dataclass(frozen=True)
class Error:
    """How logits [..., vocabulary] differ from those of float32."""

    relative: float  # norm of the difference over the norm of float32's
    same_token: float  # share of the positions at which both have the same token first

    @classmethod
    def of(cls, logits: torch.Tensor, exact: torch.Tensor) -> "Error":
        relative = float((logits.float() - exact).norm() / exact.norm())
        return cls(relative, float((logits.argmax(-1) == exact.argmax(-1)).float().mean()))


def check(pair: PairFile, device: str) -> Iterator[Finding]:
    """A finding for each model of a pair and each batch. device: cpu or cuda. Precision: the pair's."""
    for files in pair.models.values():
        described = files.describe()
        loaded = weights.load(described, device, getattr(torch, pair.dtype))
        for batch in BATCHES:
            yield finding(described, loaded, batch)
        del loaded
        release(device)


def finding(described: Checkpoint, loaded: LlamaForCausalLM, batch: int, eight_bit_dtype: str = "") -> Finding:
    """Both engines' errors on one batch: of a denoising step, or of a prefill and some decode steps.

    eight_bit_dtype: what the weights are turned into, in place, once float32's logits are there; they are left alone
    where none is given.
    """
    about = described.about_kind
    mask_id = described.mask_id if about.has_steps else None
    logits_of = canvas_logits if about.has_steps else decoded_logits
    with torch.no_grad():
        ids = random_ids(loaded, batch, mask_id)
        exact = float32_logits(loaded, ids)
        if eight_bit_dtype:
            eight_bits.quantise(loaded, eight_bit_dtype)
        own, replayed = logits_of(loaded, ids)
        exact = exact[:, -own.shape[1] :]
    of_transformers, of_captured = Error.of(own, exact), Error.of(replayed, exact)
    ratio = of_captured.relative / of_transformers.relative
    text = (
        f"batch {batch}: captured {of_captured.relative:.4f} from float32, transformers {of_transformers.relative:.4f},"
        f" ratio {ratio:.3f}; float32's first token at {of_captured.same_token:.0%} and"
        f" {of_transformers.same_token:.0%} of positions"
    )
    return Finding(about.label, text, f"a ratio of {MOST} at most", ratio <= MOST)


def random_ids(loaded: LlamaForCausalLM, batch: int, mask_id: int | None) -> torch.Tensor:
    """Seeded token ids [batch, length]: prompts with a canvas of masks behind them, or with tokens to be decoded."""
    generator = torch.Generator().manual_seed(0)
    answer = TOKENS_DECODED if mask_id is None else ANSWER_TOKENS
    ids = torch.randint(loaded.config.vocab_size, (batch, PROMPT_TOKENS + answer), generator=generator)
    if mask_id is not None:
        ids[:, PROMPT_TOKENS:] = mask_id
    return ids.to(loaded.device)


def float32_logits(loaded: LlamaForCausalLM, ids: torch.Tensor) -> torch.Tensor:
    """Logits [batch, length, vocabulary] of the same weights, all arithmetic in float32."""
    inner = loaded.model
    hidden = inner.embed_tokens(ids).float()
    positions = inner.rotary_emb(hidden, torch.arange(ids.shape[1], device=ids.device)[None])
    for layer in inner.layers:
        hidden = copy.deepcopy(layer).float()(hidden, attention_mask=None, position_embeddings=positions)
    return F.linear(copy.deepcopy(inner.norm).float()(hidden), loaded.lm_head.weight.float())


def canvas_logits(loaded: LlamaForCausalLM, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [batch, canvas, vocabulary] of a denoising step, by transformers and by the captured engine."""
    own = loaded(ids, use_cache=False).logits
    return own, captured.StaticBody(loaded, *ids.shape)(ids, None)


class DecoderWithLogits(captured.Decoder):
    """A decoder that keeps the logits [batch, vocabulary] of its latest token."""

    logits: torch.Tensor | None = None

    def take(self, hidden: torch.Tensor) -> None:
        logits = self.weights.logits(hidden)
        if self.logits is None:  # before anything is captured
            self.logits = torch.empty_like(logits)
        self.logits.copy_(logits)
        super().take(hidden)


def decoded_logits(loaded: LlamaForCausalLM, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [batch, 1 + TOKENS_DECODED, vocabulary] behind the prompts and behind each further token, which is given
    and not the one that was decoded; by transformers with its growing cache, and by the captured engine."""
    prompts, tokens = ids[:, :PROMPT_TOKENS], ids[:, PROMPT_TOKENS:].split(1, dim=1)
    cache = DynamicCache(config=loaded.config)
    own = [loaded(rows, past_key_values=cache, logits_to_keep=1).logits for rows in (prompts, *tokens)]
    decoding = captured.Decoding(len(ids), PROMPT_TOKENS, 1 + TOKENS_DECODED, False, 0.0, ends=(0,))
    decoder = DecoderWithLogits(loaded, decoding)
    decoder.fill(prompts, None, may_end=False)
    decoder.prefill()
    replayed = [decoder.logits.clone()]
    for token in tokens:
        decoder.token.copy_(token[:, 0])
        decoder.decode()
        replayed.append(decoder.logits.clone())
    return torch.cat(own, dim=1), torch.stack(replayed, dim=1)
