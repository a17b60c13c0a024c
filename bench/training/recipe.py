"""How the pocket pair is trained: configs/pocket-training.yaml, read and checked once.

Plain dataclasses, since a bare GPU machine trains without pydantic. Their fields have the names of the YAML file's keys
and its order, so that `as_dict` gives the file's content back for the model card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

from bench.common import yaml_reader
from bench.common.errors import BadInput

DEVICES = ("cuda", "cpu")
MODELS = ("llama", "llada")
NUMBERS = {"int": (int,), "float": (int, float)}  # what a field of such a type accepts; YAML reads 3 as int
Table = dict[str, dict[str, float]]  # a number by device and model
Part = TypeVar("Part")


@dataclass(frozen=True)
class Shape:
    """The shape of both models, under the names of transformers' LlamaConfig."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    rope_theta: float


@dataclass(frozen=True)
class Optimizer:
    """How a model is optimised.

    batch_rows, task_rows, problem_rows: rows of text, of tasks and of word problems in one step, by device and model.
    adamw_lr: peak learning rate of embeddings and norms, and of all parameters where muon_lr is 0. muon_lr: that of the
    blocks' matrices.
    weight_decay: of those matrices. warmup: share of the budget in which the rate rises. clip_norm: most norm of all
    gradients together.
    """

    batch_rows: Table
    task_rows: Table
    problem_rows: Table
    adamw_lr: float
    muon_lr: float
    weight_decay: float
    warmup: float
    clip_norm: float

    def numbers(self) -> dict[str, float]:
        """The settings that are one number for all devices and models, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.type in NUMBERS}


@dataclass(frozen=True)
class Recipe:
    """All that decides what the pair becomes, but for the text.

    vocabulary: entries of the tokenizer. prompt_tokens, answer_tokens: the longest prompt and answer of a row of text.
    task_items, problem_items: generated items of tasks, and word problems, that are trained on. task_shares: how often
    a task comes in each turn, where that is not once. task_prompt_tokens, task_answer_tokens, problem_prompt_tokens,
    problem_answer_tokens: the longest prompt and answer of an item. minutes: the budget by device and model.
    """

    seed: int
    vocabulary: int
    prompt_tokens: int
    answer_tokens: int
    task_items: int
    task_shares: dict[str, int]
    task_prompt_tokens: int
    task_answer_tokens: int
    problem_items: int
    problem_prompt_tokens: int
    problem_answer_tokens: int
    shape: Shape
    optimizer: Optimizer
    minutes: Table

    def as_dict(self) -> dict:
        """The recipe as plain values, with the keys of the YAML file."""
        return asdict(self)


def read_recipe(file: Path) -> Recipe:
    """The recipe of a YAML file. Raises BadInput, naming file and key, if it is not there or not whole."""
    if not file.is_file():
        raise BadInput(f"{file}: no such training recipe")
    data = yaml_reader.yaml_value(file)
    part_of(Recipe, data, f"{file}")
    shape = part_of(Shape, data["shape"], f"{file}: shape")
    optimizer = part_of(Optimizer, data["optimizer"], f"{file}: optimizer")
    return Recipe(**(data | {"shape": shape, "optimizer": optimizer}))


def part_of(schema: type[Part], data: object, where: str) -> Part:
    """A dataclass from a mapping that has exactly its fields. Raises BadInput, from `where`, if it does not fit."""
    names = [field.name for field in fields(schema)]
    if not isinstance(data, dict):
        raise BadInput(f"{where}: expected a mapping of {', '.join(names)}")
    if missing := [name for name in names if name not in data]:
        raise BadInput(f"{where}: {missing[0]} is missing")
    if unknown := [name for name in data if name not in names]:
        raise BadInput(f"{where}: {unknown[0]}: no such key; known keys: {', '.join(names)}")
    for field in fields(schema):
        check_value(data[field.name], field.type, f"{where}: {field.name}")
    return schema(**data)


def check_value(value: object, kind: str, where: str) -> None:
    """Raises BadInput if a value is not of the kind that a field is annotated with."""
    if kind in NUMBERS:
        check_number(value, NUMBERS[kind], where)
    elif kind == "Table":
        check_table(value, where)
    elif kind.startswith("dict"):
        if not isinstance(value, dict):
            raise BadInput(f"{where}: expected a mapping of names to whole numbers")
        for name, number in value.items():
            check_number(number, NUMBERS["int"], f"{where}: {name}")


def check_table(value: object, where: str) -> None:
    """Raises BadInput if a value is not a number for each device and model."""
    for device in DEVICES:
        of_device = value.get(device) if isinstance(value, dict) else None
        for model in MODELS:
            number = of_device.get(model) if isinstance(of_device, dict) else None
            check_number(number, NUMBERS["float"], f"{where}: {device}: {model}")


def check_number(value: object, types: tuple[type, ...], where: str) -> None:
    """Raises BadInput if a value is not a number of these types, or is negative."""
    if not isinstance(value, types) or isinstance(value, bool) or value < 0:
        expected = "a number" if float in types else "a whole number"
        raise BadInput(f"{where}: {value!r}: expected {expected}, 0 or more")


def with_numbers(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """The recipe with some numbers of its optimizer changed, each given as NAME=VALUE. Raises BadInput."""
    numbers = {}
    for change in changes:
        name, _, value = change.partition("=")
        if name not in recipe.optimizer.numbers():
            raise BadInput(f"--set {change}: the recipe's optimizer has no number {name!r}")
        try:
            numbers[name] = float(value)
        except ValueError:
            raise BadInput(f"--set {change}: {value!r} is no number") from None
    return replace(recipe, optimizer=replace(recipe.optimizer, **numbers))
