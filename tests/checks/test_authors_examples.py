"""The authors' examples run on any pair; one that is not as published fails and says how."""

from dataclasses import replace

import pytest
import torch

from bench.adapters import registry
from bench.checks import authors_examples
from bench.spec import pair as spec_pair
from tests.conftest import REPO


@pytest.fixture(scope="module")
def pair():
    shipped = spec_pair.read_pair(str(REPO / "configs/pairs/pocket.yaml"))
    places = {
        kind: spec_pair.ModelFile(
            weights=str(REPO / f"bench/pocket/{kind}"), tokenizer=str(REPO / "bench/pocket/tokenizer")
        )
        for kind in ("llama", "llada")
    }
    return shipped.model_copy(update=places)


def test_a_pair_that_is_not_the_published_one_fails_and_says_why(pair, monkeypatch):
    monkeypatch.setattr(authors_examples, "TOKENS", 32)  # and so many steps: enough for a wrong answer
    findings = list(authors_examples.check(pair, "cpu"))
    lines = [f"{finding.name}: {finding.text}" for finding in findings]
    assert lines[0] == "llada: 7,836,416 parameters, expected 8,015,581,184"
    assert lines[1].startswith("llada: LACKS the answer 72:\n  ")
    assert lines[-1] == "llama: greedy continuation equals generate()"
    assert [finding.met for finding in findings] == [False] * 5 + [True]


def test_the_settings_are_the_authors(pair):
    cell = authors_examples.cell_of(pair, "llada", "cpu")
    assert (cell.steps, cell.gen_length, cell.block_length, cell.temperature) == (128, 128, 32, 0.0)
    assert [number for _, number in authors_examples.QUESTIONS] == [72, 5, 85]


def test_a_llama_that_differs_from_generate_is_noticed(pair, monkeypatch):
    adapter = registry.create("llama")
    adapter.load(replace(authors_examples.cell_of(pair, "llama", "cpu"), gen_length=32))
    assert authors_examples.equals_generate(adapter, pair.models["llama"])
    right = adapter.forward
    monkeypatch.setattr(adapter, "forward", lambda *a: torch.roll(right(*a), 1, dims=-1))
    assert not authors_examples.equals_generate(adapter, pair.models["llama"])
