"""What does measuring cost? Marks and clocks inside a call, and on a GPU NVML's looks in a thread beside it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from bench.adapters.contract import Mark
from bench.checks.finding import Finding
from bench.measure.clock import Stopwatch
from bench.measure.watch import open_watch

if TYPE_CHECKING:
    from bench.devices.exclusivity import Watch

STEP_S = 0.010  # about what one step of fixed work takes
LOOP_STEPS = 4  # steps in one loop
PAIRS = 150  # loops with marks, each with a loop without marks beside it
LOOKING_S = 5.0  # how long the processor time of NVML's looks is counted
MOST_OVERHEAD = 0.01  # of a step, by marks and clocks; of a processor core, by NVML's looks
UNITS_TRIED = 20  # units of work that are timed together to learn what one takes
TRIES = 5  # of which the median counts


def seconds_of(work: Callable[[], object], count: int, device: str) -> float:
    """Seconds that work takes, done `count` times; the device is waited for at the end."""
    start = time.perf_counter()
    for _ in range(count):
        work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def fixed_work(device: str) -> Callable[[], None]:
    """A piece of work that takes about `STEP_S` here: products of matrices on a GPU, a loop on a CPU."""
    matrix = torch.randn(2048, 2048, device="cuda") if device == "cuda" else None

    def unit() -> object:
        return sum(range(1000)) if matrix is None else matrix @ matrix

    seconds_of(unit, UNITS_TRIED, device)  # warm-up
    unit_s = statistics.median(seconds_of(unit, UNITS_TRIED, device) / UNITS_TRIED for _ in range(TRIES))
    count = max(1, round(STEP_S / unit_s))

    def step() -> None:
        for _ in range(count):
            unit()

    return step


def overhead(device: str, step: Callable[[], None]) -> float:
    """Share that marks and clocks add to a step: the median ratio of loops with them to the bare loops beside them."""

    def loop(mark: Mark) -> None:
        for _ in range(LOOP_STEPS):
            step()
            mark("step")

    def bare_s() -> float:
        return seconds_of(step, LOOP_STEPS, device)

    def marked_s() -> float:
        start = time.perf_counter()
        Stopwatch(device).time(loop)
        return time.perf_counter() - start

    ratios = []
    for pair in range(PAIRS):  # which of the two comes first alternates
        if pair % 2:
            bare = bare_s()
            marked = marked_s()
        else:
            marked = marked_s()
            bare = bare_s()
        ratios.append(marked / bare)
    return statistics.median(ratios) - 1


def share_of_looks(watch: Watch) -> float | None:
    """Processor time of NVML's looks over time; None where NVML does not answer.

    Not from paired loops as above: on a shared host two equal loops differ by more (4 % were seen on an H100's).
    """
    region = watch.region()
    region.thread.start()
    time.sleep(LOOKING_S)
    region.stop_looking()
    return None if region.findings.doubts else region.cpu_s / LOOKING_S


def check(device: str) -> list[Finding]:
    """What marks and clocks cost on `cpu` or `cuda`, and on a GPU what NVML's looks cost."""
    share = overhead(device, fixed_work(device))
    findings = [Finding("overhead", f"{share:+.2%} of a step of 10 ms", "1 %", share <= MOST_OVERHEAD)]
    if watch := open_watch(device):
        looks = share_of_looks(watch)
        text = "NVML does not answer" if looks is None else f"NVML's looks take {looks:.2%} of a processor core"
        findings.append(Finding("looks", text, "1 %", looks is not None and looks <= MOST_OVERHEAD))
    return findings
