"""Answers as long as the references: LLaMA's call ends with its longest row, LLaDA runs its whole canvas."""

from dataclasses import replace

import pytest

from bench.adapters import contract, registry, replay
from bench.data.prompt import Prompt
from bench.measure import calls, worker
from bench.spec.work import Work
from tests.adapters.test_captured import LLADA_PROMPTS, RAGGED, outputs_of_engines
from tests.conftest import make_cell

LENGTHS = [5, 12, 1]  # of three answers


def generated(model: str, prompts: list[list[int]], lengths: list[int], **changes):
    """The output of a call, its marks, and the adapter."""
    adapter, marks = registry.create(model), []
    adapter.load(make_cell(model, stop="references", **changes))
    adapter.prepare([prompts])
    return adapter.generate(prompts, marks.append, lengths), marks, adapter


@pytest.mark.parametrize("engine", ["eager", "captured"])
@pytest.mark.parametrize("prompts", [LLADA_PROMPTS[:1] * 3, RAGGED], ids=["one length", "ragged"])
def test_a_call_of_llama_ends_with_its_longest_row(engine, prompts, device):
    output, marks, adapter = generated("llama", prompts, LENGTHS, gen_length=48, engine=engine, device=device)
    late = replay.LAG - 1 if device == "cuda" and engine == "captured" else 0
    assert output.kept == LENGTHS
    assert output.sequences.shape == (3, 12)
    assert output.nfe == len(marks) == 12 + late
    assert marks == ["token"] * output.nfe
    end = adapter.special().ends[0]
    for row, length in zip(output.sequences.tolist(), LENGTHS, strict=True):
        assert row[length:] == [end] * (12 - length)  # as behind a natural end


@pytest.mark.parametrize("engine", ["eager", "captured"])
def test_an_end_token_that_llama_makes_is_ignored(engine):
    """The same tokens as under forced length, up to where each row ends."""
    forced = registry.create("llama")
    forced.load(make_cell("llama", stop="length", gen_length=200, engine=engine))
    forced.prepare([RAGGED])
    whole = forced.generate(RAGGED, lambda kind: None).sequences.tolist()
    assert any(1 in row[:150] for row in whole)  # a text that ends by itself
    output, *_ = generated("llama", RAGGED, [150, 2, 160], gen_length=200, engine=engine)
    rows = zip(output.sequences.tolist(), whole, [150, 2, 160], strict=True)
    assert all(row[:length] == tokens[:length] for row, tokens, length in rows)


def test_the_next_call_of_a_captured_llama_has_its_own_ends():
    _, _, adapter = generated("llama", RAGGED, LENGTHS, gen_length=48, engine="captured")
    assert adapter.generate(RAGGED, lambda kind: None, [3, 3, 7]).kept == [3, 3, 7]
    adapter.load(make_cell("llama", stop="length", gen_length=48, engine="captured"))
    assert adapter.generate(RAGGED, lambda kind: None).kept == [48] * 3


@pytest.mark.parametrize("engine", ["eager", "captured"])
def test_llada_pays_its_whole_canvas(engine, device):
    lengths = [5, 16]
    output, marks, _ = generated("llada", LLADA_PROMPTS, lengths, engine=engine, device=device)
    forced, *_ = outputs_of_engines("llada", LLADA_PROMPTS, stop="length", device=device)
    assert output.kept == lengths
    assert (output.nfe, output.positions) == (forced.nfe, forced.positions) == (4, forced.positions)
    assert output.sequences.tolist() == forced.sequences.tolist()
    assert marks.count("step") == 4


@pytest.mark.parametrize("model", ["llama", "llada"])
def test_answers_without_lengths_are_refused(model):
    with pytest.raises(RuntimeError, match="stop is references, but 1 answers were given the lengths None"):
        generated(model, RAGGED[:1], None)


def test_the_check_wants_the_stated_lengths_and_the_forwards_of_the_longest_row():
    output, marks, adapter = generated("llama", RAGGED, LENGTHS)
    stamps, special = {"token": [0.0] * len(marks)}, adapter.special()
    contract.check(adapter.cell, output, stamps, special, LENGTHS)
    with pytest.raises(RuntimeError, match=r"by the lengths of the references there are \[5, 11, 1\]"):
        contract.check(adapter.cell, output, stamps, special, [5, 11, 1])
    longer = replace(output, nfe=output.nfe + replay.LAG)
    more = {"token": [0.0] * longer.nfe}
    with pytest.raises(RuntimeError, match="made 14 forwards for answers of 12 tokens at most"):
        contract.check(adapter.cell, longer, more, special, LENGTHS)
    with pytest.raises(RuntimeError, match="made 11 forwards for answers of 12 tokens at most"):
        contract.check(adapter.cell, replace(output, nfe=11), {"token": [0.0] * 11}, special, LENGTHS)


@pytest.mark.parametrize("engine", ["eager", "captured"])
@pytest.mark.parametrize("model", ["llama", "llada"])
def test_a_worker_gives_each_call_the_lengths_of_its_prompts(model, engine):
    ids = [[0, 3, 40 + i, 50, 4] for i in range(4)]
    prompts = tuple(Prompt(f"p{i}", "a", {model: row}) for i, row in enumerate(ids))
    cell = make_cell(
        model, stop="references", answer_lengths="3 9 1 4", prompts=4, batch_size=2, repeat_prompts=2, engine=engine
    )
    work = Work("s", 2, 0, (cell,), {"h": prompts})
    for round_, kept in ((1, [[3, 9], [1, 4]]), (2, [[3, 9]])):
        events: list[dict] = []
        worker.measure(registry.create(model), work, cell, round_, events.append)
        record = events[-1]["record"]
        assert record["message"] == ""
        assert [call["kept"] for call in record["calls"]] == kept
        wanted = [max(call) for call in kept] if model == "llama" else [4] * len(kept)
        assert [call["nfe"] for call in record["calls"]] == wanted
        assert "sequences" not in record  # texts that were not free to end are not scored


def test_the_lengths_are_those_of_the_prompts_of_a_call():
    cell = make_cell("llama", stop="references", answer_lengths="3 9 1", prompts=3, batch_size=2)
    prompts = tuple(Prompt(f"p{i}", "a", {"llama": [i]}) for i in range(3))
    batches = calls.batches_of(Work("s", 1, 0, (cell,), {"h": prompts}), cell, 1)
    assert [(batch.indices, batch.lengths) for batch in batches] == [([0, 1], [3, 9]), ([2], [1])]
    assert calls.batches_of(Work("s", 1, 0, (cell,), {"h": prompts}), make_cell("llama"), 1)[0].lengths is None
