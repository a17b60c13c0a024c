"""How long cells will take, for `make plan` and the progress bar. Estimates, never reported as results.

From the time of a forward in this study's records where there are any, else from rough speeds of the device.
"""

import statistics

from bench import checkpoint, metrics
from bench.cell import Cell, Prompt
from bench.records import CellRecords

FLOPS_PER_S = {"cpu": 80e9, "cuda": 200e12}  # what small forwards reach, not peaks
OVERHEAD_S = {"cpu": 0.006, "cuda": 0.025}  # of one eager forward, however small
START_S = {"cpu": 8.0, "cuda": 25.0}  # a fresh process: imports, weights, warm-up


SAME_SHAPE = ("model", "revision", "device", "dtype", "batch_size", "gen_length")


def forward_s(cell: Cell, prompts: tuple[Prompt, ...], known: dict[str, CellRecords]) -> float:
    """Seconds of one forward: measured on a cell of the same shape, or guessed from its FLOPs."""
    same_shape = [
        values["latency/step_ms"] / 1e3
        for entry in known.values()
        if all(entry.cell.get(k) == getattr(cell, k) for k in SAME_SHAPE)
        for values in metrics.round_metrics(entry).values()
        if "latency/step_ms" in values
    ]
    if same_shape:
        return statistics.median(same_shape)
    prompt = statistics.mean(len(p.ids[cell.model]) for p in prompts[: cell.prompts])
    rows = cell.batch_size * (1 if cell.steps is None else prompt + cell.gen_length)
    return (
        OVERHEAD_S[cell.device]
        + 2 * checkpoint.read(cell.weights, cell.random_seed).parameters * rows / FLOPS_PER_S[cell.device]
    )


def call_s(cell: Cell, prompts: tuple[Prompt, ...], known: dict[str, CellRecords]) -> float:
    """Seconds of one generation call, at its longest."""
    return cell.forwards() * forward_s(cell, prompts, known)


def calls(cell: Cell, round_: int) -> int:
    """Calls of a cell in a round."""
    count = cell.prompts if round_ == 1 else cell.repeat_prompts
    return -(-count // cell.batch_size)
