"""What each model of the pocket pair is trained to minimise."""

import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from transformers import LlamaForCausalLM

from bench.diffusion import likelihood
from bench.training.batches import CANVASES, Batch, Batches
from bench.training.rows import MASK, special_id

BF16_SPEEDUP = 1.5  # from which on a CPU trains under autocast
PRODUCTS = 20  # that are timed in each dtype
HELDOUT_ROWS = 256  # of the text that the curve is drawn from


def llama_loss(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """Mean nats of the answer tokens, the EOS that ends a whole answer included (scalar). Position i predicts i + 1."""
    ids = batch.ids
    position = torch.arange(1, ids.shape[1], device=ids.device)
    scored = (position >= batch.first[:, None]) & (position < batch.last[:, None])
    hidden = model.model(ids, use_cache=False).last_hidden_state[:, :-1]
    logits = model.lm_head(hidden[scored])
    return F.cross_entropy(logits.float(), ids[:, 1:][scored])


def llada_loss(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """LLaDA's SFT loss of a batch (scalar); the answer is all of a row's canvas after its prompt, EOS padding too."""
    ids = batch.ids
    rows, canvas = ids.shape
    position = torch.arange(canvas, device=ids.device)
    answer = position >= batch.first[:, None]  # [rows, canvas]
    lengths = canvas - batch.first  # [rows]
    visible = None  # every position
    if batch.end is not None:
        inside = position < batch.end[:, None]
        answer = answer & inside
        lengths = batch.end - batch.first
        visible = inside[:, None, None, :].expand(rows, 1, canvas, canvas)
    levels = likelihood.stratified_levels(rows, torch.rand((), device=ids.device))
    p_mask = likelihood.masking_probability(levels)
    noisy, masked = likelihood.corrupt(ids, p_mask, answer, torch.rand(ids.shape, device=ids.device), special_id(MASK))
    hidden = model.model(noisy, attention_mask=visible, use_cache=False).last_hidden_state
    lengths = lengths.float()[:, None].expand(ids.shape)
    weights = p_mask[:, None].expand(ids.shape)
    return likelihood.masked_loss(model.lm_head(hidden[masked]), ids[masked], weights[masked], lengths[masked], rows)


def bf16_is_faster(device: str) -> bool:
    """Whether a bfloat16 matrix product is 1.5 times as fast as in float32 here: always on a GPU, on some CPUs."""
    return device == "cuda" or product_s(torch.float32) > BF16_SPEEDUP * product_s(torch.bfloat16)


def product_s(dtype: torch.dtype) -> float:
    """Median seconds of a matrix product of the model's size on this CPU."""
    rows = torch.ones(2048, 256, dtype=dtype)
    weights = torch.ones(256, 592, dtype=dtype)
    seconds = []
    for _ in range(PRODUCTS):
        start = time.perf_counter()
        rows @ weights
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[PRODUCTS // 2]


LOSSES = {"llama": llama_loss, "llada": llada_loss}


@dataclass
class Loss:
    """The loss of one kind of model, under autocast where bfloat16 pays."""

    kind: str
    model: LlamaForCausalLM
    bf16: bool

    def __call__(self, batch: Batch) -> torch.Tensor:
        with torch.autocast(batch.ids.device.type, torch.bfloat16, enabled=self.bf16):
            return LOSSES[self.kind](self.model, batch)


@torch.no_grad()
def heldout_loss(loss_of: Loss, heldout: Batches) -> float:
    """Loss of held-out chat rows (nats a token); the same noise each time, so that the curve is comparable."""
    device = heldout.ids.device
    with torch.random.fork_rng(devices=[device] if heldout.ids.is_cuda else []):
        torch.manual_seed(1)
        parts = torch.arange(len(heldout.ids), device=device)[:HELDOUT_ROWS].split(heldout.size)
        with torch.compiler.set_stance("force_eager"):  # compiling for these shapes would cost training time
            values = [loss_of(heldout.take(CANVASES[1], part)) for part in parts]
    return float(torch.stack(values).mean())
