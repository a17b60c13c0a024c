"""A study with greedy and sampled answers: the report leads with the greedy ones and says both."""

import re

import pandas as pd
import pytest

from bench.analysis.study import Histories, Study
from paper.sentences import outcome, threats
from paper.sentences import study as sentences
from tests.support import made_up_page
from tests.support.made_up_page import found


def with_hot(study: Study) -> Study:
    """A study whose every run was made once more at temperature 1, by which half as many answers are right."""
    cold = study.runs.assign(temperature="0.0")
    hot = cold.assign(temperature="1.0", run_id=cold["run_id"] + "-hot")
    hot = hot.assign(**{"quality/accuracy": hot["quality/accuracy"] / 2})
    values = study.histories.values
    more = {(f"{run_id}-hot", name): by_number for (run_id, name), by_number in values.items()}
    return Study("made up", pd.concat([hot, cold], ignore_index=True), Histories(values | more))


@pytest.mark.parametrize(
    ("study", "prefixes"),
    [(made_up_page.tasks, {"t1.tasks."}), (made_up_page.problems, {"t1.problems.b32.", "t1.problems.b8."})],
)
def test_numbers_and_sentences_of_another_temperature_stand_beside_the_greedy_ones(study, prefixes):
    _, selection = found(with_hot(study()))
    assert set(selection.other_temperatures) == prefixes
    numbers = selection.numbers()
    for prefix in prefixes:
        cold, hot = (numbers[f"{start}llama.accuracy"]["value"] for start in (prefix.removeprefix("t1."), prefix))
        assert hot == pytest.approx(cold / 2)
        assert f"{prefix}accuracy.p_reached" in numbers
    needed = outcome.steps_needed(selection.crossing)
    assert needed.count(" and temperature 1") == len(prefixes)
    of_each = {name for name in numbers if name.endswith(".cross_over_steps")} - {"primary.cross_over_steps"}
    assert set(re.findall(r"\\val\{(.+?)\}", needed)) == of_each
    said = " ".join(sentences.of_each(selection.other_temperatures))
    assert said.count("at temperature 1") == len(prefixes)
    assert all(f"\\val{{{prefix}llama.accuracy}}" in said for prefix in prefixes)


def test_a_study_at_one_temperature_says_nothing_of_others():
    _, selection = found(made_up_page.tasks())
    assert selection.other_temperatures == {}
    assert sentences.of_each(selection.other_temperatures) == []


def test_threats_name_every_temperature_that_was_measured():
    _, selection = found(with_hot(made_up_page.tasks()))
    others = list(selection.other_temperatures.values())
    assert threats.decoding(selection.tasks, others).startswith("Both models decode greedily and at temperature 1;")
    assert threats.decoding(selection.tasks, []).startswith("Both models decode greedily;")
