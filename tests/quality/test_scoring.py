"""Scoring fails by text or by scorer, never by study, and no number stands under the wrong scorer's name."""

import math
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.quality import judge as judges
from bench.quality import models, scoring
from bench.quality.rows import NotScored, Row, each
from bench.records import merge, metrics
from bench.records.merge import CellRecords
from bench.records.not_scored import judge_of, not_scored_words
from bench.records.types import Scores
from tests.conftest import REPO, make_cell
from tests.support import made_up_judges
from tests.support.records import entry_of, llada_call, round_of

ALL = ["diversity", "bertscore-minilm", "judge-smollm2"]
HALF = "Yes \ud83d."
PLAIN = Row("Say it.", "It is said.", "It is so.", [5, 6, 7])
TOKENIZER = str(REPO / "bench/pocket/tokenizer")


def entry(**cell) -> CellRecords:
    """A cell with one text of two tokens."""
    return entry_of(make_cell("llada", **{"kind": "sweep"} | cell), [llada_call(0, kept=[2])], sequences=[[5, 1]])


def unscored(
    monkeypatch, recorded: CellRecords, reference: str | None, judge: str = "smollm2", texts: tuple = ("Why?",)
) -> dict[str, list[str]]:
    """What is not scored yet of a study with this cell, by kind. texts: of its prompts."""
    prompts = tuple(type("P", (), {"text": text, "reference": reference}) for text in texts)
    monkeypatch.setattr(scoring.disk, "by_cell", lambda study: {"c": recorded})
    monkeypatch.setattr(scoring, "stored", lambda name: prompts)
    return {item.entry.cell.kind: item.missing for item in scoring.unscored("s", "minilm", judge)}


@pytest.mark.parametrize(
    ("cell", "missing"),
    [
        ({}, {"sweep": ALL, "reference": ["diversity", "judge-smollm2"]}),
        ({"kind": "tasks"}, {"tasks": ["tasks"]}),
        ({"stop": "length"}, {}),
        ({"random_seed": 0}, {}),
    ],
)
def test_only_text_that_a_trained_model_was_free_to_end_is_scored(cell, missing, monkeypatch):
    assert unscored(monkeypatch, entry(**cell), "r") == missing


@pytest.mark.parametrize(
    ("cell", "prompts", "scores", "count"),
    [
        ({}, (), {}, 1),
        ({}, (), {"diversity": None}, 0),
        ({}, (), {"diversity": "it died"}, 1),
        ({}, ("Why?",), {}, 0),
        ({"stop": "length"}, (), {}, 0),
        ({"random_seed": 0}, (), {}, 0),
    ],
)
def test_texts_whose_prompts_are_elsewhere_are_counted(cell, prompts, scores, count, monkeypatch):
    recorded = entry(**cell)
    for scorer, failure in scores.items():
        values = {} if failure else {"distinct_2": [0.5]}
        recorded.scores[scorer] = Scores("s", "c", scorer, values, failure=failure)
    monkeypatch.setattr(scoring.disk, "by_cell", lambda study: {"c": recorded})
    monkeypatch.setattr(scoring, "stored", lambda name: prompts)
    assert scoring.without_prompts("s") == count


def test_decoders_are_scored_by_what_they_were_asked(monkeypatch):
    cell = entry(kind="decoders")
    assert unscored(monkeypatch, cell, "a b", texts=("Copy: a b", "Sort: b a")) == {"decoders": ["tasks"]}
    asked = {"decoders": ALL, "reference": ["diversity", "judge-smollm2"]}
    assert unscored(monkeypatch, cell, "r", texts=("Copy: a b", "Why do birds sing?")) == asked
    assert unscored(monkeypatch, entry(kind="sweep"), "a b", texts=("Copy: a b",))["sweep"] == ALL


