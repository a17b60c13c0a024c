"""How long cells will take, for `make plan` and the progress bar. Estimates, never reported as results.

From the time of a forward in this study's records where there are any, else from rough speeds of the device.
"""

import statistics

from bench import checkpoint, metrics, roofline
from bench.cell import Cell, Prompt
from bench.records import CellRecords

FLOPS_PER_S = {"cpu": 80e9, "cuda": 200e12}  # what small forwards reach, not peaks
BYTES_PER_S = {"cpu": 10e9, "cuda": 1.5e12}
OVERHEAD_S = {"cpu": 0.006, "cuda": 0.025}  # of one eager forward, however small
START_S = {"cpu": 8.0, "cuda": 25.0}  # a fresh process: imports, weights, warm-up


SAME_SHAPE = ("model", "revision", "device", "dtype", "batch_size", "gen_length", "head", "engine")


def measured_forward_s(cell: Cell, known: dict[str, CellRecords]) -> float | None:
    """Seconds of one forward, from the rounds of cells of the same shape; None where there are none."""
    found = [
        values["latency/step_ms"] / 1e3
        for entry in known.values()
        if all(entry.cell.get(k) == getattr(cell, k) for k in SAME_SHAPE)
        for values in metrics.round_metrics(entry).values()
        if "latency/step_ms" in values
    ]
    return statistics.median(found) if found else None


def call_s(cell: Cell, prompts: tuple[Prompt, ...], known: dict[str, CellRecords]) -> float:
    """Seconds of one generation call, at its longest: from measured forwards, else from what it must cost."""
    if measured := measured_forward_s(cell, known):
        return cell.forwards() * measured
    prompt = statistics.mean(len(p.ids[cell.model]) for p in prompts[: cell.prompts])
    cost = roofline.call(cell, checkpoint.read(cell.weights, cell.random_seed).shape, round(prompt))
    busy = max(cost.flops / FLOPS_PER_S[cell.device], cost.moved_bytes / BYTES_PER_S[cell.device])
    return cell.forwards() * OVERHEAD_S[cell.device] + busy


def calls(cell: Cell, round_: int) -> int:
    """Calls of a cell in a round."""
    count = cell.prompts if round_ == 1 else cell.repeat_prompts
    return -(-count // cell.batch_size)


def cell_s(cell: Cell, rounds: int, prompts: tuple[Prompt, ...], known: dict[str, CellRecords]) -> float:
    """Seconds of all rounds of a cell, process start-up left out."""
    each = call_s(cell, prompts, known)
    return each * sum(calls(cell, round_) for round_ in range(1, rounds + 1))
