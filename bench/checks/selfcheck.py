"""Can the numbers of this machine be believed? All checks of the measuring itself, in the order that they need."""

from __future__ import annotations

from pathlib import Path

from bench.checks import coverage, memory_peak, metronome, noise_floor, overhead
from bench.checks.finding import Finding
from bench.common.plural import counted
from bench.devices import lock
from bench.runner import notices


def check(device: str, rounds: int, folder: Path | None = None) -> list[Finding]:
    """Every check of `make selfcheck`, the device locked meanwhile.

    device: auto, cpu or cuda. rounds: how often the sentinel is run in fresh processes. folder: a work folder that
    holds a sentinel, for a machine without the packages that read grids; None takes the shipped grid's. Raises
    BadInput for a device that is not here or is in use, and for a folder without a sentinel.
    """
    work = noise_floor.sentinel_work(device, rounds, folder)
    device = work.cells[0].device
    with lock.held(device, "selfcheck", here=True) as gpu:
        notices.say(f"the same cell twice in {counted(rounds, 'round')}, then the instruments; some minutes")
        # The sentinels run first: the other checks open the device in this process, and NVML would call it a tenant.
        noise = noise_floor.check(work, gpu and gpu[0])
        return [*instruments(device), *noise]


def instruments(device: str) -> list[Finding]:
    """The checks of clock, overhead, memory and intervals, which have targets."""
    return [metronome.check(device), *overhead.check(device), memory_peak.check(device), coverage.check()]
