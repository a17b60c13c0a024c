"""Threats to validity that depend on how often and on what a study ran."""

from dataclasses import replace

import pandas as pd
import pytest

from paper.sentences import threats
from tests.support import made_up_page
from tests.support.made_up_page import found


@pytest.mark.parametrize(("rounds", "is_said"), [((1,), False), ((1, 2), True), ((1, 2, 3), False)])
def test_two_rounds_are_a_threat_of_their_own(rounds, is_said):
    """Of one round there is no interval, and of three the spread has two degrees of freedom."""
    study = made_up_page.tasks()
    values = {
        name: {number: value for number, value in by_number.items() if number in rounds or "per_prompt" in name[1]}
        for name, by_number in study.histories.values.items()
    }
    _, selection = found(replace(study, histories=replace(study.histories, values=values)))
    assert selection.tasks.rounds == len(rounds)
    assert bool(threats.of(selection, selection.tasks, "tasks.")["rounds"]) is is_said


@pytest.mark.parametrize(
    ("machines", "words"),
    [
        (['{"1": "A", "2": "A"}', '{"1": "A"}'], "a single card, NVIDIA H200, so that no interval holds"),
        (['{"1": "A", "2": "B"}', '{"1": "A"}'], "one kind of device, NVIDIA H200."),
        ([None, None], "one kind of device, NVIDIA H200."),
    ],
)
def test_a_single_card_is_named_as_such(machines, words):
    runs = pd.DataFrame({"run_id": ["a", "b"], "platform": "cuda", "device": "NVIDIA H200", "machines": machines})
    assert words in threats.machines(runs, runs)


def test_of_a_processor_no_card_is_told():
    runs = pd.DataFrame({"run_id": "a", "platform": "cpu", "device": "a CPU", "machines": ['{"1": "host a CPU"}']})
    assert threats.machines(runs, runs).startswith("All of it ran on one kind of device, a CPU")
    assert threats.machines(runs.head(0), runs) == ""
