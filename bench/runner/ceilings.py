"""Which ceilings a study still needs, and the record of each.

A ceiling is what a device can do at most: multiplications a second, bytes read a second, seconds of Python a forward.
Imports torch only where it measures, since the parent asks here what is to be measured, and a process of its own does
it (bench/runner/apart.py).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.common import provenance
from bench.common.dtypes import BYTES, product_dtype_of
from bench.common.errors import BadInput
from bench.devices import choose, lock
from bench.models import checkpoint
from bench.records.machine import UNSTEADY, NvmlReport
from bench.records.types import Ceilings
from bench.runner import notices
from bench.runner.progress import duration
from bench.spec import rules
from bench.spec.work import Work
from bench.store import disk
from bench.store.sink import Sink

if TYPE_CHECKING:
    from bench.devices.exclusivity import Watch
    from bench.spec.pair import PairFile

MOST_SECONDS = 600  # that one peak may be sustained
OTHERS_S = 15.0  # about how long it takes to choose the kernels that are sustained, and to time the host


@dataclass(frozen=True)
class Task:
    """What to measure: a study's pair on a device, in each precision of its products."""

    study: str
    pair: str
    device: str  # cpu or cuda
    dtypes: tuple[str, ...]  # precisions that products are computed in; never int8, which is of weights alone
    models: tuple[tuple[str, int | None], ...]  # (directory, random seed) of each
    git: str  # commit of the code that measures


def task_of_work(work: Work) -> Task:
    """The task of a work folder, on a machine that may lack the packages that read pairs. Raises BadInput."""
    cells = work.cells
    device = choose.choose(cells[0].device)
    rules.check_cells(cells)
    models = tuple(sorted({(cell.weights, cell.random_seed) for cell in cells}, key=str))
    git = provenance.state_of(work.git, work.code)
    return Task(work.study, cells[0].pair, device, work.product_dtypes, models, git)


def task_of_pair(pair: PairFile, study: str | None, device: str, dtypes: Sequence[str] = ()) -> Task:
    """The task of a pair, in these precisions or else in its own. Raises BadInput.

    study: None for the pair's name. device: auto, cpu or cuda.
    """
    from bench.spec.pair import fetch

    pair = fetch(pair)
    device = choose.choose(device)
    asked = f'DTYPE="{" ".join(dtypes)}"' if dtypes else f"pair {pair.name}"
    wanted = dtypes or (pair.dtype,)
    if unknown := sorted(set(wanted) - {*BYTES}):
        raise BadInput(f"{asked}: no precision {unknown[0]!r}; there are: {' '.join(BYTES)}")
    if device == "cuda":
        for dtype in wanted:
            choose.check_dtype(dtype, asked)
    models = tuple((files.weights, files.random_seed) for files in pair.models.values() if not files.server)
    floats = tuple(sorted({product_dtype_of(dtype) for dtype in wanted}))
    return Task(study or pair.name, pair.name, device, floats, models, provenance.git_state())


def run(
    task: Task, sink: Sink, seconds: float | None = None, only_missing: bool = False, is_tracked_here: bool = True
) -> bool:  # fmt: skip
    """Measure the task's ceilings, put them on record and print them; whether MLflow took everything.

    Where only the missing ones are asked for, they are said in a line each, since something else is to come.
    seconds: how long each peak is sustained; None for bench.measure.ceilings' own choice. only_missing: leave out the
    precisions in which the study has this device's ceilings. is_tracked_here: whether MLflow is brought up to them now,
    and not by a caller that goes on measuring. Raises BadInput if the device is in use.
    """
    from bench.measure.ceilings import SUSTAIN_S
    from bench.measure.watch import open_watch

    with lock.held(task.device, task.study, here=True) as gpu:
        device_name = gpu[1] if gpu else provenance.cpu_name()
        on_record = dtypes_on_record(task, sink, device_name) if only_missing else frozenset()
        wanted = [dtype for dtype in task.dtypes if dtype not in on_record]
        if not wanted:
            return True
        sink.check()
        seconds = seconds or SUSTAIN_S
        notices.say(f"measuring what {device_name} can do at most: {duration(2 * seconds * len(wanted) + OTHERS_S)}")
        watch = open_watch(task.device)
        for dtype in wanted:
            record = measure_watched(task, device_name, watch, dtype, seconds)
            sink.take(record)
            if only_missing:
                notices.say(brief(record))
            else:
                print("\n".join(lines(record)), flush=True)
    return sink.track() if is_tracked_here else True


def dtypes_on_record(task: Task, sink: Sink, device_name: str) -> frozenset[str]:
    """The precisions in which the study has the ceilings of this device already, of a CPU with as many threads."""
    import torch

    is_cpu = task.device == "cpu"
    place = (task.pair, device_name, torch.get_num_threads() if is_cpu else None)
    records = (record for record in disk.read(sink.file) if isinstance(record, Ceilings))
    return frozenset(
        record.dtype for record in records if (record.pair, record.device, record.threads if is_cpu else None) == place
    )


def measure_watched(task: Task, device_name: str, watch: Watch | None, dtype: str, seconds: float) -> Ceilings:
    """The record of a device's ceilings, with what NVML said meanwhile.

    Raises BadInput if the card was not ours alone: the ceilings would be too low.
    """
    import torch

    from bench.measure.ceilings import measure

    models = [checkpoint.read(directory, random_seed) for directory, random_seed in task.models]
    started_s = time.time()
    with watch.region() if watch else nullcontext() as region:
        peaks = measure(models, dtype, task.device, seconds)
    report = NvmlReport.from_json(region.report()) if region else NvmlReport()
    if report.verdict == "violated":
        raise BadInput(f"the card was not ours alone ({'; '.join(report.signs)}); measure again")
    return Ceilings(
        task.study, task.pair, device_name, dtype, **vars(peaks), started=started_s, git=task.git,
        environment=provenance.packages(), verdict=report.verdict, threads=torch.get_num_threads(),
    )  # fmt: skip


def brief(record: Ceilings) -> str:
    """A record of ceilings in a line."""
    doubt = "" if record.flops_per_s.is_steady and record.bytes_per_s.is_steady else f"; {UNSTEADY}"
    flops = record.flops_per_s.value / 1e12
    read = record.bytes_per_s.value / 1e9
    return f"it multiplies at {flops:.3g} TFLOP/s and reads at {read:.3g} GB/s ({record.dtype}){doubt}"


def lines(record: Ceilings) -> list[str]:
    """A record of ceilings in words."""
    flops = record.flops_per_s
    read = record.bytes_per_s
    host = [
        f"host, {engine:9} "
        + ", ".join(f"{model} {1e3 * seconds:.3g} ms a forward" for model, seconds in models.items())
        for engine, models in record.host_s.items()
    ]
    return [
        f"what {record.device} can do at most, with {record.threads} threads, in {record.dtype}, on the shapes of"
        f" {record.pair}",
        f"matrix product  {flops.text(1e12, 'TFLOP/s')}",
        f"reading         {read.text(1e9, 'GB/s')}",
        f"ridge           {flops.value / read.value:.3g} FLOP a byte",
        *host,
    ]
