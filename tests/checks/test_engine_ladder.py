"""`make engines`: every cell is run, ratios are those of the right pairs, a missed target is a failure."""

from dataclasses import replace

import pytest

from bench.adapters.llama import LlamaAdapter
from bench.checks import engine_ladder
from bench.checks.finding import all_met
from bench.common.errors import BadInput
from bench.data.prompt import Prompt
from bench.spec.work import Work
from tests.conftest import make_cell

ENGINES = ("eager", "generate", "generate-static", "captured")  # of LLaMA
SMALL = {"gen_length": 8, "stop": "length", "prompts": 2, "batch_size": 2, "prompt_tokens": 4}


@pytest.fixture
def work() -> Work:
    llada = [
        make_cell("llada", engine=engine, head=head, steps=2, **SMALL)
        for engine in ("eager", "captured")
        for head in ("official-old", None, "lean")
    ]
    llama = [make_cell("llama", engine=engine, **SMALL) for engine in ENGINES]
    ids = {"llama": [0, 3, 40, 4], "llada": [0, 3, 40, 4]}
    return Work("engines", 1, 0, (*llada, *llama), {"h": (Prompt("p", None, ids),) * 2})


def test_every_cell_is_timed_once_a_repeat_on_shared_weights(work):
    ready = engine_ladder.adapters_of(work, print)
    assert len({id(adapter.model) for adapter, _ in ready.values()}) == 2
    times = engine_ladder.step_times(work, ready, 3)
    assert [len(values) for values in times.values()] == [3] * 10
    assert min(min(values) for values in times.values()) > 0


def test_the_harness_is_compared_with_as_many_bare_steps(work):
    cell = engine_ladder.cell_with(work.cells, engine="captured", head="lean")
    adapter, prompts = engine_ladder.adapters_of(work, print)[cell.cell_id]
    made, (step,) = [], adapter.captured(prompts).replays
    step.replay = (lambda real: lambda: made.append(1) or real())(step.replay)
    assert engine_ladder.harness_ratio(cell, adapter, prompts, 6).value > 0
    assert len(made) == 6 * 2 * cell.steps


def print_steps(work: Work, times: engine_ladder.Times, floors_ms: dict[str, float]) -> bool:
    """Print the ladder as `make engines` does; whether every target is met."""
    findings = engine_ladder.step_findings(work, times, floors_ms)
    print(*map(engine_ladder.line_of, findings), sep="\n")
    return all_met(findings)


def test_targets_are_of_the_captured_lean_step(work, capsys):
    def times(official_ms: float) -> engine_ladder.Times:
        of = {("eager", "official-old"): 36.0, ("eager", None): official_ms, ("captured", "lean"): 10.0}
        return {c.cell_id: [of.get((c.engine, c.head), 20.0)] * 6 for c in work.cells if c.model == "llada"} | {
            c.cell_id: [{"eager": 3.0, "generate": 4.0, "generate-static": 8.0}.get(c.engine, 2.0)] * 6
            for c in work.cells
            if c.model == "llama"
        }

    assert print_steps(work, times(25.0), {})
    printed = capsys.readouterr().out
    assert "1.80 [1.80, 1.80] x eager lean   3.60 [3.60, 3.60] x captured lean, target 1.8: ok" in printed
    assert "llama, eager                              3.00 ms   1.50 [1.50, 1.50] x captured\n" in printed
    assert not print_steps(work, times(12.0), {})
    assert "1.20 [1.20, 1.20] x captured lean, target 1.25: MISSED" in capsys.readouterr().out


def test_targets_on_a_gpu_are_floors_at_batch_1(work, capsys):
    def printed_of(cells: tuple) -> tuple[bool, str]:
        ours = [c for c in cells if c.engine == "captured" and (c.model == "llama" or c.head == "lean")]
        times = {c.cell_id: [{"llama": 2.0}.get(c.model, 10.0)] * 6 for c in cells}
        met = print_steps(replace(work, cells=cells), times, {cell.cell_id: 1.7 for cell in ours})
        return met, capsys.readouterr().out

    cells = tuple(replace(cell, device="cuda") for cell in work.cells)
    assert printed_of(cells)[0]
    assert "target" not in printed_of(cells)[1]  # batch 2
    met, printed = printed_of(tuple(replace(cell, batch_size=1) for cell in cells))
    assert not met
    assert "2.00 ms   1.18 x its floor of 1.70 ms, target 1.25: ok" in printed
    assert "10.00 ms   5.88 x its floor of 1.70 ms, target 2.0: MISSED" in printed
    assert "target 1.8" not in printed  # on a GPU the floor is the target


def test_on_a_cpu_llada_has_a_floor_and_no_target_of_it(work, capsys, monkeypatch):
    monkeypatch.setattr(engine_ladder, "CEILING_S", 0.05)
    floors_ms = engine_ladder.floors(work, print)
    assert list(floors_ms) == [engine_ladder.cell_with(work.cells, engine="captured", head="lean").cell_id]
    assert min(floors_ms.values()) > 0
    ours = {("eager", "lean"): 20.0, ("captured", "lean"): 10.0}
    times = {cell.cell_id: [ours.get((cell.engine, cell.head), 25.0)] * 6 for cell in work.cells}
    capsys.readouterr()
    assert print_steps(work, times, dict.fromkeys(floors_ms, 4.0))
    assert "10.00 ms   2.50 x its floor of 4.00 ms\n" in capsys.readouterr().out


def test_work_without_the_cells_is_bad_input(work):
    with pytest.raises(BadInput, match="no cell of model llada, engine captured, head lean"):
        engine_ladder.cell_with(work.cells[:3], model="llada", engine="captured", head="lean")


def test_what_our_loop_changes_is_its_step_over_that_of_transformers_own_call(work):
    of = {"eager": 3.0, "generate": 4.0, "generate-static": 8.0, "captured": 2.0}
    times = {cell.cell_id: [of[cell.engine]] * 6 for cell in work.cells}
    lines = [engine_ladder.line_of(finding) for finding in engine_ladder.loop_findings(work.cells, times)]
    assert [" ".join(line.split()) for line in lines] == [
        "batch 2 our loop, llama, eager: 0.75 [0.75, 0.75] x generate",
        "batch 2 our loop, llama, captured: 0.25 [0.25, 0.25] x generate-static (not compiled)",
    ]
    ours = [cell for cell in work.cells if not cell.engine.startswith("generate")]
    assert engine_ladder.loop_findings(ours, times) == []  # work of a time when there was no such rung


def test_what_generate_compiles_is_prepared_behind_every_capture(work, monkeypatch):
    prepared: list[str] = []
    real = LlamaAdapter.prepare
    monkeypatch.setattr(
        LlamaAdapter, "prepare", lambda self, batches: prepared.append(self.cell.engine) or real(self, batches)
    )
    engine_ladder.adapters_of(work, print)
    assert prepared == ["eager", "generate", "captured", "generate-static"]
