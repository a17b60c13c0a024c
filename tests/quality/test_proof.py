"""One real call before anything is measured: sound scorers pass it, and what cannot score is one line."""

import pytest

from bench.common.errors import BadInput
from bench.quality import judge as judges
from bench.quality import models, proof
from tests.support import made_up_judges


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """What is found out about judges is kept in a folder of the test's own."""
    monkeypatch.setattr(judges, "CACHE", tmp_path / "cache")


def need_of(judge: str, encoder: str = "minilm") -> proof.Need:
    return proof.Need(encoder, judge, frozenset({judges.scorer_name(judge)}), frozenset())


def check(judge: str) -> None:
    """What a door does before anything is measured."""
    models.check("minilm", judge, contestants=set())
    proof.prove(need_of(judge))


@pytest.mark.parametrize("make", made_up_judges.UNFIT, ids=lambda make: make.__name__)
def test_a_judge_that_cannot_judge_is_one_line(make, tmp_path):
    judge = make(tmp_path / "judge")
    with pytest.raises(BadInput) as caught:
        check(judge)
    assert made_up_judges.UNFIT[make] in str(caught.value)
    assert judge in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("make", [made_up_judges.gpt2, made_up_judges.llama], ids=lambda make: make.__name__)
def test_a_judge_that_can_judge_is_called_once(make, tmp_path):
    judge = make(tmp_path / "judge")
    assert not proof.is_proven(need_of(judge))
    check(judge)
    assert proof.is_proven(need_of(judge))


def test_another_model_in_the_same_directory_is_another_judge_and_called_again(tmp_path):
    judge = made_up_judges.gpt2(tmp_path / "judge")
    before = judges.scorer_name(judge)
    assert judges.scorer_name(judge) == before
    check(judge)
    made_up_judges.gpt2(tmp_path / "judge", n_head=4)
    assert judges.scorer_name(judge) != before
    assert not proof.is_proven(need_of(judge))


def test_the_same_model_elsewhere_is_the_same_judge(tmp_path):
    first = made_up_judges.gpt2(tmp_path / "a" / "judge")
    assert judges.scorer_name(first) == judges.scorer_name(made_up_judges.gpt2(tmp_path / "b" / "judge"))


def test_half_of_the_prompts_must_fit_with_their_answers(tmp_path, monkeypatch):
    judge = judges.Judge(made_up_judges.gpt2(tmp_path / "judge", n_positions=64))
    prompt = type("Prompt", (), {"text": "Write."})
    monkeypatch.setattr(proof, "stored", lambda prompt_hash: (prompt,) * 3)
    assert proof.fault_of_positions(judge, [("hash", 16)]) == ""
    assert "has 64 positions" in proof.fault_of_positions(judge, [("hash", 64)])


def test_an_encoder_passes_and_one_that_sees_no_difference_does_not(monkeypatch):
    proof.prove_encoder("minilm")
    monkeypatch.setattr(models.BertScore, "__call__", lambda self, texts, references: [1.0] * len(texts))
    with pytest.raises(BadInput, match=r"cannot score: a sentence has 1\.000 with itself and 1\.000 with another"):
        proof.prove_encoder("minilm")


def test_an_encoder_that_cannot_be_loaded_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "encoder_directory", lambda encoder: tmp_path)
    with pytest.raises(BadInput, match=r"BERTScore's encoder minilm .* cannot score") as caught:
        proof.prove_encoder("minilm")
    assert len(str(caught.value).splitlines()) == 1


def test_nothing_is_called_where_no_model_scores():
    assert proof.is_proven(proof.Need("minilm", "none", frozenset({"tasks", "diversity"}), frozenset()))


def test_what_is_said_of_every_unfit_judge_names_a_reason_and_no_path_of_a_library(tmp_path, capfd):
    for make in (made_up_judges.custom_code, made_up_judges.quantised, made_up_judges.without_a_shard):
        judge = make(tmp_path / make.__name__)
        capfd.readouterr()  # what making it said
        with pytest.raises(BadInput) as caught:
            check(judge)
        assert "site-packages" not in str(caught.value)
        assert capfd.readouterr().err == ""
