"""MFU, MBU and predictions of runs, by hand on a shape of few parameters."""

from dataclasses import replace

import pytest

from bench.cost import floors
from bench.cost.floors import Cost
from bench.models.shape import Shape
from bench.records import metrics, trust, utilisation
from bench.records.machine import Rate
from bench.records.merge import CellRecords
from bench.records.types import Call, Ceilings
from tests.conftest import make_cell
from tests.support.records import round_of

SMALL = Shape(layers=2, width=8, heads=2, kv_heads=1, head_width=4, feed_forward=16, vocabulary=10, tied=False)


def rate(value: float) -> Rate:
    return Rate(value, value, value, "k")


def entry_of(cell, call: Call, flops_per_s: float = 1e6, bytes_per_s: float = 1e6, has_shape: bool = True):
    """A cell with one round of one call, and the ceilings of its device; the host takes half a second in eager."""
    host_s = {"eager": {"llada": 0.5}}
    ceilings = Ceilings("s", "pocket", "A", "float32", rate(flops_per_s), rate(bytes_per_s), host_s)
    record = round_of(cell, [call], shape=SMALL if has_shape else None)
    return CellRecords(cell, {1: record}, ceilings=ceilings)


LLAMA = make_cell("llama", gen_length=3, batch_size=2, engine="captured")
LLAMA_CALL = Call([0, 1], 1000.0, {"token": [400.0, 700.0, 1000.0]}, nfe=3, positions=2 * 5 + 2 * 2, kept=[3, 3])
LLADA = make_cell("llada", gen_length=4, block_length=4, steps=2, engine="captured")
LLADA_CALL = Call([0], 2000.0, {"step": [1000.0, 2000.0], "block": [2000.0]}, nfe=2, positions=2 * 9, kept=[4],
                  first_step=0)  # fmt: skip


def test_prompt_lengths_follow_from_the_rows_pushed_through_the_model():
    (llama,) = utilisation.costed_calls([LLAMA_CALL], LLAMA)
    assert (llama.prompt_tokens, llama.new_tokens, llama.workload.batch_size) == (5, 3, 2)
    (llada,) = utilisation.costed_calls([LLADA_CALL], LLADA)
    assert (llada.prompt_tokens, llada.seconds) == (5, 2.0)


@pytest.mark.parametrize(("cell", "call"), [(LLAMA, LLAMA_CALL), (LLADA, LLADA_CALL)])
def test_utilisation_is_the_models_work_over_time_and_ceiling(cell, call):
    cost = floors.call(cell, SMALL, 5)
    tracked = metrics.round_metrics(entry_of(cell, call))[1]
    seconds = call.latency_ms / 1e3
    assert tracked["compute/mfu"] == pytest.approx(cost.flops / seconds / 1e6)
    assert tracked["compute/mbu"] == pytest.approx(cost.moved_bytes / seconds / 1e6)
    assert tracked["compute/gflop"] == pytest.approx(cost.flops / 1e9)


def test_a_share_above_one_is_not_tracked_and_the_run_is_flagged():
    entry = entry_of(LLAMA, LLAMA_CALL, flops_per_s=100.0)
    tracked = metrics.round_metrics(entry)[1]
    assert "compute/mfu" not in tracked
    assert "compute/mbu" in tracked
    assert "over its ceiling" in trust.flags(entry)
    assert "over its ceiling" not in trust.flags(entry_of(LLAMA, LLAMA_CALL))


def test_nothing_is_said_without_ceilings_or_shape():
    entry = entry_of(LLAMA, LLAMA_CALL)
    entry.ceilings = None
    tracked = metrics.round_metrics(entry)[1]
    assert not {"compute/mfu", "compute/mbu", "predicted/latency_ms"} & set(tracked)
    assert "compute/gflop" in tracked  # needs the shape alone
    assert "compute/gflop" not in metrics.round_metrics(entry_of(LLAMA, LLAMA_CALL, has_shape=False))[1]


