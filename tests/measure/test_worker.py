"""What a worker does with one cell: warm-up at the measured shapes, every call timed, failures as results."""

import pytest
import torch
from torch._dynamo.exc import BackendCompilerFailed

from bench.adapters.contract import Output, Special
from bench.data.prompt import Prompt
from bench.measure import calls, energy_and_kernels, watch, worker
from bench.records import merge, types
from bench.records.machine import NvmlReport
from bench.records.types import Call
from bench.spec.cell import WARMUP_FORWARDS, WARMUP_PASSES
from bench.spec.work import Work
from tests.conftest import make_cell


class Fake:
    """An adapter that keeps what it was asked and marks three steps; fails on demand."""

    def __init__(self, error: Exception | None = None):
        self.asked: list[tuple] = []
        self.error = error

    def load(self, cell):
        self.cell = cell

    def generate(self, prompts, mark):
        made = self.cell.forwards()
        self.asked.append((made, self.cell.gen_length, [len(p) for p in prompts]))
        if self.error and self.cell.steps == 8:
            raise self.error
        for _ in range(made):
            mark("step")
        mark("block")
        return Output(torch.zeros(len(prompts), 16, dtype=torch.long), made, 60, [16] * len(prompts), 0)

    def special(self):
        return Special((99,))

    def weights_bytes(self):
        return 1 << 30


def work_of(*cells) -> Work:
    prompts = tuple(Prompt(f"p{i}", None, {"llada": list(range(i + 3)), "llama": list(range(i + 3))}) for i in range(4))
    return Work("s", 2, 0, cells, {"h": prompts})


def measure(adapter, cell, round_=1) -> tuple[dict, list[dict]]:
    events: list[dict] = []
    worker.measure(adapter, work_of(cell), cell, round_, events.append)
    return events[-1]["record"], events


def test_a_good_cell_times_every_prompt_after_a_warm_up_at_the_longest_canvas():
    adapter, cell = Fake(), make_cell("llada", prompts=4, steps=8)
    record, events = measure(adapter, cell)
    warm = [(WARMUP_FORWARDS, 16, [6])] * WARMUP_PASSES
    assert adapter.asked == warm + [(8, 16, [n]) for n in (3, 4, 5, 6)]
    assert record["outcome"] == "ok"
    assert [call["prompts"] for call in record["calls"]] == [[0], [1], [2], [3]]
    assert len(record["warmup_ms"]) == WARMUP_PASSES
    assert record["memory_gib"]["weights"] == 1
    assert len(record["sequences"]) == 4
    assert [e["event"] for e in events] == ["start", *["progress"] * 4, "record"]


def test_a_later_round_repeats_the_first_prompts_and_keeps_no_text():
    adapter = Fake()
    record, _ = measure(adapter, make_cell("llada", prompts=4, repeat_prompts=2), round_=2)
    assert [call["prompts"] for call in record["calls"]] == [[0], [1]]
    assert "sequences" not in record


def test_capturing_comes_before_the_warm_up_and_is_timed_apart():
    class Capturing(Fake):
        def prepare(self, batches):
            self.asked.append(("prepare", [[len(prompt) for prompt in batch] for batch in batches]))
            return 0.0

        def captured_peak_bytes(self):
            return 1 << 40

    adapter = Capturing()
    record, _ = measure(adapter, make_cell("llada", prompts=4, steps=8, batch_size=2, engine="captured"))
    assert adapter.asked[0] == ("prepare", [[3, 4], [5, 6]])
    assert len(adapter.asked) == 1 + WARMUP_PASSES + 2
    assert record["capture_s"] >= 0
    assert "capture_s" not in measure(Fake(), make_cell("llada", prompts=4, steps=8))[0]


def test_batches_hold_all_prompts_once():
    cell = make_cell("llada", prompts=4, batch_size=3)
    batches = calls.batches_of(work_of(cell), cell, 1)
    assert [batch.indices for batch in batches] == [[0, 1, 2], [3]]
    assert [len(batch.ids) for batch in batches] == [3, 1]


def test_a_llama_warms_up_with_a_prefill_and_a_few_tokens():
    cell = calls.short_cell(make_cell("llama", gen_length=100), WARMUP_FORWARDS)
    assert (cell.gen_length, cell.stop) == (WARMUP_FORWARDS, "length")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 70 GiB"), "oom"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"), "oom"),
        (MemoryError(), "oom"),
        (BackendCompilerFailed(None, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), None), "oom"),
        (BackendCompilerFailed(None, ValueError("shapes differ"), None), "error"),
        (ValueError("shapes differ"), "error"),
    ],
)
def test_a_failure_is_a_record_with_its_reason_and_the_next_cell_runs(error, outcome):
    adapter = Fake(error)
    record, _ = measure(adapter, make_cell("llada", steps=8))
    assert (record["outcome"], "calls" in record) == (outcome, False)
    assert str(error)[:20] in record["message"]
    adapter.error = None
    assert measure(adapter, make_cell("llada", steps=4))[0]["outcome"] == "ok"


