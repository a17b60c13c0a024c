"""Was the card ours alone? NVML's view of it before, during and after what is timed. Fails closed.

Three signs that do not depend on each other: the process lists, the memory that nobody here accounts for, and
utilisation while we do nothing. A sign makes the verdict `violated`; whatever could not be read makes it
`unknown`. Without either it is `consistent`, or `exclusive` where no process could hide (bench/measure/README.md).
Imports no torch; a CPU has no such witness and is always `unknown`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pynvml

from bench.devices.nvml import CannotTell, Card, Look

MIB = 1 << 20
IDLE_FLOOR = 64 * MIB  # in use on a card that nobody uses, the driver's own reserve not counted
CONTEXT_LIMIT = 1536 * MIB  # a CUDA context with its kernels
GROWN_LIMIT = 256 * MIB  # of that context since it was opened, as kernels are loaded; 68 to 80 were seen on an H100
FOREIGN_LIMIT = 256 * MIB  # memory that appears and is not ours
IDLE_WAIT_S = 2.0  # NVML's utilisation looks back up to a second
PERIOD_S = 0.2
FEWEST_LOOKS = 0.5  # of those that a region should have had; with fewer a tenant could have come and gone
HARDWARE_REASONS = {
    "hardware slowdown": pynvml.nvmlClocksThrottleReasonHwSlowdown,
    "software thermal slowdown": pynvml.nvmlClocksThrottleReasonSwThermalSlowdown,
    "hardware thermal slowdown": pynvml.nvmlClocksThrottleReasonHwThermalSlowdown,
    "power brake": pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown,
}
POWER_CAP = pynvml.nvmlClocksThrottleReasonSwPowerCap  # normal on a busy card: recorded, no throttling


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
        self.opened_bytes = 0  # of our context alone, before any kernel of ours was loaded
        self.card: Card | None = None
        self.about_card: dict = {"uuid": uuid}
        self.can_hide = True
        try:
            self.card = Card(uuid)
            self.about_card = self.card.describe()
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
            look = self.card.look()
            new = look.pids - self.before.pids
            self.opened_bytes = look.used - self.before.used - self.reserved()
            self.can_hide = not self.card.nobody_can_hide(new)
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
        self.note(look)
        self.context = self.unaccounted(look, self.watch.reserved())  # none is known of yet
        grown = self.context - self.watch.opened_bytes
        if not 0 <= self.context <= CONTEXT_LIMIT:
            self.findings.signs.append(f"{self.context / MIB:.0f} MiB beside our tensors after warm-up")
        elif grown > GROWN_LIMIT:
            self.findings.signs.append(f"{grown / MIB:.0f} MiB that are not our tensors came into use since we began")
        self.thread.start()
        return self

    def stop_looking(self) -> None:
        self.over.set()
        if self.thread.ident:
            self.thread.join()

    def sample(self) -> None:
        while not self.over.wait(PERIOD_S):
            try:
                self.glance()
                self.samples.append(self.card.telemetry())
            except Exception as reason:  # whatever it is: a watch that ended unnoticed would leave the verdict clean
                self.findings.doubts.append(str(reason) or repr(reason))
                break
        self.cpu_s = time.thread_time()

    def glance(self) -> None:
        """Note strangers in the lists, and memory that is not ours in two looks running.

        One look may fall between an allocation and its entry in our books; such a look is skipped where it shows.
        """
        reserved = self.watch.reserved()
        look = self.card.look()
        if self.watch.reserved() == reserved:
            over = self.unaccounted(look, reserved) > FOREIGN_LIMIT
            self.looks_over_limit = self.looks_over_limit + 1 if over else 0
            if self.looks_over_limit == 2:
                self.findings.signs.append("memory that is not ours came into use during the run")
        self.note(look)

    def note(self, look: Look) -> None:
        self.peak_used = max(self.peak_used, look.used)
        self.strangers |= look.pids - self.watch.own - self.watch.before.pids

    def unaccounted(self, look: Look, reserved: int) -> int:
        """Bytes in use that are neither what was there before, nor our tensors, nor our context."""
        return look.used - self.watch.before.used - reserved - self.context

    def __exit__(self, *error: object) -> None:
        self.seconds = time.monotonic() - self.start
        self.stop_looking()
        if error[0]:
            self.findings.doubts.append("the run did not end well")
        if not self.blind:
            try:
                self.look_back()
            except CannotTell as reason:
                self.findings.doubts.append(str(reason))
        if len(self.samples) < FEWEST_LOOKS * self.seconds / PERIOD_S - 1:
            self.findings.doubts.append(f"only {len(self.samples)} looks in {self.seconds:.1f} s")
        if self.strangers:
            self.findings.signs.append(f"not ours, during the run: process {listed(self.strangers)}")

    def look_back(self) -> None:
        """What is to be read when the run is over, each sign noted before something else can fail."""
        after = self.card.energy_j()
        if after is not None and self.joules_before is not None:
            self.joules = after - self.joules_before
        look = self.card.look()
        self.note(look)
        self.foreign = self.unaccounted(look, self.watch.reserved())
        if abs(self.foreign) > FOREIGN_LIMIT:
            self.findings.signs.append(f"{self.foreign / MIB:.0f} MiB more in use than ours")
        if busy := self.card.idle_within(IDLE_WAIT_S):
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
            found |= {"opened_bytes": self.watch.opened_bytes, "context_bytes": self.context}
            found |= {"foreign_bytes": self.foreign, "used_bytes": self.peak_used}
        found |= {} if self.joules is None else {"joules": round(self.joules, 3)}
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
