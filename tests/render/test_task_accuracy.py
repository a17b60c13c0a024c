"""Accuracy in tasks of lm-evaluation-harness in the terminal: the verdict of every outcome, and where it stands."""

import pytest

from bench.analysis import findings
from bench.render import description
from bench.render import task_accuracy as render
from bench.render.study import print_findings, print_headlines
from tests.conftest import REPO
from tests.support.made_up_accuracy import MadeUp, pair_of, right

COUNT = 200
LLAMA = right(120, COUNT)


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(REPO)


def study_of(*templates) -> MadeUp:
    """A study of these templates: (name, answers by steps)."""
    made_up = MadeUp()
    for name, by_steps in templates:
        made_up.add_all(by_steps, name)
    return made_up


def sentences(*templates, pair=None) -> list[str]:
    [found] = study_of(*templates).found(pair)
    return render.sentences(found)


WITHIN = {None: LLAMA, 8: right(60, COUNT), 16: right(90, COUNT), 32: LLAMA}


def test_a_cross_over_is_said_with_the_cost_of_the_fewest_steps():
    words, alone = sentences(("own", WITHIN))
    assert words.startswith(
        "words, template own, 200 questions: LLaDA comes within 0.05 of LLaMA's accuracy of 0.600 [0.531, 0.665] at"
    )
    assert words.endswith(
        " steps; the fewest that are shown to be within it are 32, and there a question takes 3.20 [3.20, 3.20] times"
        " LLaMA's seconds."
    )
    assert alone == (
        "words was asked under one template alone; rankings can flip with the template, and TEMPLATES=all asks the"
        " others."
    )


def test_a_miss_is_said_with_the_difference_and_its_cost():
    words = sentences(("own", {None: LLAMA, 16: right(40, COUNT), 32: right(80, COUNT)}))[0]
    assert words == (
        "words, template own, 200 questions: LLaDA is not shown to come within 0.05 of LLaMA's accuracy of 0.600"
        " [0.531, 0.665]: its accuracy at 32 steps, the most, differs by -0.200 [-0.260, -0.140], and a question takes"
        " 3.20 [3.20, 3.20] times LLaMA's seconds."
    )


def test_the_fewest_measured_are_said_to_be_that():
    assert "are 8 (the fewest measured), and there" in sentences(("own", {None: LLAMA, 8: LLAMA, 16: LLAMA}))[0]


def test_without_a_margin_the_difference_alone_is_said():
    words = sentences(("own", WITHIN), pair=pair_of(None))[0]
    assert "LLaDA's accuracy at 32 steps, the most, differs by 0.000 [" in words
    assert words.endswith(
        "No verdict, since no margin is declared for accuracy: give the pair's file primary_metric: words and one."
    )


def test_a_verdict_that_differs_by_template_is_said_loudly():
    words = sentences(("own", WITHIN), ("asked", {None: LLAMA, 8: right(40, COUNT), 32: right(60, COUNT)}))
    assert words[0].startswith("words, over 2 templates, 200 questions: ")
    assert words[1] == (
        "words: THE VERDICT DIFFERS BY TEMPLATE: own: within 0.05 from 32 steps on, neither shown to be ahead at 32"
        " steps; asked: not shown to be within 0.05, LLaMA ahead at 32 steps."
    )


def test_templates_that_agree_are_said_to():
    words = sentences(("own", WITHIN), ("asked", WITHIN))
    assert words[1].startswith("words: the verdict is the same under each of 2 templates: within 0.05 from 32 steps on")


def test_questions_that_do_not_count_and_runs_that_are_left_out_are_said():
    made_up = study_of(("own", {None: [None, *LLAMA[1:]], 16: LLAMA, 32: LLAMA}))
    made_up.no_match(made_up.add(64, LLAMA))
    [found] = made_up.found()
    words = render.sentences(found)
    assert "template own, 199 questions (1 more, which not all answered, do not count): " in words[0]
    assert words[-1] == (
        "words, left out: template own, llada 64 steps: no answer matched, so this is not the model's accuracy."
    )