def test_a_cuda_cell_without_a_cuda_device_says_what_to_do():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    record, _ = measure(Fake(), make_cell("llada", device="cuda"))
    assert (record["outcome"], "DEVICE=cpu" in record["message"]) == ("error", True)


class Alone:
    """A watch that sees nobody."""

    about_card = joules = None

    def region(self):
        from contextlib import nullcontext

        return nullcontext(self)

    def report(self):
        return {"verdict": "exclusive"}


def run_cells(adapter, *cells, opened=None) -> list[dict]:
    events: list[dict] = []
    worker.run_cells(adapter, work_of(*cells), list(cells), 1, events.append, opened)
    return events


def test_a_gpus_record_names_the_allocators_settings(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H100")
    cell = make_cell("llada", device="cuda")
    report = NvmlReport("exclusive")
    assert worker.environment(cell, Alone(), report).allocator is None
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    assert worker.environment(cell, Alone(), report).allocator == "expandable_segments:True"
    assert worker.environment(make_cell("llada"), None, None).allocator is None


def test_kernels_are_traced_behind_the_last_cell(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H100")
    monkeypatch.setattr(energy_and_kernels, "kernel_ms", lambda call: call() and 7.0)
    events = run_cells(Fake(), make_cell("llada"), make_cell("llada", steps=2), opened=Alone())
    said = [event["event"] for event in events if event["event"] != "progress"]
    assert said == ["start", "record", "start", "record", "beside", "beside", "end"]
    first, second = (event["record"] for event in events if event["event"] == "record")
    traces = [event["record"] for event in events if event["event"] == "beside"]
    for record, trace in zip((first, second), traces, strict=True):
        assert trace["busy"]["latency_ms"] > 0
        assert trace["busy"]["kernel_ms"] == 7.0
        entry = merge.group(map(types.parse, [record, trace]))[record["cell_id"]]
        assert entry.rounds[1].busy.kernel_ms == 7.0


def test_a_cell_for_scores_alone_has_nothing_measured_beside_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H100")
    monkeypatch.setattr(energy_and_kernels, "kernel_ms", lambda call: call() and 7.0)
    cells = make_cell("llada", calls_only=True), make_cell("llada", steps=2)
    beside = [event["record"] for event in run_cells(Fake(), *cells, opened=Alone()) if event["event"] == "beside"]
    assert [record["cell_id"] for record in beside] == [cells[1].cell_id]


@pytest.mark.parametrize("part", ["kernel_ms", "Stopwatch"])
def test_what_fails_beside_a_cell_costs_nothing(part, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H100")
    monkeypatch.setattr(energy_and_kernels, part, lambda *call: 1 / 0)
    events = run_cells(Fake(), make_cell("llada"), opened=Alone())
    assert [events[-2]["event"], events[-2]["record"]["outcome"], events[-1]["event"]] == ["record", "ok", "end"]
    assert "not measured beside LLaDA, 4 steps, 16 tokens, batch 1: ZeroDivisionError" in capsys.readouterr().err


def test_a_traced_call_is_short():
    def forwards(nfe: int, latency_ms: float) -> int:
        return energy_and_kernels.forwards_to_trace([Call([0], latency_ms, {}, nfe, nfe, [1])])

    assert forwards(100, 1000.0) == energy_and_kernels.TRACED_FORWARDS
    assert forwards(10, 5000.0) == 4
    assert forwards(1, 9000.0) == 1


def test_a_lost_device_ends_the_worker_and_leaves_the_rest_to_another(monkeypatch):
    monkeypatch.setattr(worker, "is_usable", lambda device: False)
    events = run_cells(Fake(RuntimeError("an illegal memory access")), make_cell("llada", steps=8), make_cell("llada"))
    assert [event["event"] for event in events] == ["start", "record", "end"]
    assert events[1]["record"]["outcome"] == "error"


def test_a_card_without_room_for_a_context_is_out_of_memory(monkeypatch):
    def full(device):
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(watch, "open_watch", full)
    events = run_cells(Fake(), make_cell("llada"), make_cell("llada", steps=2), opened=watch.open_device("cuda"))
    assert [event["event"] for event in events] == ["start", "record", "end"]  # the next cell tries it anew
    assert events[1]["record"]["outcome"] == "oom"
    assert "CUDA error: out of memory" in events[1]["record"]["message"]


@pytest.mark.parametrize(("steps", "timed", "made"), [(64, None, 4), (64, 16, 4), (64, 2, 2), (2, None, 2)])
def test_a_llada_warms_up_with_a_few_steps_of_its_own_canvas_however_many_blocks_it_has(steps, timed, made):
    cell = make_cell("llada", gen_length=64, block_length=32 if steps == 2 else 4, steps=steps, steps_timed=timed)
    short = calls.short_cell(cell, WARMUP_FORWARDS)
    assert (short.forwards(), short.gen_length, short.steps) == (made, 64, steps)
