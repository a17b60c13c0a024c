"""Peaks of memory that fall where the work grows are found, said and flagged; nothing else is."""

import pandas as pd
import pytest

from bench.analysis import consistency
from bench.analysis.noise import judge
from bench.analysis.scaling import scalings
from bench.analysis.study import Study
from bench.records import trust
from bench.render import consistency as render_consistency
from paper.tables import scaling as tables_scaling
from tests.support.made_up_scaling import run

MIB = 1 / 1024  # GiB


def on_card(kind: str, model: str, allocated_gib: float, **changes) -> dict:
    """A run on a GPU with its peak."""
    row = run(kind, model, 100.0, **({"platform": "cuda", "device": "a card", "verdict": "exclusive"} | changes))
    row["cell_id"] = f"{kind}-{model}-{len(row['run_id'])}"
    del row["memory/resident_gib"]
    return row | {"memory/allocated_gib": allocated_gib}


def places_of(found: list[consistency.Fall]) -> list[tuple]:
    return [(fall.axis, fall.smaller[fall.axis], fall.larger[fall.axis], fall.gib) for fall in found]


def falls_of(*rows: dict) -> list[consistency.Fall]:
    return consistency.falls(pd.DataFrame(rows))


def test_an_impossible_row_is_found_beside_the_highest_peak_below_it():
    prompts = {64: 15.1, 512: 15.6, 1024: 15.9, 2048: 15.7}
    rows = [on_card("prompt", "llama", gib, prompt_tokens=n) for n, gib in prompts.items()]
    assert places_of(falls_of(*rows)) == [("prompt_tokens", 1024, 2048, (15.9, 15.7))]
    assert falls_of(*rows[:3]) == []


@pytest.mark.parametrize("axis", consistency.AXES)
def test_every_axis_is_looked_along(axis):
    found = falls_of(on_card("batch", "llada", 16, **{axis: 64}), on_card("batch", "llada", 15, **{axis: 128}))
    assert places_of(found) == [(axis, 64, 128, (16, 15))]


@pytest.mark.parametrize(
    "other",
    [{"engine": "captured"}, {"head": "lean"}, {"dtype": "int8"}, {"device": "another"}, {"attention": "math"},
     {"peaks_only": "True"}, {"prompt_tokens": 8}, {"limit_gib": "2"}],
)  # fmt: skip
def test_runs_that_differ_in_more_than_the_axis_contradict_nothing(other):
    assert falls_of(on_card("batch", "llada", 16), on_card("batch", "llada", 15, batch_size=8, **other)) == []
    assert len(falls_of(on_card("batch", "llada", 16), on_card("batch", "llada", 15, batch_size=8))) == 1


def test_runs_of_several_grids_and_steps_are_held_against_each_other():
    rows = on_card("prompt", "llada", 16, steps=64), on_card("length", "llada", 15, steps=256, gen_length=256)
    assert places_of(falls_of(*rows)) == [("gen_length", 64, 256, (16, 15))]


def test_prompts_of_their_own_lengths_are_compared_with_themselves_alone():
    uncut = {"prompt_tokens": None}
    small = on_card("sweep", "llada", 16, prompt_hash="one", **uncut)
    assert falls_of(small, on_card("sweep", "llada", 15, prompt_hash="two", batch_size=8, **uncut)) == []
    assert len(falls_of(small, on_card("sweep", "llada", 15, prompt_hash="one", batch_size=8, **uncut))) == 1


def test_scratch_memory_may_fall_and_excluded_runs_say_nothing():
    for less, count in ((7 * MIB, 0), (9 * MIB, 1)):
        assert len(falls_of(on_card("batch", "llama", 16), on_card("batch", "llama", 16 - less, batch_size=8))) == count
    excluded = on_card("batch", "llama", 15, batch_size=8, verdict="violated")
    assert excluded["verdict"] not in trust.PRINTED
    assert falls_of(on_card("batch", "llama", 16), excluded) == []
    assert falls_of(on_card("batch", "llama", 16) | {"memory/allocated_gib": None}) == []


def test_a_resident_set_may_fall_by_pages_that_were_never_given_back():
    rows = [run("batch", "llama", 10) | {"cell_id": "small"}, run("batch", "llama", 10, batch_size=8)]
    for gib, count in ((0.46, 0), (0.44, 1)):
        rows[0]["memory/resident_gib"], rows[1]["memory/resident_gib"] = 0.5, gib
        assert len(falls_of(*rows)) == count


def impossible() -> list[dict]:
    return [on_card("memory", "llama", gib, batch_size=batch) for batch, gib in ((1, 15.2), (8, 15.9), (32, 15.7))]


def test_a_line_names_both_cells_and_both_peaks():
    rows = impossible()
    [head, line] = render_consistency.lines(falls_of(*rows))
    assert head.startswith("MEMORY THAT CANNOT BE RIGHT: 1 peak falls where the work grows")
    assert line == (
        f"  LLaMA, eager engine, 64 tokens, prompts of 32: 15.700 GiB with batch 32"
        f" (memory, cell {rows[2]['cell_id']}), below 15.900 GiB with batch 8 (memory, cell {rows[1]['cell_id']})."
    )
    assert render_consistency.lines(falls_of(*rows), {"another"}) == []
    assert len(render_consistency.lines(falls_of(*rows), {rows[1]["cell_id"]})) == 2
    assert render_consistency.lines([]) == []


def test_both_runs_are_flagged_in_tables_and_maps():
    rows = impossible()
    rows[1]["flags"] = "two modes"
    runs = consistency.with_flags(pd.DataFrame(rows), falls_of(*rows))
    assert runs["flags"].tolist() == ["", "two modes, contradicted peak", "contradicted peak"]
    [group] = scalings(judge(Study("made up", runs)))
    assert tables_scaling.table(group)["64 tokens"].tolist() == ["15.20", "15.90*", "15.70*"]
    assert "*: contradicted peak" in tables_scaling.caption(group)
    [group] = scalings(judge(Study("made up", runs.assign(kind="batch"))))
    assert [("contradicted peak" in note) for note in tables_scaling.table(group)["note"]] == [False, True, True]
    [sound] = scalings(judge(Study("made up", pd.DataFrame(rows))))
    assert "contradicted" not in tables_scaling.caption(sound)
    assert consistency.with_flags(runs, []) is runs
