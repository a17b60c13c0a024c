"""The calls of a cell: which prompts each answers, warm-up and capture before them, and each of them timed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.adapters.contract import Adapter, Output, check
from bench.measure.clock import Stopwatch, Timing
from bench.spec.cell import Cell
from bench.spec.work import Work

WARMUP_FORWARDS = 4  # of a warm-up pass at least
WARMUP_PASSES = 3


@dataclass(frozen=True)
class Batch:
    """What one call generates for."""

    indices: list[int]  # of the prompts
    ids: list[list[int]]  # their token ids


def batches_of(work: Work, cell: Cell, round_: int) -> list[Batch]:
    """The calls of a round: all prompts in round 1, the first few again in later rounds."""
    count = cell.prompts if round_ == 1 else min(cell.repeat_prompts, cell.prompts)
    ids = [prompt.ids[cell.model] for prompt in work.prompts_of(cell)[:count]]
    starts = range(0, count, cell.batch_size)
    return [Batch(list(range(count)[i : i + cell.batch_size]), ids[i : i + cell.batch_size]) for i in starts]


def short_cell(cell: Cell, forwards: int) -> Cell:
    """The same shapes with few forwards: each is a full canvas (LLaDA), or a prefill and some decode steps."""
    if cell.steps is None:
        return replace(cell.whole(), gen_length=min(forwards, cell.gen_length), stop="length")
    return replace(cell, steps_timed=min(forwards, cell.forwards()))


def longest_of(batches: list[Batch]) -> list[list[int]]:
    """Token ids of the batch with the longest prompt: the largest shapes."""
    return max(batches, key=lambda batch: max(map(len, batch.ids))).ids


def warm_up(adapter: Adapter, cell: Cell, batches: list[Batch]) -> list[float]:
    """Passes over the longest batch of prompts, not counted as results; milliseconds of each.

    On a GPU the last of them is one whole call. None where memory alone is asked.
    """
    if cell.peaks_only:
        return []
    found = []
    passes = [short_cell(cell, WARMUP_FORWARDS)] * WARMUP_PASSES + [cell] * (cell.device == "cuda")
    for chosen in passes:
        adapter.load(chosen)
        _, timing = Stopwatch(cell.device).time(lambda mark: adapter.generate(longest_of(batches), mark))
        found.append(round(timing.latency_ms, 3))
    adapter.load(cell)
    return found


def capture(adapter: Adapter, cell: Cell, batches: list[Batch]) -> dict:
    """Seconds that compiling and capturing took, never part of a timed call. Empty for an engine that does neither, and
    where the cell before captured the same."""
    if cell.engine != "captured":
        return {}
    start = time.perf_counter()
    compile_s = adapter.prepare([batch.ids for batch in batches])
    if compile_s is None:
        return {}
    found = {"capture_s": round(time.perf_counter() - start - compile_s, 3)}
    return found | ({"compile_s": round(compile_s, 3)} if compile_s else {})


def describe_call(indices: list[int], output: Output, timing: Timing) -> dict:
    """One timed call as plain data; times in milliseconds since its start."""
    call = {
        "prompts": indices,
        "latency_ms": round(timing.latency_ms, 4),
        "marks": timing.marks,
        "nfe": output.nfe,
        "positions": output.positions,
        "kept": output.kept,
        "first_step": output.first_step,
    }
    if timing.device_ms is not None:
        call["device_ms"] = round(timing.device_ms, 4)
    return call


def timed_calls(
    adapter: Adapter, cell: Cell, batches: list[Batch], progress: Callable[[int], None] = lambda done: None
) -> tuple[list[dict], list[list[int]]]:
    """Every call timed and checked. Returns the calls as plain data, and the generated token ids."""
    calls, sequences = [], []
    for done, batch in enumerate(batches, 1):
        output, timing = Stopwatch(cell.device).time(lambda mark, batch=batch: adapter.generate(batch.ids, mark))
        check(cell, output, timing.marks, adapter.special())
        calls.append(describe_call(batch.indices, output, timing))
        sequences += output.sequences.tolist()
        progress(done)
    return calls, sequences
