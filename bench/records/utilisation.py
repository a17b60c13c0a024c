"""How well a call used its device: MFU, MBU, and the time that the cost model gives it. Reads records alone.

MFU (MBU) is the FLOPs (bytes) that a cell's calls must cost by the model (bench/cost/floors.py) over the time that they
took, as a share of the ceiling that `make ceilings` measured on this device. A share above 1 says that the ceiling or
the model is wrong; it is not tracked, and the run is flagged.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from bench.cost import floors, peak_memory
from bench.cost.floors import Ceilings, Cost
from bench.models.shape import Shape
from bench.records.merge import CellRecords
from bench.spec.cell import Cell

NAMES = {field.name for field in fields(Cell)}


@dataclass(frozen=True)
class Call:
    """A timed call as the cost model sees it: its cell at the batch that it had, and its tokens."""

    cell: Cell
    prompt_tokens: int  # of the longest prompt: the others are padded to it
    new_tokens: int
    seconds: float


def calls_of(calls: list[dict], cell: dict) -> Iterator[Call]:
    """The calls of a round; how long their prompts were follows from the rows that were pushed through the model."""
    known = Cell(**{name: value for name, value in cell.items() if name in NAMES})
    for call in calls:
        rows, nfe = len(call["kept"]), call["nfe"]
        if known.steps is None:
            prompt = call["positions"] // rows - (nfe - 1)
        else:
            prompt = call["positions"] // (rows * nfe * (2 if known.cfg_scale else 1)) - known.gen_length
        yield Call(replace(known, batch_size=rows), prompt, nfe, call["latency_ms"] / 1e3)


def ceilings_of(entry: CellRecords) -> Ceilings | None:
    """What the device of a cell can do at most, None where it was not measured."""
    if entry.ceilings is None:
        return None
    return Ceilings(
        entry.ceilings["flops_per_s"]["value"],
        entry.ceilings["bytes_per_s"]["value"],
        host_s=entry.ceilings["host_s"].get(entry.cell["engine"], {}).get(entry.cell["model"], 0.0),
        overlaps=entry.cell["device"] != "cpu",
    )


def shares(record: dict, calls: list[dict], entry: CellRecords) -> dict[str, float]:
    """MFU and MBU of a round's calls; empty where shape or ceilings are not known."""
    ceilings = ceilings_of(entry)
    if ceilings is None or "shape" not in record or not calls:
        return {}
    shape, every = Shape(**record["shape"]), list(calls_of(calls, entry.cell))
    cost = sum((floors.call(c.cell, shape, c.prompt_tokens, c.new_tokens) for c in every), Cost(0, 0, 0))
    seconds = sum(call.seconds for call in every)
    return {
        "compute/mfu": cost.flops / seconds / ceilings.flops_per_s,
        "compute/mbu": cost.moved_bytes / seconds / ceilings.bytes_per_s,
    }


def metrics_of(record: dict, calls: list[dict], entry: CellRecords, first: bool) -> dict[str, float]:
    """MFU and MBU of a round, and of the first, whose calls are all prompts, what the cost model says of them.

    calls: the round's, each completed where a part of it was run (metrics.whole_call); none where no clock counts.
    """
    found = {name: share for name, share in shares(record, calls, entry).items() if share <= 1}
    if not first or "shape" not in record:
        return found
    shape, as_run = Shape(**record["shape"]), list(calls_of(record["calls"], entry.cell))
    if entry.cell["device"] == "cuda":  # on a CPU nothing is allocated through torch's counters
        peak = max((peak_memory.peak(c.cell, shape, c.prompt_tokens) for c in as_run), key=lambda peak: peak.total)
        found["predicted/allocated_gib"] = peak.total_gib
        found |= {f"predicted/{name}_gib": getattr(peak, name) / peak_memory.GIB for name in peak_memory.PARTS}
    return found | predictions(list(calls_of(calls, entry.cell)), shape, ceilings_of(entry))


def predictions(calls: list[Call], shape: Shape, ceilings: Ceilings | None) -> dict[str, float]:
    """Work of a mean call, and the median call's latency and step by the model."""
    if not calls:
        return {}
    costs = [floors.call(c.cell, shape, c.prompt_tokens, c.new_tokens) for c in calls]
    found = {
        "compute/gflop": float(np.mean([cost.flops for cost in costs])) / 1e9,
        "compute/gbyte": float(np.mean([cost.moved_bytes for cost in costs])) / 1e9,
    }
    if ceilings:
        times = [floors.call_s(c.cell, shape, ceilings, c.prompt_tokens, c.new_tokens) for c in calls]
        steps = [floors.step_s(c.cell, shape, ceilings, c.prompt_tokens, c.new_tokens) for c in calls]
        found["predicted/latency_ms"] = 1e3 * float(np.median(times))
        found["predicted/step_ms"] = 1e3 * float(np.median(steps))
    return found


def ceiling_tags(entry: CellRecords) -> dict[str, str]:
    """The ceilings beside a run, for whoever draws it."""
    found = ceilings_of(entry)
    if found is None:
        return {}
    return {f"ceiling.{name}": f"{getattr(found, name):.6g}" for name in ("flops_per_s", "bytes_per_s", "host_s")}
