"""Are times measured as they are? An adapter with known deadlines goes through the same code as any model.

The metronome ends a step every 10 ms by the processor's clock. What the benchmark then reports as time to first
token, step, block and call is compared with what it must be.
"""

from __future__ import annotations

import time

import torch

from bench.adapters.contract import Mark, Output, Special
from bench.checks.finding import Finding
from bench.data.prompt import Prompt
from bench.measure import calls
from bench.records import metrics
from bench.spec.cell import Cell, unlisted_cell
from bench.spec.work import Work

PERIOD_S = 0.010  # from the end of one step to the end of the next
STEPS = 16  # of one call
CALLS = 8  # that are timed
MOST_ERROR = 0.02  # by which a measured time may differ from the true one, as a share of it


def spin_until(moment: float) -> None:
    """Return when `time.perf_counter()` reaches a moment (seconds); sleeping would be later by what the system adds."""
    while time.perf_counter() < moment:
        pass


class Metronome:
    """An adapter that does nothing but reach known deadlines: every step ends `PERIOD_S` after the one before."""

    def load(self, cell: Cell) -> None:
        self.cell = cell

    def generate(self, prompts: list[list[int]], mark: Mark) -> Output:
        start = time.perf_counter()
        for step in range(1, self.cell.steps + 1):
            spin_until(start + step * PERIOD_S)
            mark("step")
        mark("block")
        tokens = torch.ones(len(prompts), self.cell.gen_length, dtype=torch.long)
        return Output(
            sequences=tokens,
            nfe=self.cell.steps,
            positions=self.cell.steps,
            kept=[self.cell.gen_length] * len(prompts),
            first_step=0,
        )

    def special(self) -> Special:
        return Special((0,))

    def weights_bytes(self) -> int:
        return 0


def clock_errors(device: str) -> dict[str, float]:
    """By latency (`ttft`, `step`, `ttfb`, `latency`): how far the measured time is from the true one, as a share."""
    cell = unlisted_cell(
        "selfcheck", "llada", device, gen_length=STEPS, block_length=STEPS, steps=STEPS, prompts=CALLS,
        repeat_prompts=CALLS,
    )  # fmt: skip
    work = Work("selfcheck", 1, 0, (cell,), {"": (Prompt("", None, {"llada": [1]}),) * CALLS})
    adapter = Metronome()
    adapter.load(cell)
    timed = calls.timed_calls(adapter, cell, calls.batches_of(work, cell, 1))[0]
    measured = metrics.timing_metrics(timed, cell)
    true_s = {"ttft": PERIOD_S, "step": PERIOD_S, "ttfb": STEPS * PERIOD_S, "latency": STEPS * PERIOD_S}
    return {name: abs(measured[f"latency/{name}_ms"] / (1e3 * seconds) - 1) for name, seconds in true_s.items()}


def check(device: str) -> Finding:
    """The clock of `cpu` or `cuda` against known deadlines."""
    errors = clock_errors(device)
    text = ", ".join(f"{name} {error:.2%}" for name, error in errors.items()) + " off"
    return Finding("clock", text, "2 %", max(errors.values()) <= MOST_ERROR)
