"""Definitions of the tracked numbers on records small enough to check by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.records import metrics
from bench.records.machine import Energy, KernelTime, MemoryGib, NvmlReport
from bench.records.merge import CellRecords
from bench.records.types import Call
from bench.spec.cell import Cell
from tests.conftest import make_cell
from tests.support.records import entry_of, llada_call, llama_call, round_of, scores_of

LLADA = make_cell("llada", steps=2, gen_length=4, block_length=4)
LLAMA = make_cell("llama", gen_length=4)
WEIGHTS = MemoryGib(weights=0.5)


def of(cell: Cell, *calls_of_rounds: list[Call]) -> dict[int, dict[str, float]]:
    """The metrics of a cell whose rounds have these calls."""
    return metrics.round_metrics(entry_of(cell, *calls_of_rounds, memory_gib=WEIGHTS))


def test_llada_latencies_and_work():
    tracked = of(LLADA, [llada_call(0)])[1]
    assert tracked["latency/latency_ms"] == 32
    assert tracked["latency/ttft_ms"] == 30  # position 0 was final after the second step
    assert tracked["latency/ttfb_ms"] == 30
    assert tracked["latency/step_ms"] == 15  # gaps 10 and 20
    assert tracked["latency/tpot_ms"] == 1  # (32 - 30) / (3 - 1)
    assert "latency/itl_p50_ms" not in tracked
    assert tracked["throughput/tokens_per_s"] == pytest.approx(3 / 0.032)
    assert tracked["throughput/canvas_tokens_per_s"] == pytest.approx(4 / 0.032)
    assert (tracked["compute/nfe"], tracked["compute/tokens_per_forward"], tracked["compute/positions_per_token"]) == (
        2,
        2,
        6,
    )
    assert tracked["memory/weights_gib"] == 0.5


def test_forwards_by_kind_and_what_they_committed():
    """Of 12 tokens on two canvases an early stop filled three, which no forward gave."""
    call = llada_call(0, nfe=4, positions=30, kept=[3, 4], nfe_full=1, committed=[3, 4])
    other = llada_call(1, nfe=2, positions=10, kept=[2, 4], nfe_full=2, committed=[2, 4])
    tracked = of(LLADA, [call, other])[1]
    assert (tracked["compute/nfe"], tracked["compute/nfe_full"], tracked["compute/nfe_partial"]) == (3, 1.5, 1.5)
    assert tracked["compute/rows"] == 20
    assert tracked["compute/tokens_per_forward"] == pytest.approx((3.5 + 3) / 6)
    assert tracked["compute/positions_per_token"] == pytest.approx(40 / 13)


def test_forwards_at_which_an_answer_waits_for_others_of_its_batch_are_not_its_own():
    call = llada_call(0, nfe=4, positions=30, kept=[4, 4], nfe_full=4, committed=[4, 4], own_forwards=[4, 1])
    alone = llada_call(1, nfe=2, positions=10, kept=[4], nfe_full=2, committed=[4])
    tracked = of(LLADA, [call, alone])[1]
    assert tracked["compute/tokens_per_forward"] == pytest.approx((4 + 4) / (2.5 + 2))
    assert tracked["compute/nfe"] == 3  # the call's: the others of the batch wait too


def test_an_old_record_says_nothing_of_the_kind_of_its_forwards():
    tracked = of(LLADA, [llada_call(0)])[1]
    assert not {"compute/nfe_full", "compute/nfe_partial", "compute/rows"} & set(tracked)


def test_a_call_that_was_cut_short_is_completed_in_its_forwards_by_kind():
    call = llada_call(0, marks={"step": [10.0, 30.0], "block": []}, nfe_full=2, committed=[2])
    tracked = of(PART_LLADA, [call])[1]
    assert (tracked["compute/nfe_full"], tracked["compute/nfe_partial"]) == (10, 0)
    assert tracked["compute/tokens_per_forward"] == 4 / 10


def test_llama_latencies_and_work():
    tracked = of(LLAMA, [llama_call(0, [20, 25, 35])])[1]
    assert tracked["latency/ttft_ms"] == 20
    assert tracked["latency/itl_p50_ms"] == 7.5
    assert tracked["latency/step_ms"] == 7.5  # the prefill is no step
    assert tracked["latency/tpot_ms"] == 8  # (36 - 20) / 2
    assert "latency/ttfb_ms" not in tracked
    assert tracked["compute/tokens_per_forward"] == 1
    assert tracked["compute/positions_per_token"] == pytest.approx(10 / 3)


def test_throughput_is_total_tokens_over_total_time_not_a_mean_of_ratios():
    tracked = of(LLAMA, [llama_call(0, [9, 19, 29, 39]), llama_call(1, [159])])[1]
    assert tracked["throughput/tokens_per_s"] == pytest.approx(5 / 0.200)  # the mean of ratios would be 53


def test_prompt_and_padding_are_not_output():
    call = llada_call(0, positions=10_000)
    assert of(LLADA, [call])[1]["throughput/tokens_per_s"] == pytest.approx(3 / 0.032)


def test_a_later_round_on_fewer_prompts_is_scaled_to_all():
    rounds = of(LLADA, [llada_call(0), llada_call(1, 3.0), llada_call(2, 5.0)], [llada_call(0, 1.1)])
    assert rounds[1]["latency/latency_ms"] == 96
    assert rounds[2]["latency/latency_ms"] == pytest.approx(96 * 1.1)
    assert rounds[2]["latency/step_ms"] == pytest.approx(rounds[1]["latency/step_ms"] * 1.1)
    assert rounds[2]["throughput/tokens_per_s"] == pytest.approx(rounds[1]["throughput/tokens_per_s"] / 1.1)
    assert "compute/nfe" not in rounds[2]


def test_a_forward_too_many_commits_nothing():
    late = llama_call(0, [20, 25, 35], kept=[2])  # a captured engine ran once more after the end token
    tracked = of(LLAMA, [late])[1]
    assert (tracked["compute/nfe"], tracked["compute/tokens_per_forward"]) == (3, pytest.approx(2 / 3))
    assert tracked["compute/positions_per_token"] == 5


def test_capturing_is_reported_apart():
    rounds = metrics.round_metrics(entry_of(LLADA, [llada_call(0)], capture_s=12.5))
    assert rounds[1]["compute/capture_s"] == 12.5
    assert rounds[1]["latency/latency_ms"] == 32
    assert "compute/capture_s" not in of(LLADA, [llada_call(0)])[1]


def test_headline_is_the_geometric_mean_with_an_interval_from_two_rounds_on():
    assert metrics.headline({1: {"a": 2.0}}) == {"a": 2.0}
    tracked = metrics.headline({1: {"a": 2.0}, 2: {"a": 4.5}})
    assert tracked["a"] == pytest.approx(3)
    assert tracked["a_ci_low"] < 3 < tracked["a_ci_high"]


@given(st.lists(st.floats(1e-3, 1e6), min_size=2, max_size=6))
def test_no_interval_of_what_is_above_0_reaches_below_it(values):
    names = ("latency/latency_ms", "throughput/tokens_per_s", "energy/j", "memory/allocated_gib")
    tracked = metrics.headline({number: dict.fromkeys(names, value) for number, value in enumerate(values)})
    for name in names:
        assert 0 <= tracked[f"{name}_ci_low"] <= tracked[name] * (1 + 1e-9)
        assert tracked[name] <= tracked[f"{name}_ci_high"] * (1 + 1e-9)


@pytest.mark.parametrize("name", sorted(metrics.MAY_BE_NEGATIVE))
def test_a_difference_may_be_below_0(name):
    tracked = metrics.headline({1: {name: -0.1}, 2: {name: 0.2}})
    assert tracked[name] == pytest.approx(0.05)
    assert tracked[f"{name}_ci_low"] < 0


def test_of_what_may_be_0_the_mean_is_plain_whatever_the_rounds_are():
    name = "load/failed_requests"
    assert metrics.headline({1: {name: 1.0}, 2: {name: 9.0}})[name] == 5
    assert metrics.headline({1: {name: 0.0}, 2: {name: 9.0}}) == {name: 4.5}


def test_a_counter_that_did_not_move_has_no_interval():
    assert metrics.headline({1: {"energy/j": 0.0}, 2: {"energy/j": 2.0}}) == {"energy/j": 1.0}


@pytest.mark.parametrize(("model", "seed", "there"), [("llada", 0, False), ("llada", None, True), ("llama", 0, True)])
def test_times_that_depend_on_the_values_of_weights_are_absent_where_these_are_made_up(model, seed, there):
    cell = make_cell(model, random_seed=seed)
    calls = [llada_call(0)] if model == "llada" else [llama_call(0, [20.0, 30.0, 40.0])]
    tracked = of(cell, calls)[1]
    assert ("latency/ttft_ms" in tracked, "latency/tpot_ms" in tracked) == (there, there)
    assert "latency/latency_ms" in tracked
    assert ("latency/ttfb_ms" in tracked) == (model == "llada")  # the first block does not depend on them


def test_a_failed_round_gives_no_numbers():
    failed = round_of(LLADA, [], outcome="oom", message="out of memory")
    assert metrics.round_metrics(CellRecords(LLADA, {1: failed})) == {}


def test_quality_pools_tokens_for_perplexity_and_skips_what_is_undefined():
    entry = CellRecords(LLADA)
    entry.scores = {
        "a": scores_of({"distinct_2": [0.5, None, 1.0]}),
        "b": scores_of({}, nats=[10.0, 2.0], tokens=[4, 2]),
    }
    tracked = metrics.quality_metrics(entry)
    assert tracked["quality/distinct_2"] == 0.75
    assert tracked["quality/judge_perplexity"] == pytest.approx(7.389056)
    assert list(metrics.per_prompt(entry)) == [("distinct_2", 0, 0.5), ("distinct_2", 2, 1.0)]


def test_non_finite_values_are_refused():
    entry = CellRecords(LLADA)
    entry.scores = {"a": scores_of({"x": [float("inf"), 1.0]})}
    assert metrics.quality_metrics(entry) == {}
    assert [value for _, _, value in metrics.per_prompt(entry)] == [1.0]


def test_a_cards_record_has_energy_memory_and_idle_time():
    report = NvmlReport(used_bytes=3 << 30, foreign_bytes=-(1 << 29))
    energy = Energy(joules=600.0, seconds=6.0, calls=4, tokens=300)
    busy = KernelTime(latency_ms=20.0, kernel_ms=15.0)
    record = round_of(LLADA, [], energy=energy, busy=busy, nvml=report)
    assert metrics.card_metrics(record) == {
        "energy/j": 150.0, "energy/j_per_token": 2.0, "energy/power_w": 100.0, "compute/host_overhead": 0.25,
        "memory/device_gib": 3.0, "memory/residual_gib": -0.5,
    }  # fmt: skip
    assert metrics.card_metrics(round_of(LLADA, [], nvml=NvmlReport())) == {}


PART_LLADA = replace(LLADA, steps=10, steps_timed=2)
PART_LLAMA = replace(LLAMA, gen_length=10, tokens_timed=4)


def test_the_rest_of_the_steps_is_as_long_as_a_step():
    tracked = of(PART_LLADA, [llada_call(0, marks={"step": [10.0, 30.0], "block": []})])[1]
    assert tracked["latency/latency_ms"] == 32 + 8 * 15
    assert tracked["latency/step_ms"] == 15
    assert "latency/ttfb_ms" not in tracked
    assert tracked["throughput/tokens_per_s"] == pytest.approx(4 / 0.152)
    assert (tracked["compute/nfe"], tracked["compute/positions_per_token"]) == (10, 24 * 5 / 4)


def test_the_rest_of_the_tokens_is_as_long_as_the_mean_of_first_and_last_ones():
    marks = {"token": [20, 24, 140, 148], "jump": [132]}
    call = llama_call(
        0, [20, 24, 140, 148], latency_ms=150, marks=marks
    )  # 108 ms nobody is charged for; first gap 4 ms, last gaps 8 and 8
    tracked = of(PART_LLAMA, [call])[1]
    assert tracked["latency/latency_ms"] == 150 - 108 + 6 * 6
    assert tracked["latency/ttft_ms"] == 20
    assert tracked["latency/step_ms"] == tracked["latency/itl_p50_ms"] == 6
    assert "latency/itl_p95_ms" not in tracked
    assert tracked["latency/tpot_ms"] == pytest.approx((78 - 20) / 9)
    assert tracked["throughput/tokens_per_s"] == pytest.approx(10 / 0.078)
    assert (tracked["compute/nfe"], tracked["compute/positions_per_token"]) == (10, 17 / 10)


def test_a_linear_cost_is_extrapolated_to_itself():
    """Gaps of 1 + i/10 ms: the first and last tenth tell the sum of all."""
    gaps = [1 + i / 10 for i in range(99)]
    whole = [20 + sum(gaps[:i]) for i in range(100)]
    full = llama_call(0, whole)
    times_ms = [*whole[:5], *(500 + t - whole[94] for t in whole[95:])]
    part = llama_call(0, times_ms, marks={"token": times_ms, "jump": [500]})
    cell = replace(LLAMA, gen_length=100)
    expected = of(cell, [full])[1]["latency/latency_ms"]
    assert of(replace(cell, tokens_timed=10), [part])[1]["latency/latency_ms"] == pytest.approx(expected, rel=0.005)


def test_a_later_round_of_a_part_is_scaled_from_whole_calls():
    rounds = of(PART_LLADA, [llada_call(0)], [llada_call(0, 1.1)])
    assert rounds[2]["latency/latency_ms"] == pytest.approx(152 * 1.1)


def test_where_memory_alone_is_asked_no_clock_is_believed():
    assert of(replace(PART_LLADA, peaks_only=True), [llada_call(0)])[1] == {"memory/weights_gib": 0.5}


def test_a_later_round_without_a_call_of_the_first_says_nothing():
    assert of(LLADA, [llada_call(0)], [llada_call(1)])[2] == {"memory/weights_gib": 0.5}


def test_a_part_of_a_call_has_no_device_time():
    marks = {"step": [10.0, 20.0, 30.0, 40.0]}
    part = llada_call(0, latency_ms=40.0, device_ms=39.5, marks=marks, kept=[16], nfe=4, positions=80, first_step=0)
    whole = metrics.whole_call(part, make_cell("llada", steps=32, steps_timed=4))
    assert whole.latency_ms == pytest.approx(320)
    assert "device" not in metrics.call_latencies(whole, has_steps=True)
    untouched = metrics.whole_call(part, make_cell("llada", steps=4))
    assert metrics.call_latencies(untouched, has_steps=True)["device"] == 39.5
