"""Which runs of two studies measured the same thing."""

import itertools

import pandas as pd

from bench.analysis.matching import match
from tests.support.made_up_two_studies import run, sentinel

RUN_IDS = itertools.count()


def runs(*rows: dict) -> pd.DataFrame:
    return pd.DataFrame([row | {"run_id": f"run-{next(RUN_IDS)}"} for row in rows])


def test_machine_commit_revision_and_prompts_may_differ_and_what_differs_of_the_last_two_is_said():
    before = runs(run("llada", [1.0]))
    elsewhere = {"device": "H200", "platform": "cuda", "git": "d00d", "repeat_prompts": "1"}
    for changes, words in (
        ({}, ()),
        ({"revision": "other"}, ("other weights",)),
        ({"prompt_hash": "x", "revision": "y"}, ("other prompts", "other weights")),
    ):
        found = match(before, runs(run("llada", [1.0], **elsewhere, **changes)))
        assert [pair.differences for pair in found.matches] == [words]
        assert found.only_before.empty
        assert found.only_after.empty


def test_any_other_setting_that_differs_parts_two_runs():
    before = runs(run("llada", [1.0]))
    for changes in ({"steps": 32}, {"engine": "captured"}, {"head": "lean"}, {"kind": "batch"}, {"dtype": "int8"},
                    {"steps_timed": 8}, {"temperature": "0.5"}, {"pair": "8b"}, {"cache": "dual"}):  # fmt: skip
        found = match(before, runs(run("llada", [1.0], **changes)))
        assert (found.matches, len(found.only_before), len(found.only_after)) == ([], 1, 1), changes


def test_a_number_is_equal_to_itself_however_it_is_kept_and_a_default_to_its_absence():
    """MLflow keeps parameters as text, and a column that some runs lack becomes one of floats."""
    before = runs(run("llada", [1.0], steps=16, head="official"), run("llama", [1.0]))
    after = runs(run("llada", [1.0], steps=16.0, prompt_tokens=float("nan")))
    assert len(match(before, after).matches) == 1


def test_a_sentinel_is_no_cell():
    found = match(runs(*sentinel("llada", [1.0], [1.0])), runs(*sentinel("llada", [1.0], [1.0])))
    assert (found.matches, len(found.only_before), len(found.only_after)) == ([], 0, 0)


def test_of_several_runs_of_one_setting_those_are_paired_that_differ_in_nothing():
    before = runs(run("llada", [1.0]), run("llada", [1.0], revision="new"))
    after = runs(run("llada", [1.0], revision="new"), run("llada", [1.0], revision="newest"))
    found = match(before, after)
    by_revision = [(pair.before["revision"], pair.after["revision"]) for pair in found.matches]
    assert by_revision == [("new", "new"), ("r", "newest")]
    several = match(before, runs(run("llada", [1.0], revision="newest")))
    assert (several.matches, len(several.only_before), len(several.only_after)) == ([], 2, 1)
