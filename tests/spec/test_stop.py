"""How answers end: the regimes as an axis, and answers that are as long as their prompts' references."""

import json
from pathlib import Path

import pytest
import yaml

from bench.common import paths
from bench.common.errors import BadInput
from bench.data import prompts, tokenizers
from bench.data.prompt import Prompt
from bench.runner import request
from bench.runner.request import Request, resolve
from bench.spec import expand, grid, rules
from bench.spec.pair import read_pair
from bench.spec.work import Work
from bench.store import mlflow_log
from tests.support.refusals import refusal

TOKENIZER = "bench/pocket/tokenizer"
ANSWERS = ("It is a small book about the sea and its ships.", "No.", "Yes, it is, but only on days when it rains.")
KEYS = {"kind": "ends", "model": ["llama", "llada"], "gen_length": 8, "block_length": 8, "steps": 4, "prompts": 3}


@pytest.fixture
def asked(tmp_path, monkeypatch) -> Path:
    """A prompt file with a reference on every line."""
    monkeypatch.setattr(paths, "ROOT", tmp_path / "mlruns")
    return prompt_file(tmp_path, ANSWERS)


def prompt_file(folder: Path, references: tuple[str | None, ...]) -> Path:
    lines = [{"prompt": f"Question {i}?"} | ({"reference": text} if text else {}) for i, text in enumerate(references)]
    file = folder / "asked.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def spanned(folder: Path, asked: Path, **keys) -> Work:
    name = folder / "grid.yaml"
    name.write_text(yaml.safe_dump(KEYS | {"sentinel": False} | keys))
    asked_for = Request(
        grids=(str(name),), pair="pocket", prompts_file=str(asked), judge="none", device="cpu", export=Path("nowhere")
    )
    return resolve(asked_for)[0]


def tokens(text: str) -> int:
    return len(tokenizers.tokenizer(TOKENIZER)(text, add_special_tokens=False)["input_ids"])


def test_a_cell_states_the_length_of_each_reference_in_its_models_tokens(tmp_path, asked):
    work = spanned(tmp_path, asked, stop="references")
    wanted = [min(8, tokens(text)) for text in ANSWERS]
    assert wanted[0] == 8 < tokens(ANSWERS[0])  # cut to what an answer may have
    assert 1 <= wanted[1] < 8
    assert [cell.lengths() for cell in work.cells] == [wanted] * 2
    work.save(tmp_path / "work")
    carried = Work.load(tmp_path / "work")  # as a bare machine reads it, without a tokenizer
    assert carried.cells == work.cells
    assert [cell.lengths() for cell in carried.cells] == [wanted] * 2


def test_the_lengths_are_part_of_what_a_cell_is(tmp_path, asked):
    [cell, _] = spanned(tmp_path, asked, stop="references").cells
    prompt_file(tmp_path, (*ANSWERS[:2], "Yes."))
    [other, _] = spanned(tmp_path, asked, stop="references").cells
    assert cell.cell_id != other.cell_id
    assert cell.cell_id != spanned(tmp_path, asked, stop="references", gen_length=16).cells[0].cell_id


def test_the_regimes_are_an_axis_and_others_state_no_lengths(tmp_path, asked):
    cells = spanned(tmp_path, asked, stop=["length", "eos", "references"]).cells
    assert [(cell.model, cell.stop) for cell in cells] == [
        (model, stop) for model in ("llama", "llada") for stop in ("length", "eos", "references")
    ]
    assert [cell.lengths() is None for cell in cells] == [True, True, False] * 2
    alone = spanned(tmp_path, asked, stop="eos").cells
    assert [cell.cell_id for cell in alone] == [cell.cell_id for cell in cells if cell.stop == "eos"]
    assert len({cell.label for cell in cells}) == len(cells)
    assert "LLaMA, forced length, 8 tokens, batch 1" in {cell.label for cell in cells}
    assert mlflow_log.run_name(cells[1]) == "llama, 8 tokens, natural end"
    assert len({mlflow_log.run_name(cell) for cell in cells}) == len(cells)


def test_joined_prompts_have_the_reference_of_the_first_of_them(tmp_path, asked):
    answers = (*ANSWERS, "Perhaps.", "It was never so.")
    prompt_file(tmp_path, answers)
    [length, references] = spanned(
        tmp_path, asked, stop=["length", "references"], prompt_tokens=8, engine="captured", model="llama"
    ).cells
    assert length.prompt_hash == references.prompt_hash  # one prompt set for both
    joined = prompts.stored(references.prompt_hash)
    assert [len(prompt.ids["llama"]) for prompt in joined] == [8] * 3
    firsts = [int(prompt.text.split("?")[0].removeprefix("Question ")) for prompt in joined]
    assert len(set(firsts)) > 1
    assert [prompt.reference for prompt in joined] == [answers[first] for first in firsts]
    assert references.lengths() == [min(8, tokens(prompt.reference)) for prompt in joined]


