"""An NVML that knows what a test says: cards, what runs on them, and how much of that is seen from here."""

import os
from dataclasses import dataclass
from types import SimpleNamespace

import pynvml

from bench.devices import exclusivity, nvml

MIB, GIB = 1 << 20, 1 << 30
OURS, OTHER = "GPU-5c0ffee5", "GPU-0decade0"  # the card that we watch, another one of the machine
CONTEXT = 500 * MIB
ELSEWHERE = 4026532000  # a pid namespace that is not the machine's first


@dataclass(eq=False)
class Process:
    pid: int
    bytes: int = 0
    busy: int = 0  # percent of the card's time
    shown_in: str = "compute"  # or graphics, mps


class Card:
    """What NVML knows of one card. Its handle is the object itself."""

    def __init__(self, uuid: str):
        self.uuid, self.name, self.capability = uuid, "NVIDIA H100 80GB HBM3", (9, 0)
        self.processes: list[Process] = []
        self.reserve = 600 * MIB  # the driver's own
        self.millijoules = 5_000_000
        self.clock = {pynvml.NVML_CLOCK_SM: 1980, pynvml.NVML_CLOCK_MEM: 2619}
        self.reasons = 0
        self.mig, self.virtual = [0, 0], pynvml.NVML_GPU_VIRTUALIZATION_MODE_NONE
        self.mode = pynvml.NVML_COMPUTEMODE_DEFAULT
        self.busy_before = 0


class Machine:
    """Cards, what runs on them, and how much of that is seen from here. Its nvml* methods stand in for pynvml's."""

    def __init__(self, monkeypatch):
        self.patch = monkeypatch
        self.cards = [Card(OURS)]
        self.ours, self.tenant = Process(os.getpid()), Process(4242)
        self.books = 0  # what our framework holds
        self.lists = "all"  # or own: no other process; none; host: all, by numbers of another namespace
        self.namespace = nvml.HOST_PID_NAMESPACE
        self.initialised = False
        for name in dir(self):
            if name.startswith("nvml"):
                monkeypatch.setattr(pynvml, name, getattr(self, name))
        monkeypatch.setattr(nvml, "pid_namespace", lambda: self.namespace)
        monkeypatch.setattr(exclusivity, "PERIOD_S", 0.002)
        monkeypatch.setattr(exclusivity, "FEWEST_LOOKS", 0)  # at such a pace a busy machine misses many
        monkeypatch.setattr(exclusivity, "IDLE_WAIT_S", 0.02)

    @property
    def card(self) -> Card:
        return next(card for card in self.cards if card.uuid == OURS)

    def allocate(self, size: int) -> None:
        """We take memory by our framework."""
        self.books += size
        self.ours.bytes += size

    def comes(self, size: int = 0, busy: int = 0, shown_in: str = "compute") -> None:
        """Another tenant starts on our card."""
        self.tenant = Process(4242, size, busy, shown_in)
        self.card.processes.append(self.tenant)

    def goes(self) -> None:
        self.card.processes.remove(self.tenant)

    def answers(self, name: str, answer: object) -> None:
        """From now on NVML answers this, or raises it."""

        def call(*arguments):
            if isinstance(answer, Exception):
                raise answer
            return answer

        call.__name__ = name
        self.patch.setattr(pynvml, name, call)

    def entries(self, card: Card, shown_in: str) -> list[SimpleNamespace]:
        listed = {"all": card.processes, "host": card.processes, "own": [self.ours], "none": []}[self.lists]
        shift = 100_000 if self.lists == "host" else 0
        there = [process for process in tuple(card.processes) if process in listed and process.shown_in == shown_in]
        return [SimpleNamespace(pid=process.pid + shift, usedGpuMemory=process.bytes) for process in there]

    def nvmlInit(self):
        self.initialised = True

    def nvmlShutdown(self):
        self.initialised = False

    def nvmlDeviceGetCount(self):
        return len(self.cards)

    def nvmlDeviceGetUUID(self, card):
        return card.uuid

    def nvmlDeviceGetName(self, card):
        return card.name

    def nvmlDeviceGetPciInfo(self, card):
        return SimpleNamespace(busId=f"0000FFFF:{self.cards.index(card):02X}:00.0")

    def nvmlDeviceGetCudaComputeCapability(self, card):
        return card.capability

    def nvmlDeviceGetHandleByUUID(self, uuid):
        if not self.initialised:
            raise pynvml.NVMLError_Uninitialized()
        for card in self.cards:
            if card.uuid == uuid:
                return card
        raise pynvml.NVMLError_NotFound()

    def nvmlDeviceGetHandleByIndex(self, index):
        return self.cards[index]

    def nvmlSystemGetDriverVersion(self):
        return "580.159.04"

    def nvmlDeviceGetMemoryInfo(self, card, version=None):
        used = sum(process.bytes for process in tuple(card.processes))
        return SimpleNamespace(used=used if version == pynvml.nvmlMemory_v2 else used + card.reserve)

    def nvmlDeviceGetComputeRunningProcesses(self, card):
        return self.entries(card, "compute")

    def nvmlDeviceGetGraphicsRunningProcesses(self, card):
        return self.entries(card, "graphics")

    def nvmlDeviceGetMPSComputeRunningProcesses(self, card):
        return self.entries(card, "mps")

    def nvmlDeviceGetUtilizationRates(self, card):
        """The most of now and the reading before: it looks back."""
        busy = min(100, sum(process.busy for process in tuple(card.processes)))
        busy, card.busy_before = max(busy, card.busy_before), busy
        return SimpleNamespace(gpu=busy, memory=0)

    def nvmlDeviceGetMigMode(self, card):
        return card.mig

    def nvmlDeviceGetVirtualizationMode(self, card):
        return card.virtual

    def nvmlDeviceGetComputeMode(self, card):
        return card.mode

    def nvmlDeviceGetTotalEnergyConsumption(self, card):
        return card.millijoules

    def nvmlDeviceGetEnforcedPowerLimit(self, card):
        return 700_000

    def nvmlDeviceGetMaxClockInfo(self, card, domain):
        return 1980

    def nvmlDeviceGetClockInfo(self, card, domain):
        return card.clock[domain]

    def nvmlDeviceGetTemperature(self, card, sensor):
        return 41

    def nvmlDeviceGetPowerUsage(self, card):
        return 350_000

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, card):
        return card.reasons
