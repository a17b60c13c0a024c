"""How long cells will take, for `make plan` and the progress bar. These are estimates, never reported as results.

A forward's time comes from this study's records where a cell of the same shape was measured, otherwise from the cost
model at rough speeds of the device.
"""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.cost import floors
from bench.cost.floors import Ceilings
from bench.cost.workload import Workload
from bench.data.prompt import Prompt
from bench.models import checkpoint, kinds
from bench.models.engines import SERVER
from bench.models.kinds import KINDS
from bench.records import metrics
from bench.records.merge import CellRecords
from bench.runner.progress import START, Part, kind_of
from bench.spec.cell import WARMUP_FORWARDS, WARMUP_PASSES, Cell
from bench.spec.work import Work

if TYPE_CHECKING:
    from bench.spec.pair import PairFile

# What small forwards reach, which is less than a device's peaks. host_s: Python's part of one eager forward.
SPEEDS = {
    "cpu": Ceilings(80e9, 10e9, host_s=0.006, overlaps=False),
    "cuda": Ceilings(500e12, 2.5e12, host_s=0.025),  # as an H200 gave at 8B shapes
}
START_S = {"cpu": 8.0, "cuda": 15.0, SERVER: 4.0}  # what a fresh process needs for imports, weights and warm-up
# Cells that agree in these take the same time for a forward.
SAME_SHAPE = (
    "model", "revision", "device", "dtype", "engine", "batch_size", "gen_length", "prompt_tokens", "head", "attention",
    "sampler", "cache", "refresh", "prompt_every", "response_every", "ratio",
)  # fmt: skip
# On H100s and H200s at 8B shapes, once for each shape: how long a step takes to be compiled and captured, by
# whether the model has a cache. Such a model has two graphs: the prefill and a decode step.
CAPTURE_S = {True: 15.0, False: 4.0}
CAPTURE_AGAIN_S = {True: 6.0, False: 3.0}  # the same in later rounds, where the compiled kernels are on disk
ENERGY_S = 5.0  # how long a GPU's energy is read beside a cell whose calls are whole
# Forwards of samplers that go by probabilities, of the most that they may make: on the pocket pair .2 on tasks, .9 in
# text.
SHARE_OF_STEPS = 0.5
# On two cores of a CPU: how long a scorer takes for a text, by what its name begins with, and to load its models.
SCORE_S = {"judge": 0.25, "bertscore": 0.02, "diversity": 0.001, "tasks": 0.001}
LOAD_SCORERS_S = 12.0
TOKEN_OF_SERVER_S = 0.02  # of whose speed nothing is known before it is measured
REPORT_S = 8.0  # the table and the verdict: MLflow is read, and cross-overs are bootstrapped


def measured_forward_s(cell: Cell, on_record: dict[str, CellRecords]) -> float | None:
    """Seconds of one forward, from the rounds of cells of the same shape; None where there are none."""
    step_times_s = [
        values["latency/step_ms"] / 1e3
        for entry in on_record.values()
        if isinstance(entry.cell, Cell) and has_same_shape(entry.cell, cell)
        for values in metrics.round_metrics(entry).values()
        if "latency/step_ms" in values
    ]
    return statistics.median(step_times_s) if step_times_s else None


def has_same_shape(first: Cell, second: Cell) -> bool:
    """Whether a forward of both cells takes the same time."""
    return all(getattr(first, name) == getattr(second, name) for name in SAME_SHAPE)


def call_s(cell: Cell, prompts: tuple[Prompt, ...], on_record: dict[str, CellRecords]) -> float:
    """Seconds of one generation call, if it generates all its tokens, or those that it states.

    prompts: those of the cell, whose mean length the cost model takes. on_record: the study's records by cell id.
    """
    expected = expected_forwards(cell)
    if forward_s := measured_forward_s(cell, on_record):
        return expected * forward_s
    if cell.server:
        return expected * TOKEN_OF_SERVER_S
    prompt_tokens = statistics.mean(len(prompt.ids[cell.model]) for prompt in prompts[: cell.prompts])
    shape = checkpoint.read(cell.weights, cell.random_seed).shape
    whole_s = floors.call_s(Workload.of(cell.whole()), shape, speeds_of(cell), round(prompt_tokens))
    return whole_s * expected / cell.whole().forwards()


