"""Memory of this process: its peak between two moments, and a limit to it."""

import os
import re
from pathlib import Path

import torch

from bench.common.units import GIB


def limit_memory(device: str, gib: float | None) -> None:
    """Let this process have no more memory than a stated limit: torch's pool on a GPU, private pages on a CPU.

    Beyond the limit an allocation fails as on a smaller device. gib: None limits nothing.
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
    """The resident high-water mark since the last reset (Linux)."""
    line = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line.group(1)) * 1024
