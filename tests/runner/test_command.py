"""A command says what it is about to do, does what is missing, and knows when there was nothing."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import run as door
from bench.common import provenance
from bench.common.errors import BadInput
from bench.data.prompt import Prompt
from bench.devices import lock
from bench.devices.cards import Card
from bench.quality import scoring
from bench.records.not_scored import NOT_YET
from bench.records.types import Scores
from bench.runner import command, loop, scores
from bench.runner.cluster import RemoteCard
from bench.runner.command import Outcome, Todo
from bench.runner.progress import SCORING, Part
from bench.runner.request import Request
from bench.spec import sentinel
from bench.spec.work import Work
from bench.store.sink import Sink
from tests.conftest import make_cell
from tests.runner.test_loop import CELLS, Scripted

PROMPTS = tuple(Prompt(str(number), None, {"llama": [1], "llada": [1]}) for number in range(2))
WORK = Work("mine", 2, 0, CELLS, {"h": PROMPTS})


@pytest.fixture
def asked(tmp_path, monkeypatch) -> Request:
    """A run of a work folder, as on a bare machine: no MLflow, no scores; workers are scripted."""
    Scripted.asked, Scripted.fatal = [], None
    monkeypatch.setattr(loop, "Worker", Scripted)
    monkeypatch.setattr(loop.estimate, "call_s", lambda *arguments: 1.0)
    monkeypatch.setenv(lock.LOCKS, str(tmp_path))
    return Request(cells=tmp_path, record=tmp_path / "out.jsonl")


def test_the_second_time_there_is_nothing_to_do(asked, capsys):
    sink = Sink("mine", asked.record)
    assert command.run(asked, WORK, None, sink) == Outcome(has_worked=True, failed=0, is_tracked=True)
    said = capsys.readouterr().err
    assert said.startswith("study mine: 4 cells to measure in 2 rounds on this CPU; a first guess is ")
    assert "100%" in said
    report = []
    outcome = command.run(asked, WORK, None, sink, lambda: report.append("read"))
    assert outcome == Outcome(has_worked=False, failed=0, is_tracked=True)
    assert (capsys.readouterr().err, report) == ("", [])
    assert door.idle_text(asked, WORK, 0) == "study mine: nothing to do, everything asked for is measured and scored"
    assert "2 of its cells failed before (RETRY= runs them again)" in door.idle_text(asked, WORK, 2)


@pytest.mark.parametrize(
    ("missing", "words"),
    [(0, ", every text is scored"), (1, "those of 1 set of texts are not"), (2, "those of 2 sets of texts are not")],
)
def test_texts_that_cannot_be_scored_here_are_not_called_scored(missing, words, asked, monkeypatch):
    monkeypatch.setattr(scoring, "without_prompts", lambda study: missing)
    assert words in door.idle_text(replace(asked, score_only=True), WORK, 0)


def test_the_report_is_read_where_anything_was_done(asked):
    assert command.run(asked, WORK, None, Sink("mine", asked.record), lambda: "findings").report == "findings"


def test_a_device_in_use_is_the_only_thing_that_is_said(asked, capsys):
    with lock.lock("cpu", "of somebody else"), pytest.raises(BadInput, match="in use by study of somebody else"):
        command.run(asked, WORK, None, Sink("mine", asked.record))
    assert capsys.readouterr() == ("", "")
    assert Scripted.asked == []


def test_a_round_that_has_begun_on_another_card_is_measured_anew_as_a_whole(asked, monkeypatch, capsys):
    """Else ratios within the round would be of two cards. A round that is whole stays, whichever card it is of."""
    sink = Sink("mine", asked.record)

    def run_on(card, cells, rounds):
        monkeypatch.setattr(command, "held", lambda cards, work: nullcontext((card, "H200")))
        command.run(asked, Work("mine", rounds, 0, cells, {"h": PROMPTS}), None, sink)
        return capsys.readouterr().err

    said = [run_on("A", CELLS, 1), run_on("A", CELLS[:1], 2)]
    Scripted.asked = []
    said.append(run_on("B", CELLS, 2))
    line = "begun on another card, so all cells that are asked for are measured anew: round 2\n"
    assert [line in text for text in said] == [False, False, True]
    assert sorted(cell_id for cell_ids in Scripted.asked for cell_id in cell_ids) == sorted(c.cell_id for c in CELLS)
    cards = [[entry.rounds[number].card for entry in sink.known().values()] for number in (1, 2)]
    assert cards == [["A"] * 4, ["B"] * 4]


@pytest.mark.parametrize(
    ("line", "cells", "words", "cards"),
    [
        ("another", (0, 3), "of another card, on which other cells of this study stand too: round 1;", "AAAB"),
        ("first", (0, 1, 3), "all cells that are asked for are measured anew: round 1\n", "BBAB"),
    ],
)
def test_a_command_takes_no_cell_of_another_from_the_card_of_its_round(
    line, cells, words, cards, asked, monkeypatch, capsys
):
    """Cell 0 was measured beside 1 by one command, and 2 by another. A further command that shares cell 0 would take it
    from those two; the first one itself, cut off with its card, goes on with all of its cells elsewhere."""
    sink = Sink("mine", asked.record)

    def run_on(card, line, cells):
        monkeypatch.setattr(provenance, "command_line", lambda: line)
        monkeypatch.setattr(command, "held", lambda cards, work: nullcontext((card, "H200")))
        work = Work("mine", 1, 0, tuple(CELLS[number] for number in cells), {"h": PROMPTS})
        command.run(asked, work, None, sink)
        return capsys.readouterr().err

    run_on("A", "first", (0, 1))
    run_on("A", "second", (2,))
    assert words in run_on("B", line, cells)
    assert "".join(entry.rounds[1].card for entry in sink.known().values()) == cards


def test_what_is_about_to_be_done_in_words():
    twins = sentinel.twins(make_cell("llada", steps=2, kind="sentinel"), list(CELLS))
    processes = [(1, [twins[0]]), (1, list(CELLS[:3])), (1, [twins[1]])]
    parts = {0: Part("llada", 200.0), SCORING: Part(SCORING, 90.0)}
    assert command.announcement(Todo(processes, []), WORK, parts) == (
        "study mine: 3 cells to measure in 1 round, each between two noise checks, on this CPU; a first guess is"
        " about 5 min, scoring included"
    )
    nothing_scored = {0: Part("llada", 20.0), SCORING: Part(SCORING, 0.0)}
    assert command.announcement(Todo(processes, []), WORK, nothing_scored).endswith("a first guess is under a minute")


def score_line(cell_id: str, scorer: str, **fields) -> str:
    """A record of scores as it stands in a file."""
    return json.dumps(Scores("s", cell_id, scorer, {}, make_cell("llada"), **fields).to_json()) + "\n"


def test_the_share_of_the_scores_is_read_off_the_records(tmp_path):
    file = tmp_path / "records.jsonl"
    file.write_text(score_line("b", "judge-x"))  # of before
    share = scores.Share(SimpleNamespace(file=file), {("a", "diversity"): 1.0, ("a", "judge-x"): 3.0})
    assert share.now() == 0
    last = score_line("a", "diversity")
    with open(file, "a") as stream:
        stream.write(score_line("a", "judge-x", failure=NOT_YET))
        stream.flush()
        assert share.now() == 0
        stream.write(score_line("a", "judge-x") + last[:9])
        stream.flush()
        assert share.now() == 0.75
        stream.write(last[9:])
    assert share.now() == 1


def test_what_is_about_to_be_done_on_several_cards():
    processes = [(number, list(CELLS[:3])) for number in (1, 2)]
    parts = {0: Part("llada", 400.0), SCORING: Part(SCORING, 90.0)}
    cards = [RemoteCard(Card("here", f"GPU-{number}", "H100"), "mine", Path()) for number in range(3)]
    assert command.announcement(Todo(processes, []), WORK, parts, cards, lanes=2) == (
        "study mine: 3 cells to measure in 2 rounds on 3 cards (1 of them without a round: give ROUNDS=3); a first"
        " guess is about 5 min, scoring included"
    )
