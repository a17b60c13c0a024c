"""`make ceilings`: what this device can do at most, measured on the pair's own shapes.

    python -m bench.ceilings [--pair NAME] [--study S] [--device D] [--seconds S] [--missing]
    python -m bench.ceilings --cells WORK --record out.jsonl      # a machine without the packages that read pairs

Matrix peak: the fastest of the models' own matrix shapes, sustained. Read bandwidth: the fastest kernel that reads as
many bytes as the weights have, again and again, sustained; weights that fit in a cache are read from it here as they
are in a forward. Host: what one forward costs beside its arithmetic, on a model of as many layers that is too thin to
have any; of the captured engine on a CPU alone, since on a GPU a replay is one launch. Kept as a record of the study:
MFU, MBU and predictions of its runs are made from it (bench/records/utilisation.py).
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from bench.adapters import registry
from bench.common.dtypes import EIGHT_BITS, float_dtype_of
from bench.models import eight_bits, kinds, layers, rope
from bench.models.checkpoint import Checkpoint
from bench.models.shape import Shape
from bench.records.machine import Rate
from bench.spec.cell import unlisted_cell

SUSTAIN_S = 5.0  # how long the fastest kernel is run again and again for a ceiling
CANDIDATE_S = 0.25  # how long each kernel is tried before the fastest is sustained
WINDOW_S = 0.05  # how long one reading is: as many runs of a kernel as fill it
ROWS = {"cpu": (256, 1024), "cuda": (4096, 8192)}  # of activations that are multiplied with a matrix
MOST_BYTES = 4 << 30  # of weights that are read over and over: more than any cache holds
THIN_WIDTH = 64  # of the model that is too thin to compute
THIN_HEADS = 2
THIN_TOKENS = 16  # that it generates, one forward each


@dataclass(frozen=True)
class Peaks:
    """What a device reaches: FLOPs and bytes a second, and the seconds that the host adds to a forward, by engine and
    model."""

    flops_per_s: Rate
    bytes_per_s: Rate
    host_s: dict[str, dict[str, float]]


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
    runs = max(1, round(WINDOW_S / timed(2)))
    end = time.perf_counter() + seconds
    times_s = [timed(runs)]
    while time.perf_counter() < end:
        times_s.append(timed(runs))
    return times_s


def best(candidates: Iterator[tuple[str, float, Callable[[], object]]], where: str, seconds: float) -> Rate:
    """The candidate (name, work of one run, kernel) that does most a second, then sustained for so many seconds."""
    most = 0.0
    fastest = None
    for name, work, kernel in candidates:
        reached = work / min(readings(kernel, where, min(CANDIDATE_S, seconds)))
        if reached > most:
            most = reached
            fastest = (name, work, kernel)
    name, work, kernel = fastest
    return Rate.of([work / taken_s for taken_s in readings(kernel, where, seconds)], name)


def matrices(shape: Shape) -> list[tuple[int, int]]:
    """(inputs, outputs) of every matrix that a row of activations meets in a forward, in order."""
    width = shape.width
    queries = shape.heads * shape.head_width
    keys = shape.kv_heads * shape.head_width  # values are as wide
    attention = [(width, queries), (width, keys), (width, keys), (queries, width)]
    feed_forward = [(width, shape.feed_forward), (width, shape.feed_forward), (shape.feed_forward, width)]
    return [*(attention + feed_forward) * shape.layers, (width, shape.vocabulary)]


def products(shapes: list[Shape], dtype: str, where: str) -> Iterator[tuple[str, float, Callable]]:
    """Products of activations with each different matrix of the models, laid out as the captured engine has them."""
    held_as = getattr(torch, float_dtype_of(dtype))
    for wide, out in sorted({matrix for shape in shapes for matrix in matrices(shape)}):
        weight = torch.randn(out, wide, device=where, dtype=held_as)
        if dtype in EIGHT_BITS:
            weight = eight_bits.quantised(weight, dtype)
        for rows in ROWS[where]:
            x = torch.randn(rows, wide, device=where, dtype=held_as)
            ready = layers.pack(weight, rows)
            flops = 2.0 * rows * wide * out
            yield f"{rows} x {wide} x {out}", flops, lambda x=x, ready=ready: layers.linear(x, ready)


def reads(shapes: list[Shape], dtype: torch.dtype, where: str) -> Iterator[tuple[str, float, Callable]]:
    """Kernels that read as many bytes as a forward of one row reads of weights, or as the limit allows."""
    size = dtype.itemsize
    shape = max(shapes, key=lambda shape: sum(a * b for a, b in matrices(shape)))
    weights = []
    rows = []  # one row of activations for each matrix
    total = 0  # bytes of the matrices
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


def thin(model: Checkpoint) -> dict:
    """The configuration of a model of as many layers and tokens, with hardly any arithmetic."""
    keys = model.about_kind.configuration.keys
    config = {key: value for key, value in model.config.items() if key not in rope.KEYS}  # which fit its own heads
    wide = {keys.width: THIN_WIDTH, keys.feed_forward: THIN_WIDTH, keys.heads: THIN_HEADS, keys.kv_heads: THIN_HEADS}
    return config | wide | {"head_dim": THIN_WIDTH // THIN_HEADS}


def host_s(model: Checkpoint, dtype: str, where: str, engine: str) -> float:
    """Seconds of one forward, decoding and committing counted, of a model that is too thin to compute: the 5th
    percentile of readings."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(thin(model)))
        diffusion = {"steps": THIN_TOKENS, "block_length": THIN_TOKENS, "remasking": "low_confidence"}
        cell = unlisted_cell(
            "ceilings", model.kind, where, weights=folder, tokenizer=folder, dtype=dtype, engine=engine,
            gen_length=THIN_TOKENS, random_seed=0, **(diffusion if kinds.has_steps(model.kind) else {}),
        )  # fmt: skip
        adapter = registry.create(model.kind)
        adapter.load(cell)
        adapter.prepare([[[1, 1]]])
        times_s = readings(lambda: adapter.generate([[1, 1]], lambda kind: None), where, CANDIDATE_S)
    return float(np.percentile(times_s, 5)) / THIN_TOKENS


def measure(models: list[Checkpoint], dtype: str, where: str, seconds: float) -> Peaks:
    """The ceilings of a device on the shapes of these models. dtype: of products. seconds: how long each of the two
    peaks is sustained."""
    shapes = [model.shape for model in models]
    torch_dtype = getattr(torch, float_dtype_of(dtype))
    with torch.inference_mode():
        flops = best(products(shapes, dtype, where), where, seconds)
        moved_bytes = best(reads(shapes, torch_dtype, where), where, seconds)
    engines = ("eager", "captured") if where == "cpu" else ("eager",)
    host = {
        engine: {model.kind: host_s(model, dtype, where, engine) for model in models if model.is_computed_by(engine)}
        for engine in engines
    }
    return Peaks(flops, moved_bytes, host)
