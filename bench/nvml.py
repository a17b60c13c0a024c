"""Was the card ours alone? NVML's view of it before, during and after what is timed. Fails closed.

Three signs that do not depend on each other: the process lists, the memory that nobody here accounts for, and
utilisation while we do nothing. A sign makes the verdict `violated`; whatever could not be read makes it
`unknown`. Without either it is `consistent`, or `exclusive` where no process could hide (README, "Exclusivity").
Imports no torch; a CPU has no such witness and is always `unknown`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pynvml

MIB = 1 << 20
IDLE_FLOOR = 64 * MIB  # in use on a card that nobody uses, the driver's own reserve not counted
CONTEXT_LIMIT = 1536 * MIB  # a CUDA context with its kernels
FOREIGN_LIMIT = 256 * MIB  # memory that appears and is not ours
IDLE_WAIT_S = 2.0  # NVML's utilisation looks back up to a second
PERIOD_S = 0.2
HOST_PID_NAMESPACE = 4026531836  # inode of the initial pid namespace (Linux: proc_ns.h, PROC_PID_INIT_INO)
HARDWARE_REASONS = {
    "hardware slowdown": pynvml.nvmlClocksThrottleReasonHwSlowdown,
    "software thermal slowdown": pynvml.nvmlClocksThrottleReasonSwThermalSlowdown,
    "hardware thermal slowdown": pynvml.nvmlClocksThrottleReasonHwThermalSlowdown,
    "power brake": pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown,
}
POWER_CAP = pynvml.nvmlClocksThrottleReasonSwPowerCap  # normal on a busy card: recorded, no throttling


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
        found = call(*arguments)
    except pynvml.NVMLError as error:
        raise CannotTell(f"{call.__name__}: {error}") from error
    if found is None:
        raise CannotTell(f"{call.__name__}: no answer")
    return found


def asked_if_supported(call: Callable, *arguments: object, otherwise: object) -> object:
    """The same, with an answer for cards that lack the feature altogether."""
    try:
        return call(*arguments)
    except pynvml.NVMLError_NotSupported:
        return otherwise
    except pynvml.NVMLError as error:
        raise CannotTell(f"{call.__name__}: {error}") from error


class Card:
    """One card by its UUID: NVML's index is not CUDA's."""

    def __init__(self, uuid: str):
        asked_init()
        self.uuid = uuid
        self.handle = asked(pynvml.nvmlDeviceGetHandleByUUID, uuid)
        self.refuse_shared()

    def refuse_shared(self) -> None:
        """Raise CannotTell on a slice of a card or where tenants share one context: memory and lists would mislead."""
        mig = asked_if_supported(pynvml.nvmlDeviceGetMigMode, self.handle, otherwise=(0, 0))
        if mig[0] == pynvml.NVML_DEVICE_MIG_ENABLE:
            raise CannotTell("MIG is on: other slices share memory bandwidth and power")
        mode = asked_if_supported(pynvml.nvmlDeviceGetVirtualizationMode, self.handle, otherwise=0)
        if mode not in (pynvml.NVML_GPU_VIRTUALIZATION_MODE_NONE, pynvml.NVML_GPU_VIRTUALIZATION_MODE_PASSTHROUGH):
            raise CannotTell("a virtual GPU: other machines may share the card")
        if asked_if_supported(pynvml.nvmlDeviceGetMPSComputeRunningProcesses, self.handle, otherwise=[]):
            raise CannotTell("MPS is on: its processes share one context")

    def look(self) -> Look:
        self.refuse_shared()
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

    def nobody_can_hide(self) -> bool:
        """Whether lists show every process of the machine, or the driver admits one process at a time."""
        mode = asked_if_supported(pynvml.nvmlDeviceGetComputeMode, self.handle, otherwise=None)
        return mode == pynvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS or pid_namespace() == HOST_PID_NAMESPACE

    def energy_j(self) -> float | None:
        """The card's energy counter; None where it has none."""
        found = asked_if_supported(pynvml.nvmlDeviceGetTotalEnergyConsumption, self.handle, otherwise=None)
        return None if found is None else found / 1e3

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
    asked_if_supported(pynvml.nvmlInit, otherwise=None)


def pid_namespace() -> int | None:
    """Inode of this process's pid namespace; None where the system has none (not Linux)."""
    namespace = Path("/proc/self/ns/pid")
    return os.stat(namespace).st_ino if namespace.exists() else None


@dataclass
class Findings:
    """What speaks against having been alone (`signs`) and what could not be learnt (`doubts`)."""

    signs: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def verdict(self, nobody_can_hide: bool) -> str:
        if self.signs:
            return "violated"
        if self.doubts:
            return "unknown"
        return "exclusive" if nobody_can_hide else "consistent"


class Watch:
    """Watches one card for one worker: made before CUDA is initialised, then `opened`, then a region a cell.

    reserved: bytes that this process holds through its framework, now.
    """

    def __init__(self, uuid: str, reserved: Callable[[], int]):
        self.uuid = uuid
        self.reserved = reserved
        self.findings = Findings()
        self.own: frozenset[int] = frozenset()
        self.card: Card | None = None
        self.about_card: dict = {"uuid": uuid}
        self.can_hide = True
        try:
            self.card = Card(uuid)
            self.about_card = self.card.describe()
            self.can_hide = not self.card.nobody_can_hide()
            self.before = self.card.look()
        except CannotTell as reason:
            self.findings.doubts.append(str(reason))
            return
        if self.before.pids:
            self.findings.signs.append(f"held before us by process {listed(self.before.pids)}")
        if self.before.used > IDLE_FLOOR:
            self.findings.signs.append(f"{self.before.used / MIB:.0f} MiB in use before us")
        if self.before.utilization and (busy := self.still_busy()):
            self.findings.signs.append(f"{busy} % busy before us")

    def still_busy(self) -> int:
        try:
            return self.card.idle_within(IDLE_WAIT_S)
        except CannotTell as reason:
            self.findings.doubts.append(str(reason))
            return 0

    def opened(self) -> None:
        """After the CUDA context is open: one new entry is ours, whatever its id; none means lists are hidden."""
        if self.findings.doubts:
            return
        try:
            new = self.card.look().pids - self.before.pids
        except CannotTell as reason:
            self.findings.doubts.append(str(reason))
            return
        if len(new) > 1:
            self.findings.signs.append(f"{len(new)} processes appeared where one is ours: {listed(new)}")
        self.own = new

    def region(self) -> Region:
        """What is timed next: enter after warm-up, leave when it is over and the device is synchronised."""
        return Region(self)