def test_nothing_is_scored_twice_but_by_a_scorer_that_failed(monkeypatch):
    scored = entry()
    scored.scores = {name: Scores("s", "c", name, {}, ended_s=1.0) for name in ALL}
    assert unscored(monkeypatch, scored, "r") == {"reference": ["diversity", "judge-smollm2"]}
    scored.scores["diversity"] = Scores("s", "c", "diversity", {}, ended_s=1.0, failure="no memory")
    assert unscored(monkeypatch, scored, "r")["sweep"] == ["diversity"]


def test_without_references_there_is_no_bertscore_and_no_human_row(monkeypatch):
    assert unscored(monkeypatch, entry(), None) == {"sweep": ["diversity", "judge-smollm2"]}
    assert unscored(monkeypatch, entry(), None, judge="none") == {"sweep": ["diversity"]}


@dataclass
class Study:
    """A study of one cell, whose records are in a list; what is scored is appended there."""

    records: list
    monkeypatch: pytest.MonkeyPatch

    def score(self, judge: str = "none", since_s: float | None = None) -> CellRecords:
        """Score what has no scores; returns the cell's records."""
        scoring.score_study("s", "minilm", judge, since_s, self.records.append)
        return self.by_cell()["c"]

    def by_cell(self) -> dict[str, CellRecords]:
        return merge.group(self.records)

    @property
    def human(self) -> CellRecords:
        return next(entry for entry in self.by_cell().values() if entry.cell.kind == "reference")


@pytest.fixture
def study_of(monkeypatch):
    """Make a study from (reference, text) pairs: a prompt each, and the text that a model answered."""

    def make(*pairs: tuple[str, str]) -> Study:
        prompts = [type("P", (), {"text": "Say it.", "reference": reference}) for reference, _ in pairs]
        cell = make_cell("llada", kind="sweep", prompts=len(pairs), gen_length=32)
        calls = [llada_call(index, kept=[2]) for index in range(len(pairs))]
        study = Study([round_of(cell, calls, sequences=[[5, 1]] * len(pairs))], monkeypatch)
        monkeypatch.setattr(scoring, "stored", lambda name: tuple(prompts))
        monkeypatch.setattr(scoring.generations, "decode", lambda directory, record: [text for _, text in pairs])
        monkeypatch.setattr(scoring.disk, "by_cell", lambda name: study.by_cell())
        return study

    return make


@pytest.fixture
def tiny_judge(tmp_path, monkeypatch) -> str:
    """A sound judge of few positions."""
    monkeypatch.setattr(judges, "CACHE", tmp_path / "cache")
    return made_up_judges.gpt2(tmp_path / "tiny", n_positions=96)


ODD_REFERENCES = {  # by what is odd: (the reference, why BERTScore has no value)
    "empty once cut": ("\n" * 40 + "Rain falls.", "the reference is empty once it is cut to the length of an answer"),
    "half a character": (HALF, "the reference has half a character (\\ud83d)"),
    "only what the encoder drops": ("\ufffd\u200b\x00", "the encoder knows no sign of the reference"),
}


@pytest.mark.parametrize("odd", ODD_REFERENCES)
def test_an_odd_reference_costs_its_own_scores(odd, study_of, tiny_judge):
    reference, reason = ODD_REFERENCES[odd]
    study = study_of(("It is said.", "It is said."), (reference, "It is so."), ("It is not.", ""))
    scored = study.score(tiny_judge)
    bert = scored.scores["bertscore-minilm"]
    assert bert.values["bertscore_f1"] == [pytest.approx(1, abs=1e-3), None, 0.0]
    assert bert.not_scored == {1: reason}
    by_judge = scored.scores[judges.scorer_name(tiny_judge)]
    assert [bool(tokens) for tokens in by_judge.tokens] == [True, True, False]
    assert by_judge.not_scored == {2: "the text is empty"}
    assert None not in scored.scores["diversity"].values["mean_length"]
    assert set(study.human.scores) == {"diversity", judges.scorer_name(tiny_judge)}
    assert metrics.quality_metrics(scored)["quality/not_scored"] == 2
    assert f"bertscore-minilm 1 of 3 texts ({reason})" in not_scored_words(scored)


