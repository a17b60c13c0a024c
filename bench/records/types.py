"""What stands in a record, as types with units: parsed once where a file is read, written by the same types.

A study's file has one JSON object a line, of six kinds. `Round` is one cell in one round, from a worker. `Beside` is
what was measured on a GPU beside its calls. `Scores` is the quality of one set of texts. `Ceilings` is what a device
can do at most. `Item` (bench/records/items.py) is an answer to one request of a task of lm-evaluation-harness, and
`LoadRun` (bench/records/load.py) what a server did under load. `parse` makes the type from the object, and `to_json`
the object from the type, with the same keys.

Old files are read as well: a field that is absent is None (or empty), and one that this code does not know is dropped.
Times are wall-clock moments in seconds since 1970 (`_s`) or durations in the unit that their name ends in.
"""

from dataclasses import dataclass, field

from bench.models.server import Counted
from bench.models.shape import Shape
from bench.records.items import Item
from bench.records.load import LoadRun
from bench.records.machine import Energy, Environment, KernelTime, MemoryGib, NvmlReport, Place, Rate, fields_of, stated
from bench.records.settings import Settings, settings_of


@dataclass(frozen=True)
class Call:
    """One timed call: a batch of prompts answered together."""

    prompts: list[int]  # indices of the prompts that it answered
    latency_ms: float  # wall time, the device synchronised at both ends
    # ms since the start, by kind: token or step, block, and jump between timed parts; of a server chunk.ROW, end.ROW
    marks: dict[str, list[float]]
    nfe: int | None  # forwards that were run; None of a server, as are positions
    positions: int | None  # rows that were pushed through the model, over all forwards
    kept: list[int]  # tokens of each answer, as its cell ends it: up to the first end token, or as many as it states
    first_step: int | None = None  # the step that committed output position 0; None for a model without steps
    device_ms: float | None = None  # the latency by CUDA events; None on a CPU
    nfe_full: int | None = None  # of the forwards those over the whole canvas; None in old records, and without steps
    committed: list[int] | None = None  # tokens of each answer that steps committed; None where nfe_full is
    own_forwards: list[int] | None = None  # before each row was done or had ended; None where none waits
    prompt_tokens: int | None = None  # of the longest prompt, to which the others are padded; None in old records
    counted: Counted | None = None  # what is known of a server's answers; None of our own

    @classmethod
    def from_json(cls, raw: dict) -> "Call":
        values = {"nfe": None, "positions": None} | fields_of(cls, raw)
        counted = raw.get("counted")
        return cls(**values | {"counted": counted and Counted(**fields_of(Counted, counted))})

    def to_json(self) -> dict:
        if_there = ("device_ms", "nfe", "positions", "nfe_full", "committed", "own_forwards", "prompt_tokens",
                    "counted")  # fmt: skip
        values = vars(self) | {"counted": self.counted and vars(self.counted)}
        return {name: value for name, value in values.items() if name not in if_there or value is not None}


