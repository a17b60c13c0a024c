"""The calls of a cell: which prompts each answers, warm-up and capture before them, and each of them timed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.adapters.contract import Adapter, Mark, Output, check
from bench.measure.clock import Stopwatch, Timing
from bench.models import kinds
from bench.models.engines import ENGINES
from bench.records.types import Call
from bench.spec.cell import WARMUP_FORWARDS, WARMUP_PASSES, Cell
from bench.spec.work import Work


@dataclass(frozen=True)
class Batch:
    """The prompts that one call answers together."""

    indices: list[int]  # of the prompts in the cell's prompt set
    ids: list[list[int]]  # token ids of each prompt
    lengths: list[int] | None = None  # tokens of each answer, where the cell states them


def batches_of(work: Work, cell: Cell, round_: int) -> list[Batch]:
    """The calls of a round: all prompts in round 1, the first few again in later rounds."""
    count = cell.prompts if round_ == 1 else min(cell.repeat_prompts, cell.prompts)
    ids = [prompt.ids[cell.model] for prompt in work.prompts_of(cell)[:count]]
    indices = list(range(count))
    lengths = cell.lengths()
    parts = [slice(start, start + cell.batch_size) for start in range(0, count, cell.batch_size)]
    return [Batch(indices[part], ids[part], lengths and lengths[:count][part]) for part in parts]


def ask(adapter: Adapter, batch: Batch, mark: Mark) -> Output:
    """One call. An adapter is told lengths only where there are some, so that one which knows of none needs no word
    for them."""
    lengths = () if batch.lengths is None else (batch.lengths,)
    return adapter.generate(batch.ids, mark, *lengths)


def short_cell(cell: Cell, forwards: int) -> Cell:
    """The same shapes with few forwards: each is a full canvas, or a prefill and some decode steps."""
    if kinds.has_steps(cell.model):
        return replace(cell, steps_timed=min(forwards, cell.forwards()))
    stop = cell.stop if cell.server else "length"  # a server may know of no other end than the model's own
    return replace(cell.whole(), gen_length=min(forwards, cell.gen_length), stop=stop)


def longest_of(batches: list[Batch]) -> Batch:
    """The batch with the longest prompt: the largest shapes."""
    return max(batches, key=lambda batch: max(map(len, batch.ids)))


def warm_up(adapter: Adapter, cell: Cell, batches: list[Batch]) -> list[float]:
    """Passes over the batch with the longest prompt, not counted as results; milliseconds of each.

    On a GPU the last of them is a whole call. No pass is made where memory alone is asked.
    """
    if cell.peaks_only:
        return []
    short = short_cell(cell, WARMUP_FORWARDS)
    passes = [short] * WARMUP_PASSES + [cell] * (cell.device == "cuda")
    times_ms = []
    for pass_ in passes:
        adapter.load(pass_)
        _, timing = Stopwatch(cell.device).time(lambda mark: ask(adapter, longest_of(batches), mark))
        times_ms.append(round(timing.latency_ms, 3))
    adapter.load(cell)
    return times_ms


@dataclass(frozen=True)
class Preparation:
    """Seconds that compiling and capturing a step took, never part of a timed call; None where it was not done."""

    capture_s: float | None = None
    compile_s: float | None = None


def capture(adapter: Adapter, cell: Cell, batches: list[Batch]) -> Preparation:
    """Let an engine compile and capture what the cell's calls need, unless the cell before it needed the same."""
    if cell.server or not ENGINES[cell.engine].is_prepared:
        return Preparation()
    start = time.perf_counter()
    compile_s = adapter.prepare([batch.ids for batch in batches])
    if compile_s is None:
        return Preparation()
    capture_s = round(time.perf_counter() - start - compile_s, 3)
    return Preparation(capture_s, round(compile_s, 3) if compile_s else None)


def describe_call(batch: Batch, output: Output, timing: Timing) -> Call:
    """One timed call as a record has it; times in milliseconds since its start. That of a server ends with the last
    token, whatever it sends behind that."""
    ends_ms = [time for kind, times in timing.marks.items() if kind.startswith("end.") for time in times]
    return Call(
        prompts=batch.indices,
        latency_ms=round(max(ends_ms, default=timing.latency_ms), 4),
        marks=timing.marks,
        nfe=output.nfe,
        positions=output.positions,
        kept=output.kept,
        first_step=output.first_step,
        device_ms=None if timing.device_ms is None else round(timing.device_ms, 4),
        nfe_full=output.nfe_full,
        committed=output.committed,
        own_forwards=output.own_forwards,
        prompt_tokens=max(map(len, batch.ids)),
        counted=output.counted,
    )


def timed_calls(
    adapter: Adapter, cell: Cell, batches: list[Batch], progress: Callable[[int], None] = lambda done: None
) -> tuple[list[Call], list[list[int]]]:
    """Every call timed and checked. Returns the calls, and the token ids of each answer.

    progress: called after each call with the number of those that are done. Raises what the adapter raises, and
    RuntimeError (adapters.contract.check) for an output that is not what the cell asked for.
    """
    calls = []
    sequences = []
    for done, batch in enumerate(batches, 1):
        output, timing = Stopwatch(cell.device).time(lambda mark, batch=batch: ask(adapter, batch, mark))
        check(cell, output, timing.marks, adapter.special(), batch.lengths)
        calls.append(describe_call(batch, output, timing))
        sequences += output.sequences.tolist()
        progress(done)
    return calls, sequences
