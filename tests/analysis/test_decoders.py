"""Runs with other decoders stand in no comparison and in no scaling group; they have a table of their own."""

import pandas as pd
import pytest

from bench.analysis.comparison import comparisons
from bench.analysis.decoders import decoders_of, name_of
from bench.analysis.noise import judge
from bench.analysis.scaling import scalings
from bench.analysis.study import Histories, Study
from bench.render import decoders as render
from tests.support.made_up_comparison import MARGINS, MadeUp

DUAL = {"sampler": "threshold", "threshold": 0.9, "cache": "dual", "refresh": "block"}


def judged(rows: list[dict], histories: dict):
    return judge(Study("made up", pd.DataFrame(rows), Histories(histories)))


@pytest.fixture
def study():
    """A sweep as its authors decode, and a run of it with other decoders at each of two step counts."""
    made_up = MadeUp()
    rows = [made_up.row(None, 100, 0.4), *(made_up.row(steps, 10.0 * steps, 0.4) for steps in (4, 8, 16))]
    rows += [
        made_up.row(160, 40.0, 0.3) | DUAL | {"run_id": "fast", "steps": 16, "compute/nfe": 6.5, "engine": "eager"}
    ]
    rows += [made_up.row(80, 30.0, 0.3) | {"run_id": "stops", "steps": 8, "early_stop": "True"}]
    return judged([row | {"cell_id": row["run_id"], "device": "x"} for row in rows], made_up.histories)


@pytest.mark.parametrize(("settings", "name"), [
    ({}, ""), ({"sampler": "fixed", "cache": "none"}, ""), ({"sampler": None, "cache": float("nan")}, ""),
    (DUAL, "threshold 0.9, dual cache (block)"), (DUAL | {"threshold": "0.90"}, "threshold 0.9, dual cache (block)"),
    ({"early_stop": "True"}, "early stop"), ({"sampler": "imposed", "tokens_per_step": 4.0}, "imposed 4"),
    ({"cache": "interval", "prompt_every": 50, "response_every": 7, "ratio": 0.25}, "interval cache (50 7 0.25)"),
], ids=str)  # fmt: skip
def test_a_decoder_has_a_name_and_the_authors_has_none(settings, name):
    assert name_of(pd.Series(settings, dtype=object)) == name


def test_a_comparison_is_of_the_authors_decoder_alone(study):
    [comparison] = comparisons(study, MARGINS)
    assert comparison.diffusion["run_id"].tolist() == ["run-4", "run-8", "run-16"]
    assert comparison.break_even_steps.value == pytest.approx(10)


def test_a_scaling_group_is_of_the_authors_decoder_alone(study):
    rows = [row.to_dict() | {"kind": "batch"} for _, row in study.runs.iterrows()]
    [group] = scalings(judged(rows, {}))
    assert not set(group.every["run_id"]) & {"fast", "stops"}
    assert len(group.every) == 4


def test_the_others_have_a_table(study):
    found = decoders_of(study)
    assert found.every["run_id"].tolist() == ["fast", "stops"]
    text = "\n".join(render.lines(found))
    assert "threshold 0.9, dual cache (block)" in text
    assert "eager, official head" in text
    assert "6.5" in text


def test_the_grid_of_decoders_shows_the_authors_beside_them(study):
    rows = [row.to_dict() | {"kind": "decoders"} for _, row in study.runs.iterrows() if row["steps"] == 16]
    found = decoders_of(judged(rows, {}))
    assert found.every["decoder"].tolist() == ["", "threshold 0.9, dual cache (block)"]
    assert render.AUTHORS in render.lines(found)[0] + render.lines(found)[-1]


def test_a_study_without_them_has_no_table():
    made_up = MadeUp()
    found = decoders_of(judged([made_up.row(4, 10, 0.4)], made_up.histories))
    assert found.every.empty
    assert render.lines(found) == []
