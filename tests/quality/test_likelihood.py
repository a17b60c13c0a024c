"""Likelihood of held-out text: the same bytes for all models, exact where it can be summed by hand."""

import math

import pytest
import torch

from bench.common.errors import BadInput
from bench.models import checkpoint, weights
from bench.quality import likelihood
from bench.spec.pair import ModelFile, read_pair
from tests.support.model_directory import LLAMA, write

WORDS = "The river runs through the old town and past the mill where the children play. "


@pytest.mark.parametrize(
    ("text", "chars", "kept"),
    [
        ("a bc def", 8, "a bc def"),
        ("a bc def", 7, "a bc"),
        ("a bc", 2, "a"),
        ("abcdef", 3, "abc"),
        (" abcdef", 3, " ab"),
        ("   abcdef", 5, "   ab"),
        ("推理的成本", 3, "推理的"),
    ],
)
def test_a_cut_ends_with_a_word_where_there_are_words(text, chars, kept):
    assert likelihood.cut(text, chars) == kept


def test_windows_hold_the_start_of_long_paragraphs_and_what_follows():
    [passage] = likelihood.plain(["short", "", WORDS * 10, WORDS * 12], 1)
    assert (WORDS * 10).startswith(passage.context + passage.answer)
    assert len(passage.context) <= likelihood.CONTEXT_CHARS
    assert likelihood.ANSWER_CHARS - 20 < len(passage.answer) <= likelihood.ANSWER_CHARS
    assert passage.answer.startswith(" ")
    assert not passage.whole


NO_BLANKS = {
    "Chinese": "推理的成本取决于许多因素。" * 60,
    "Thai": "ค่าใช้จ่ายขึ้นอยู่กับหลายปัจจัย" * 40,
    "an address": (WORDS * 2)[:150].rsplit(" ", 1)[0] + " " + "x" * 3000 + " end of it",
    "one long word": "x" * 3000,
    "blanks": "x" * 140 + " " * 700 + "x",
    "tabs": "word\t" * 200,
}


@pytest.mark.parametrize("text", NO_BLANKS.values(), ids=NO_BLANKS)
def test_text_without_blanks_gives_passages_that_every_model_can_score(text):
    passages = likelihood.plain([text, WORDS * 12], 2)
    assert len(passages) == (1 if " " * 700 in text else 2)
    for passage in passages:
        assert (text + WORDS * 12).find(passage.context + passage.answer) >= 0
        assert 0 < len(passage.context) <= likelihood.CONTEXT_CHARS
        assert 0 < len(passage.answer) <= likelihood.ANSWER_CHARS
        assert passage.answer.strip()
    pair = read_pair("pocket")
    for files in (pair.llama, pair.llada):
        likelihood.check(files, passages, "mine")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (LLAMA | {"vocab_size": 4096, "max_position_embeddings": 64}, "positions of"),
        (LLAMA | {"vocab_size": 20, "max_position_embeddings": 4096}, "a vocabulary of 20"),
    ],
)
def test_a_passage_that_a_model_cannot_take_is_one_line_before_anything_loads(config, said, tmp_path):
    files = ModelFile(weights=str(write(tmp_path, config)), tokenizer="bench/pocket/tokenizer")
    with pytest.raises(BadInput, match=r"^TEXT=mine: passage 1 has ") as caught:
        likelihood.check(files, likelihood.plain([WORDS * 12], 1), "mine")
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("nowhere.txt", None, "expected sharegpt, wikitext (from the hub) or a text file"),
        ("short.txt", "one line", "no paragraph has 470 characters"),
        ("wikitext", None, "the hub cannot be reached"),
    ],
)
def test_a_text_that_cannot_be_had_is_one_line(name, content, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if content:
        (tmp_path / name).write_text(content)
    with pytest.raises(BadInput) as caught:
        likelihood.read(name, 4)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.fixture(scope="module")
def llama():
    return weights.load(checkpoint.read("bench/pocket/llama"), "cpu", torch.float32)


def test_exact_nats_are_the_sum_over_tokens(llama):
    context, answer = [5, 9, 11], [20, 30, 40]
    by_hand = 0.0
    for i, token in enumerate(answer):
        logits = llama(torch.tensor([context + answer[:i]])).logits[0, -1]
        by_hand -= float(torch.log_softmax(logits, -1)[token])
    assert likelihood.exact_nats(llama, context, answer) == pytest.approx(by_hand, rel=1e-5)


def test_a_whole_answer_counts_its_end_and_a_cut_one_does_not(llama):
    about = checkpoint.read("bench/pocket/llama")
    nats = {}
    for whole in (True, False):
        passage = likelihood.Passage("Copy: a b", "a b", chat=True, whole=whole)
        nats[whole], error = likelihood.nats_of(llama, about, passage, "bench/pocket/tokenizer", 1)
        assert error == 0.0
    assert math.isfinite(nats[True])
    assert nats[True] > nats[False] > 0


def test_the_bound_prefers_a_right_answer_and_has_an_error():
    about = checkpoint.read("bench/pocket/llada")
    model = weights.load(about, "cpu", torch.float32)
    torch.manual_seed(0)

    def nats(answer: str) -> tuple[float, float]:
        passage = likelihood.Passage("Copy: a b c d", answer, chat=True, whole=True)
        return likelihood.nats_of(model, about, passage, "bench/pocket/tokenizer", 64)

    (right, error), (wrong, _) = nats("a b c d"), nats("d c b a")
    assert 0 < right < wrong - 4
    assert 0 < error < right
