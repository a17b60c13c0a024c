"""Scaling groups in words and tables, on made-up studies whose times follow a rule."""

from dataclasses import replace

import pandas as pd
import pytest

from bench.analysis import scaling as analysis_scaling
from bench.analysis.study import Histories
from bench.render import scaling as render_scaling
from bench.render import wording
from tests.support.made_up_scaling import batch_study, groups_of, memory_study, probes, run


def test_time_breaks_even_in_words():
    rows = [row for row in batch_study() if {"steps_timed", "tokens_timed"} & set(row)]
    sentences = "".join(render_scaling.sentences(groups_of(rows)["batch"]))
    assert "Time: LLaDA takes as long as LLaMA with 16 [16, 16] steps at batch 1 (extrapolated), " in sentences


@pytest.mark.parametrize(
    ("of_one_round", "words"),
    [
        (
            (8,),
            "16 [16, 16] steps at batch 1 (extrapolated), 2.2 steps at batch 8 (extrapolated; fewer than two common",
        ),
        ((1, 8), "16 steps at batch 1 (extrapolated), 2.2 steps at batch 8 (extrapolated)."),
    ],
)
def test_a_place_without_an_interval_says_so_beside_those_that_have_one(of_one_round, words):
    """Where no place has one, the rounds of the study say it."""
    rows = [row for row in batch_study() if {"steps_timed", "tokens_timed"} & set(row)]
    group = groups_of(rows)["batch"]
    single = set(group.rows.loc[group.rows["batch_size"].isin(of_one_round), "run_id"])
    values = {
        key: {number: value for number, value in by_round.items() if number == 1 or key[0] not in single}
        for key, by_round in group.histories.values.items()
    }
    [sentence] = render_scaling.break_even_sentences(replace(group, histories=Histories(values)))
    assert words in sentence


def test_the_shortcut_is_said_in_words():
    sentences = "".join(render_scaling.sentences(groups_of(batch_study())["batch"]))
    assert (
        "Shortcut: LLaDA (eager engine, official head) from 4 of 16 steps over all of them, batch 1: latency 1.250"
        in sentences
    )


def test_a_title_says_what_the_runs_have_in_common():
    rows = [
        run("attention", "llama", 5),
        run("attention", "llada", 5, steps=16, head="lean"),
        run("attention", "llada", 5, steps=16, head="lean", attention="math"),
    ]
    title = wording.scaling_title(groups_of(rows)["attention"])
    assert title == "attention: batch 1, prompts of 32, float32, eager engine, lean head"
    forced = [row | {"stop": "length"} for row in rows]
    title = wording.scaling_title(groups_of(forced)["attention"])
    assert title == "attention: batch 1, prompts of 32, forced length, float32, eager engine, lean head"


def test_the_table_has_failures_in_their_place_and_says_what_is_extrapolated():
    scaling = groups_of(batch_study())["batch"]
    table = render_scaling.table(scaling)
    assert list(table["batch"]) == ["1", "1", "1", "8", "8", "8", "32"]
    assert list(table["model"].head(3)) == ["llama", "llada", "llada"]
    assert list(table["note"]) == [
        "extrapolated from 16 of 64 tokens", "extrapolated from 4 of 64 steps", "", "extrapolated from 16 of 64 tokens",
        "extrapolated from 4 of 64 steps", "extrapolated from 4 of 16 steps", "oom: no room",
    ]  # fmt: skip
    assert table["latency ms"].iloc[-1] == "-"
    assert render_scaling.sentences(scaling)[-1] == "Left out: 1 of 7 runs (1 oom)."


def test_the_memory_map_shows_peaks_failures_and_what_is_missing():
    scaling = groups_of(memory_study())["memory"]
    llama, llada = render_scaling.lines_in_order(scaling)
    assert render_scaling.map_table(scaling, llama).to_numpy().tolist() == [["0.51", "0.51"], ["0.58", "0.58"]]
    assert render_scaling.map_table(scaling, llada).to_dict() == {
        "64 tokens": {"batch 1": "0.51", "batch 8": "-"},
        "256 tokens": {"batch 1": "-", "batch 8": "oom"},
    }
    assert "extrapolated" not in "\n".join(render_scaling.lines(scaling))


def test_the_frontier_in_a_table():
    rows = probes("llama", (1, "ok"), (8, "ok"), (64, "ok"), (65, "oom"), (70, "oom"))
    rows += probes("llada", (1, "ok"), (8, "oom"), steps=64) + probes("llada", (1, "oom"), steps=256, gen_length=256)
    scaling = groups_of(rows)["frontier"]
    table = render_scaling.edge_table(scaling)
    assert list(table["largest batch that fits"]) == ["64", "1", "none seen"]
    assert list(table["note"]) == ["", "search not at its end", ""]
    assert "reserved then" not in table  # a CPU's allocator is not asked
    assert render_scaling.sentences(scaling) == []
    assert render_scaling.outcome_sentences(scaling) == [
        "Largest batch that fits, 64 tokens: LLaMA 64; LLaDA at least 1.",
        "Largest batch that fits, 256 tokens: LLaDA none.",
    ]


def test_the_frontier_shows_what_the_allocator_held_where_it_tells():
    on_gpu = {"memory/allocated_gib": 63.3, "memory/reserved_gib": 78.2}
    rows = probes("llada", (224, "ok"), steps=64, **on_gpu) + probes("llada", (231, "oom"), steps=64)
    table = render_scaling.edge_table(groups_of(rows)["frontier"])
    assert table[["its peak GiB", "reserved then"]].to_numpy().tolist() == [["63.30", "78.20"]]


@pytest.mark.parametrize("kind", list(analysis_scaling.AXES))
def test_a_kind_whose_every_run_failed_is_shown(kind):
    scaling = groups_of([run(kind, "llada", 1, steps=16, outcome="oom", message="no room")])[kind]
    assert render_scaling.lines(scaling)


def test_notes_of_peaks_and_whole_runs_say_nothing_of_extrapolation():
    part = pd.Series({"steps_timed": 4.0, "steps": 16, "latency/latency_ms": 3.0})
    assert wording.part_words(part) == "extrapolated from 4 of 16 steps"
    assert wording.part_words(part.drop("latency/latency_ms")) == ""
    assert wording.part_words(pd.Series({"latency/latency_ms": 3.0})) == ""


def test_weights_of_other_values_are_said_with_power_and_clock():
    card = {"energy/power_w": 600.0, "compute/sm_clock_mhz": 1500.0}
    own = run("values", "llada", 10, steps=16, **card) | {"latency/step_ms": 10.0}
    zero = run("values", "llada", 8, steps=16, fill="zero") | {"latency/step_ms": 8.0}
    zero |= {"energy/power_w": 400.0, "compute/sm_clock_mhz": 1980.0}
    sentences = "".join(render_scaling.sentences(groups_of([own, zero])["values"]))
    assert "over the model's own weights, zero 0.80 [0.80, 0.80] (600 to 400 W, 1500 to 1980 MHz)." in sentences
