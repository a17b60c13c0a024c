"""A model that an engine does not compute, or that lacks an end token, is refused in the parent."""

import json

import pytest

from bench.common.errors import BadInput
from bench.data.prompt import Prompt
from bench.runner import request
from bench.spec import model_rules
from bench.spec.work import Work
from tests.conftest import make_cell
from tests.support.model_directory import LLADA, LLAMA, write


def refusal(cell) -> str:
    with pytest.raises(BadInput) as caught:
        model_rules.check([cell])
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_an_engine_that_does_not_compute_the_model_is_refused_by_key(tmp_path):
    write(tmp_path, LLAMA | {"attention_bias": True})
    cell = make_cell("llama", weights=str(tmp_path), engine="captured")
    assert refusal(cell).startswith(f"{tmp_path / 'config.json'}: attention_bias is True, which engine captured")
    model_rules.check([make_cell("llama", weights=str(tmp_path))])


def test_an_end_of_turn_token_beyond_the_vocabulary_is_refused_where_it_is_read(tmp_path):
    token = {"id": 40, "content": "<|eot_id|>"}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": [token]}))
    model = write(tmp_path / "llada", LLADA)
    cell = make_cell("llada", weights=str(model), tokenizer=str(tmp_path), confidence_eos_eot="intent")
    assert "<|eot_id|> has id 40" in refusal(cell)
    without = make_cell("llada", weights=str(model), tokenizer=str(tmp_path))
    model_rules.check([without])


def test_a_work_folder_whose_models_are_not_here_is_one_line(tmp_path):
    gone = tmp_path / "gone"
    work = Work("s", 1, 0, (make_cell("llama", weights=str(gone)),), {"h": (Prompt("a", None, {"llama": [1]}),)})
    work.save(tmp_path / "work")
    with pytest.raises(BadInput, match=f"^{gone}: no model there"):
        request.resolve_folder(tmp_path / "work")
    write(gone, LLAMA)
    assert request.resolve_folder(tmp_path / "work").cells == work.cells