@dataclass(frozen=True)
class Round:
    """One cell in one round. What was measured is there where `outcome` is ok; the parent of the worker adds the rest,
    from `rounds_planned` on; `energy` and `busy` come from records of their own (`Beside`)."""

    study: str
    cell_id: str
    number: int  # of the round, from 1
    cell: Settings
    outcome: str  # ok, oom, error or timeout
    message: str = ""  # of the error; empty where it went well
    started_s: float = 0.0
    ended_s: float = 0.0
    environment: Environment = field(default_factory=Environment)
    shape: Shape | None = None  # of the model
    load_s: float | None = None  # to load the weights
    warmup_ms: list[float] | None = None  # of each warm-up pass
    calls: list[Call] = field(default_factory=list)
    memory_gib: MemoryGib = field(default_factory=MemoryGib)
    capture_s: float | None = None  # to capture a step, compiling not counted
    compile_s: float | None = None  # to compile a step
    nvml: NvmlReport | None = None  # what NVML saw of the card; None on a CPU
    sequences: list[list[int]] | None = None  # token ids of each answer: in round 1, where answers end by themselves
    kept_bytes: int | None = None  # UTF-8 bytes of those answers' text, in their place where they are published without
    rounds_planned: int = 0
    order_seed: int | None = None  # of the shuffled order of cells
    order: int | None = None  # the cell's place in its process, from 0
    replaces_started_s: float | None = None  # when the round began that this one was asked for in place of
    git: str | None = None  # commit of the code that measured
    command: str | None = None  # of the parent
    gpu: str | None = None  # UUID of the only card that the worker saw
    place: Place | None = None  # host, card and neighbours, where rounds are spread over several cards
    energy: Energy | None = None
    busy: KernelTime | None = None

    @property
    def card(self) -> str | None:
        """Names the card that the round ran on; None on a processor that was not divided, and in old records."""
        return self.place.card if self.place else self.gpu

    @property
    def is_good(self) -> bool:
        return self.outcome == "ok"

    @classmethod
    def from_json(cls, raw: dict) -> "Round":
        simple = ("study", "cell_id", "outcome", "message", "load_s", "warmup_ms", "capture_s", "compile_s",
                  "sequences", "kept_bytes", "order", "git", "command", "gpu")  # fmt: skip
        renamed = {"number": "round", "started_s": "started", "ended_s": "ended", "rounds_planned": "rounds",
                   "order_seed": "seed", "replaces_started_s": "again"}  # fmt: skip
        nested = {"environment": Environment, "memory_gib": MemoryGib, "nvml": NvmlReport, "energy": Energy,
                  "busy": KernelTime, "place": Place}  # fmt: skip
        values = {name: raw[name] for name in simple if name in raw}
        values |= {name: raw[key] for name, key in renamed.items() if key in raw}
        values |= {name: kind.from_json(raw[name]) for name, kind in nested.items() if name in raw}
        if "shape" in raw:
            values["shape"] = Shape(**fields_of(Shape, raw["shape"]))
        calls = [Call.from_json(call) for call in raw.get("calls", [])]
        return cls(cell=settings_of(raw["cell"]), calls=calls, **values)

    def to_json(self) -> dict:
        """The record with its keys in the order in which they are written."""
        measured = {
            "shape": self.shape and self.shape.to_json(), "load_s": self.load_s, "warmup_ms": self.warmup_ms,
            "calls": [call.to_json() for call in self.calls], "memory_gib": self.memory_gib.to_json(),
            "capture_s": self.capture_s, "compile_s": self.compile_s, "nvml": self.nvml and self.nvml.to_json(),
            "sequences": self.sequences, "kept_bytes": self.kept_bytes,
        }  # fmt: skip
        return {
            "record": "round", "study": self.study, "cell_id": self.cell_id, "round": self.number,
            "cell": self.cell.settings(), "started": self.started_s, "outcome": self.outcome, "message": self.message,
            **(stated(measured) if self.is_good else {}),
            "ended": self.ended_s, "environment": self.environment.to_json(), **stated(self.from_parent()),
            **stated({"energy": self.energy and vars(self.energy), "busy": self.busy and vars(self.busy)}),
        }  # fmt: skip

    def from_parent(self) -> dict:
        """What the worker's parent adds to its record."""
        return {
            "rounds": self.rounds_planned or None, "seed": self.order_seed, "order": self.order,
            "again": self.replaces_started_s, "git": self.git, "command": self.command, "gpu": self.gpu,
            "place": self.place and self.place.to_json(),
        }  # fmt: skip


@dataclass(frozen=True)
class Beside:
    """Energy or kernels of a round, measured on a GPU beside its calls, in a record of its own."""

    study: str
    cell_id: str
    number: int  # of the round
    started_s: float  # when that round began: of two rounds of a number it belongs to one
    energy: Energy | None = None
    busy: KernelTime | None = None

    @classmethod
    def from_json(cls, raw: dict) -> "Beside":
        energy = Energy.from_json(raw["energy"]) if "energy" in raw else None
        busy = KernelTime.from_json(raw["busy"]) if "busy" in raw else None
        return cls(raw["study"], raw["cell_id"], raw["round"], raw["started"], energy, busy)

    def to_json(self) -> dict:
        head = {"record": "beside", "study": self.study, "cell_id": self.cell_id, "round": self.number}
        parts = {"energy": self.energy and vars(self.energy), "busy": self.busy and vars(self.busy)}
        return head | {"started": self.started_s} | stated(parts)


JUDGE = "judge-"  # how the names of judges begin


def is_judge(scorer: str) -> bool:
    """Whether a scorer is a judge: all judges share one metric."""
    return scorer.startswith(JUDGE)