def speeds_of(cell: Cell) -> Ceilings:
    """What a cell's forwards reach: a captured step of a GPU does not wait for the host."""
    speeds = SPEEDS[cell.device]
    return replace(speeds, host_s=0.0) if cell.device == "cuda" and cell.engine == "captured" else speeds


def expected_forwards(cell: Cell) -> float:
    """Forwards of a typical call: where lengths are stated, those of its longest row, a mean over calls; where they are
    not known beforehand, a share of the most."""
    lengths = cell.lengths()
    if cell.steps and not cell.knows_forwards:
        return max(1.0, SHARE_OF_STEPS * cell.forwards())
    if lengths is None or kinds.has_steps(cell.model):
        return cell.forwards()
    starts = range(0, len(lengths), cell.batch_size)
    return statistics.mean(max(lengths[start : start + cell.batch_size]) for start in starts)


def calls(cell: Cell, round_: int) -> int:
    """Calls of a cell in a round: later rounds repeat some of the prompts."""
    prompts = cell.prompts if round_ == 1 else cell.repeat_prompts
    return -(-prompts // cell.batch_size)


def round_s(cell: Cell, round_: int, prompts: tuple[Prompt, ...], on_record: dict[str, CellRecords]) -> float:
    """Seconds of a cell in a round: its calls, its warm-up, and what a GPU adds."""
    one_call_s = call_s(cell, prompts, on_record)
    timed_s = one_call_s * calls(cell, round_)
    if cell.peaks_only:
        return timed_s + capture_s(cell, round_)
    warm_up_s = one_call_s / expected_forwards(cell) * min(cell.forwards(), WARMUP_PASSES * WARMUP_FORWARDS)
    if cell.device == "cuda":
        warm_up_s += one_call_s
    return timed_s + warm_up_s + capture_s(cell, round_) + energy_s(cell)


def capture_s(cell: Cell, round_: int) -> float:
    """Seconds that a GPU takes to capture a cell's step, and in the first round to trace its kernels."""
    if cell.engine != "captured" or cell.device != "cuda":
        return 0.0
    has_cache = KINDS[cell.model].has_cache
    if round_ > 1:
        return CAPTURE_AGAIN_S[has_cache]
    is_traced = not (cell.timed or cell.peaks_only or cell.calls_only)
    return CAPTURE_S[has_cache] + (CAPTURE_AGAIN_S[has_cache] if is_traced else 0.0)


def energy_s(cell: Cell) -> float:
    """Seconds in which the energy of a cell is read, after all cells have been timed."""
    return ENERGY_S if cell.device == "cuda" and not (cell.timed or cell.calls_only) else 0.0


def parts_of(
    work: Work, processes: list[tuple[int, list[Cell]]], on_record: dict[str, CellRecords], first: int = 0
) -> dict[Hashable, Part]:
    """The parts of a run for its bar: each process's start, by its number, and each of its cells, by (id, round).

    first: the number of the first process.
    """
    parts: dict[Hashable, Part] = {}
    for number, (round_, cells) in enumerate(processes, first):
        parts[number] = Part(START, START_S[cells[0].device])
        for cell in cells:
            seconds = round_s(cell, round_, work.prompts_of(cell), on_record)
            parts[cell.cell_id, round_] = Part(kind_of(cell), seconds)
    return parts


def scoring_s(cells: Iterable[Cell], pair: PairFile) -> float:
    """Seconds to score the texts of some cells by all scorers that apply to them."""
    from bench.quality import scoring

    seconds = [
        SCORE_S[scorer.split("-")[0]] * cell.prompts
        for cell in cells
        for scorer in scoring.wanted(cell, pair.encoder, pair.judge)
    ]
    return sum(seconds) + LOAD_SCORERS_S if seconds else 0.0
