"""Parts of a record that describe a machine: its environment, its memory, what NVML saw, energy, kernels and rates."""

from dataclasses import dataclass, field, fields

import numpy as np

STEADY = 0.9  # least median over ceiling
UNSTEADY = "it often fell behind that, so something else may be running here"  # what is said below STEADY


def fields_of(kind: type, raw: dict) -> dict:
    """The values in a JSON object that are fields of a dataclass, by name; its other keys are passed over."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in raw.items() if name in names}


def stated(values: dict) -> dict:
    """The values that are there: None is left out of a record."""
    return {name: value for name, value in values.items() if value is not None}


class Part:
    """A part of a record whose JSON keys are the names of its fields; None is left out."""

    @classmethod
    def from_json(cls, raw: dict):
        return cls(**fields_of(cls, raw))

    def to_json(self) -> dict:
        return stated(vars(self))


@dataclass(frozen=True)
class Environment(Part):
    """What a reader needs to know about the machine that a round ran on."""

    host: str | None = None
    python: str | None = None  # version
    threads: int | None = None  # of the processor that torch used
    device: str | None = None  # name of the card or processor
    verdict: str = "unknown"  # whether the card was ours alone; on a CPU nothing vouches for it
    packages: dict[str, str] = field(default_factory=dict)  # versions, by name
    card: dict[str, object] | None = None  # as NVML describes it: uuid, driver, power_limit_w, max_sm_clock_mhz
    allocator: str | None = None  # torch's settings of it, where there are any
    server: dict[str, object] | None = None  # what a server says of itself, whose model was asked

    @classmethod
    def from_json(cls, raw: dict) -> "Environment":
        """Versions of packages stand beside the other fields in a record, under the packages' own names."""
        own = {name: raw[name] for name in raw if name in STATED_IN_ENVIRONMENT}
        return cls(**own, packages={name: value for name, value in raw.items() if name not in STATED_IN_ENVIRONMENT})

    def to_json(self) -> dict:
        about = stated({name: getattr(self, name) for name in ("host", "python", "threads", "device", "verdict")})
        return about | self.packages | stated({"card": self.card, "allocator": self.allocator, "server": self.server})

    @property
    def machine(self) -> str:
        """Names the machine: its card, which may change its container, else host and device."""
        return str((self.card or {}).get("uuid") or f"{self.host} {self.device}")


STATED_IN_ENVIRONMENT = ("host", "python", "threads", "device", "verdict", "card", "allocator", "server")


@dataclass(frozen=True)
class Place(Part):
    """Where a round ran in a study whose rounds are spread over several cards."""

    host: str
    card: str  # UUID of the GPU; cpu:0, cpu:1 ... of a part of a processor
    numa_node: int | None = None  # that the card is attached to; None where the system does not tell
    cores: int | None = None  # processors that the worker was pinned to; None where it could not be pinned
    busy_neighbours: int | None = None  # other cards of the host at work for the study while the cell ran, at most


@dataclass(frozen=True)
class MemoryGib(Part):
    """Memory in GiB. Each is the metric `memory/NAME_gib`."""

    weights: float | None = None
    allocated: float | None = None  # peak of torch's tensors (GPU)
    reserved: float | None = None  # peak of torch's pool (GPU)
    resident: float | None = None  # peak of the process (CPU)


@dataclass(frozen=True)
class Telemetry(Part):
    """Readings of a card over a timed region, five a second: [least, mean, most] of each quantity."""

    samples: int | None = None
    sm_clock_mhz: list[float] | None = None
    memory_clock_mhz: list[float] | None = None
    temperature_c: list[float] | None = None
    power_w: list[float] | None = None
    throttled: list[str] | None = None  # reasons for lower clocks, in words
    power_capped_share: float | None = None  # of the readings in which power was at its cap

    @property
    def mean_sm_clock_mhz(self) -> float | None:
        return self.sm_clock_mhz[1] if self.sm_clock_mhz else None


@dataclass(frozen=True)
class NvmlReport(Part):
    """What NVML saw of a card over a timed region (bench/devices/exclusivity.py)."""

    verdict: str = "unknown"
    signs: list[str] = field(default_factory=list)  # what speaks against having been alone
    doubts: list[str] = field(default_factory=list)  # what could not be learnt
    lists_hidden: bool | None = None  # whether the process lists did not show our own process
    card: dict[str, object] | None = None
    sampler_cpu_s: float | None = None  # processor time of the thread that reads
    seconds: float | None = None  # of the region
    opened_bytes: int | None = None  # of our context, before any kernel was loaded
    context_bytes: int | None = None  # of our context when the region began
    foreign_bytes: int | None = None  # in use, and neither our tensors nor our context; may be negative
    used_bytes: int | None = None  # peak in use of the whole card
    joules: float | None = None  # by the card's counter
    telemetry: Telemetry | None = None  # None where the region was too short for a reading

    @classmethod
    def from_json(cls, raw: dict) -> "NvmlReport":
        telemetry = Telemetry.from_json(raw["telemetry"]) if "telemetry" in raw else None
        return cls(**fields_of(cls, raw) | {"telemetry": telemetry})

    def to_json(self) -> dict:
        return stated(vars(self) | {"telemetry": self.telemetry and self.telemetry.to_json()})

    @property
    def reasons(self) -> list[str]:
        """Why the verdict is not better."""
        return self.signs + self.doubts


@dataclass(frozen=True)
class Energy(Part):
    """Energy over some calls by the card's counter."""

    joules: float
    seconds: float
    calls: int
    tokens: int  # kept tokens of those calls


@dataclass(frozen=True)
class KernelTime(Part):
    """How long kernels ran in a call that was traced, and how long the same call took untraced."""

    latency_ms: float
    kernel_ms: float


@dataclass(frozen=True)
class Rate(Part):
    """What a kernel reaches a second, from readings over some seconds: the 95th percentile, which is the ceiling and
    hardly moves when something else runs here too; the median and the 5th percentile, which do."""

    value: float
    median: float
    low: float
    kernel: str  # which one was the fastest

    @classmethod
    def of(cls, rates: list[float], kernel: str) -> "Rate":
        low, median, high = np.percentile(rates, [5, 50, 95])
        return cls(float(high), float(median), float(low), kernel)

    @property
    def is_steady(self) -> bool:
        """Whether the median is close to the ceiling; where it is not, something else may have run meanwhile."""
        return self.median >= STEADY * self.value

    def text(self, unit: float, name: str) -> str:
        """The rate in words, in a unit of so much a second, with its spread and whether that is too wide."""
        spread = f"median {self.median / unit:.4g}, 5th percentile {self.low / unit:.4g}"
        unsteady = "" if self.is_steady else f"; {UNSTEADY}"
        return f"{self.value / unit:.4g} {name} ({spread}{unsteady}), {self.kernel}"
