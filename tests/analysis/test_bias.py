"""Extrapolated times carry how far extrapolating was off, into everything that rests on them."""

import pytest

from bench.analysis import hundred_steps
from bench.analysis.bias import NONE, Bias, at_place, places_around
from bench.analysis.runs import setting_of
from bench.common.stats import Estimate
from bench.render import scaling as render_scaling
from paper.tables import scaling as tables_scaling
from tests.support.made_up_scaling import batch_study, groups_of, run


@pytest.mark.parametrize(
    ("ratios", "bias"),
    [
        ([], NONE),
        ([Estimate(0.975, 0.970, 0.980)], Bias(0.970, 1.0)),  # without the correction the bias is 1
        ([Estimate(1.25)], Bias(1.0, 1.25)),
        ([Estimate(0.9, 0.66, 1.26), Estimate(1.3, 1.2, 1.4)], Bias(0.66, 1.4)),
    ],
)
def test_a_bias_reaches_from_none_to_all_that_was_measured(ratios, bias):
    assert Bias.of(ratios) == bias


def test_a_widened_interval_holds_the_value_with_and_without_the_correction():
    """A part read .8 of the whole: the true time may be 100 / .8, and the true rate .8 times as high."""
    off = Bias.of([Estimate(0.8)])
    assert off.of_time(Estimate(100, 99, 101)) == Estimate(100, 99, pytest.approx(101 / 0.8))
    assert off.of_rate(Estimate(10, 9.9, 10.1)) == Estimate(10, pytest.approx(9.9 * 0.8), 10.1)
    assert off.of_time(Estimate(100)) == Estimate(100)  # one round: no interval, so none is made up
    assert off.over(Bias.of([Estimate(0.9)])) == Bias(0.8, pytest.approx(1 / 0.9))


SMALL, LONG, WIDE, BOTH = (1, 128, 64), (1, 2048, 64), (32, 128, 64), (32, 2048, 64)  # batch, tokens, prompt


@pytest.mark.parametrize(
    ("place", "measured", "taken"),
    [
        (SMALL, {SMALL}, {SMALL}),
        (BOTH, {SMALL}, {SMALL}),  # one place alone is every place's
        ((8, 128, 64), {SMALL, WIDE}, {SMALL, WIDE}),  # between two
        (WIDE, {SMALL, WIDE}, {WIDE}),  # its own
        ((64, 128, 64), {SMALL, WIDE}, {WIDE}),  # beyond both: the nearest
        ((4, 128, 64), {SMALL, (8, 128, 64), WIDE}, {SMALL, (8, 128, 64)}),  # nearest on either side, not all
        ((8, 512, 64), {SMALL, LONG, WIDE, BOTH}, {SMALL, LONG, WIDE, BOTH}),  # inside four corners
        ((32, 512, 64), {SMALL, LONG, WIDE, BOTH}, {WIDE, BOTH}),  # on an edge
        ((8, 512, 64), {SMALL, WIDE}, {SMALL, WIDE}),  # one axis was not checked: its one value counts
        ((1, 2048, 64), {SMALL, BOTH}, {SMALL, BOTH}),  # no measured place has this batch and this length
    ],
)
def test_a_run_takes_the_bias_of_its_place_or_of_those_that_enclose_it(place, measured, taken):
    assert places_around(place, measured) == taken


def test_a_bias_at_a_place_is_of_the_ratios_there():
    measured = [(SMALL, Estimate(0.98)), (WIDE, Estimate(0.9, 0.89, 0.91)), (WIDE, Estimate(1.02))]
    assert at_place(SMALL, measured) == Bias(0.98, 1.0)
    assert at_place(WIDE, measured) == Bias(0.89, 1.02)
    assert at_place((8, 128, 64), measured) == Bias(0.89, 1.02)
    assert at_place(SMALL, []) == NONE


def made_both_ways() -> list[dict]:
    """At batch 1 LLaDA's part says .8 of the whole call; at batch 8 only the part was run. LLaMA ran whole."""
    rows = [run("batch", "llama", 640.0, batch_size=batch, gen_length=128) for batch in (1, 8)]
    for batch in (1, 8):
        rows.append(run("batch", "llada", 320.0 * batch, batch_size=batch, gen_length=128, steps=32, steps_timed=8))
    rows.append(run("batch", "llada", 400.0, gen_length=128, steps=32))
    bounds = {"latency/latency_ms": (0.99, 1.01), "throughput/tokens_per_s": (0.99, 1.01)}
    for row in rows:
        for metric, factors in bounds.items():
            row |= {f"{metric}_ci_{end}": row[metric] * f for end, f in zip(("low", "high"), factors, strict=True)}
    return rows