def test_times_of_two_devices_are_not_divided():
    made_up = MadeUp()
    made_up.add(None, LLAMA)
    made_up.device = "another card"
    made_up.add(32, LLAMA)
    [found] = made_up.found()
    assert (
        "and there how many times the seconds is not known, since the two did not run on one and the same"
        in (render.sentences(found)[0])
    )
    assert render.table(found.main)["times"].tolist() == ["-", "-"]


def test_other_decoders_and_likelihoods_are_said():
    made_up = study_of(("own", WITHIN))
    made_up.add(32, LLAMA, sampler="threshold", threshold=0.9)
    [found] = made_up.found()
    assert (
        "words, template own: other decoders within 0.05, each tested alone: threshold 0.9 at 3.20 [3.20, 3.20]"
        " times the seconds."
    ) in render.sentences(found)
    choices = MadeUp()
    choices.add(None, LLAMA, gen_length=0)
    choices.add(None, LLAMA, gen_length=0, model="llada", samples=128)
    [found] = choices.found()
    assert "LLaDA is within 0.05 of LLaMA's accuracy" in render.sentences(found)[0]
    assert "its accuracy at 128 samples differs by 0.000" in render.sentences(found)[0]


def test_a_table_has_a_line_for_each_side():
    [found] = study_of(("own", WITHIN)).found()
    table = render.table(found.main)
    assert table["model"].tolist() == ["LLaMA", "LLaDA, 8 steps", "LLaDA, 16 steps", "LLaDA, 32 steps"]
    assert table["within 0.05"].tolist() == ["-", "not shown", "not shown", "yes"]
    assert table["s/item"].tolist()[0].startswith("0.103 [")


def found_in(made_up, monkeypatch, pair):
    monkeypatch.setattr(findings, "read_pair", lambda name: pair)
    return findings.findings_of(made_up.study())


def test_a_study_of_accuracies_alone_has_its_verdict_in_front(monkeypatch, capsys):
    whole = found_in(study_of(("own", WITHIN), ("asked", WITHIN)), monkeypatch, pair_of())
    print_headlines(whole)
    headlines = capsys.readouterr().out
    assert headlines.startswith(
        "\nstudy s, words (the primary metric), 200 questions, float32, batch 1, greedy, eager engine, on a card\n"
        "over 2 templates, 200 questions\n"
    )
    assert headlines.count("of LLaMA's accuracy") == 1
    assert headlines.count(render.ON_TIMES) == 1
    print_findings(whole)
    every = capsys.readouterr().out
    assert [every.count(f"\n{title}, 200 questions\n") for title in ("template own", "template asked")] == [1, 1]
    [paragraph] = description.verdicts(whole)
    assert paragraph.startswith("**Accuracy in words.** words, over 2 templates")


def test_a_primary_task_that_is_not_measured_is_said(monkeypatch, capsys):
    whole = found_in(study_of(("own", WITHIN)), monkeypatch, pair_of("gsm8k"))
    print_headlines(whole)
    out = capsys.readouterr().out
    assert out.startswith(
        "\nAccuracy in gsm8k, the primary metric: not measured of both models (make accuracy TASKS=gsm8k).\n"
    )
    assert "study s, words, 200 questions" in out


def test_rows_of_other_cells_come_without_accuracies(monkeypatch, capsys):
    whole = found_in(study_of(("own", WITHIN)), monkeypatch, pair_of())
    print_findings(whole, {"a cell"})
    assert capsys.readouterr().out == ""


def test_one_model_alone_has_no_verdict(monkeypatch, capsys):
    whole = found_in(study_of(("own", {None: LLAMA})), monkeypatch, pair_of())
    print_headlines(whole)
    out = capsys.readouterr().out
    assert "Accuracy in words, the primary metric: not measured of both models" in out
    assert "words, left out: template own: the diffusion model has no accuracy on these questions." in out
