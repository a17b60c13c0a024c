"""How well a call used its device: MFU, MBU, and the time that the cost model gives it. Reads records alone.

MFU (MBU) is the FLOPs (bytes) that a cell's calls must cost by the model (bench/cost/floors.py) over the time that they
took, as a share of the ceiling that `make ceilings` measured on this device. A share above 1 says that the ceiling or
the model is wrong; it is not tracked, and the run is flagged.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bench.common.units import GIB
from bench.cost import decoders, floors, peak_memory
from bench.cost.decoders import Counted
from bench.cost.floors import Cost
from bench.cost.workload import Workload, is_official
from bench.models.kinds import KINDS
from bench.models.shape import Shape
from bench.records.merge import CellRecords
from bench.records.types import Call, Round
from bench.spec.cell import Cell


@dataclass(frozen=True)
class CostedCall:
    """A timed call as the cost model sees it: its workload at the batch that it had, and its tokens."""

    workload: Workload
    prompt_tokens: int  # of the longest prompt: the others are padded to it
    new_tokens: int
    seconds: float
    counted: Counted | None = None  # its forwards as they were run, where they are not those of the authors' schedule

    def costs(self, shape: Shape) -> list[Cost]:
        """The cost of each of its forwards."""
        if self.counted:
            return list(decoders.costs(self.workload, shape, self.prompt_tokens, self.counted))
        return list(floors.forwards(self.workload, shape, self.prompt_tokens, self.new_tokens))

    @property
    def has_mixed_rows(self) -> bool:
        """Whether its partial forwards are of several sizes, of which the mean alone was counted."""
        return self.counted is not None and self.workload.refresh == "answer"

    def step_s(self, shape: Shape, ceilings: floors.Ceilings) -> float:
        """Seconds of its unit of work: of forwards of several kinds the median."""
        if self.counted:
            return float(np.median([ceilings.seconds(cost) for cost in self.costs(shape)]))
        return floors.step_s(self.workload, shape, ceilings, self.prompt_tokens, self.new_tokens)


def costed_calls(calls: list[Call], cell: Cell) -> Iterator[CostedCall]:
    """A round's calls for the cost model. How long their prompts were follows from the rows that were pushed through
    the model: with a cache the prompt once and then a row a token, without one the whole canvas in every forward. Calls
    of other decoders state it. A cache that grows with the text is no longer than the call was; a captured one has room
    for all tokens."""
    for call in calls:
        rows = len(call.kept)
        length = cell.gen_length
        seconds = call.latency_ms / 1e3
        if is_counted(cell):
            workload = replace(Workload.of(cell), batch_size=rows)
            halves = 2 if cell.cfg_scale else 1
            counted = Counted(call.nfe_full, call.nfe - call.nfe_full, call.positions / rows / halves)
            yield CostedCall(workload, call.prompt_tokens, call.nfe, seconds, counted)
            continue
        if KINDS[cell.model].has_cache:
            prompt_tokens = call.positions // rows - (call.nfe - 1)
            if cell.engine == "eager" and not cell.timed:
                length = call.nfe
        else:
            forwards = call.nfe * (2 if cell.cfg_scale else 1)  # classifier-free guidance runs each twice
            prompt_tokens = call.positions // (rows * forwards) - cell.gen_length
        workload = replace(Workload.of(cell), batch_size=rows, gen_length=length)
        yield CostedCall(workload, prompt_tokens, call.nfe, seconds)


def is_counted(cell: Cell) -> bool:
    """Whether a cell's forwards are told by its calls alone: those of a model with steps, but for the authors' own
    schedule over the whole canvas."""
    return KINDS[cell.model].has_steps and (not is_official(Workload.of(cell)) or bool(cell.early_stop))


def ceilings_of(entry: CellRecords) -> floors.Ceilings | None:
    """What the device of a cell can do at most, as the cost model takes it; None where it was not measured."""
    if entry.ceilings is None:
        return None
    return floors.Ceilings(
        entry.ceilings.flops_per_s.value,
        entry.ceilings.bytes_per_s.value,
        host_s=entry.ceilings.host_s.get(entry.cell.engine, {}).get(entry.cell.model, 0.0),
        overlaps=entry.cell.device != "cpu",
    )


def total(costs: list[Cost]) -> Cost:
    return sum(costs, Cost(0, 0, 0))


def shares(record: Round, calls: list[Call], entry: CellRecords) -> dict[str, float]:
    """MFU and MBU of a round's calls; empty without the model's shape or the device's ceilings."""
    ceilings = ceilings_of(entry)
    if ceilings is None or record.shape is None or not calls:
        return {}
    costed = list(costed_calls(calls, entry.cell))
    cost = sum((total(call.costs(record.shape)) for call in costed), Cost(0, 0, 0))
    seconds = sum(call.seconds for call in costed)
    return {
        "compute/mfu": cost.flops / seconds / ceilings.flops_per_s,
        "compute/mbu": cost.moved_bytes / seconds / ceilings.bytes_per_s,
    }


