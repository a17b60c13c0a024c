"""`make ceilings`: what this device can do at most, measured on the pair's own shapes.

    python -m bench.ceilings [--pair NAME] [--study S] [--device D] [--seconds S] [--missing]
    python -m bench.ceilings --cells WORK --record out.jsonl      # a machine without the packages that read pairs

Matrix peak: the fastest of the models' own matrix shapes, sustained. Read bandwidth: the fastest kernel that reads as
many bytes as the weights have, again and again, sustained; weights that fit in a cache are read from it here as they
are in a forward. Host: what one forward costs beside its arithmetic, on a model of as many layers that is too thin to
have any; of the captured engine on a CPU alone, since on a GPU a replay is one launch. Kept as a record of the study:
MFU, MBU and predictions of its runs are made from it (bench/utilisation.py).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from bench import adapters, block, checkpoint, device, provenance, records, roofline, worker
from bench.cell import Cell, Work, float_dtype_of
from bench.checkpoint import Checkpoint, Shape
from bench.errors import BadInput, exit_code
from bench.request import Parser
from bench.sink import Sink

if TYPE_CHECKING:
    from bench.nvml import Watch  # needs NVIDIA's library, which a CPU lacks

SUSTAIN_S, LOOK_S, WINDOW_S = 5.0, 0.25, 0.05  # of a ceiling; of each candidate before; of one reading
ROWS = {"cpu": (256, 1024), "cuda": (4096, 8192)}  # of activations that meet a matrix
MOST_BYTES = 4 << 30  # read over and over: more than any cache holds
THIN, THIN_HEADS, THIN_TOKENS = 64, 2, 16
STEADY = 0.9  # median over ceiling; less says that something else ran here meanwhile
MOST_SECONDS = 600


@dataclass(frozen=True)
class Rate:
    """What a kernel reaches a second, from readings over some seconds: the 95th percentile, which is the ceiling and
    hardly moves when something else runs here too; the median and the 5th, which do."""

    value: float
    median: float
    low: float
    kernel: str

    @classmethod
    def of(cls, rates: list[float], kernel: str) -> Rate:
        low, median, high = np.percentile(rates, [5, 50, 95])
        return cls(float(high), float(median), float(low), kernel)

    def text(self, unit: float, name: str) -> str:
        spread = f"median {self.median / unit:.4g}, 5th percentile {self.low / unit:.4g}"
        unsteady = "; NOT STEADY" if self.median < STEADY * self.value else ""
        return f"{self.value / unit:.4g} {name} ({spread}{unsteady}), {self.kernel}"


def readings(kernel: Callable[[], object], where: str, seconds: float) -> list[float]:
    """Seconds of one run of a kernel, again and again for so long; each reading is of as many runs as fill a window."""

    def timed(runs: int) -> float:
        start = time.perf_counter()
        for _ in range(runs):
            kernel()
        if where == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / runs

    timed(1)  # loads the kernel
    runs, found, end = max(1, round(WINDOW_S / timed(2))), [], time.perf_counter() + seconds
    while not found or time.perf_counter() < end:
        found.append(timed(runs))
    return found


def best(candidates: Iterator[tuple[str, float, Callable[[], object]]], where: str, seconds: float) -> Rate:
    """The candidate (name, work of one run, kernel) that does most a second, then sustained."""
    most, chosen = 0.0, None
    for name, work, kernel in candidates:
        reached = work / min(readings(kernel, where, min(LOOK_S, seconds)))
        if reached > most:
            most, chosen = reached, (name, work, kernel)
    name, work, kernel = chosen
    return Rate.of([work / taken for taken in readings(kernel, where, seconds)], name)


def matrices(shape: Shape) -> list[tuple[int, int]]:
    """(inputs, outputs) of every matrix that a row of activations meets in a forward, in order."""
    q, kv = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
    wide, deep = shape.width, shape.feed_forward
    layer = [(wide, q), (wide, kv), (wide, kv), (q, wide), (wide, deep), (wide, deep), (deep, wide)]
    return [*layer * shape.layers, (wide, shape.vocabulary)]


def products(shapes: list[Shape], dtype: torch.dtype, where: str) -> Iterator[tuple[str, float, Callable]]:
    """Products of activations with each different matrix of the models, laid out as the captured engine has them."""
    for wide, out in sorted({matrix for shape in shapes for matrix in matrices(shape)}):
        weight = torch.randn(out, wide, device=where, dtype=dtype)
        for rows in ROWS[where]:
            x, ready = torch.randn(rows, wide, device=where, dtype=dtype), block.pack(weight, rows)
            yield f"{rows} x {wide} x {out}", 2.0 * rows * wide * out, lambda x=x, ready=ready: block.linear(x, ready)


def reads(shapes: list[Shape], dtype: torch.dtype, where: str) -> Iterator[tuple[str, float, Callable]]:
    """Kernels that read as many bytes as a forward of one row reads of weights, or as the limit allows."""
    size = dtype.itemsize
    shape = max(shapes, key=lambda shape: sum(a * b for a, b in matrices(shape)))
    weights, rows, total = [], [], 0
    for wide, out in reversed(matrices(shape)):
        if weights and total + wide * out * size > MOST_BYTES:
            break
        weights.append(torch.zeros(out, wide, device=where, dtype=dtype))
        rows.append(torch.zeros(1, wide, device=where, dtype=dtype))
        total += wide * out * size
    flat = torch.zeros(total // 4, device=where)
    yield "sum of float32", 4.0 * len(flat), flat.sum
    yield "largest of float32", 4.0 * len(flat), flat.amax

    def one_row() -> None:
        for row, weight in zip(rows, weights, strict=True):
            F.linear(row, weight)

    yield "one row times each matrix", float(total), one_row


def thin(found: Checkpoint) -> dict:
    """The configuration of a model of as many layers and tokens, with hardly any arithmetic."""
    names = {
        "llama": ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim"),
        "llada": ("d_model", "mlp_hidden_size", "n_heads", "n_kv_heads", "head_dim"),
    }[found.kind]
    return found.config | dict(zip(names, (THIN, THIN, THIN_HEADS, THIN_HEADS, THIN // THIN_HEADS), strict=True))


def host_s(found: Checkpoint, dtype: str, where: str, engine: str) -> float:
    """Seconds of one forward, decoding and committing counted, of a model that is too thin to compute: the 5th
    percentile of readings."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(thin(found)))
        diffusion = {"steps": THIN_TOKENS, "block_length": THIN_TOKENS, "remasking": "low_confidence"}
        cell = Cell(
            pair="ceilings", kind="ceilings", model=found.kind, weights=folder, tokenizer=folder, revision="",
            dtype=dtype, device=where, engine=engine, gen_length=THIN_TOKENS, batch_size=1, prompts=1, prompt_hash="",
            repeat_prompts=1, stop="length", temperature=0.0, seed=0, time_limit_s=60.0, random_seed=0,
            **(diffusion if found.kind == "llada" else {}),
        )  # fmt: skip
        adapter = adapters.create(found.kind)
        adapter.load(cell)
        adapter.prepare([[[1, 1]]])
        taken = readings(lambda: adapter.generate([[1, 1]], lambda kind: None), where, LOOK_S)
    return float(np.percentile(taken, 5)) / THIN_TOKENS


