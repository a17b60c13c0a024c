"""The file of a pair: one model of each role, each under the name of its kind."""

import pytest
import yaml

from bench.common.errors import BadInput
from bench.spec import expand, grid
from bench.spec import pair as spec_pair

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
        ({"prompts": {"sauce": "x"}}, "prompts.sauce: Extra inputs are not permitted; known keys: source, "),
    ],
)  # fmt: skip
def test_a_pair_that_is_none_is_refused_in_one_line(tmp_path, keys, words):
    with pytest.raises(BadInput) as refusal:
        read(tmp_path, **keys)
    text = str(refusal.value)
    assert text.startswith(f"{tmp_path / 'mine.yaml'}: ")
    assert words in text
    assert len(text.splitlines()) == 1


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
