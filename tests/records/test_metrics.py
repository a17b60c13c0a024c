"""Definitions of the tracked numbers on records small enough to check by hand."""

import pytest

from bench.records import metrics
from bench.records.merge import CellRecords

LLADA = {"model": "llada", "steps": 2, "gen_length": 4, "batch_size": 1}
LLAMA = {"model": "llama", "gen_length": 4, "batch_size": 1}


def llada_call(prompt: int, scale: float = 1.0) -> dict:
    marks = {"step": [10 * scale, 30 * scale], "block": [30 * scale]}
    return {"prompts": [prompt], "latency_ms": 32 * scale, "marks": marks, "nfe": 2, "positions": 24, "kept": [3],
            "first_step": 1}  # fmt: skip


def llama_call(prompt: int, times: list[float]) -> dict:
    return {"prompts": [prompt], "latency_ms": times[-1] + 1, "marks": {"token": times}, "nfe": len(times),
            "positions": 8 + len(times) - 1, "kept": [len(times)], "first_step": None}  # fmt: skip


def record(calls: list[dict], round_: int = 1) -> dict:
    return {"round": round_, "outcome": "ok", "calls": calls, "memory_gib": {"weights": 0.5}}


def of(cell: dict, *rounds: list[dict]) -> dict[int, dict[str, float]]:
    return metrics.round_metrics(CellRecords(cell, {i: record(calls, i) for i, calls in enumerate(rounds, 1)}))


def test_llada_latencies_and_work():
    found = of(LLADA, [llada_call(0)])[1]
    assert found["latency/latency_ms"] == 32
    assert found["latency/ttft_ms"] == 30  # position 0 was final after the second step
    assert found["latency/ttfb_ms"] == 30
    assert found["latency/step_ms"] == 15  # gaps 10 and 20
    assert found["latency/tpot_ms"] == 1  # (32 - 30) / (3 - 1)
    assert "latency/itl_p50_ms" not in found
    assert found["throughput/tokens_per_s"] == pytest.approx(3 / 0.032)
    assert found["throughput/canvas_tokens_per_s"] == pytest.approx(4 / 0.032)
    assert (found["compute/nfe"], found["compute/tokens_per_forward"], found["compute/positions_per_token"]) == (
        2,
        2,
        6,
    )
    assert found["memory/weights_gib"] == 0.5


def test_llama_latencies_and_work():
    found = of(LLAMA, [llama_call(0, [20, 25, 35])])[1]
    assert found["latency/ttft_ms"] == 20
    assert found["latency/itl_p50_ms"] == 7.5
    assert found["latency/step_ms"] == 7.5  # the prefill is no step
    assert found["latency/tpot_ms"] == 8  # (36 - 20) / 2
    assert "latency/ttfb_ms" not in found
    assert found["compute/tokens_per_forward"] == 1
    assert found["compute/positions_per_token"] == pytest.approx(10 / 3)


def test_throughput_is_total_tokens_over_total_time_not_a_mean_of_ratios():
    found = of(LLAMA, [llama_call(0, [9, 19, 29, 39]), llama_call(1, [159])])[1]
    assert found["throughput/tokens_per_s"] == pytest.approx(5 / 0.200)  # the mean of ratios would be 53


def test_prompt_and_padding_are_not_output():
    call = llada_call(0) | {"positions": 10_000}
    assert of(LLADA, [call])[1]["throughput/tokens_per_s"] == pytest.approx(3 / 0.032)


def test_a_later_round_on_fewer_prompts_is_scaled_to_all():
    rounds = of(LLADA, [llada_call(0), llada_call(1, 3.0), llada_call(2, 5.0)], [llada_call(0, 1.1)])
    assert rounds[1]["latency/latency_ms"] == 96
    assert rounds[2]["latency/latency_ms"] == pytest.approx(96 * 1.1)
    assert rounds[2]["latency/step_ms"] == pytest.approx(rounds[1]["latency/step_ms"] * 1.1)
    assert rounds[2]["throughput/tokens_per_s"] == pytest.approx(rounds[1]["throughput/tokens_per_s"] / 1.1)
    assert "compute/nfe" not in rounds[2]


def test_a_forward_too_many_commits_nothing():
    late = llama_call(0, [20, 25, 35]) | {"kept": [2]}  # a captured engine ran once more after the end token
    found = of(LLAMA, [late])[1]
    assert (found["compute/nfe"], found["compute/tokens_per_forward"]) == (3, pytest.approx(2 / 3))
    assert found["compute/positions_per_token"] == 5


def test_capturing_is_reported_apart():
    rounds = metrics.round_metrics(CellRecords(LLADA, {1: record([llada_call(0)]) | {"capture_s": 12.5}}))
    assert rounds[1]["compute/capture_s"] == 12.5
    assert rounds[1]["latency/latency_ms"] == 32
    assert "compute/capture_s" not in of(LLADA, [llada_call(0)])[1]


def test_headline_is_the_mean_with_an_interval_from_two_rounds_on():
    assert metrics.headline({1: {"a": 2.0}}) == {"a": 2.0}
    found = metrics.headline({1: {"a": 2.0}, 2: {"a": 4.0}})
    assert found["a"] == 3
    assert found["a_ci_low"] < 3 < found["a_ci_high"]


def test_a_failed_round_gives_no_numbers():
    failed = {"round": 1, "outcome": "oom", "message": "out of memory"}
    assert metrics.round_metrics(CellRecords(LLADA, {1: failed})) == {}


