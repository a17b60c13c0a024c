"""The recipe is read and checked once; a slip in it is one line, before anything is trained."""

import json
import re

import pytest

from bench.common.errors import BadInput
from bench.training import model_card
from bench.training.recipe import read_recipe, with_numbers
from tests.conftest import REPO

FILE = REPO / "configs/pocket-training.yaml"
CARD = json.loads((REPO / "bench/pocket/card.json").read_text())


def test_the_shipped_recipe_is_the_one_on_the_card():
    assert json.dumps(read_recipe(FILE).as_dict()) == json.dumps(CARD["recipe"])


def test_the_shipped_card_is_written_from_its_facts():
    assert model_card.text(CARD) == (REPO / "bench/pocket/README.md").read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 0", "", "seed is missing"),
        ("seed: 0", "seed: zero", "seed: 'zero': expected a whole number, 0 or more"),
        ("seed: 0", "seed: 0\nsede: 1", "sede: no such key; known keys: seed, "),
        ("  clip_norm: 1.0", "", "optimizer: clip_norm is missing"),
        ("weight_decay: 0.05", "weight_decay: -1", "optimizer: weight_decay: -1: expected a number, 0 or more"),
        ("  cpu: {llama: 40, llada: 180}", "", "minutes: cpu: llama: None: expected a number, 0 or more"),
        ("{lookup: 4, split: 4}", "[lookup]", "task_shares: expected a mapping of names to whole numbers"),
        ("seed: 0", "seed: [", "not valid YAML"),
    ],
)
def test_a_recipe_that_is_not_whole_is_one_line_that_names_file_and_key(old, new, message, tmp_path):
    text = FILE.read_text()
    assert old in text
    broken = tmp_path / "recipe.yaml"
    broken.write_text(text.replace(old, new))
    with pytest.raises(BadInput, match=f"^{re.escape(str(broken))}: {re.escape(message)}") as refused:
        read_recipe(broken)
    assert "\n" not in str(refused.value)


def test_a_recipe_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(BadInput, match="no such training recipe"):
        read_recipe(tmp_path / "none.yaml")


def test_numbers_of_the_optimizer_can_be_set_and_nothing_else():
    changed = with_numbers(read_recipe(FILE), ["muon_lr=0", "clip_norm=2"])
    assert (changed.optimizer.muon_lr, changed.optimizer.clip_norm) == (0.0, 2.0)
    for change, message in (("batch_rows=1", "has no number 'batch_rows'"), ("muon_lr=fast", "'fast' is no number")):
        with pytest.raises(BadInput, match=message):
            with_numbers(read_recipe(FILE), [change])
