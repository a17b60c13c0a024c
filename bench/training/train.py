"""Trains a model of the pocket pair: a LLaMA or a LLaDA of the same shape, on the same rows.

Needs only torch, transformers and numpy once `.cache/pair` is prepared, so a bare GPU machine can run it.
"""

import math
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM

from bench.models import checkpoint, weights
from bench.training import losses
from bench.training.batches import Batch, Data
from bench.training.losses import Loss
from bench.training.recipe import Optimizer, Recipe
from bench.training.rows import EOS, special_id

CURVE_POINTS = 20  # held-out losses, evenly spread over the budget


@dataclass
class Progress:
    """What happened so far: the model card's figures."""

    steps: int = 0  # of the optimizer
    tokens: int = 0  # positions pushed through the model
    epochs: float = 0.0  # over the text
    task_epochs: float = 0.0
    problem_epochs: float = 0.0
    curve: list[dict] = field(default_factory=list)


def new_model(recipe: Recipe, causal: bool, device: str) -> LlamaForCausalLM:
    """An untrained model: normal(0, 0.02), the projections into the residual stream scaled by 1/sqrt(2 layers)."""
    shape = asdict(recipe.shape)
    config = LlamaConfig(
        vocab_size=recipe.vocabulary,
        rope_parameters={"rope_type": "default", "rope_theta": shape.pop("rope_theta")},
        max_position_embeddings=4096,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=special_id(EOS),
        **shape,
    )
    model = weights.build(config, causal)
    for name, parameter in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            parameter.data.mul_(1 / math.sqrt(2 * config.num_hidden_layers))
    return model.to(device)


def optimizers(model: LlamaForCausalLM, settings: Optimizer) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, AdamW for the rest; AdamW for all where muon_lr is 0."""
    named = dict(model.named_parameters())
    of_muon = {name for name, value in named.items() if value.ndim == 2 and ".layers." in name and settings.muon_lr}
    matrices = [value for name, value in named.items() if name in of_muon]
    rest = [value for name, value in named.items() if name not in of_muon]
    adamw = torch.optim.AdamW(rest, lr=settings.adamw_lr, betas=(0.9, 0.98), weight_decay=0.0)
    if not matrices:
        return [adamw]
    return [adamw, torch.optim.Muon(matrices, lr=settings.muon_lr, weight_decay=settings.weight_decay)]


def train(
    kind: str, recipe: Recipe, seconds: float, device: str, start_from: Path | None
) -> tuple[LlamaForCausalLM, Progress]:
    """Train one model for a wall-clock budget; the learning rate follows the budget down to zero.

    kind: llama or llada. device: cuda or cpu. start_from: directory of a model of the same shape, of either kind, that
    is trained on.
    """
    torch.manual_seed(recipe.seed)
    data = Data.load(kind, recipe, device)
    model = new_model(recipe, causal=kind == "llama", device=device)
    if start_from:
        model.load_state_dict(weights.load(checkpoint.read(start_from), device, torch.float32).state_dict())
    loss_of = Loss(kind, model, losses.bf16_is_faster(device))
    if device == "cuda" or shutil.which("g++"):
        compile_for(model, loss_of, data.shapes())  # before the clock starts
    progress = run_budget(model, loss_of, data, recipe.optimizer, seconds)
    progress.epochs = progress.steps * data.text.size / len(data.text.ids)
    progress.task_epochs = progress.steps * data.tasks.size / len(data.tasks.ids)
    progress.problem_epochs = progress.steps * data.problems.size / len(data.problems.ids)
    return model, progress


def compile_for(model: LlamaForCausalLM, loss_of: Loss, batches: list[Batch]) -> None:
    """Compile the model for batches of such shapes, forwards and backwards."""
    for layer in model.model.layers:  # one graph serves all layers; the whole model would compile nine times longer
        layer.compile(dynamic=False)
    for batch in batches:
        loss_of(batch).backward()
    model.zero_grad()


def run_budget(model: LlamaForCausalLM, loss_of: Loss, data: Data, settings: Optimizer, seconds: float) -> Progress:
    """Step until the seconds are over, each step on a batch of text, one of tasks and one of word problems."""
    steppers = optimizers(model, settings)
    progress = Progress()
    parts = [iter(part) for part in data.parts()]
    bar = tqdm(total=round(seconds), desc=loss_of.kind, unit="s", mininterval=5)
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        done = elapsed / seconds
        for part in parts:
            batch = next(part)
            loss_of(batch).backward()
            progress.tokens += batch.ids.numel()
        step(model, steppers, min(done / settings.warmup, (1 - done) / (1 - settings.warmup)), settings.clip_norm)
        progress.steps += 1
        if done * CURVE_POINTS >= len(progress.curve) + 1:
            value = losses.heldout_loss(loss_of, data.heldout)
            progress.curve.append({"tokens": progress.tokens, "heldout_nats_per_token": round(value, 4)})
            bar.set_postfix_str(f"{progress.steps} steps, held out {value:.3f}", refresh=False)
        bar.update(round(elapsed) - bar.n)
    bar.close()
    return progress


def step(model: LlamaForCausalLM, steppers: list[torch.optim.Optimizer], rate: float, clip_norm: float) -> None:
    """A clipped step of each optimizer at `rate` (0..1) of its peak learning rate."""
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    for stepper in steppers:
        group = stepper.param_groups[0]
        group["lr"] = rate * group.setdefault("peak_lr", group["lr"])
        stepper.step()
        stepper.zero_grad(set_to_none=True)


def settings_of(recipe: Recipe, kind: str, device: str, start_from: Path | None) -> dict:
    """What a reader of the model card needs to know of one stage: the recipe's settings as used on this device."""
    return recipe.optimizer.numbers() | {
        "batch_rows": recipe.optimizer.batch_rows[device][kind],
        "task_rows": recipe.optimizer.task_rows[device][kind],
        "problem_rows": recipe.optimizer.problem_rows[device][kind],
        "task_shares": recipe.task_shares,
        "started from": start_from and start_from.name,
    }