def test_quality_pools_tokens_for_perplexity_and_skips_what_is_undefined():
    entry = CellRecords(LLADA)
    entry.scores = {
        "a": {"values": {"distinct_2": [0.5, None, 1.0]}},
        "b": {"values": {}, "nats": [10.0, 2.0], "tokens": [4, 2]},
    }
    found = metrics.quality_metrics(entry)
    assert found["quality/distinct_2"] == 0.75
    assert found["quality/judge_perplexity"] == pytest.approx(7.389056)
    assert list(metrics.per_prompt(entry)) == [("distinct_2", 0, 0.5), ("distinct_2", 2, 1.0)]


def test_non_finite_values_are_refused():
    entry = CellRecords(LLADA)
    entry.scores = {"a": {"values": {"x": [float("inf"), 1.0]}}}
    assert metrics.quality_metrics(entry) == {}
    assert [value for _, _, value in metrics.per_prompt(entry)] == [1.0]


def test_a_cards_record_has_energy_memory_and_idle_time():
    record = {"energy": {"joules": 600.0, "seconds": 6.0, "calls": 4, "tokens": 300}}
    record |= {"busy": {"latency_ms": 20.0, "kernel_ms": 15.0}}
    record |= {"nvml": {"used_bytes": 3 << 30, "foreign_bytes": -(1 << 29)}}
    assert metrics.card_metrics(record) == {
        "energy/j": 150.0, "energy/j_per_token": 2.0, "energy/power_w": 100.0, "compute/host_overhead": 0.25,
        "memory/device_gib": 3.0, "memory/residual_gib": -0.5,
    }  # fmt: skip
    assert metrics.card_metrics({"nvml": {"verdict": "unknown"}}) == {}


PART_LLADA = LLADA | {"steps": 10, "steps_timed": 2}
PART_LLAMA = LLAMA | {"gen_length": 10, "tokens_timed": 4}


def test_the_rest_of_the_steps_is_as_long_as_a_step():
    found = of(PART_LLADA, [llada_call(0) | {"marks": {"step": [10.0, 30.0], "block": []}}])[1]
    assert found["latency/latency_ms"] == 32 + 8 * 15
    assert found["latency/step_ms"] == 15
    assert "latency/ttfb_ms" not in found
    assert found["throughput/tokens_per_s"] == pytest.approx(4 / 0.152)
    assert (found["compute/nfe"], found["compute/positions_per_token"]) == (10, 24 * 5 / 4)


def test_the_rest_of_the_tokens_is_as_long_as_the_mean_of_first_and_last_ones():
    call = llama_call(0, [20, 24, 140, 148]) | {"latency_ms": 150}
    call["marks"]["jump"] = [132]  # 108 ms nobody is charged for; first gap 4 ms, last gaps 8 and 8
    found = of(PART_LLAMA, [call])[1]
    assert found["latency/latency_ms"] == 150 - 108 + 6 * 6
    assert found["latency/ttft_ms"] == 20
    assert found["latency/step_ms"] == found["latency/itl_p50_ms"] == 6
    assert "latency/itl_p95_ms" not in found
    assert found["latency/tpot_ms"] == pytest.approx((78 - 20) / 9)
    assert found["throughput/tokens_per_s"] == pytest.approx(10 / 0.078)
    assert (found["compute/nfe"], found["compute/positions_per_token"]) == (10, 17 / 10)


def test_a_linear_cost_is_extrapolated_to_itself():
    """Gaps of 1 + i/10 ms: the first and last tenth tell the sum of all."""
    gaps = [1 + i / 10 for i in range(99)]
    whole = [20 + sum(gaps[:i]) for i in range(100)]
    full = llama_call(0, whole)
    shown = [*whole[:5], *(500 + t - whole[94] for t in whole[95:])]
    part = llama_call(0, shown) | {"latency_ms": shown[-1] + 1}
    part["marks"]["jump"] = [500]
    cell = LLAMA | {"gen_length": 100}
    expected = of(cell, [full])[1]["latency/latency_ms"]
    assert of(cell | {"tokens_timed": 10}, [part])[1]["latency/latency_ms"] == pytest.approx(expected, rel=0.005)


def test_a_later_round_of_a_part_is_scaled_from_whole_calls():
    rounds = of(PART_LLADA, [llada_call(0)], [llada_call(0, 1.1)])
    assert rounds[2]["latency/latency_ms"] == pytest.approx(152 * 1.1)


def test_where_memory_alone_is_asked_no_clock_is_believed():
    assert of(PART_LLADA | {"peaks_only": True}, [llada_call(0)])[1] == {"memory/weights_gib": 0.5}


def test_a_later_round_without_a_call_of_the_first_says_nothing():
    assert of(LLADA, [llada_call(0)], [llada_call(1)])[2] == {"memory/weights_gib": 0.5}


def test_a_part_of_a_call_has_no_device_time():
    part = {"latency_ms": 40.0, "device_ms": 39.5, "marks": {"step": [10.0, 20.0, 30.0, 40.0]}, "kept": [16], "nfe": 4,
            "positions": 80, "first_step": 0, "prompts": [0]}  # fmt: skip
    cell = {"steps": 32, "steps_timed": 4, "gen_length": 16}
    whole = metrics.whole_call(part, cell)
    assert whole["latency_ms"] == pytest.approx(320)
    assert "device" not in metrics.call_latencies(whole, diffusion=True)
    assert metrics.call_latencies(metrics.whole_call(part, {"steps": 4}), diffusion=True)["device"] == 39.5
