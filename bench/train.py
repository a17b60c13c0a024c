"""Train the pocket pair: a LLaMA and a LLaDA of the same shape, on the same rows.

    make pair                                   # rows, tokenizer, both models, model card
    python -m bench.train --model llada --minutes 45 --out bench/pocket

Needs only torch, transformers and numpy once `.cache/pair` is prepared, so a bare GPU machine can run it.
"""

import argparse
import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM

from bench import models
from bench.diffusion import likelihood
from bench.train_data import EOS, MASK, SPECIALS, Rows, prepare

CACHE = Path(".cache/pair")
CANVASES = (160, 192)  # rows are batched by the shortest canvas that leaves room for their answer
CURVE_POINTS = 20


@dataclass
class Progress:
    """What happened so far: the model card's figures."""

    steps: int = 0
    tokens: int = 0  # positions pushed through the model
    rows: int = 0
    curve: list[dict] = field(default_factory=list)


def special_id(name: str) -> int:
    return SPECIALS.index(name)  # the trainer numbers special tokens in this order


def new_model(recipe: dict, causal: bool, device: str) -> LlamaForCausalLM:
    """An untrained model: normal(0, 0.02), the projections into the residual stream scaled by 1/sqrt(2 layers)."""
    shape = dict(recipe["shape"])
    config = LlamaConfig(
        vocab_size=recipe["vocabulary"],
        rope_parameters={"rope_type": "default", "rope_theta": shape.pop("rope_theta")},
        max_position_embeddings=4096,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=special_id(EOS),
        **shape,
    )
    model = models.build(config, causal)
    for name, parameter in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            parameter.data.mul_(1 / math.sqrt(2 * config.num_hidden_layers))
    return model.to(device)


def optimizers(model: LlamaForCausalLM, settings: dict) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, AdamW for the rest; AdamW for all where muon_lr is 0."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and ".layers." in n and settings["muon_lr"]]
    inside = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in inside]
    found = [torch.optim.AdamW(others, lr=settings["adamw_lr"], betas=(0.9, 0.98), weight_decay=0.0)]
    if matrices:
        found.append(torch.optim.Muon(matrices, lr=settings["muon_lr"], weight_decay=settings["weight_decay"]))
    return found