ODD_TEXTS = {  # by what is odd: (the text, what BERTScore gives it, whether the judge has a perplexity)
    "empty": ("", 0.0, False),
    "only white space": (" \n\t", 0.0, True),
    "a NUL": ("It\x00is so.", ..., True),
    "nothing that the encoder reads": ("\ufffd", 0.0, True),
    "longer than the judge's positions": ("word " * 90, ..., False),
    "longer than the encoder's positions": ("word " * 600, None, False),
    "half a character": (HALF, None, False),
}


@pytest.mark.parametrize("odd", ODD_TEXTS)
def test_an_odd_text_costs_its_own_scores(odd, study_of, tiny_judge):
    text, expected, is_judged = ODD_TEXTS[odd]
    scored = study_of(("It is said.", "It is said."), ("It is so.", text)).score(tiny_judge)
    first, second = scored.scores["bertscore-minilm"].values["bertscore_f1"]
    assert first == pytest.approx(1, abs=1e-3)
    assert second == expected if expected is not ... else 0 < second < 1
    by_judge = scored.scores[judges.scorer_name(tiny_judge)]
    assert by_judge.tokens[0] > 0
    assert bool(by_judge.tokens[1]) == is_judged == (1 not in by_judge.not_scored)
    perplexity = metrics.quality_metrics(scored)["quality/judge_perplexity"]
    if not is_judged:
        assert perplexity == pytest.approx(math.exp(by_judge.nats[0] / by_judge.tokens[0]))


def test_a_library_that_fails_at_one_text_leaves_the_others(study_of, monkeypatch):
    whole = models.BertScore.__call__

    def fails(self, texts, references):
        if "poison" in texts:
            raise RuntimeError("no such word\nat all")
        return whole(self, texts, references)

    monkeypatch.setattr(models.BertScore, "__call__", fails)
    scored = study_of(("It is said.", "It is said."), ("It is so.", "poison")).score()
    assert scored.scores["bertscore-minilm"].values["bertscore_f1"] == [pytest.approx(1, abs=1e-3), None]
    assert scored.scores["bertscore-minilm"].not_scored == {1: "RuntimeError: no such word at all"}


def test_a_scorer_that_fails_leaves_the_others_and_is_asked_again(study_of, monkeypatch):
    whole = models.BertScore
    memory_is_short = [True]

    def load(encoder):
        if memory_is_short:
            raise MemoryError("no room")
        return whole(encoder)

    monkeypatch.setattr(models, "BertScore", load)
    study = study_of(("It is said.", "It is said."))
    scored = study.score()
    assert scored.scores["bertscore-minilm"].failure == "MemoryError: no room"
    assert set(metrics.quality_metrics(scored)) >= {"quality/entropy", "quality/not_scored"}
    assert "quality/bertscore_f1" not in metrics.quality_metrics(scored)
    assert study.score(since_s=0.0) == scored  # it has failed since then
    memory_is_short.clear()
    scored = study.score()
    assert scored.scores["bertscore-minilm"].failure is None
    assert "quality/not_scored" not in metrics.quality_metrics(scored)


def test_the_process_that_dies_costs_the_scorer_that_it_was_at(study_of):
    study = study_of(("It is said.", "It is said."))
    todo = scoring.unscored("s", "minilm", "none")
    assert scoring.in_order(todo) == ["diversity", "bertscore-minilm"]
    study.records += scoring.records_of_death("s", todo, "gone")
    assert study.by_cell()["c"].scores["diversity"].failure == "gone"
    left = scoring.unscored("s", "minilm", "none", tried_since_s=0.0)
    assert scoring.in_order(left) == ["bertscore-minilm"]


