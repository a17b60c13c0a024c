"""Records of the first version of the identity: met by a door, they are neither taken for done nor lost."""

from dataclasses import replace

import pytest

from bench import run
from bench.common import paths
from bench.common.errors import BadInput, exit_code
from bench.records import former
from bench.records.merge import CellRecords
from bench.records.settings import HumanReferences, Likelihood
from bench.records.types import Round
from bench.runner import order, request
from bench.spec.cell import IDENTITY_VERSION
from bench.spec.work import Work
from bench.store import disk
from tests.conftest import make_cell
from tests.support.records import entry_of, llada_call

OLD = make_cell("llada", revision="old")
WANTED = replace(OLD, identity_version=IDENTITY_VERSION)


def refusal(wanted, recorded, former_revision: str | None = None) -> str:
    """What the check says of a study that holds a recorded cell; empty where it passes."""
    try:
        former.check("mine", [wanted], {recorded.cell_id: CellRecords(recorded)}, former_revision)
    except BadInput as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"revision": "new", "former_revision": "old"}, "most bytes of the weights, or a file of the tokenizer"),
        ({"revision": "new", "former_revision": "old", "steps": 8}, "most bytes of the weights, or a file"),
        ({"prompt_ids": "abc"}, "the token ids of the prompts"),
    ],
)
def test_a_record_that_cannot_be_told_from_another_model_or_other_prompts_stops_the_door(changes, left_out):
    text = refusal(replace(WANTED, **changes), OLD)
    assert len(text.splitlines()) == 1
    assert text.startswith(f"study mine was recorded when the identity of a cell left out {left_out}")
    assert text.endswith("They stay and can be reported; give STUDY=mine-2 to measure")


@pytest.mark.parametrize(
    ("wanted", "recorded"),
    [
        ({}, {}),  # all that counts today was counted
        ({"revision": "new", "former_revision": "old"}, {"revision": "another"}),
        ({"revision": "new", "former_revision": "old"}, {"model": "llama"}),
        ({"revision": "new", "former_revision": "old"}, {"pair": "another"}),
        ({"revision": "new", "former_revision": "old"}, {"identity_version": IDENTITY_VERSION}),
        ({"prompt_ids": "abc"}, {"prompt_hash": "another"}),
        ({"prompt_ids": "abc"}, {"prompt_tokens": 16}),
        ({"prompt_ids": "abc"}, {"identity_version": IDENTITY_VERSION, "prompt_ids": "def"}),
    ],
)
def test_other_records_do_not(wanted, recorded):
    assert refusal(replace(WANTED, **wanted), replace(OLD, **recorded)) == ""


def test_records_whose_name_said_all_go_on_as_done():
    done = {OLD.cell_id: entry_of(OLD, [llada_call(0), llada_call(1)])}
    assert order.rounds_to_do(Work("mine", 1, 0, (WANTED,), {}), done) == []
    told_apart = replace(WANTED, prompt_ids="abc")
    assert order.rounds_to_do(Work("mine", 1, 0, (told_apart,), {}), done) == [(1, [told_apart])]


def test_texts_that_no_model_wrote_do_not_count():
    assert refusal(replace(WANTED, prompt_ids="abc"), HumanReferences.beside(OLD)) == ""


def test_likelihoods_are_told_by_their_models_former_name():
    old = Likelihood("pocket", "llama", "float32", "old", "text", 2, "h")
    new = replace(old, revision="new", identity_version=IDENTITY_VERSION)
    assert "most bytes of the weights" in refusal(new, old, "old")
    assert refusal(new, replace(old, identity_version=IDENTITY_VERSION), "old") == ""
    assert refusal(new, old, "new") == ""
    assert replace(old, identity_version=IDENTITY_VERSION).cell_id == old.cell_id


BASELINE = ["configs/grids/baseline.yaml", "--device", "cpu", "--gen", "32", "--judge", "none"]


@pytest.fixture
def study(tmp_path, monkeypatch) -> list[str]:
    """A study of the shipped LLaMA on a question of one's own, finished by code of the first version; its command."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    asked = tmp_path / "asked.jsonl"
    asked.write_text('{"prompt": "Why?"}\n')
    command = [*BASELINE, "--prompts-file", str(asked), "--rounds", "1"]
    work, _ = request.resolve(request.parse([*command, "--study", "mine"]))
    for cell in work.cells:
        first_version = replace(cell, prompt_ids=None, identity_version=None)
        record = Round("mine", first_version.cell_id, 1, first_version, "ok", started_s=1.0)
        disk.append(disk.path("mine"), record.to_json())
    return command


def test_a_door_that_meets_such_a_study_says_so_in_one_line_and_leaves_it_as_it_is(study, capsys):
    before = disk.path("mine").read_bytes()
    assert exit_code(lambda: run.main([*study, "--study", "mine", "--plan"])) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: study mine was recorded when the identity of a cell left out the token ids")
    assert printed.err.count("\n") == 1
    assert disk.path("mine").read_bytes() == before


def test_the_name_that_the_line_proposes_measures_anew(study, capsys):
    assert exit_code(lambda: run.main([*study, "--study", "mine-2", "--plan"])) == 0
    states = [line.split("  ")[-1] for line in capsys.readouterr().out.splitlines() if " baseline " in line]
    assert states == ["to do"]


def test_cells_whose_name_is_the_same_as_ever_go_on_in_the_same_study(study, capsys):
    """The sentinel's prompts are cut, so its name had their token ids in it from the first."""
    assert (
        exit_code(lambda: run.main(["configs/grids/sentinel.yaml", "--device", "cpu", "--study", "mine", "--plan"]))
        == 0
    )
    assert "to do" in capsys.readouterr().out
