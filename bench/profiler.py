"""Clocks, marks and memory peaks of a call. Knows nothing of models.

On a GPU a mark is a CUDA event, so marking never waits for the device; on a CPU it is `perf_counter`.
"""

import contextlib
import ctypes
import gc
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

GIB = 1 << 30


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


def release(device: str) -> None:
    """Give back what an earlier cell left in torch's pool. Before a warm-up: after it, the timed calls would have to
    ask the driver for memory again. On a CPU the C library keeps pages that would count as resident (glibc alone has a
    call to let go of them)."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
    else:
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)


def limit_memory(device: str, gib: float | None) -> None:
    """Let this process have no more memory than a stated limit: torch's pool on a GPU, private pages on a CPU.

    None lifts nothing and limits nothing. Beyond it an allocation fails as on a smaller device.
    """
    if gib is None:
        return
    if device == "cuda":
        torch.cuda.set_per_process_memory_fraction(min(1.0, gib * GIB / torch.cuda.mem_get_info()[1]))
    else:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (int(gib * GIB), resource.RLIM_INFINITY))


class PeakMemory:
    """Peak memory between entering and leaving, in GiB, under the names of the metrics.

    On a GPU: `allocated` (tensors) and `reserved` (torch's pool), counters reset first. On a CPU: `resident`,
    the high-water mark of the process, reset first; left out where the system cannot reset it.
    """

    def __init__(self, device: str):
        self.cuda = device == "cuda"
        self.gib: dict[str, float] = {}

    def __enter__(self) -> "PeakMemory":
        if self.cuda:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        else:
            self.can_reset = reset_resident_peak()
        return self

    def __exit__(self, *error: object) -> None:
        if self.cuda:
            self.gib["allocated"] = torch.cuda.max_memory_allocated() / GIB
            self.gib["reserved"] = torch.cuda.max_memory_reserved() / GIB
        elif self.can_reset:
            self.gib["resident"] = resident_peak_bytes() / GIB


def reset_resident_peak() -> bool:
    """Start the resident high-water mark of this process anew (Linux); False where that is not possible."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return os.path.exists("/proc/self/status")


def resident_peak_bytes() -> int:
    """The resident high-water mark since the last reset."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found.group(1)) * 1024
