"""Is a peak of memory seen as it is? A block of known size is taken and given back under the benchmark's meter."""

from __future__ import annotations

import torch

from bench.checks.finding import Finding
from bench.common.units import GIB
from bench.measure.memory import PeakMemory

BLOCK_BYTES = 256 << 20  # that are taken and given back
MOST_ERROR = 0.02  # by which the peak may differ from the block, as a share of it
BYTES_A_VALUE = 4  # of float32


def peak_bytes(device: str, name: str, size: int) -> float | None:
    """The peak of the metric `name` while `size` bytes are taken and given back; None where it cannot be reset."""
    with PeakMemory(device) as peak:
        block = torch.ones(size // BYTES_A_VALUE, device=device)
        del block
    return peak.gib[name] * GIB if name in peak.gib else None


def memory_error(device: str, name: str) -> float | None:
    """How far the block's peak is from its size, as a share of it; None where the peak cannot be reset."""
    without = peak_bytes(device, name, 0)
    with_block = peak_bytes(device, name, BLOCK_BYTES)
    if without is None or with_block is None:
        return None
    return abs((with_block - without) / BLOCK_BYTES - 1)


def check(device: str) -> Finding:
    """The meter of `cpu` or `cuda` against a block of 256 MiB."""
    name = "allocated" if device == "cuda" else "resident"
    error = memory_error(device, name)
    if error is None:
        return Finding("memory", "not measured: this system does not let its peak be reset")
    return Finding("memory", f"256 MiB seen in {name} to {error:.2%}", "2 %", error <= MOST_ERROR)
