"""Cells with other samplers and caches, as a worker runs them: what the adapter states of their calls is checked."""

from dataclasses import replace

import pytest

from bench.adapters import registry
from bench.adapters.contract import check
from bench.measure.calls import Batch, short_cell, timed_calls
from tests.conftest import make_cell

BATCHES = [Batch([0, 1], [[0, 3, 40, 50, 60, 4], [0, 3, 900, 4]]), Batch([2], [[0, 3, 70, 80, 90, 4]])]
DECODERS = [
    {"sampler": "threshold", "threshold": 0.5, "steps": 16},
    {"sampler": "factor", "factor": 1.0, "steps": 16, "cache": "prefix", "refresh": "block"},
    {"sampler": "entropy", "gamma": 1.0, "steps": 16, "cache": "dual", "refresh": "answer", "head": "lean"},
    {"sampler": "klass", "threshold": 0.5, "kl_threshold": 0.1, "steps": 16, "cache": "delayed", "refresh": 4},
    {"sampler": "imposed", "tokens_per_step": 3, "steps": 6, "cache": "dual", "refresh": "never", "stop": "length"},
    {"cache": "interval", "prompt_every": 3, "response_every": 2, "ratio": 0.5},
    {"early_stop": True, "steps": 16},
    {"early_stop": True, "sampler": "threshold", "threshold": 0.5, "steps": 16, "cache": "dual", "refresh": 2},
]


@pytest.fixture(scope="module")
def adapter():
    return registry.create("llada")


@pytest.mark.parametrize("changes", DECODERS, ids=str)
def test_the_calls_of_a_cell_are_timed_checked_and_counted(changes, adapter):
    cell = make_cell("llada", batch_size=2, prompts=3, **changes)
    adapter.load(cell)
    calls, sequences = timed_calls(adapter, cell, BATCHES)
    assert len(sequences) == 3
    for call, batch in zip(calls, BATCHES, strict=True):
        assert 1 <= call.nfe_full <= call.nfe <= cell.forwards()
        assert call.prompt_tokens == 6
        assert len(call.committed) == len(batch.ids)
        if not cell.early_stop:
            assert call.committed == [16] * len(batch.ids)
        if cell.cache == "none":
            assert call.nfe_full == call.nfe
            assert call.positions == call.nfe * len(batch.ids) * 22
        else:
            assert call.positions < call.nfe * len(batch.ids) * 22


@pytest.mark.parametrize("changes", DECODERS, ids=str)
def test_a_warm_up_makes_a_few_forwards_of_the_same_shapes(changes, adapter):
    cell = make_cell("llada", batch_size=2, **changes)
    adapter.load(short_cell(cell, 2))
    assert adapter.generate(BATCHES[0].ids, lambda kind: None).nfe == 2


def test_an_early_stop_gives_the_text_of_a_whole_run_in_fewer_forwards(adapter):
    prompts = [[0, 3, 70, 80, 90, 4], [0, 3, 900, 4]]  # the pocket LLaDA answers both in a few tokens
    whole_cell = make_cell("llada", steps=64, gen_length=64, block_length=16)
    adapter.load(whole_cell)
    whole = adapter.generate(prompts, lambda kind: None)
    assert max(whole.kept) < 16
    adapter.load(replace(whole_cell, early_stop=True))
    early = adapter.generate(prompts, lambda kind: None)
    assert early.kept == whole.kept
    for row, other, kept in zip(early.sequences.tolist(), whole.sequences.tolist(), whole.kept, strict=True):
        assert row[:kept] == other[:kept]
        assert set(row[kept:]) == {adapter.special().ends[0]}
    assert early.nfe <= 16 < whole.nfe


@pytest.mark.parametrize(("changes", "message"), [
    ({"nfe": 17}, "made 17 forwards; 2 to 16 are possible"),
    ({"nfe": 1}, "made 1 forwards; 2 to 16 are possible"),
    ({"nfe_full": 0}, "counted 0 full forwards of"),
    ({"nfe_full": 1}, "counted 1 full forwards of"),
])  # fmt: skip
def test_wrong_counts_are_refused(changes, message, adapter):
    cell = make_cell("llada", sampler="threshold", threshold=0.5, steps=16)
    adapter.load(cell)
    marks: dict[str, list[float]] = {"step": []}
    output = adapter.generate(BATCHES[0].ids, lambda kind: marks.setdefault(kind, []).append(0.0))
    check(cell, output, marks, adapter.special())
    with pytest.raises(RuntimeError, match=message):
        check(cell, replace(output, **changes), marks, adapter.special())
