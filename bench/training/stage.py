"""One stage of training, from the recipe to a model on disk and the facts that the model card tells of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.models.weights import save
from bench.training.recipe import Recipe
from bench.training.rows import CACHE, prepare
from bench.training.train import settings_of, train


@dataclass(frozen=True)
class Stage:
    """One training run."""

    model: str  # llama or llada
    device: str  # cpu or cuda
    minutes: float  # budget
    out: Path  # the folder with a directory for each model
    start_from: Path | None = None  # directory of a model of the same shape; None: from scratch


def run(recipe: Recipe, stage: Stage) -> dict:
    """Train a model, save it, and add this stage to the facts beside it; returns the stage's facts.

    A later stage of the same model keeps the facts of the earlier ones. Facts: minutes, device, name of the card,
    steps, tokens, epochs of the three kinds of rows, the settings, and the curve of held-out losses.
    """
    prepare(recipe, CACHE)
    model, progress = train(stage.model, recipe, 60 * stage.minutes, stage.device, stage.start_from)
    save(model, stage.out / stage.model, official=stage.model == "llada")
    facts = {
        "minutes": stage.minutes,
        "device": stage.device,
        "card": torch.cuda.get_device_name() if stage.device == "cuda" else None,
        "steps": progress.steps,
        "tokens": progress.tokens,
        "epochs": round(progress.epochs, 2),
        "task_epochs": round(progress.task_epochs, 2),
        "problem_epochs": round(progress.problem_epochs, 2),
        "settings": settings_of(recipe, stage.model, stage.device, stage.start_from),
        "curve": progress.curve,
    }
    file = stage.out / f"{stage.model}-training.json"
    file.write_text(json.dumps([*earlier_stages(stage, file), facts]))
    return facts


def earlier_stages(stage: Stage, file: Path) -> list[dict]:
    """Facts of the stages before this one: those in the file, or on the card of the model that is trained on."""
    if file.is_file():
        return json.loads(file.read_text())
    if stage.start_from is None or stage.start_from.name != stage.model:
        return []
    return json.loads((stage.start_from.parent / "card.json").read_text())[stage.model]["stages"]