def test_a_failed_judge_takes_the_former_ones_number_back(study_of, tiny_judge, monkeypatch):
    study = study_of(("It is said.", "It is said."))
    former = study.score(tiny_judge)
    assert metrics.quality_metrics(former)["quality/judge_perplexity"] > 0
    monkeypatch.setattr(scoring.judges.Judge, "__init__", lambda self, name: 1 / 0)
    other = made_up_judges.gpt2(judges.CACHE.parent / "other", n_head=4)
    scored = study.score(other)
    assert judge_of(scored) == judges.scorer_name(other).removeprefix("judge-")
    assert "quality/judge_perplexity" not in metrics.quality_metrics(scored)
    assert "ZeroDivisionError" in not_scored_words(scored)


def test_a_judge_that_is_killed_takes_the_former_ones_number_back(study_of, tiny_judge, monkeypatch):
    study = study_of(("It is said.", "It is said."))
    study.score(tiny_judge)
    other = made_up_judges.gpt2(judges.CACHE.parent / "other", n_head=4)

    def killed(self, row):
        raise KeyboardInterrupt

    monkeypatch.setattr(judges.Judge, "score_row", killed)
    with pytest.raises(KeyboardInterrupt):
        study.score(other)
    assert "quality/judge_perplexity" not in metrics.quality_metrics(study.by_cell()["c"])


def test_an_earlier_judge_counts_again_when_it_is_asked_again_and_reads_nothing(study_of, tiny_judge, monkeypatch):
    study = study_of(("It is said.", "It is said."))
    first = metrics.quality_metrics(study.score(tiny_judge))["quality/judge_perplexity"]
    other = made_up_judges.gpt2(judges.CACHE.parent / "other", n_head=4)
    assert metrics.quality_metrics(study.score(other))["quality/judge_perplexity"] != first
    monkeypatch.setattr(judges, "Judge", lambda name: pytest.fail("loaded again"))
    assert metrics.quality_metrics(study.score(tiny_judge))["quality/judge_perplexity"] == first
    assert judge_of(study.by_cell()["c"]) == judges.scorer_name(tiny_judge).removeprefix("judge-")


def test_a_record_says_the_same_after_a_way_through_a_file():
    record = Scores("s", "c", "judge-x", {}, nats=[1.0, None], tokens=[2, 0], not_scored={1: "empty"}, failure="gone")
    assert Scores.from_json(record.to_json()) == record
    plain = Scores("s", "c", "diversity", {"entropy": [1.0]})
    assert not {"not_scored", "failure"} & set(plain.to_json())


@pytest.fixture(scope="module")
def bert() -> models.BertScore:
    return models.BertScore("minilm")


@pytest.fixture(scope="module")
def a_judge(tmp_path_factory) -> judges.Judge:
    return judges.Judge(made_up_judges.gpt2(tmp_path_factory.mktemp("judge"), n_positions=96))


TEXTS = st.text(st.characters(exclude_categories=()), max_size=40)  # half characters and control characters too


@settings(max_examples=60, deadline=None)
@given(reference=TEXTS, text=TEXTS)
def test_any_text_has_scores_or_reasons_and_leaves_the_plain_one_beside_it(reference, text, bert, a_judge):
    odd = Row("Say it.", reference, text, [])
    values, reasons = bert.score_rows([PLAIN, odd])
    assert values[0] == pytest.approx(bert.score_row(PLAIN), abs=1e-5)
    assert (values[1] is None) == (1 in reasons)
    assert values[1] is None or math.isfinite(values[1])
    scored, reasons = each([PLAIN, odd], a_judge.score_row)
    assert scored[0] == a_judge.score_row(PLAIN)
    assert (scored[1] is None) == (1 in reasons)


def test_a_fault_of_every_text_is_the_scorers():
    def fails(row):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        each([PLAIN, PLAIN], fails)

    def refuses(row):
        raise NotScored("it is odd")

    assert each([PLAIN, PLAIN], refuses) == ([None, None], {0: "it is odd", 1: "it is odd"})
