"""The clock of a call, the marks inside it, and how long its kernels ran. Knows nothing of models.

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
    """How long a call took.

    latency_ms: wall time of the call, the device synchronised at both ends. device_ms: the same by CUDA events; None on
    a CPU. marks: the times of each kind of mark, in milliseconds since the start.
    """

    latency_ms: float
    device_ms: float | None
    marks: dict[str, list[float]]


class Stopwatch:
    """Times one call and the marks inside it. A stopwatch is used once."""

    def __init__(self, device: str):
        self.cuda = device == "cuda"
        self.marks: dict[str, list[Any]] = defaultdict(list)

    def now(self) -> Any:
        """This moment: a CUDA event on a GPU, seconds of `perf_counter` on a CPU."""
        if not self.cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def mark(self, kind: str) -> None:
        """Note that something of this kind (`token`, `step`, `block`, `jump`) became final now."""
        self.marks[kind].append(self.now())

    def since(self, start: Any, end: Any) -> float:
        """Milliseconds between two of `now`'s values."""
        return start.elapsed_time(end) if self.cuda else 1e3 * (end - start)

    def time(self, call: Callable[[Callable[[str], None]], Any]) -> tuple[Any, Timing]:
        """Run call(mark); returns its result and the timing. Exceptions pass through."""
        if self.cuda:
            torch.cuda.synchronize()
        wall_start = time.perf_counter()
        start = self.now()
        result = call(self.mark)
        end = self.now()
        if self.cuda:
            torch.cuda.synchronize()
        latency_ms = 1e3 * (time.perf_counter() - wall_start)
        device_ms = self.since(start, end) if self.cuda else None
        marks = {
            kind: [round(self.since(start, moment), 4) for moment in moments] for kind, moments in self.marks.items()
        }
        return result, Timing(latency_ms, device_ms, marks)


def kernel_ms(call: Callable[[], Any]) -> float:
    """Milliseconds during which the GPU ran at least one kernel or copy of a call.

    Tracing slows the host, so a traced call is never one whose time counts.
    """
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as trace:
        call()
        torch.cuda.synchronize()
    on_device = [event.time_range for event in trace.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    return covered([(span.start, span.end) for span in on_device]) / 1e3


def covered(intervals: list[tuple[float, float]]) -> float:
    """Length of the union of intervals: kernels of several streams may overlap."""
    total = 0.0
    reached = float("-inf")  # the latest end so far
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