def metrics_of(record: Round, calls: list[Call], entry: CellRecords, is_first: bool) -> dict[str, float]:
    """MFU and MBU of a round, and of the first good one what the cost model says of its calls.

    calls: the round's, each completed where a part of it was run (metrics.whole_call); none where no clock counts.
    """
    metrics = {name: share for name, share in shares(record, calls, entry).items() if share <= 1}
    if not is_first or record.shape is None:
        return metrics
    if entry.cell.device == "cuda":  # on a CPU nothing is allocated through torch's counters
        metrics |= predicted_peak(list(costed_calls(record.calls, entry.cell)), record.shape)
    metrics |= predictions(list(costed_calls(calls, entry.cell)), record.shape, ceilings_of(entry))
    return metrics | planned(record, entry)


def planned(record: Round, entry: CellRecords) -> dict[str, float]:
    """Forwards and rows of a mean call by the settings alone, and with ceilings the median call's latency and step.

    Empty where the settings do not tell how many forwards there are, or old records not how long the prompts were.

    Of the captured engine's delayed cache the rows are left out: it rounds their number up, to record fewer shapes.
    """
    cell, ceilings = entry.cell, ceilings_of(entry)
    is_told = KINDS[cell.model].has_steps and cell.knows_forwards and not cell.timed
    if not is_told or any(call.prompt_tokens is None for call in record.calls) or not record.calls:
        return {}
    workloads = [replace(Workload.of(cell), batch_size=len(call.kept)) for call in record.calls]
    calls = [
        list(decoders.costs(workload, record.shape, call.prompt_tokens))
        for workload, call in zip(workloads, record.calls, strict=True)
    ]
    metrics = {"predicted/nfe": float(np.mean([len(costs) for costs in calls]))}
    if not (cell.cache == "delayed" and cell.engine == "captured"):
        metrics["predicted/rows"] = float(np.mean([round(total(costs).positions) for costs in calls]))
    if ceilings:
        forwards_s = [[ceilings.seconds(cost) for cost in costs] for costs in calls]
        metrics["predicted/planned_ms"] = 1e3 * float(np.median([sum(times_s) for times_s in forwards_s]))
        metrics["predicted/step_ms"] = 1e3 * float(np.median([np.median(times_s) for times_s in forwards_s]))
    return metrics


def predicted_peak(calls: list[CostedCall], shape: Shape) -> dict[str, float]:
    """GiB of the largest call's peak by the model, and of its parts. calls: as they were run."""
    peaks = [peak_memory.peak(call.workload, shape, call.prompt_tokens) for call in calls]
    largest = max(peaks, key=lambda peak: peak.total)
    parts = {f"predicted/{name}_gib": getattr(largest, name) / GIB for name in peak_memory.PARTS}
    return {"predicted/allocated_gib": largest.total_gib} | parts


def predictions(calls: list[CostedCall], shape: Shape, ceilings: floors.Ceilings | None) -> dict[str, float]:
    """Work of a mean call, and with ceilings the median call's latency and step by the model."""
    if not calls:
        return {}
    costs = [total(call.costs(shape)) for call in calls]
    metrics = {
        "compute/gflop": float(np.mean([cost.flops for cost in costs])) / 1e9,
        "compute/gbyte": float(np.mean([cost.moved_bytes for cost in costs])) / 1e9,
    }
    if ceilings:
        call_times_s = [sum(ceilings.seconds(cost) for cost in call.costs(shape)) for call in calls]
        metrics["predicted/latency_ms"] = 1e3 * float(np.median(call_times_s))
        if not any(call.has_mixed_rows for call in calls):
            metrics["predicted/step_ms"] = 1e3 * float(np.median([call.step_s(shape, ceilings) for call in calls]))
    return metrics


def ceiling_tags(entry: CellRecords) -> dict[str, str]:
    """The ceilings beside a run, for whoever draws it; empty where they were not measured."""
    ceilings = ceilings_of(entry)
    if ceilings is None:
        return {}
    return {f"ceiling.{name}": f"{getattr(ceilings, name):.6g}" for name in ("flops_per_s", "bytes_per_s", "host_s")}
