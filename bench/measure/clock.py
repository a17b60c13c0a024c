"""Clocks, marks and memory peaks of a call. Knows nothing of models.

On a GPU a mark is a CUDA event, so marking never waits for the device; on a CPU it is `perf_counter`.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Timing:
    """latency_ms: wall time of the call, device synchronised at both ends. device_ms: the same by CUDA
    events (None on a CPU). marks: for each kind, milliseconds since the start."""

    latency_ms: float
    device_ms: float | None
    marks: dict[str, list[float]]


class Stopwatch:
    """Times one call and the marks inside it."""

    def __init__(self, device: str):
        self.cuda = device == "cuda"
        self.marks: dict[str, list[Any]] = defaultdict(list)

    def now(self) -> Any:
        if not self.cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def mark(self, kind: str) -> None:
        self.marks[kind].append(self.now())

    def since(self, start: Any, end: Any) -> float:
        """Milliseconds between two of `now`'s values."""
        return start.elapsed_time(end) if self.cuda else 1e3 * (end - start)

    def time(self, call: Callable[[Callable[[str], None]], Any]) -> tuple[Any, Timing]:
        """Run call(mark); returns its result and the timing. Exceptions pass through."""
        if self.cuda:
            torch.cuda.synchronize()
        wall = time.perf_counter()
        start = self.now()
        result = call(self.mark)
        end = self.now()
        if self.cuda:
            torch.cuda.synchronize()
        wall = 1e3 * (time.perf_counter() - wall)
        marks = {kind: [round(self.since(start, m), 4) for m in times] for kind, times in self.marks.items()}
        return result, Timing(wall, self.since(start, end) if self.cuda else None, marks)


def kernel_ms(call: Callable[[], Any]) -> float:
    """Milliseconds during which the GPU ran at least one kernel or copy of a call. Tracing slows the host, so the
    call is not to be timed as well."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as trace:
        call()
        torch.cuda.synchronize()
    on_device = [e.time_range for e in trace.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    return covered([(r.start, r.end) for r in on_device]) / 1e3


def covered(intervals: list[tuple[float, float]]) -> float:
    """Length of the union of intervals: kernels of several streams may overlap."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
