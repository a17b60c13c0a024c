"""Train the pocket pair: a LLaMA and a LLaDA of the same shape, on the same rows.

    make pair                                   # rows, tokenizer, both models, model card
    python -m bench.train --model llada --minutes 45 --out bench/pocket

Needs only torch, transformers and numpy once `.cache/pair` is prepared, so a bare GPU machine can run it.
"""

import argparse
import math
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
import yaml
from safetensors.torch import load_file
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM

from bench.common.errors import BadInput
from bench.models.weights import build
from bench.training import losses
from bench.training.batches import Data
from bench.training.losses import Loss
from bench.training.rows import EOS, special_id

CURVE_POINTS = 20


@dataclass
class Progress:
    """What happened so far: the model card's figures."""

    steps: int = 0
    tokens: int = 0  # positions pushed through the model
    epochs: float = 0.0  # over the text
    task_epochs: float = 0.0
    curve: list[dict] = field(default_factory=list)


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
    model = build(config, causal)
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


def train(
    kind: str, recipe: dict, seconds: float, device: str, start_from: Path | None
) -> tuple[LlamaForCausalLM, Progress]:
    """Train one model for a wall-clock budget; the learning rate follows the budget down to zero."""
    torch.manual_seed(recipe["seed"])
    settings = recipe["optimizer"]
    data = Data.load(kind, recipe, device)
    model = new_model(recipe, causal=kind == "llama", device=device)
    if start_from:
        model.load_state_dict(load_file(start_from), strict=False)  # the tied head is not in the file
    loss_of = Loss(kind, model, losses.bf16_is_faster(device))
    if device == "cuda" or shutil.which("g++"):
        for layer in model.model.layers:  # one graph serves all layers; the whole model would compile nine times longer
            layer.compile(dynamic=False)
        for batch in data.shapes():  # compile before the clock starts
            loss_of(batch).backward()
        model.zero_grad()
    steppers = optimizers(model, settings)
    progress, start, text, tasks = Progress(), time.perf_counter(), iter(data.text), iter(data.tasks)
    bar = tqdm(total=round(seconds), desc=kind, unit="s", mininterval=5)
    while (elapsed := time.perf_counter() - start) < seconds:
        done = elapsed / seconds
        for batch in (next(text), next(tasks)):  # one step of the optimizer on both
            loss_of(batch).backward()
            progress.tokens += batch.ids.numel()
        step(model, steppers, min(done / settings["warmup"], (1 - done) / (1 - settings["warmup"])), settings)
        progress.steps += 1
        if done * CURVE_POINTS >= len(progress.curve) + 1:
            value = losses.heldout_loss(loss_of, data.heldout)
            progress.curve.append({"tokens": progress.tokens, "heldout_nats_per_token": round(value, 4)})
            bar.set_postfix_str(f"{progress.steps} steps, held out {value:.3f}", refresh=False)
        bar.update(round(elapsed) - bar.n)
    bar.close()
    progress.epochs = progress.steps * data.text.size / len(data.text.ids)
    progress.task_epochs = progress.steps * data.tasks.size / len(data.tasks.ids)
    return model, progress


def step(model: LlamaForCausalLM, steppers: list, rate: float, settings: dict) -> None:
    """One clipped optimizer step at `rate` (0..1) of the peak learning rates."""
    torch.nn.utils.clip_grad_norm_(model.parameters(), settings["clip_norm"])
    for stepper in steppers:
        group = stepper.param_groups[0]
        group["lr"] = rate * group.setdefault("peak_lr", group["lr"])
        stepper.step()
        stepper.zero_grad(set_to_none=True)


def read_recipe(file: Path) -> dict:
    """The training recipe. Raises BadInput if it is not there."""
    if not file.is_file():
        raise BadInput(f"{file}: no such training recipe")
    return yaml.safe_load(file.read_text())


def settings_of(recipe: dict, args: argparse.Namespace) -> dict:
    """What a reader needs to know of one stage: the recipe's settings as used on this device."""
    settings = {k: v for k, v in recipe["optimizer"].items() if not isinstance(v, dict)}
    rows = {k: recipe["optimizer"][k][args.device][args.model] for k in ("batch_rows", "task_rows")}
    start = args.start_from and args.start_from.parent.name
    return settings | rows | {"task_shares": recipe["task_shares"], "started from": start}
