"""What NVML says of one card, by its UUID. An answer that cannot be had is `CannotTell`, never a guess.

Imports no torch. bench/devices/exclusivity.py makes a verdict of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pynvml

HOST_PID_NAMESPACE = 4026531836  # inode of the initial pid namespace (Linux: proc_ns.h, PROC_PID_INIT_INO)
FAILURES = (pynvml.NVMLError, pynvml.NVMLLibraryMismatchError)  # the second is no NVMLError: an old driver's lists


class CannotTell(Exception):
    """NVML did not answer, or what it answers would not show another tenant."""


@dataclass(frozen=True)
class Look:
    """One reading of the card: bytes in use (all processes), ids of its processes, percent of time it was busy."""

    used: int
    pids: frozenset[int]
    utilization: int


def asked(call: Callable, *arguments: object) -> object:
    """What NVML answers. Raises CannotTell where it fails or answers nothing."""
    try:
        answer = call(*arguments)
    except FAILURES as error:
        raise CannotTell(f"{call.__name__}: {error}") from error
    if answer is None:
        raise CannotTell(f"{call.__name__}: no answer")
    return answer


def asked_if_supported(call: Callable, *arguments: object, otherwise: object) -> object:
    """What NVML answers; `otherwise` for a card that lacks the feature altogether. Raises CannotTell where it fails."""
    try:
        return call(*arguments)
    except pynvml.NVMLError_NotSupported:
        return otherwise
    except FAILURES as error:
        raise CannotTell(f"{call.__name__}: {error}") from error


class Card:
    """A card by its UUID, since NVML may count cards in another order than CUDA. Raises CannotTell if it is shared."""

    def __init__(self, uuid: str):
        asked_init()
        self.uuid = uuid
        self.handle = asked(pynvml.nvmlDeviceGetHandleByUUID, uuid)
        self.refuse_shared()

    def refuse_shared(self) -> None:
        """Raise CannotTell on a slice of a card or a virtual one: memory and lists would mislead."""
        mig = asked_if_supported(pynvml.nvmlDeviceGetMigMode, self.handle, otherwise=(0, 0))
        if mig[0] == pynvml.NVML_DEVICE_MIG_ENABLE:
            raise CannotTell("MIG is on: other slices share memory bandwidth and power")
        mode = asked_if_supported(pynvml.nvmlDeviceGetVirtualizationMode, self.handle, otherwise=0)
        if mode not in (pynvml.NVML_GPU_VIRTUALIZATION_MODE_NONE, pynvml.NVML_GPU_VIRTUALIZATION_MODE_PASSTHROUGH):
            raise CannotTell("a virtual GPU: other machines may share the card")

    def look(self) -> Look:
        """A reading of the card now. Raises CannotTell where any part of it cannot be had, or MPS hides processes."""
        if asked_if_supported(pynvml.nvmlDeviceGetMPSComputeRunningProcesses, self.handle, otherwise=[]):
            raise CannotTell("MPS is on: its processes share one context")
        memory = asked(pynvml.nvmlDeviceGetMemoryInfo, self.handle, pynvml.nvmlMemory_v2)
        if memory.used is None:
            raise CannotTell("nvmlDeviceGetMemoryInfo: no answer")
        lists = (pynvml.nvmlDeviceGetComputeRunningProcesses, pynvml.nvmlDeviceGetGraphicsRunningProcesses)
        pids = frozenset(process.pid for call in lists for process in asked(call, self.handle))
        busy = asked(pynvml.nvmlDeviceGetUtilizationRates, self.handle)
        return Look(memory.used, pids, busy.gpu)

    def idle_within(self, seconds: float) -> int:
        """Wait until the card does nothing; the percent that it is still busy after so many seconds, 0 if idle."""
        end = time.monotonic() + seconds
        while (busy := asked(pynvml.nvmlDeviceGetUtilizationRates, self.handle).gpu) and time.monotonic() < end:
            time.sleep(0.05)
        return busy

    def nobody_can_hide(self, own: frozenset[int]) -> bool:
        """Whether lists show every process of the machine, or the driver admits one process at a time.

        Our own entry vouches for the lists: a virtual machine has an initial namespace too, but not its host's lists.
        """
        mode = asked_if_supported(pynvml.nvmlDeviceGetComputeMode, self.handle, otherwise=None)
        if mode == pynvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS:
            return bool(own)
        return pid_namespace() == HOST_PID_NAMESPACE and own == {os.getpid()}

    def energy_j(self) -> float | None:
        """The card's energy counter in joules; None where it has none."""
        millijoules = asked_if_supported(pynvml.nvmlDeviceGetTotalEnergyConsumption, self.handle, otherwise=None)
        return None if millijoules is None else millijoules / 1e3

    def telemetry(self) -> dict[str, float]:
        """Clocks (MHz), temperature (C), power (W), and why the clocks are where they are (bits)."""
        handle = self.handle
        return {
            "sm_clock_mhz": asked(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
            "memory_clock_mhz": asked(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
            "temperature_c": asked(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
            "power_w": asked(pynvml.nvmlDeviceGetPowerUsage, handle) / 1e3,
            "reasons": asked(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle),
        }

    def describe(self) -> dict:
        """What a reader wants to know of the card."""
        limit = asked_if_supported(pynvml.nvmlDeviceGetEnforcedPowerLimit, self.handle, otherwise=None)
        return {
            "uuid": self.uuid,
            "driver": asked(pynvml.nvmlSystemGetDriverVersion),
            "power_limit_w": None if limit is None else limit / 1e3,
            "max_sm_clock_mhz": asked(pynvml.nvmlDeviceGetMaxClockInfo, self.handle, pynvml.NVML_CLOCK_SM),
        }


def asked_init() -> None:
    """Open NVML for this process. Raises CannotTell where it cannot be opened."""
    asked_if_supported(pynvml.nvmlInit, otherwise=None)


def pid_namespace() -> int | None:
    """Inode of this process's pid namespace; None where the system has none (not Linux)."""
    namespace = Path("/proc/self/ns/pid")
    return os.stat(namespace).st_ino if namespace.exists() else None
