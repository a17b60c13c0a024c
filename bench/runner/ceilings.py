"""Which ceilings a study still needs, and the record of each."""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from bench.common import provenance
from bench.common.dtypes import BYTES, float_dtype_of
from bench.common.errors import BadInput
from bench.devices import choose
from bench.measure.ceilings import measure
from bench.models import checkpoint
from bench.records.machine import NvmlReport
from bench.records.types import Ceilings
from bench.spec import rules
from bench.spec.work import Work
from bench.store import disk
from bench.store.sink import Sink

if TYPE_CHECKING:
    from bench.devices.exclusivity import Watch

MOST_SECONDS = 600


def lines(record: Ceilings) -> list[str]:
    """A record of ceilings in words."""
    flops, moved_bytes = record.flops_per_s, record.bytes_per_s
    host = [
        f"host, {engine:9} "
        + ", ".join(f"{model} {1e3 * seconds:.3g} ms a forward" for model, seconds in models.items())
        for engine, models in record.host_s.items()
    ]
    return [
        f"ceilings of {record.device}, {record.threads} threads, {record.dtype}, shapes of {record.pair}",
        f"matrix product  {flops.text(1e12, 'TFLOP/s')}",
        f"reading         {moved_bytes.text(1e9, 'GB/s')}",
        f"ridge           {flops.value / moved_bytes.value:.3g} FLOP a byte",
        *host,
    ]


@dataclass(frozen=True)
class Task:
    """What to measure: a study's pair on a device, in each precision of its products."""

    study: str
    pair: str
    device: str
    dtypes: tuple[str, ...]
    models: tuple[tuple[str, int | None], ...]  # (directory, random seed) of each
    git: str  # commit of the code that measures


def task_of(args: argparse.Namespace) -> Task:
    """From a work folder, or from a pair's file, which needs packages that a bare machine lacks. Raises BadInput."""
    if args.cells:
        work = Work.load(args.cells)
        cells = work.cells
        where = choose.choose(cells[0].device)
        rules.check_cells(cells)
        files = tuple(sorted({(cell.weights, cell.random_seed) for cell in cells}, key=str))
        git = provenance.state_of(work.git, work.code)
        return Task(work.study, cells[0].pair, where, work.float_dtypes, files, git)
    from bench.spec.pair import fetch, read_pair

    pair, where = fetch(read_pair(args.pair)), choose.choose(args.device)
    files = tuple((one.weights, one.random_seed) for one in (pair.llama, pair.llada))
    wanted = args.dtype.split() if args.dtype else [pair.dtype]
    if unknown := sorted(set(wanted) - {*BYTES}):
        raise BadInput(f'DTYPE="{args.dtype}": no precision {unknown[0]!r}; there are: {" ".join(BYTES)}')
    for dtype in wanted if where == "cuda" else ():
        choose.check_dtype(dtype, f'DTYPE="{args.dtype}"' if args.dtype else f"pair {pair.name}")
    floats = sorted(set(map(float_dtype_of, wanted)))
    return Task(args.study or pair.name, pair.name, where, tuple(floats), files, provenance.git_state())


def known_dtypes(task: Task, sink: Sink, name: str) -> set[str]:
    """The precisions in which the study has the ceilings of this device already, of a CPU with as many threads."""
    place = (task.pair, name, torch.get_num_threads() if task.device == "cpu" else None)
    records = (record for record in disk.read(sink.file) if isinstance(record, Ceilings))
    return {
        record.dtype
        for record in records
        if (record.pair, record.device, record.threads if task.device == "cpu" else None) == place
    }


def watched(task: Task, name: str, watch: Watch | None, dtype: str, seconds: float) -> Ceilings:
    """The record of a device's ceilings, with what NVML said meanwhile. name: of the device.

    Raises BadInput if the card was not ours alone: they would be too low.
    """
    models = [checkpoint.read(*files) for files in task.models]
    started_s = time.time()
    with watch.region() if watch else nullcontext() as region:
        peaks = measure(models, dtype, task.device, seconds)
    report = NvmlReport.from_json(region.report()) if region else NvmlReport()
    if report.verdict == "violated":
        raise BadInput(f"the card was not ours alone ({'; '.join(report.signs)}); measure again")
    return Ceilings(
        task.study, task.pair, name, dtype, **vars(peaks), started=started_s, git=task.git,
        environment=provenance.packages(), verdict=report.verdict, threads=torch.get_num_threads(),
    )  # fmt: skip