def test_everything_that_rests_on_an_extrapolated_time_is_widened_and_nothing_else():
    group = groups_of(made_both_ways())["batch"]
    by_place = {(row["model"], row["batch_size"]): row for _, row in group.rows.iterrows()}
    part = by_place["llada", 8]
    latency, rate = 320.0 * 8, 1e3 * 128 * 8 / (320.0 * 8)
    assert part["latency/latency_ms_ci_high"] == pytest.approx(latency * 1.01 / 0.8)
    assert part["latency/latency_ms_ci_low"] == pytest.approx(latency * 0.99)
    assert part["throughput/tokens_per_s_ci_low"] == pytest.approx(rate * 0.99 * 0.8)
    for place in (("llama", 1), ("llama", 8), ("llada", 1)):
        row = by_place[place]
        assert row["latency/latency_ms_ci_high"] == pytest.approx(row["latency/latency_ms"] * 1.01)
    evens = {row["batch_size"]: steps for row, steps in group.break_evens}
    assert evens[1] == Estimate(*[pytest.approx(51.2)] * 3)
    assert evens[8] == Estimate(pytest.approx(8), pytest.approx(8 * 0.8), pytest.approx(8))
    assert group.ratios[part["run_id"]].low == pytest.approx(group.ratios[part["run_id"]].value * 0.8)
    at_100 = {latency.batch_size: latency.ratio for latency in hundred_steps.latencies([], [group])}
    assert at_100[8] == Estimate(pytest.approx(12.5), pytest.approx(12.5), pytest.approx(12.5 / 0.8))
    numbers = tables_scaling.numbers({"batch": group})
    assert numbers["batch.llada.official.eager.b8.l128.p32.break_even_steps"]["low"] == pytest.approx(6.4)


def test_a_run_is_widened_by_what_was_measured_around_it_for_its_own_head():
    """At batch 1 a part says .8 of the whole call and at batch 32 .5; the run at batch 8 stands between them. With the
    lean head a part says .9 at batch 1, where alone it was made whole."""
    rows = [run("batch", "llama", 640.0, batch_size=batch, gen_length=128) for batch in (1, 8, 32)]
    for batch in (1, 8, 32):
        for head in (None, "lean"):
            own = {"batch_size": batch, "gen_length": 128, "steps": 32, "head": head}
            rows.append(run("batch", "llada", 320.0 * batch, steps_timed=8, **own))
    rows.append(run("batch", "llada", 320.0 / 0.8, batch_size=1, gen_length=128, steps=32, head=None))
    rows.append(run("batch", "llada", 320.0 * 32 / 0.5, batch_size=32, gen_length=128, steps=32, head=None))
    rows.append(run("batch", "llada", 320.0 / 0.9, batch_size=1, gen_length=128, steps=32, head="lean"))
    group = groups_of(rows)["batch"]
    off = {
        (row["batch_size"], setting_of(row, "head", "official")): group.bias_of(row) for _, row in group.rows.iterrows()
    }
    assert off[8, "official"] == Bias(pytest.approx(0.5), 1.0)
    assert off[8, "lean"] == off[32, "lean"] == Bias(pytest.approx(0.9), 1.0)
    assert off[1, "official"] == off[32, "official"] == NONE  # made whole
    numbers = tables_scaling.numbers({"batch": group})
    shown = {name: value["value"] for name, value in numbers.items() if "shortcut" in name}
    assert shown == {
        "batch.shortcut.llada.32.official.eager.b1.l128.p32.latency_ratio": pytest.approx(0.8),
        "batch.shortcut.llada.32.official.eager.b32.l128.p32.latency_ratio": pytest.approx(0.5),
        "batch.shortcut.llada.32.lean.eager.b1.l128.p32.latency_ratio": pytest.approx(0.9),
    }


def test_another_heads_bias_is_taken_where_a_head_was_never_run_whole():
    rows = [run("batch", "llada", 320.0, steps=32, steps_timed=8, head=head) for head in (None, "lean")]
    rows.append(run("batch", "llada", 400.0, steps=32, head=None))
    group = groups_of(rows)["batch"]
    [lean] = [row for _, row in group.rows.iterrows() if row["head"] == "lean"]
    assert group.bias_of(lean) == Bias(pytest.approx(0.8), 1.0)


def test_what_is_extrapolated_is_called_so_and_what_was_not_checked_too():
    text = " ".join(render_scaling.sentences(groups_of(made_both_ways())["batch"]))
    assert "51 [51, 51] steps at batch 1, 8.0 [6.4, 8.0] steps at batch 8 (extrapolated)" in text
    assert "was made whole here" not in text
    unchecked = " ".join(render_scaling.sentences(groups_of(batch_study())["batch"]))
    assert (
        "Shortcut: no call of LLaMA was made whole here; how far its extrapolated times are off is not known"
        in unchecked
    )