def test_joined_prompts_without_references_are_what_they_were(asked):
    encoders = {"llama": lambda text: [ord(letter) for letter in text]}
    plain = prompts.exact(str(asked), 3, 30, encoders)
    kept = prompts.exact(str(asked), 3, 30, encoders, with_references=True)
    assert [(prompt.text, prompt.ids) for prompt in plain] == [(prompt.text, prompt.ids) for prompt in kept]
    assert {prompt.reference for prompt in plain} == {None}


def test_a_prompt_without_a_reference_is_refused_in_one_line(tmp_path, asked):
    for keys, references in (({}, (ANSWERS[0], None)), ({"prompt_tokens": 8}, (None, ANSWERS[0]))):
        prompt_file(tmp_path, references)
        text = refusal(lambda keys=keys: spanned(tmp_path, asked, stop=["length", "references"], **keys))
        assert "grid.yaml: stop: references, but prompt " in text
        assert text.endswith('has no reference; give every line of the prompt file a "reference", or stop: length')
    assert len(spanned(tmp_path, asked, stop="length").cells) == 2


def test_a_reference_that_no_tokenizer_takes_is_refused_in_one_line():
    text = refusal(rules.check_references, (Prompt("a", "b", {}), Prompt("a", "half \ud83d", {})), "grid.yaml")
    assert text == "grid.yaml: stop: references, but the reference of prompt 2 holds half of a character; mend it"


def test_more_lengths_than_a_parameter_holds_are_refused():
    many = (Prompt("a", "b", {}),) * (rules.MOST_STATED + 1)
    rules.check_references(many[1:], "grid.yaml")
    assert "1001 prompts are too many; give 1000 at most" in refusal(rules.check_references, many, "grid.yaml")
    assert 6 * rules.MOST_STATED <= 6000  # characters that MLflow takes


@pytest.mark.parametrize("key", ["steps_timed", "tokens_timed"])
def test_a_part_of_a_call_needs_forced_length(key, tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text(yaml.safe_dump(KEYS | {"stop": ["length", "references"], key: 4}))
    assert f"{key}: such cells are timed, not scored; it needs stop: length" in refusal(grid.read_grid, str(file), {})


def test_natural_ends_are_of_whole_prompts(tmp_path):
    file = tmp_path / "grid.yaml"
    for stop, is_refused in ((["eos", "references"], True), (["length", "references"], False)):
        file.write_text(yaml.safe_dump(KEYS | {"stop": stop, "prompt_tokens": 8}))
        if is_refused:
            assert "it needs stop: length, or references" in refusal(grid.read_grid, str(file), {})
        else:
            assert grid.read_grid(str(file), {}).needs_references


def test_a_study_of_prompts_without_references_goes_without_the_grid(tmp_path, asked):
    pair = read_pair("8b-shapes")
    asked_for = Request(grids=("baseline",), also=("ends",), pair="8b-shapes", prompts_file=str(asked))
    assert "ends" in request.read_grids(asked_for, pair)
    prompt_file(tmp_path, (ANSWERS[0], None))
    assert "ends" not in request.read_grids(asked_for, pair)
    alone = Request(also=("ends",), pair="8b-shapes", prompts_file=str(asked), device="cpu", export=Path("nowhere"))
    with pytest.raises(BadInput, match="ends: stop: references, but prompt 2 has no reference"):
        resolve(alone)


def test_random_weights_have_no_natural_end(tmp_path, asked):
    shapes = yaml.safe_load(Path("configs/pairs/8b-shapes.yaml").read_text())
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(shapes | {"name": "mine"}))  # the grid has no values of its own for it
    asked_for = Request(grids=("baseline",), also=("ends",), pair=str(mine), prompts_file=str(asked))
    assert "ends" not in request.read_grids(asked_for, read_pair(str(mine)))


def test_the_shipped_grid_has_forced_length_beside_another_regime_for_every_pair():
    for pair in ("pocket", "8b", "8b-base", "8b-shapes"):
        read = grid.read_grid("ends", {}, pair)
        assert read.stop[0] == "length"
        assert len(read.stop) > 1
        assert len(expand.as_list(read.batch_size)) > 1
    assert "eos" not in grid.read_grid("ends", {}, "8b-shapes").stop  # random weights have no natural end
