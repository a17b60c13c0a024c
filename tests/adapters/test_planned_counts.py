"""Forwards and rows that follow from the settings are exactly those that the loop makes, under every cache."""

from dataclasses import replace

import pytest

from bench.adapters import registry
from bench.measure.calls import Batch, timed_calls
from bench.models import checkpoint
from bench.records.machine import Rate
from bench.records.merge import CellRecords
from bench.records.types import Ceilings
from bench.records.utilisation import metrics_of, planned
from tests.conftest import make_cell
from tests.support.records import round_of

BATCHES = [Batch([0, 1], [[0, 3, 40, 50, 60, 4], [0, 3, 900, 4]]), Batch([2], [[0, 3, 70, 80, 90, 7, 4]])]
SAMPLERS = ({"steps": 16}, {"steps": 4}, {"sampler": "imposed", "tokens_per_step": 3, "steps": 6})
CACHES = (
    {"cache": "none"},
    *(
        {"cache": cache, "refresh": refresh}
        for cache in ("prefix", "dual")
        for refresh in ("block", "never", "answer", 2)
    ),
    {"cache": "delayed", "refresh": 4},
    {"cache": "interval", "prompt_every": 3, "response_every": 2, "ratio": 0.5},
)
RATE = Rate(1e9, 1e9, 1e9, "k")
CEILINGS = Ceilings("s", "pocket", "A", "float32", RATE, RATE, {})


@pytest.fixture(scope="module")
def adapter():
    return registry.create("llada")


def record_of(adapter, cell):
    """A round of a cell with real calls, and the cell's records."""
    adapter.load(cell)
    calls, _ = timed_calls(adapter, cell, BATCHES)
    record = round_of(cell, calls, shape=checkpoint.read(cell.weights).shape)
    return record, CellRecords(cell, {1: record}, ceilings=CEILINGS)


@pytest.mark.parametrize("cache", CACHES, ids=str)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_counts_are_those_planned(sampler, cache, adapter):
    cell = make_cell("llada", batch_size=2, prompts=3, stop="length", **sampler, **cache)
    record, entry = record_of(adapter, cell)
    told = planned(record, entry)
    assert told["predicted/nfe"] == sum(call.nfe for call in record.calls) / 2
    assert told["predicted/rows"] == sum(call.positions for call in record.calls) / 2
    assert told["predicted/planned_ms"] > 0


@pytest.mark.parametrize("changes", [
    {"sampler": "threshold", "threshold": 0.5, "steps": 16}, {"early_stop": True, "steps": 16}, {"steps_timed": 2},
], ids=str)  # fmt: skip
def test_nothing_is_planned_where_forwards_depend_on_the_text_or_are_left_out(changes, adapter):
    cell = make_cell("llada", batch_size=2, prompts=3)
    record, entry = record_of(adapter, cell)
    assert planned(record, entry)
    other = replace(cell, **changes)
    assert planned(replace(record, cell=other), replace(entry, cell=other)) == {}


def test_old_records_do_not_say_how_long_prompts_were(adapter):
    record, entry = record_of(adapter, make_cell("llada", batch_size=2, prompts=3))
    old = replace(record, calls=[replace(call, prompt_tokens=None) for call in record.calls])
    assert planned(old, entry) == {}


def test_the_captured_engine_rounds_up_what_the_delayed_cache_pushes(adapter):
    record, entry = record_of(adapter, make_cell("llada", batch_size=2, prompts=3, cache="delayed", refresh=4))
    captured = replace(entry, cell=replace(entry.cell, engine="captured"))
    assert set(planned(record, entry)) - set(planned(record, captured)) == {"predicted/rows"}


def step_of(adapter, **changes):
    record, entry = record_of(
        adapter, make_cell("llada", batch_size=2, prompts=3, cache="dual", stop="length", **changes)
    )
    return metrics_of(record, record.calls, entry, is_first=True).get("predicted/step_ms")


def test_a_step_is_that_of_most_forwards_where_some_refresh_the_answer(adapter):
    """A forward of a whole answer and one of a block are no two forwards of the mean number of rows."""
    of_block = step_of(adapter, refresh="block", steps=16)
    assert step_of(adapter, refresh="answer", steps=16) == pytest.approx(of_block)
    assert step_of(adapter, refresh="answer", steps=16, sampler="threshold", threshold=0.5) is None