def test_time_of_a_forward_is_the_longer_of_arithmetic_and_bytes_and_the_host():
    cost = Cost(flops=10.0, moved_bytes=30.0, positions=1)
    assert floors.Ceilings(10.0, 10.0).seconds(cost) == 3.0
    assert floors.Ceilings(1.0, 10.0).seconds(cost) == 10.0
    assert (
        floors.Ceilings(10.0, 10.0, host_s=2.0, overlaps=False).seconds(cost) == 5.0
    )  # a CPU does one, then the other
    assert floors.Ceilings(10.0, 10.0, host_s=2.0).seconds(cost) == 3.0  # a GPU computes while the host goes ahead
    assert floors.Ceilings(10.0, 10.0, host_s=4.0).seconds(cost) == 4.0


def test_the_host_counts_in_the_engine_in_which_it_was_measured():
    captured = metrics.round_metrics(entry_of(LLADA, LLADA_CALL))[1]["predicted/latency_ms"]
    eager = make_cell("llada", gen_length=4, block_length=4, steps=2)
    assert metrics.round_metrics(entry_of(eager, LLADA_CALL))[1]["predicted/latency_ms"] == pytest.approx(
        captured + 2 * 500
    )


def test_predictions_are_sums_over_forwards():
    tracked = metrics.round_metrics(entry_of(LLAMA, LLAMA_CALL))[1]
    every = [max(c.flops, c.moved_bytes) / 1e6 for c in floors.forwards(LLAMA, SMALL, 5)]
    assert len(every) == 3
    assert tracked["predicted/latency_ms"] == pytest.approx(1e3 * sum(every))
    assert tracked["predicted/step_ms"] == pytest.approx(1e3 * every[1])


def test_peak_memory_is_predicted_on_a_gpu_alone():
    assert "predicted/allocated_gib" not in metrics.round_metrics(entry_of(LLAMA, LLAMA_CALL))[1]
    on_gpu = make_cell("llama", gen_length=3, batch_size=2, engine="captured", device="cuda")
    tracked = metrics.round_metrics(entry_of(on_gpu, LLAMA_CALL))[1]
    parts = sum(tracked[f"predicted/{part}_gib"] for part in ("kv_cache", "activations", "logits"))
    assert 0 < parts < tracked["predicted/allocated_gib"]  # the rest is the weights


def test_a_call_that_ended_early_is_predicted_at_the_tokens_that_it_made():
    """Its cache grew no further, unless it is a captured one, which has room for all tokens from the start."""
    cell = make_cell("llama", gen_length=8, batch_size=2, stop="references", answer_lengths="3 2", device="cuda")
    marks = {"token": [400.0, 700.0, 1000.0]}
    ended = Call([0, 1], 1000.0, marks, nfe=3, positions=2 * 5 + 2 * 2, kept=[3, 2])
    (eager,) = utilisation.costed_calls([ended], cell)
    (captured,) = utilisation.costed_calls([ended], replace(cell, engine="captured"))
    (part,) = utilisation.costed_calls([ended], replace(cell, stop="length", tokens_timed=3))
    assert (eager.prompt_tokens, eager.new_tokens) == (5, 3)
    assert [call.workload.gen_length for call in (eager, captured, part)] == [3, 8, 8]
    tracked = metrics.round_metrics(entry_of(replace(cell, device="cpu"), ended))[1]
    assert tracked["compute/gflop"] == pytest.approx(floors.call(eager.workload, SMALL, 5, 3).flops / 1e9)
    assert tracked["throughput/tokens_per_s"] == pytest.approx(5)
    assert tracked["throughput/canvas_tokens_per_s"] == pytest.approx(16)


def test_a_cell_that_joined_a_study_later_is_predicted_too():
    entry = entry_of(LLAMA, LLAMA_CALL)
    (record,) = entry.rounds.values()
    later = replace(entry, rounds={number: replace(record, number=number) for number in (3, 5)})
    of_3, of_5 = metrics.round_metrics(later).values()
    assert of_3["predicted/latency_ms"] == metrics.round_metrics(entry)[1]["predicted/latency_ms"]
    assert "predicted/latency_ms" not in of_5
