"""What a cell is: what changes what a model reads changes its name; and no prompt is too long for its model."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.common import paths
from bench.data import prompts, tokenizers
from bench.data.prompt import Prompt
from bench.models import checkpoint
from bench.runner.request import Request, resolve
from bench.spec import prompt_ids, rules
from bench.spec.cell import IDENTITY_VERSION, Cell
from tests.support.refusals import refusal

POCKET = Path("bench/pocket")
TEMPLATE = json.loads((POCKET / "tokenizer/tokenizer_config.json").read_text())["chat_template"]


@pytest.fixture(autouse=True)
def own_place(tmp_path, monkeypatch):
    """Prompt sets of these tests lie in a folder of their own."""
    monkeypatch.setattr(paths, "ROOT", tmp_path / "records")


@pytest.fixture
def model(tmp_path) -> Path:
    """The shipped LLaMA with its tokenizer in a directory, as people have theirs: the template in a file of its own."""
    folder = Path(shutil.copytree(POCKET / "llama", tmp_path / "model"))
    shutil.copytree(POCKET / "tokenizer", folder, dirs_exist_ok=True)
    edit(folder / "tokenizer_config.json", chat_template=None)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def edit(file: Path, **values) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def baseline(model: Path, *texts: str) -> Cell:
    """The cell of LLaMA alone that asks a model some questions."""
    tokenizers.tokenizer.cache_clear()  # every command is a process of its own, and its tokenizer is loaded anew
    asked = model.parent / "asked.jsonl"
    asked.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts or ("What is it?", "And why?")))
    request = Request(
        grids=("baseline",), pair="pocket", model=str(model), prompts_file=str(asked), judge="none", device="cpu",
        overrides={"gen_length": 32}, export=Path("nowhere"),
    )  # fmt: skip
    [cell] = [cell for cell in resolve(request)[0].cells if cell.kind == "baseline"]
    return cell


CHANGES = {
    "template file": lambda folder: (folder / "chat_template.jinja").write_text("SYSTEM: be brief. " + TEMPLATE),
    "template file gone": lambda folder: (folder / "chat_template.jinja").unlink(),
    "template in the settings": lambda folder: (
        (folder / "chat_template.jinja").unlink(),
        edit(folder / "tokenizer_config.json", chat_template="Be kind. " + TEMPLATE),
    ),
    "special tokens": lambda folder: (folder / "special_tokens_map.json").write_text('{"eos_token": "<|user|>"}'),
    "tokenizer": lambda folder: edit(folder / "tokenizer.json", normalizer={"type": "Lowercase"}),
    "generation settings": lambda folder: (folder / "generation_config.json").write_text('{"eos_token_id": 5}'),
    "last byte of the weights": lambda folder: change_last_byte(folder / "model.safetensors"),
}


def change_last_byte(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_what_is_read_makes_another_cell(model, change):
    before = baseline(model).cell_id
    assert baseline(model).cell_id == before
    CHANGES[change](model)
    assert baseline(model).cell_id != before


def test_other_token_ids_of_the_same_files_make_another_cell(model, monkeypatch):
    before = baseline(model)
    encode = tokenizers.encode  # another version of a library, say
    monkeypatch.setattr(tokenizers, "encode", lambda directory, text: [*encode(directory, text), 7])
    after = baseline(model)
    assert (after.revision, after.prompt_hash) == (before.revision, before.prompt_hash)
    assert after.prompt_ids != before.prompt_ids
    assert after.cell_id != before.cell_id


def test_a_cell_is_the_same_wherever_its_model_lies(model, tmp_path):
    elsewhere = Path(shutil.copytree(model, tmp_path / "else" / "where"))
    assert baseline(elsewhere).cell_id == baseline(model).cell_id


def test_a_cell_says_by_which_rules_it_is_named(model):
    cell = baseline(model)
    assert cell.identity_version == IDENTITY_VERSION
    assert cell.former_revision not in (None, cell.revision)  # the template lies in a file that once did not count
    assert len(cell.prompt_ids) == 12


@pytest.mark.parametrize(("grid", "pair"), [("sweep", "pocket"), ("tasks", "pocket"), ("smoke", "8b-shapes")])
def test_the_ids_that_were_measured_before_they_counted_are_left_out_and_no_others(grid, pair):
    request = Request(grids=(grid,), pair=pair, device="cpu", export=Path("nowhere"))
    work, _ = resolve(request)
    for cell in work.cells:
        if cell.prompt_tokens is None:
            asked = work.prompts_of(cell)
            assert cell.prompt_ids is None
            other = (Prompt(asked[0].text, asked[0].reference, {cell.model: [1]}), *asked[1:])
            assert prompt_ids.part_of_identity(other, cell.model, cell.prompt_hash) is not None
            assert prompt_ids.part_of_identity(asked, cell.model, "0" * 12) is not None


def test_ids_are_named_by_model_and_order():
    first, second = Prompt("a", None, {"llama": [1, 2], "llada": [3]}), Prompt("b", None, {"llama": [4], "llada": [3]})
    names = [prompt_ids.hash_of(asked, model) for asked in ([first, second], [second, first]) for model in first.ids]
    assert len(set(names)) == 3  # LLaDA's are the same in either order


def test_the_same_texts_with_other_ids_are_kept_beside_the_first(tmp_path):
    first, second = ((Prompt("a", None, {"llama": [token]}),) for token in (1, 2))
    assert prompts.keep(first) == prompts.keep(second) == prompts.keep(first)
    kept = [json.loads(file.read_text())[0]["ids"]["llama"] for file in sorted((paths.ROOT / "prompts").iterdir())]
    assert sorted(kept) == [[1], [2]]
    prompts.stored.cache_clear()
    assert prompts.stored(prompts.keep(first)) == first
    prompts.stored.cache_clear()


def test_a_prompt_that_leaves_no_room_for_the_answer_is_one_line(model):
    text = refusal(baseline, model, "Why?", "word " * 6000)
    assert text.startswith("baseline: prompt 2 has ")
    assert f"tokens, which with an answer of 32 are more than the 4096 positions of {model}; shorten it" in text


def test_a_token_beyond_the_vocabulary_is_one_line(model):
    added = json.loads((model / "tokenizer.json").read_text())["added_tokens"]
    new = added[0] | {"id": 4096, "content": "<|im_start|>"}
    edit(model / "tokenizer.json", added_tokens=[*added, new])
    (model / "chat_template.jinja").write_text("{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}")
    text = refusal(baseline, model)
    assert text.startswith(f"baseline: prompt 1 has the token id 4096, but {model} has a vocabulary of 4096")


def test_a_prompt_without_tokens_is_one_line(model):
    (model / "chat_template.jinja").write_text("{% if false %}{{ messages }}{% endif %}")
    assert refusal(baseline, model) == f"{model}: its tokenizer gives no token for the message 'What is it?'"
    about = checkpoint.read(model)
    text = refusal(rules.check_prompts, [[1], []], 8, about, "mine")
    assert text == f"mine: prompt 2 has no tokens for {model}; give it another text"


@given(st.integers(0, 100), st.integers(0, 100), st.integers(-2, 2), st.integers(-2, 2))
def test_exactly_what_does_not_fit_is_refused(length, gen, room, spare):
    about = checkpoint.Checkpoint(
        Path("here"), "llama", {
            "max_position_embeddings": length + gen + room, "vocab_size": 10 + spare, "hidden_size": 8,
            "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
        },
    )  # fmt: skip
    ids = [9] * length
    if length and room >= 0 and spare >= 0:
        rules.check_ids(ids, gen, about, "this", "do that")
    else:
        assert refusal(rules.check_ids, ids, gen, about, "this", "do that").startswith("this has ")