def llama_loss(model: LlamaForCausalLM, ids: torch.Tensor, first: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    """Mean nats of the answer tokens, the EOS that ends a whole answer included (scalar).

    ids [rows, canvas]; the answer of a row is positions first..last-1. Position i predicts token i + 1.
    """
    position = torch.arange(1, ids.shape[1], device=ids.device)
    scored = (position >= first[:, None]) & (position < last[:, None])
    hidden = model.model(ids, use_cache=False).last_hidden_state[:, :-1]
    logits = model.lm_head(hidden[scored])
    return F.cross_entropy(logits.float(), ids[:, 1:][scored])


def llada_loss(model: LlamaForCausalLM, ids: torch.Tensor, first: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    """LLaDA's SFT loss of a batch; the answer is everything after the prompt, its EOS padding included."""
    rows, canvas = ids.shape
    answer = torch.arange(canvas, device=ids.device) >= first[:, None]
    levels = likelihood.stratified_levels(rows, torch.rand((), device=ids.device))
    p_mask = likelihood.masking_probability(levels)
    noisy, masked = likelihood.corrupt(ids, p_mask, answer, torch.rand(ids.shape, device=ids.device), special_id(MASK))
    hidden = model.model(noisy, use_cache=False).last_hidden_state
    lengths = (canvas - first).float()[:, None].expand(ids.shape)
    weights = p_mask[:, None].expand(ids.shape)
    return likelihood.sft_loss(model.lm_head(hidden[masked]), ids[masked], weights[masked], lengths[masked], rows)


LOSSES = {"llama": llama_loss, "llada": llada_loss}


class Batches:
    """Endless shuffled batches of rows that share a canvas, already on the device."""

    def __init__(self, rows: Rows, batch_rows: int, device: str, seed: int):
        self.ids = torch.from_numpy(rows.ids.astype(np.int16)).to(device)
        self.first = torch.from_numpy(rows.prompt_lengths).to(device)
        self.answer = torch.from_numpy(rows.answer_lengths).to(device)
        room = rows.ids.shape[1] - CANVASES[0]
        short = rows.prompt_lengths <= rows.prompt_lengths.max() - room
        self.buckets = [(CANVASES[0], np.flatnonzero(short)), (CANVASES[1], np.flatnonzero(~short))]
        self.batch_rows, self.random = batch_rows, np.random.default_rng(seed)

    def __iter__(self):
        while True:
            epoch = [
                (canvas, part)
                for canvas, bucket in self.buckets
                for part in np.array_split(self.random.permutation(bucket), max(1, len(bucket) // self.batch_rows))
                if len(part) >= self.batch_rows
            ]
            for i in self.random.permutation(len(epoch)):
                canvas, part = epoch[i]
                yield self.take(canvas, torch.from_numpy(part[: self.batch_rows]).to(self.ids.device))

    def take(self, canvas: int, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(ids [rows, canvas], first answer position [rows], position after the answer [rows])."""
        first = self.first[index]
        return self.ids[index, :canvas].long(), first, (first + self.answer[index]).clamp(max=canvas)


def train(kind: str, recipe: dict, seconds: float, device: str) -> tuple[LlamaForCausalLM, Progress]:
    """Train one model for a wall-clock budget; the learning rate follows the budget down to zero."""
    torch.manual_seed(recipe["seed"])
    settings = recipe["optimizer"]
    model = new_model(recipe, causal=kind == "llama", device=device)
    batches = Batches(Rows.load(CACHE / "train.npz"), settings["batch_rows"], device, recipe["seed"])
    heldout = Batches(Rows.load(CACHE / "heldout.npz"), settings["batch_rows"], device, recipe["seed"])
    stream = iter(batches)
    if device == "cuda":
        torch.set_float32_matmul_precision("high")
        model.model.compile(dynamic=False)
        for canvas, _ in batches.buckets:  # compile before the clock starts
            part = torch.arange(settings["batch_rows"], device=device)
            with torch.autocast("cuda", torch.bfloat16):
                LOSSES[kind](model, *batches.take(canvas, part)).backward()
        model.zero_grad()
    progress, start = Progress(), time.perf_counter()
    steppers = optimizers(model, settings)
    rates = [stepper.param_groups[0]["lr"] for stepper in steppers]
    bar = tqdm(total=round(seconds), desc=kind, unit="s", mininterval=5)
    while (elapsed := time.perf_counter() - start) < seconds:
        done = elapsed / seconds
        for stepper, rate in zip(steppers, rates, strict=True):
            stepper.param_groups[0]["lr"] = rate * min(done / settings["warmup"], (1 - done) / (1 - settings["warmup"]))
        ids, first, last = next(stream)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            loss = LOSSES[kind](model, ids, first, last)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings["clip_norm"])
        for stepper in steppers:
            stepper.step()
            stepper.zero_grad(set_to_none=True)
        progress.steps += 1
        progress.rows += ids.shape[0]
        progress.tokens += ids.numel()
        if done * CURVE_POINTS >= len(progress.curve) + 1:
            value = heldout_loss(kind, model, heldout)
            progress.curve.append({"tokens": progress.tokens, "heldout_nats_per_token": round(value, 4)})
            bar.set_postfix_str(f"{progress.steps} steps, held out {value:.3f}", refresh=False)
        bar.update(round(elapsed) - bar.n)
    bar.close()
    return model, progress


@torch.no_grad()
def heldout_loss(kind: str, model: LlamaForCausalLM, heldout: Batches) -> float:
    """Loss of held-out chat rows (nats a token); the same noise each time, so that the curve is comparable."""
    devices = [heldout.ids.device] if heldout.ids.is_cuda else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(1)
        index = torch.arange(min(len(heldout.ids), heldout.batch_rows), device=heldout.ids.device)
        device_type = heldout.ids.device.type
        with torch.autocast(device_type, torch.bfloat16, enabled=device_type == "cuda"):
            draws = 4 if kind == "llada" else 1
            values = [LOSSES[kind](model, *heldout.take(CANVASES[1], index)) for _ in range(draws)]
    return float(torch.stack(values).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=Path("configs/pocket-training.yaml"))
    parser.add_argument("--model", choices=("llama", "llada"), required=True)
    parser.add_argument("--minutes", type=float, help="budget; default: the recipe's for this device")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--set", nargs="*", default=[], help="optimizer settings, NAME=VALUE")
    parser.add_argument("--out", type=Path, default=Path("bench/pocket"))
    args = parser.parse_args()
    recipe = yaml.safe_load(args.recipe.read_text())
    for item in args.set:
        name, value = item.split("=")
        recipe["optimizer"][name] = float(value) if "." in value else int(value)
    prepare(recipe, CACHE)
    minutes = args.minutes or recipe["minutes"][args.device][args.model]
    model, progress = train(args.model, recipe, 60 * minutes, args.device)
    models.save(model, args.out / args.model, official=args.model == "llada")
    facts = {"minutes": minutes, "device": args.device, "steps": progress.steps, "tokens": progress.tokens}
    facts["epochs"] = round(progress.rows / len(Rows.load(CACHE / "train.npz").ids), 2)
    (args.out / f"{args.model}-training.json").write_text(json.dumps(facts | {"curve": progress.curve}, indent=1))
    print(json.dumps(facts), "last held out:", progress.curve[-1:])


if __name__ == "__main__":
    main()
