"""Scores of texts whose quality is plain to see."""

import math

import pytest

from bench import quality
from bench.records import CellRecords

TEXT = "A business plan describes the goals of a company, the market it serves and how it will earn money."


@pytest.fixture(scope="module")
def bert():
    return quality.BertScore()


@pytest.fixture(scope="module")
def judge():
    return quality.Judge()


@pytest.mark.parametrize(("text", "value"), [("a b a b", 2 / 3), ("a b c d", 1.0), ("one", None), ("", None)])
def test_distinct_2_by_hand(text, value):
    assert quality.distinct_2(text) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("ids", "value"), [([1] * 8, 0.8), ([1, 2, 3, 4, 5], 0.0), ([1, 2, 3, 4, 1, 2, 3, 4], 0.2), ([1, 2, 3], None)]
)
def test_repetition_by_hand(ids, value):
    assert quality.repetition(ids) == (None if value is None else pytest.approx(value))


def test_bertscore_ranks_a_copy_above_a_paraphrase_above_noise_and_scores_nothing_0(bert):
    paraphrase = "A plan for a business says what the firm wants, whom it serves and how it makes money."
    copy, close, noise, empty = bert([TEXT, paraphrase, ", , , the the of", "  "], [TEXT] * 4)
    assert copy == pytest.approx(1.0, abs=1e-4)
    assert copy > close > noise + 0.2
    assert empty == 0.0


def test_the_judge_prefers_text_to_shuffled_words_and_gives_nothing_for_nothing(judge):
    def perplexity(answer):
        nats, tokens = judge("What is a business plan?", answer)
        return math.exp(nats / tokens)

    assert perplexity(TEXT) < 30 < 200 < perplexity(" ".join(sorted(TEXT.split())))
    assert judge("What is a business plan?", "") == (0.0, 0)


def test_the_judge_is_flattered_by_repetition(judge):
    """Why perplexity is never read alone."""
    nats, tokens = judge("What is a business plan?", " ".join([TEXT] * 4))
    once_nats, once_tokens = judge("What is a business plan?", TEXT)
    assert nats / tokens < 0.5 * once_nats / once_tokens


def entry(**cell) -> CellRecords:
    found = CellRecords({"stop": "eos", "prompt_hash": "h"} | cell)
    found.rounds[1] = {"outcome": "ok", "sequences": [[5, 1]], "calls": [{"kept": [2]}]}
    return found


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (entry(), ["diversity", quality.ENCODER, quality.JUDGE]),
        (entry(stop="length"), []),
        (entry(random_seed=0), []),
    ],
)
def test_only_text_that_a_trained_model_was_free_to_end_is_scored(found, missing, monkeypatch):
    prompt = type("P", (), {"reference": "r"})
    monkeypatch.setattr(quality.records, "by_cell", lambda study: {"c": found})
    monkeypatch.setattr(quality.prompts, "stored", lambda name: (prompt,))
    assert [names for _, _, names in quality.unscored("s")] == ([missing] if missing else [])


def test_without_references_there_is_no_bertscore(monkeypatch):
    prompt = type("P", (), {"reference": None})
    monkeypatch.setattr(quality.records, "by_cell", lambda study: {"c": entry()})
    monkeypatch.setattr(quality.prompts, "stored", lambda name: (prompt,))
    assert quality.unscored("s")[0][2] == ["diversity", quality.JUDGE]
