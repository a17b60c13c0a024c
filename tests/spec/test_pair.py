"""The file of a pair: one model of each role, each under the name of its kind."""

import pytest
import yaml

from bench.common.errors import BadInput
from bench.spec import expand, grid
from bench.spec import pair as spec_pair
from tests.conftest import REPO

MODEL = {"weights": "bench/pocket/llada", "tokenizer": "bench/pocket/tokenizer"}
GOOD = {"name": "mine", "llama": MODEL, "llada": MODEL, "dtype": "float32", "prompts": {}}


def read(tmp_path, **keys) -> spec_pair.PairFile:
    """The pair of a file with these keys in place of good ones; None leaves a key out."""
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({key: value for key, value in (GOOD | keys).items() if value is not None}))
    return spec_pair.read_pair(str(file))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"llada": None}, "a pair has one autoregressive model (llama) and one diffusion model (llada); models in this"
         " file: llama"),
        ({"llama": None, "llada": None}, "models in this file: none"),
        ({"qwen": MODEL}, "qwen: no such key; known keys: llama, llada, name, dtype, prompts, "),
        ({"llama": None, "lama": MODEL}, "lama: no such key"),
        ({"llama": {"weigths": "x"}}, "llama.weights: Field required"),
        ({"llama": {"weights": 5}}, "llama.weights: Input should be a valid string"),
        ({"llama": {"weights": "x", "extra": 5}}, "llama.extra: Extra inputs are not permitted; known keys: weights, "),
        ({"llada": "bench/pocket/llada"}, "llada: Input should be a valid dictionary or instance of ModelFile"),
        ({"dtype": None}, "dtype: Field required"),
        ({"primary_metric": "gsm9k"}, "primary_metric: 'gsm9k' is neither accuracy nor bertscore_f1 nor a task with a"
         " recipe; did you mean gsm8k? (recipes: arc_challenge-base, gsm8k, gsm8k-base, "),
        ({"primary_metric": "accuracy", "secondary_metric": "chess"}, "secondary_metric: 'chess' is neither accuracy"
         " nor bertscore_f1 nor a task with a recipe (recipes: arc_challenge-base, "),
        ({"primary_metric": 5}, "primary_metric: Input should be a valid string"),
        ({"primary_metric": "gsm8k", "secondary_metric": "gsm8k"}, "secondary_metric: is 'gsm8k', as primary"),
        ({"primary_metric": "gsm8k", "margin": 5}, "margin: Input should be less than 1"),
        ({"primary_metric": "gsm8k", "margin": -0.1}, "margin: Input should be greater than or equal to 0"),
        ({"primary_metric": "gsm8k", "llama": MODEL | {"random_seed": 1}}, "primary_metric does not apply"),
        ({"task_path": "/nowhere"}, "task_path: there is no folder /nowhere/recipes, which has the"),
        ({"prompts": {"sauce": "x"}}, "prompts.sauce: Extra inputs are not permitted; known keys: source, "),
    ],
)  # fmt: skip
def test_a_pair_that_is_none_is_refused_in_one_line(tmp_path, keys, words, monkeypatch):
    monkeypatch.chdir(REPO)
    with pytest.raises(BadInput) as refusal:
        read(tmp_path, **keys)
    text = str(refusal.value)
    assert text.startswith(f"{tmp_path / 'mine.yaml'}: ")
    assert words in text
    assert len(text.splitlines()) == 1


def test_a_task_with_a_recipe_may_be_the_primary_metric(tmp_path, monkeypatch):
    monkeypatch.chdir(REPO)
    pair = read(tmp_path, primary_metric="gsm8k", margin=0.03, secondary_metric="bertscore_f1", secondary_margin=0.02)
    assert pair.primary_task == "gsm8k"
    assert pair.metrics == {"gsm8k": 0.03, "bertscore_f1": 0.02}
    assert pair.accuracy_margin("gsm8k") == 0.03
    assert pair.accuracy_margin("mbpp") == 0.03  # not declared itself: shares of right answers have one unit


def test_a_task_of_the_users_own_has_its_recipe_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(REPO)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "chess.yaml").write_text("")
    assert read(tmp_path, primary_metric="chess", task_path=str(tmp_path)).primary_task == "chess"
    with pytest.raises(BadInput, match=r"'ches' is neither .*; did you mean chess"):
        read(tmp_path, primary_metric="ches", task_path=str(tmp_path))


@pytest.mark.parametrize(
    ("keys", "margin"),
    [
        ({}, None),
        ({"primary_metric": "bertscore_f1", "margin": 0.02}, None),  # another unit
        ({"primary_metric": "accuracy", "margin": 0.05}, 0.05),
        ({"primary_metric": "bertscore_f1", "secondary_metric": "accuracy", "secondary_margin": 0.04}, 0.04),
        ({"primary_metric": "mbpp", "margin": 0.01, "secondary_metric": "gsm8k", "secondary_margin": 0.03}, 0.03),
    ],
)
def test_the_margin_of_a_task_is_its_own_or_that_of_another_accuracy(tmp_path, monkeypatch, keys, margin):
    monkeypatch.chdir(REPO)
    pair = read(tmp_path, **keys)
    assert pair.accuracy_margin("gsm8k") == margin
    assert pair.primary_task == ("mbpp" if keys.get("primary_metric") == "mbpp" else None)


def test_models_have_the_order_of_the_table_of_kinds(tmp_path):
    assert list(read(tmp_path).models) == ["llama", "llada"]


def test_a_grid_may_call_a_model_by_its_role_or_by_its_kind(tmp_path):
    pair = read(tmp_path)
    assert [pair.kind_of(name) for name in ("autoregressive", "diffusion", "llama", "llada")] == [
        "llama", "llada", "llama", "llada",
    ]  # fmt: skip
    by_role, by_kind = (
        expand.cells_of(grid.GridFile(kind="mine", model=name), pair, "cpu", (), "", "mine")
        for name in ("diffusion", "llada")
    )
    assert by_role == by_kind
