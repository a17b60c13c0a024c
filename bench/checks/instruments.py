"""`make selfcheck`: can the numbers of this machine be believed? Measures the measuring, exits 1 if a target is missed.

    python -m bench.selfcheck [--device D] [--rounds N] [--cells WORK]

--cells: a work folder that holds a sentinel, for a machine without the packages that read grids.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from bench.adapters.contract import Mark, Output, Special
from bench.checks.coverage import COVERAGE_TARGET, NOISES, coverage
from bench.checks.finding import Finding
from bench.common.units import GIB
from bench.data.prompt import Prompt
from bench.measure import calls
from bench.measure.clock import Stopwatch
from bench.measure.memory import PeakMemory
from bench.measure.watch import open_watch
from bench.records import metrics
from bench.spec.cell import Cell
from bench.spec.work import Work

if TYPE_CHECKING:
    from bench.devices.exclusivity import Watch


CLOCK_TARGET, OVERHEAD_TARGET, MEMORY_TARGET = 0.02, 0.01, 0.02
PERIOD_S, STEPS, CALLS = 0.010, 16, 8  # of the metronome
PAIRS, LOOP_STEPS = 150, 4  # of the overhead of marks
LOOKING_S = 5.0  # of NVML's looks


def spin_until(moment: float) -> None:
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
        return Output(tokens, self.cell.steps, self.cell.steps, [self.cell.gen_length] * len(prompts), 0)

    def special(self) -> Special:
        return Special((0,))

    def weights_bytes(self) -> int:
        return 0


def clock_errors(where: str) -> dict[str, float]:
    """Relative error of each latency of the metronome, measured as any cell is."""
    cell = Cell(
        pair="selfcheck", kind="selfcheck", model="llada", weights="", tokenizer="", revision="", dtype="float32",
        device=where, engine="eager", gen_length=STEPS, block_length=STEPS, steps=STEPS, batch_size=1, prompts=CALLS,
        prompt_hash="", repeat_prompts=CALLS, stop="length", temperature=0.0, seed=0, time_limit_s=60.0,
    )  # fmt: skip
    work = Work("selfcheck", 1, 0, (cell,), {"": (Prompt("", None, {"llada": [1]}),) * CALLS})
    adapter = Metronome()
    adapter.load(cell)
    timed = calls.timed_calls(adapter, cell, calls.batches_of(work, cell, 1))[0]
    found = metrics.timing_metrics(timed, cell)
    truth = {"ttft": PERIOD_S, "step": PERIOD_S, "ttfb": STEPS * PERIOD_S, "latency": STEPS * PERIOD_S}
    return {name: abs(found[f"latency/{name}_ms"] / (1e3 * seconds) - 1) for name, seconds in truth.items()}


def seconds_of(work: Callable[[], object], count: int, where: str) -> float:
    """Seconds that work takes, done so many times; the device is waited for at the end."""
    start = time.perf_counter()
    for _ in range(count):
        work()
    if where == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def fixed_work(where: str) -> Callable[[], None]:
    """A piece of work that takes about 10 ms here: products of matrices on a GPU, a loop on a CPU."""
    matrix = torch.randn(2048, 2048, device="cuda") if where == "cuda" else None

    def unit() -> object:
        return sum(range(1000)) if matrix is None else matrix @ matrix

    seconds_of(unit, 20, where)
    count = max(1, round(PERIOD_S / statistics.median(seconds_of(unit, 20, where) / 20 for _ in range(5))))

    def step() -> None:
        for _ in range(count):
            unit()

    return step


def overhead(where: str, step: Callable[[], None]) -> float:
    """Share that marks and clocks add to steps of 10 ms: median of paired ratios, a bare loop beside each."""

    def loop(mark: Mark) -> None:
        for _ in range(LOOP_STEPS):
            step()
            mark("step")

    def bare() -> float:
        return seconds_of(step, LOOP_STEPS, where)

    def profiled() -> float:
        start = time.perf_counter()
        Stopwatch(where).time(loop)
        return time.perf_counter() - start

    ratios = []
    for pair in range(PAIRS):  # which comes first alternates
        first, second = (bare, profiled) if pair % 2 else (profiled, bare)
        one, other = first(), second()
        ratios.append(other / one if pair % 2 else one / other)
    return statistics.median(ratios) - 1


def share_of_looks(watch: Watch) -> float | None:
    """Processor time of NVML's looks over time; None where it does not answer.

    Not from paired loops: on a shared host two of them differ by more (4 % were seen on an H100's).
    """
    region = watch.region()
    region.thread.start()
    time.sleep(LOOKING_S)
    region.stop_looking()
    return None if region.findings.doubts else region.cpu_s / LOOKING_S


def memory_error(where: str) -> tuple[str, float | None]:
    """(name, relative error) of the peak when 256 MiB are taken and given back; None where it cannot be reset."""
    name = "allocated" if where == "cuda" else "resident"
    peaks = []
    for size in (0, 256 << 20):
        with PeakMemory(where) as peak:
            block = torch.ones(size // 4, device=where)
            del block
        if name not in peak.gib:
            return name, None
        peaks.append(peak.gib[name] * GIB)
    return name, abs((peaks[1] - peaks[0]) / (256 << 20) - 1)


def overhead_findings(where: str) -> list[Finding]:
    """What measuring costs: marks and clocks inside the calls; on a GPU NVML's looks, in a thread beside them."""
    share, watch = overhead(where, fixed_work(where)), open_watch(where)
    found = [Finding("overhead", f"{share:+.2%} of a step of 10 ms", "1 %", share <= OVERHEAD_TARGET)]
    if watch:
        looks = share_of_looks(watch)
        text = "NVML does not answer" if looks is None else f"NVML's looks take {looks:.2%} of a processor core"
        found.append(Finding("looks", text, "1 %", looks is not None and looks <= OVERHEAD_TARGET))
    return found


def memory_finding(where: str) -> Finding:
    name, error = memory_error(where)
    if error is None:
        return Finding("memory", "not measured: this system does not let its peak be reset")
    return Finding("memory", f"256 MiB seen in {name} to {error:.2%}", "2 %", error <= MEMORY_TARGET)


def checks(where: str) -> list[Finding]:
    """The checks that have targets."""
    errors = clock_errors(where)
    covered = {noise: coverage(noise) for noise in NOISES}
    low, high = COVERAGE_TARGET
    words = ", ".join(f"{noise} {hits:.1%} (flagged {flagged:.0%})" for noise, (hits, flagged) in covered.items())
    worst = max(errors.values())
    return [
        Finding("clock", ", ".join(f"{n} {e:.2%}" for n, e in errors.items()) + " off", "2 %", worst <= CLOCK_TARGET),
        *overhead_findings(where),
        memory_finding(where),
        Finding("coverage", f"of 95 % intervals: {words}", "93-97 % gaussian", low <= covered["gaussian"][0] <= high),
    ]