def measure(found: list[Checkpoint], dtype: str, where: str, seconds: float) -> dict:
    """The ceilings as plain data: FLOPs and bytes a second with their spread, host seconds by model."""
    shapes, kind = [one.shape for one in found], getattr(torch, dtype)
    with torch.inference_mode():
        flops = best(products(shapes, kind, where), where, seconds)
        moved = best(reads(shapes, kind, where), where, seconds)
    engines = ("eager", "captured") if where == "cpu" else ("eager",)
    host = {engine: {one.kind: host_s(one, dtype, where, engine) for one in found} for engine in engines}
    return {"flops_per_s": dataclasses.asdict(flops), "bytes_per_s": dataclasses.asdict(moved), "host_s": host}


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
        where = device.choose(cells[0].device)
        device.check_cells(cells)
        files = tuple(sorted({(cell.weights, cell.random_seed) for cell in cells}, key=str))
        git = provenance.state_of(work.git, work.code)
        return Task(work.study, cells[0].pair, where, work.float_dtypes, files, git)
    from bench import grid

    pair, where = grid.fetch(grid.read_pair(args.pair)), device.choose(args.device)
    files = tuple((one.weights, one.random_seed) for one in (pair.llama, pair.llada))
    wanted = args.dtype.split() if args.dtype else [pair.dtype]
    if unknown := sorted(set(wanted) - {*roofline.BYTES}):
        raise BadInput(f'DTYPE="{args.dtype}": no precision {unknown[0]!r}; there are: {" ".join(roofline.BYTES)}')
    for dtype in wanted if where == "cuda" else ():
        device.check_dtype(dtype, f'DTYPE="{args.dtype}"' if args.dtype else f"pair {pair.name}")
    floats = sorted(set(map(float_dtype_of, wanted)))
    return Task(args.study or pair.name, pair.name, where, tuple(floats), files, provenance.git_state())


def known_dtypes(task: Task, sink: Sink, name: str) -> set[str]:
    """The precisions in which the study has the ceilings of this device already, of a CPU with as many threads."""
    place = (task.pair, name, torch.get_num_threads() if task.device == "cpu" else None)
    there = (record for record in records.read(sink.file) if record["record"] == "ceilings")
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


def main() -> int:
    parser = Parser(prog="python -m bench.ceilings", description=__doc__.splitlines()[0])
    parser.add_argument("--pair", default="pocket")
    parser.add_argument("--study", help="default: the pair's name")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", help='precisions in place of the pair\'s: "bfloat16 int8"')
    parser.add_argument("--seconds", type=float, default=SUSTAIN_S, help="that each peak is sustained")
    parser.add_argument("--missing", action="store_true", help="do nothing if the study has them for this device")
    parser.add_argument("--cells", type=Path, help="a work folder in place of a pair")
    parser.add_argument("--record", type=Path, help="append to this file, no MLflow")
    args = parser.parse_args()
    if not 0 < args.seconds <= MOST_SECONDS:
        parser.error(f"--seconds {args.seconds:g}: expected more than 0, at most {MOST_SECONDS}")
    if args.cells and not args.record:
        parser.error("--cells needs --record FILE")
    task = task_of(args)
    sink = Sink(task.study, args.record)
    with device.held(task.device, task.study, here=True) as gpu:
        name = gpu[1] if gpu else provenance.cpu_name()
        wanted = [dtype for dtype in task.dtypes if not (args.missing and dtype in known_dtypes(task, sink, name))]
        if not wanted:
            return 0
        sink.check()
        watch = worker.open_watch(task.device)
        for dtype in wanted:
            head = {"record": "ceilings", "study": task.study, "pair": task.pair, "device": name, "dtype": dtype}
            head |= {"started": time.time(), "git": task.git, "environment": provenance.packages()}
            found = head | watched(task, watch, dtype, args.seconds)
            sink.take(found)
            print("\n".join(lines(found)))
    return 0 if sink.track() else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
