"""Recipes: what they may say, and that the shipped ones hold their authors' settings."""

import json

import pytest

from bench.accuracy import recipe
from bench.common.errors import BadInput
from bench.spec.pair import read_pair
from tests.conftest import REPO

SHIPPED = sorted(file.stem for file in (REPO / "configs/recipes").glob("*.yaml"))
SMALL = {
    "lm_eval_task": "t", "form": "plain", "score": {"metric": "acc"},
    "models": {"llama": {"gen_length": 8}, "llada": {"gen_length": 8, "block_length": 8, "steps": 8}},
    "templates": {"own": {}},
}  # fmt: skip


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(REPO)


def written(tmp_path, **changes):
    (tmp_path / "recipes").mkdir(exist_ok=True)
    (tmp_path / "recipes" / "mine.yaml").write_text(json.dumps(SMALL | changes))
    return recipe.read("mine", tmp_path)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_has_three_templates_and_settings_of_both_models(name):
    found, file = recipe.read(name, None)
    assert len(found.templates) == 3
    assert next(iter(found.templates)) == "own"
    pair = read_pair("8b")
    for kind in pair.models:
        grid = recipe.grid_of(found, kind, pair, {}, file)
        assert (grid.kind, grid.stop, grid.temperature) == ("accuracy", "eos", 0.0)


@pytest.mark.parametrize(
    ("name", "length", "block", "steps", "flags"),
    [
        ("gsm8k", 256, 8, 256, (False, "off")),
        ("humaneval", 512, 512, 512, (True, "off")),
        ("mbpp", 256, 256, 256, (False, "official")),
        ("gsm8k-base", 256, 256, 256, (False, "off")),
        ("humaneval-base", 512, 512, 512, (False, "off")),
        ("mbpp-base", 256, 256, 256, (False, "off")),
    ],
)
def test_lladas_settings_are_those_of_its_authors(name, length, block, steps, flags):
    found, file = recipe.read(name, None)
    grid = recipe.grid_of(found, "llada", read_pair("8b"), {}, file)
    assert (grid.gen_length, grid.block_length, grid.steps) == (length, block, steps)
    assert (grid.logits_eos_inf, grid.confidence_eos_eot) == flags


def test_the_command_line_replaces_what_a_recipe_states():
    found, file = recipe.read("gsm8k", None)
    grid = recipe.grid_of(found, "llada", read_pair("8b"), {"steps": [64, 128], "sampler": "threshold"}, file)
    assert (grid.steps, grid.sampler) == ([64, 128], "threshold")


def test_a_task_without_a_recipe_is_refused_by_naming_those_that_there_are():
    with pytest.raises(BadInput, match=r"there is no recipe for lambada \(recipes: .*gsm8k.*humaneval"):
        recipe.read("lambada", None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"templates": {"own": {"doc_to_txt": "x"}}}, "doc_to_txt is no key of a template"),
        ({"templates": {}}, "templates"),
        ({"models": {"llama": {"batch_size": 4}}}, "batch_size is no key of a recipe"),
        ({"models": {"gpt": {}}}, "models"),
        ({"models": {"llama": {"shots": -1}}}, "shots must be a whole number"),
        ({"form": "chatty"}, "form"),
        ({"data": "http://x"}, "package:NAME/FILE"),
        ({"length": 3}, "length"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_line(tmp_path, changes, words):
    with pytest.raises(BadInput, match=words) as error:
        written(tmp_path, **changes)
    assert str(tmp_path / "recipes" / "mine.yaml") in str(error.value)
    assert "\n" not in str(error.value)


def test_a_model_without_settings_is_refused(tmp_path):
    found, file = written(tmp_path, models={"llama": {"gen_length": 8}})
    with pytest.raises(BadInput, match="states no settings for llada"):
        recipe.grid_of(found, "llada", read_pair("8b"), {}, file)