def listed(pids: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(pids)))


class Region:
    """One timed region. Its thread looks five times a second; its report has verdict, telemetry and energy."""

    def __init__(self, watch: Watch):
        self.watch, self.card = watch, watch.card
        self.findings = Findings(list(watch.findings.signs), list(watch.findings.doubts))
        self.samples: list[dict[str, float]] = []
        self.cpu_s = self.seconds = 0.0
        self.context = self.foreign = self.peak_used = 0
        self.strangers: frozenset[int] = frozenset()
        self.looks_over_limit = 0
        self.joules: float | None = None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.sample, daemon=True)

    @property
    def blind(self) -> bool:
        return bool(self.findings.doubts)

    def __enter__(self) -> Region:
        self.start = time.monotonic()
        if self.blind:
            return self
        try:
            look = self.card.look()
            self.joules_before = self.card.energy_j()
        except CannotTell as reason:
            self.findings.doubts.append(str(reason))
            return self
        self.context = look.used - self.watch.before.used - self.watch.reserved()
        if not 0 <= self.context <= CONTEXT_LIMIT:
            self.findings.signs.append(f"{self.context / MIB:.0f} MiB beside our tensors after warm-up")
        self.thread.start()
        return self

    def sample(self) -> None:
        while not self.over.wait(PERIOD_S):
            try:
                self.glance()
                self.samples.append(self.card.telemetry())
            except CannotTell as reason:
                self.findings.doubts.append(str(reason))
                break
        self.cpu_s = time.thread_time()

    def glance(self) -> None:
        """Note strangers in the lists, and memory that is not ours in two looks running.

        One look may fall between an allocation and its entry in our books; such a look is skipped where it shows.
        """
        before = self.watch.reserved()
        look = self.card.look()
        if self.watch.reserved() == before:
            self.looks_over_limit = self.looks_over_limit + 1 if self.unaccounted(look) > FOREIGN_LIMIT else 0
            if self.looks_over_limit == 2:
                self.findings.signs.append("memory that is not ours came into use during the run")
        self.note(look)

    def note(self, look: Look) -> None:
        self.peak_used = max(self.peak_used, look.used)
        self.strangers |= look.pids - self.watch.own - self.watch.before.pids

    def unaccounted(self, look: Look) -> int:
        """Bytes in use that are neither what was there before, nor our tensors, nor our context."""
        return look.used - self.watch.before.used - self.watch.reserved() - self.context

    def __exit__(self, *error: object) -> None:
        self.seconds = time.monotonic() - self.start
        self.over.set()
        if self.thread.ident:
            self.thread.join()
        if self.blind or error[0]:
            return
        try:
            after = self.card.energy_j()
            look = self.card.look()
            self.note(look)
            busy = self.card.idle_within(IDLE_WAIT_S)
        except CannotTell as reason:
            self.findings.doubts.append(str(reason))
            return
        if after is not None and self.joules_before is not None:
            self.joules = after - self.joules_before
        self.foreign = self.unaccounted(look)
        if self.strangers:
            self.findings.signs.append(f"not ours, during the run: process {listed(self.strangers)}")
        if abs(self.foreign) > FOREIGN_LIMIT:
            self.findings.signs.append(f"{self.foreign / MIB:.0f} MiB more in use than ours")
        if busy:
            self.findings.signs.append(f"{busy} % busy after our work had ended")

    def report(self) -> dict:
        """The record's part on the card. Without samples (a short region) telemetry is left out."""
        found = {
            "verdict": self.findings.verdict(not self.watch.can_hide),
            "signs": self.findings.signs,
            "doubts": self.findings.doubts,
            "lists_hidden": not self.watch.own,
            "card": self.watch.about_card,
            "sampler_cpu_s": round(self.cpu_s, 4),
            "seconds": round(self.seconds, 3),
        }
        if not self.blind:
            found |= {"context_bytes": self.context, "foreign_bytes": self.foreign, "used_bytes": self.peak_used}
        return found | ({"telemetry": summary(self.samples)} if self.samples else {})


def summary(samples: list[dict[str, float]]) -> dict:
    """Least, mean and most of each quantity; all reasons that were ever given for the clocks, in words."""
    found = {"samples": len(samples)}
    for name in ("sm_clock_mhz", "memory_clock_mhz", "temperature_c", "power_w"):
        values = [sample[name] for sample in samples]
        found[name] = [min(values), round(sum(values) / len(values), 2), max(values)]
    bits = 0
    for sample in samples:
        bits |= sample["reasons"]
    found["throttled"] = [name for name, bit in HARDWARE_REASONS.items() if bits & bit]
    found["power_capped_share"] = round(sum(bool(s["reasons"] & POWER_CAP) for s in samples) / len(samples), 3)
    return found
