"""What follows from scaling groups, on made-up studies whose times follow a rule."""

import pandas as pd
import pytest

from bench.analysis.noise import judge
from bench.analysis.runs import with_steps, without_steps
from bench.analysis.scaling import scalings
from bench.analysis.study import Study
from bench.render.wording import line_name
from tests.support.made_up_scaling import batch_study, groups_of, probes, run


def test_a_whole_run_stands_for_its_part_and_tells_what_the_shortcut_is_worth():
    scaling = groups_of(batch_study())["batch"]
    assert len(scaling.rows) == 6
    assert len(scaling.parts) == 1
    [shortcut] = scaling.shortcuts
    assert (shortcut.model, shortcut.timed, shortcut.whole, shortcut.unit) == ("llada", 4, 16, "steps")
    assert shortcut.latency.value == pytest.approx(1.25)
    assert shortcut.peak.value == 1


def test_throughput_is_compared_in_the_same_place():
    scaling = groups_of(batch_study())["batch"]
    ratios = {
        (row["batch_size"], row["steps"]): scaling.ratios[row["run_id"]].value
        for _, row in with_steps(scaling.rows).iterrows()
    }
    assert ratios[1, 64] == pytest.approx(65 / 256)
    assert ratios[8, 16] == pytest.approx(72 / (16 * 32))
    assert not set(without_steps(scaling.rows)["run_id"]) & set(scaling.ratios)


def test_time_breaks_even_where_steps_in_proportion_take_as_long_as_llama():
    rows = [row for row in batch_study() if {"steps_timed", "tokens_timed"} & set(row)]
    scaling = groups_of(rows)["batch"]
    assert [(row["batch_size"], row["steps"], steps.value) for row, steps in scaling.break_evens] == [
        (1, 16, pytest.approx(16.25)), (8, 16, pytest.approx(2.25)),
    ]  # fmt: skip


def test_engines_are_never_mixed():
    rows = [run("batch", "llama", 50, engine="captured"), run("batch", "llada", 100, steps=16)]
    scaling = groups_of(rows)["batch"]
    assert scaling.break_evens == []
    assert scaling.ratios == {}


def test_machines_and_limits_are_groups_of_their_own():
    rows = [
        run("batch", "llama", 50),
        run("batch", "llama", 50, device="another"),
        run("batch", "llama", 5, limit_gib="2"),
    ]
    assert len(scalings(judge(Study("made up", pd.DataFrame(rows))))) == 3


def test_lines_say_what_differs():
    rows = [
        run("attention", "llama", 5),
        run("attention", "llada", 5, steps=16, head="lean"),
        run("attention", "llada", 5, steps=16, head="lean", attention="math"),
    ]
    scaling = groups_of(rows)["attention"]
    names = [line_name(line) for line in scaling.rows["line"]]
    assert names == ["LLaMA", "LLaDA, fused attention", "LLaDA, math attention"]


def test_the_frontier_is_what_fits_and_what_does_not():
    rows = probes("llama", (1, "ok"), (8, "ok"), (64, "ok"), (65, "oom"), (70, "oom"))
    rows += probes("llada", (1, "ok"), (8, "oom"), steps=64) + probes("llada", (1, "oom"), steps=256, gen_length=256)
    first, second, third = groups_of(rows)["frontier"].edges
    assert (first.fits, first.fails, first.is_found, first.peak_gib) == (64, 65, True, pytest.approx(1.14))
    assert (second.fits, second.fails, second.is_found) == (1, 8, False)
    assert (third.gen_length, third.fits, third.fails, third.is_found) == (256, None, 1, True)


def test_weights_of_other_values_are_compared_with_the_models_own():
    own = run("values", "llada", 10, steps=16) | {"latency/step_ms": 10.0}
    zero = run("values", "llada", 8, steps=16, fill="zero") | {"latency/step_ms": 8.0}
    [(row, ratio)] = groups_of([own, zero])["values"].beside_own
    assert (row["fill"], ratio.value) == ("zero", pytest.approx(0.8))
    assert groups_of([zero])["values"].beside_own == []  # nothing to compare with


def test_a_frontier_of_a_machine_without_peaks_has_none():
    rows = probes("llada", (1, "ok"), (2, "oom"), steps=64)
    for row in rows:
        row.pop("memory/resident_gib", None)
    [edge] = groups_of(rows)["frontier"].edges
    assert (edge.fits, edge.peak_gib, edge.reserved_gib) == (1, None, None)