@dataclass(frozen=True)
class Scores:
    """What one scorer says of one set of texts, a value a text; None where a text has no such value."""

    study: str
    cell_id: str
    scorer: str
    values: dict[str, list[float | None]]  # by metric
    cell: Settings | None = None
    ended_s: float | None = None
    nats: list[float | None] | None = None  # negative log-likelihood of each text; None where it was not scored
    tokens: list[int] | None = None  # of each text, where nats are a judge's; 0 where it was not scored
    standard_errors: list[float] | None = None  # of the nats, Monte-Carlo
    text_bytes: list[int] | None = None  # of each text, where nats are a contestant's
    not_scored: dict[int, str] = field(default_factory=dict)  # by index of a text without a score: why it has none
    failure: str | None = None  # why the scorer gave no score at all
    device: str = ""  # name of the card or processor that answered, where the answers are items; of several all

    @classmethod
    def from_json(cls, raw: dict) -> "Scores":
        names = ("study", "cell_id", "scorer", "values", "nats", "tokens", "standard_errors", "failure", "device")
        cell = settings_of(raw["cell"]) if "cell" in raw else None
        values = {name: raw[name] for name in names if name in raw}
        not_scored = {int(index): reason for index, reason in raw.get("not_scored", {}).items()}
        return cls(cell=cell, ended_s=raw.get("ended"), text_bytes=raw.get("bytes"), not_scored=not_scored, **values)

    def to_json(self) -> dict:
        return stated({
            "record": "scores", "study": self.study, "cell_id": self.cell_id,
            "cell": self.cell and self.cell.settings(), "ended": self.ended_s, "scorer": self.scorer,
            "values": self.values, "nats": self.nats, "tokens": self.tokens, "standard_errors": self.standard_errors,
            "bytes": self.text_bytes, "not_scored": self.not_scored or None, "failure": self.failure,
            "device": self.device or None,
        })  # fmt: skip


@dataclass(frozen=True)
class Ceilings:
    """What a device can do at most on the shapes of a pair, in one precision."""

    study: str
    pair: str
    device: str  # name of the card or processor
    dtype: str
    flops_per_s: Rate
    bytes_per_s: Rate
    host_s: dict[str, dict[str, float]]  # seconds that the host adds to a forward, by engine and model
    started: float = 0.0  # seconds since 1970
    git: str = ""
    environment: dict[str, str] = field(default_factory=dict)  # versions of the packages that measured
    verdict: str = "unknown"  # whether the card was ours alone
    threads: int | None = None  # of the processor that torch used

    @classmethod
    def from_json(cls, raw: dict) -> "Ceilings":
        rates = {name: Rate.from_json(raw[name]) for name in ("flops_per_s", "bytes_per_s")}
        return cls(**fields_of(cls, raw) | rates)

    def to_json(self) -> dict:
        where = ("study", "pair", "device", "dtype", "started", "git", "environment")
        return {
            "record": "ceilings", **{name: getattr(self, name) for name in where},
            "flops_per_s": vars(self.flops_per_s), "bytes_per_s": vars(self.bytes_per_s), "host_s": self.host_s,
            "verdict": self.verdict, "threads": self.threads,
        }  # fmt: skip


Record = Round | Beside | Scores | Ceilings | Item | LoadRun
KINDS = {  # by the key `record`
    "round": Round, "beside": Beside, "scores": Scores, "ceilings": Ceilings, "item": Item, "load": LoadRun,
}  # fmt: skip
NEEDED = {  # keys that a record of a kind cannot do without
    "round": ("study", "cell_id", "round", "cell", "outcome"),
    "beside": ("study", "cell_id", "round", "started"),
    "scores": ("study", "cell_id", "scorer", "values"),
    "ceilings": ("study", "pair", "device", "dtype", "flops_per_s", "bytes_per_s", "host_s"),
    "item": ("study", "cell_id", "index", "request", "prompt_hash", "seconds", "rows"),
    "load": ("study", "cell_id", "cell", "values"),
}


def is_record(raw: object) -> bool:
    """Whether a line's JSON value is a record of a kind that there is."""
    return isinstance(raw, dict) and raw.get("record") in KINDS


def parse(raw: dict) -> Record:
    """The record in a line's JSON object. Raises ValueError that names what it cannot do without."""
    kind = raw["record"]
    missing = [name for name in NEEDED[kind] if name not in raw]
    if missing:
        raise ValueError(f"a record of kind `{kind}` without `{missing[0]}`")
    try:
        return KINDS[kind].from_json(raw)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a record of kind `{kind}` of which a part cannot be read ({error})") from error
