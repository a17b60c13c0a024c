"""Rows and batches: which rows share a canvas, and that generated items are the same on any machine."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from bench.training import rows
from bench.training.batches import CANVASES, Batches
from bench.training.recipe import read_recipe
from bench.training.rows import Rows
from tests.conftest import REPO

RECIPE = read_recipe(REPO / "configs/pocket-training.yaml")
TOKENIZER = str(REPO / "bench/pocket/tokenizer/tokenizer.json")


def test_generated_items_are_the_same_on_any_machine(monkeypatch):
    monkeypatch.setattr(rows, "CHUNK", 500)
    made = rows.task_chunk(TOKENIZER, RECIPE, 1)
    assert made.ids.shape == (500, RECIPE.task_prompt_tokens + RECIPE.task_answer_tokens)
    content = made.ids.tobytes() + made.prompt_lengths.tobytes() + made.answer_lengths.tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == "bdc843844af2ecd0"


def test_generated_problems_are_the_same_on_any_machine_and_none_is_longer_than_the_recipe_allows(monkeypatch):
    monkeypatch.setattr(rows, "CHUNK", 200)
    made = rows.problem_chunk(TOKENIZER, RECIPE, 1)
    assert made.ids.shape == (200, RECIPE.problem_prompt_tokens + RECIPE.problem_answer_tokens)
    content = made.ids.tobytes() + made.prompt_lengths.tobytes() + made.answer_lengths.tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == "9b660f32abbac3dc"
    shorter = rows.problem_chunk(TOKENIZER, replace(RECIPE, problem_prompt_tokens=60), 1)
    assert 0 < len(shorter.ids) < 200
    assert shorter.prompt_lengths.max() <= 60


def test_an_item_that_the_recipe_would_cut_is_refused(monkeypatch):
    monkeypatch.setattr(rows, "CHUNK", 50)
    with pytest.raises(ValueError, match="longer than the recipe's task_prompt_tokens"):
        rows.task_chunk(TOKENIZER, replace(RECIPE, task_prompt_tokens=5), 1)


def test_a_row_goes_to_the_shortest_canvas_that_leaves_room_for_its_answer():
    prompts = np.array([10, 40, 64, 20, 33, 64], dtype=np.int32)
    ids = np.zeros((6, 192), dtype=np.uint16)
    six = Rows(ids, prompts, np.full(6, 20, np.int32), np.zeros(6, np.int32))
    batches = iter(Batches(six, CANVASES, own_canvas=None, size=2, device="cpu", seed=3))
    drawn = [next(batches) for _ in range(4)]
    assert {batch.ids.shape[1] for batch in drawn} == set(CANVASES)
    for batch in drawn:
        assert all((prompt <= 32) == (batch.ids.shape[1] == CANVASES[0]) for prompt in batch.first.tolist())
        assert (batch.last - batch.first).tolist() == [20, 20]
