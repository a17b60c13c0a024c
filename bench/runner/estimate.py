"""How long cells will take, for `make plan` and the progress bar. Estimates, never reported as results.

From the time of a forward in this study's records where there are any, else from rough speeds of the device.
"""

import statistics

from bench.cost import floors
from bench.cost.floors import Ceilings
from bench.cost.workload import Workload
from bench.data.prompt import Prompt
from bench.models import checkpoint
from bench.records import metrics
from bench.records.merge import CellRecords
from bench.spec.cell import WARMUP_FORWARDS, WARMUP_PASSES, Cell

SPEEDS = {  # what small forwards reach, not peaks; host_s: of one eager forward, however small
    "cpu": Ceilings(80e9, 10e9, host_s=0.006, overlaps=False),
    "cuda": Ceilings(200e12, 1.5e12, host_s=0.025, overlaps=False),
}
START_S = {"cpu": 8.0, "cuda": 20.0}  # a fresh process: imports, weights, warm-up


SAME_SHAPE = (
    "model", "revision", "device", "dtype", "engine", "batch_size", "gen_length", "prompt_tokens", "head", "attention",
)  # fmt: skip
# On an H100 at 8B shapes: to compile and capture a step, once a shape (engine captured); later rounds find the kernels.
CAPTURE_S = {"llama": 15.0, "llada": 4.0}
CAPTURE_AGAIN_S = {"llama": 4.0, "llada": 1.0}
ENERGY_S = 5.0  # of a GPU's cell whose calls are whole: the window in which its energy is read


def measured_forward_s(cell: Cell, known: dict[str, CellRecords]) -> float | None:
    """Seconds of one forward, from the rounds of cells of the same shape; None where there are none."""
    step_times_s = [
        values["latency/step_ms"] / 1e3
        for entry in known.values()
        if isinstance(entry.cell, Cell) and all(getattr(entry.cell, k) == getattr(cell, k) for k in SAME_SHAPE)
        for values in metrics.round_metrics(entry).values()
        if "latency/step_ms" in values
    ]
    return statistics.median(step_times_s) if step_times_s else None


def call_s(cell: Cell, prompts: tuple[Prompt, ...], known: dict[str, CellRecords]) -> float:
    """Seconds of one generation call, at its longest: from measured forwards, else from what it must cost."""
    if measured := measured_forward_s(cell, known):
        return cell.forwards() * measured
    prompt = statistics.mean(len(p.ids[cell.model]) for p in prompts[: cell.prompts])
    shape = checkpoint.read(cell.weights, cell.random_seed).shape
    whole = floors.call_s(Workload.of(cell.whole()), shape, SPEEDS[cell.device], round(prompt))
    return whole * cell.forwards() / cell.whole().forwards()


def calls(cell: Cell, round_: int) -> int:
    """Calls of a cell in a round."""
    count = cell.prompts if round_ == 1 else cell.repeat_prompts
    return -(-count // cell.batch_size)


def round_s(cell: Cell, round_: int, prompts: tuple[Prompt, ...], known: dict[str, CellRecords]) -> float:
    """Seconds of a cell in a round: its warm-up and its calls."""
    each = call_s(cell, prompts, known)
    warm_up = each * min(1.0, WARMUP_PASSES * WARMUP_FORWARDS / cell.forwards())
    warm_up += each if cell.device == "cuda" else 0.0
    capture = 0.0
    if cell.engine == "captured" and cell.device == "cuda":
        capture = (CAPTURE_S if round_ == 1 else CAPTURE_AGAIN_S)[cell.model]
        if round_ == 1 and not cell.timed and not cell.peaks_only:
            capture += CAPTURE_AGAIN_S[cell.model]  # to trace its kernels, when all cells have been timed
    energy = ENERGY_S if cell.device == "cuda" and not cell.timed and not cell.peaks_only else 0.0
    return each * calls(cell, round_) + (0.0 if cell.peaks_only else warm_up) + capture + energy
