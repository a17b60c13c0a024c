"""Which ceilings a study still needs, and the record of each."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from bench.common import provenance
from bench.common.dtypes import BYTES, float_dtype_of
from bench.common.errors import BadInput
from bench.devices import choose
from bench.measure.ceilings import Rate, measure
from bench.models import checkpoint
from bench.spec import rules
from bench.spec.work import Work
from bench.store import disk
from bench.store.sink import Sink

if TYPE_CHECKING:
    from bench.devices.exclusivity import Watch

MOST_SECONDS = 600


def lines(found: dict) -> list[str]:
    """A record of ceilings in words."""
    tera, giga = Rate(**found["flops_per_s"]), Rate(**found["bytes_per_s"])
    host = [
        f"host, {engine:9} "
        + ", ".join(f"{model} {1e3 * seconds:.3g} ms a forward" for model, seconds in models.items())
        for engine, models in found["host_s"].items()
    ]
    return [
        f"ceilings of {found['device']}, {found['threads']} threads, {found['dtype']}, shapes of {found['pair']}",
        f"matrix product  {tera.text(1e12, 'TFLOP/s')}",
        f"reading         {giga.text(1e9, 'GB/s')}",
        f"ridge           {tera.value / giga.value:.3g} FLOP a byte",
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
    there = (record for record in disk.read(sink.file) if record["record"] == "ceilings")
    return {
        record["dtype"]
        for record in there
        if (record["pair"], record["device"], record["threads"] if task.device == "cpu" else None) == place
    }


def watched(task: Task, watch: Watch | None, dtype: str, seconds: float) -> dict:
    """Ceilings with what NVML said meanwhile. Raises BadInput if the card was not ours alone: they would be too low."""
    found = [checkpoint.read(*files) for files in task.models]
    with watch.region() if watch else nullcontext() as region:
        measured = measure(found, dtype, task.device, seconds)
    report = region.report() if region else {"verdict": "unknown"}
    if report["verdict"] == "violated":
        raise BadInput(f"the card was not ours alone ({'; '.join(report['signs'])}); measure again")
    return measured | {"verdict": report["verdict"], "threads": torch.get_num_threads()}
