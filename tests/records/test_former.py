"""Records of the first version of the identity: met by a door, they are neither taken for done nor lost."""

from dataclasses import replace

import pytest

from bench.common.errors import BadInput
from bench.records import former
from bench.records.merge import CellRecords
from bench.records.settings import HumanReferences, Likelihood
from bench.runner import order
from bench.spec.cell import IDENTITY_VERSION
from bench.spec.work import Work
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
    assert text.endswith("they stay and can be reported, give STUDY=mine-2 to measure")


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
