"""Products of a few rows with a matrix, where all the time goes into reading the matrix once. For GPUs.

For 32 rows cuBLAS reads a bfloat16 matrix at 2.1 to 2.7 TB/s on an H100, and this kernel, cut as it was then, at 2.3 to
3.0; torch's float8 products by rows read 1.2 to 2.6 TB/s, and this kernel 2.0 to 2.9 (paper/recorded/engines.md). It
multiplies the matrix by the rows and not the rows by the matrix, so that the matrix fills the long side of the tensor
cores. A denoising step on a block of 32 positions has 32 rows, and LLaMA's decode step has as many as its batch: at
batch 8 it takes 4.63 ms on an H200, and 5.00 with cuBLAS's products.

A single row has a kernel of its own, since tensor cores are of no use to it. How both are cut is stated here. A search
in each process would find other kernels each time.
"""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

ROWS = 32  # the most that it multiplies
LEAST_ROWS = 16  # of a product of tensor cores: fewer are filled up with zeros
NARROW = 8192  # outputs up to which the inputs are split, since there are too few programs to fill a GPU
WIDE = 65_536  # outputs from which on larger pieces are faster: the head
HALF = (torch.bfloat16, torch.float16)
ROOM_BYTES = 163_840  # of shared memory that a program needs at most, which cards for data centres have


class Pieces(NamedTuple):
    """How a product is cut: outputs of one program, inputs that are multiplied at a time, how many pieces of the inputs
    are on their way at a time, and into how many parts the inputs are split (one where the product is gated)."""

    outs: int
    ins: int
    stages: int
    splits: int


class Strip(NamedTuple):
    """How a product of one row is cut: outputs of one program, inputs that are multiplied at a time, how many pieces of
    the inputs are on their way at a time, and the warps of a program."""

    outs: int
    ins: int
    stages: int
    warps: int


class Factors(NamedTuple):
    """What a kernel multiplies. Where there are no scales, their places hold something that is not read."""

    rows: Tensor  # [count, ins]
    rows_scale: Tensor  # [count, 1]
    matrix: Tensor  # [outs, ins]
    scale: Tensor  # [outs, 1]
    is_scaled: bool
    is_x_scaled: bool


@triton.jit
def _row_by_matrix(
    x, x_scale, matrix, scale, result, gap, ins: tl.constexpr, block_out: tl.constexpr, block_in: tl.constexpr,
    stages: tl.constexpr, is_scaled: tl.constexpr, is_x_scaled: tl.constexpr, is_gated: tl.constexpr,
):  # fmt: skip
    """`block_out` outputs of one row. x [ins]; matrix [outs, ins]; result [outs]; sums in float32. For scales see
    `_rows_by_matrix`. Gated: output i is silu of the product with row i of the matrix, times that with row i + gap."""
    out = tl.program_id(0) * block_out + tl.arange(0, block_out)
    inside = tl.arange(0, block_in)
    total = tl.zeros((block_out, block_in), tl.float32)
    other = tl.zeros((block_out, block_in), tl.float32)
    for begin in tl.range(0, ins, block_in, num_stages=stages):
        of_x = tl.load(x + begin + inside).to(tl.float32)[None, :]
        place = matrix + out[:, None] * ins + (begin + inside)[None, :]
        total += tl.load(place, eviction_policy="evict_first").to(tl.float32) * of_x
        if is_gated:
            other += tl.load(place + gap * ins, eviction_policy="evict_first").to(tl.float32) * of_x
    whole = tl.sum(total, 1)[:, None]
    row = tl.arange(0, 1)
    whole = _scaled(whole, scale + out, x_scale + row, row < 1, is_scaled, is_x_scaled)
    if is_gated:
        second = _scaled(tl.sum(other, 1)[:, None], scale + gap + out, x_scale + row, row < 1, is_scaled, is_x_scaled)
        whole = whole * tl.sigmoid(whole) * second
    tl.store(result + out[:, None], whole.to(result.dtype.element_ty))


@triton.jit
def _scaled(total, scale, x_scale, is_row, is_scaled: tl.constexpr, is_x_scaled: tl.constexpr):
    """Sums [outs, rows] times the scales of outputs and rows, where there are such. scale and x_scale: their places."""
    if is_scaled:
        total *= tl.load(scale)[:, None]
    if is_x_scaled:
        total *= tl.load(x_scale, mask=is_row, other=0.0)[None, :]
    return total


@triton.jit
def _rows_by_matrix(
    x, x_scale, matrix, scale, result, outs, gap, count, ins: tl.constexpr, rows: tl.constexpr, is_full: tl.constexpr,
    block_out: tl.constexpr, block_in: tl.constexpr, stages: tl.constexpr, splits: tl.constexpr,
    is_scaled: tl.constexpr, is_x_scaled: tl.constexpr, is_gated: tl.constexpr,
):  # fmt: skip
    """`block_out` outputs of every row, from one part of the inputs. x [count, ins]; matrix [outs, ins]; result
    [splits, count, outs]; sums in float32. x_scale [count] and scale [outs] are what rows and outputs are multiplied
    with, and not read where there are none. Gated: see `_row_by_matrix`. rows: what `count` is filled up to, with
    zeros; is_full: whether it is as many. So a new count is no new kernel."""
    out = tl.program_id(0) * block_out + tl.arange(0, block_out)
    part = tl.program_id(1)
    row = tl.arange(0, rows)
    if is_full:
        count = rows
    is_row = row < count
    inside = tl.arange(0, block_in)
    total = tl.zeros((block_out, rows), tl.float32)
    other = tl.zeros((block_out, rows), tl.float32)
    first = part * (ins // splits)
    for begin in tl.range(first, first + ins // splits, block_in, num_stages=stages):
        place = matrix + out[:, None] * ins + (begin + inside)[None, :]
        of_matrix = tl.load(place, eviction_policy="evict_first")
        if is_full:
            of_rows = tl.load(x + (begin + inside)[:, None] + row[None, :] * ins)
        else:
            of_rows = tl.load(x + (begin + inside)[:, None] + row[None, :] * ins, mask=is_row[None, :], other=0.0)
        total = tl.dot(of_matrix.to(x.dtype.element_ty), of_rows, total)  # int8 is multiplied in the dtype of the rows
        if is_gated:
            of_other = tl.load(place + gap * ins, eviction_policy="evict_first")
            other = tl.dot(of_other.to(x.dtype.element_ty), of_rows, other)
    total = _scaled(total, scale + out, x_scale + row, is_row, is_scaled, is_x_scaled)
    if is_gated:
        other = _scaled(other, scale + gap + out, x_scale + row, is_row, is_scaled, is_x_scaled)
        total = total * tl.sigmoid(total) * other
    at = result + part * count * outs + out[:, None] + row[None, :] * outs
    tl.store(at, total.to(result.dtype.element_ty), mask=is_row[None, :])


def is_quantised(matrix: Tensor) -> bool:
    """Whether a matrix is a tensor of torchao's in eight bits."""
    return type(matrix) not in (Tensor, torch.nn.Parameter)


def is_int8(matrix: Tensor) -> bool:
    """Whether a matrix on a GPU is of torchao's int8."""
    return matrix.is_cuda and is_quantised(matrix) and matrix.qdata.dtype == torch.int8


def applies(x: Tensor, matrix: Tensor, is_gated: bool = False) -> bool:
    """Whether a kernel multiplies x [..., ins] by a matrix [outs, ins]: up to 32 rows, in half precision or by a matrix
    of eight bits; whole pieces."""
    if not matrix.is_cuda:
        return False
    rows = x.numel() // x.shape[-1]
    is_of_kind = rows <= ROWS and (is_quantised(matrix) or (matrix.dtype in HALF and matrix.is_contiguous()))
    outs, ins = matrix.shape
    outs //= 1 + is_gated
    if rows == 1:
        strip = strip_of(matrix)
        return is_of_kind and outs % strip.outs == 0 and ins % strip.ins == 0
    pieces = pieces_of(matrix, is_gated)
    return is_of_kind and outs % pieces.outs == 0 and ins % (pieces.ins * pieces.splits) == 0


def pieces_of(matrix: Tensor, is_gated: bool = False) -> Pieces:
    """The best of some tries for 32 rows in the shapes of 8B models, or within 3 % of it: in bfloat16 of 26 on an H200,
    in float8 of some forty on an H100; fewer rows have the same, the best of three in whole steps. Gated products: of 7
    in bfloat16 on an H200; in eight bits the same without a try."""
    is_narrow = matrix.shape[0] <= NARROW
    if is_gated:
        return Pieces(64, 128, 4, 1) if has_room() else Pieces(64, 64, 3, 1)
    if is_quantised(matrix):
        return Pieces(64, 256, 4, 2) if is_narrow else Pieces(64, 256, 3, 1)
    if not has_room():
        return Pieces(64, 128, 3, 2 if is_narrow else 1)
    if matrix.shape[0] >= WIDE:
        return Pieces(128, 128, 4, 1)
    return Pieces(64, 128, 4, 2 if is_narrow else 1)


@torch.compiler.assume_constant_result
def has_room() -> bool:
    """Whether programs of this GPU may have as much shared memory as the fastest pieces need: an L4 or a GeForce has
    99 KiB for each."""
    return torch.cuda.get_device_properties(None).shared_memory_per_block_optin >= ROOM_BYTES


def strip_of(matrix: Tensor) -> Strip:
    """The best of some tries for LLaMA's shapes on an H200: of 28 in bfloat16, or within 1 % of it; of 10 in eight
    bits, or within 6 %."""
    return Strip(8, 512, 4, 4) if is_quantised(matrix) else Strip(1, 2048, 1, 8)


def written_out(eight_bits: Tensor, scale: Tensor) -> Tensor:
    """A matrix [outs, ins] of int8 in the dtype of its scales [outs, 1]: for products of many rows."""
    return eight_bits * scale


def in_float8(rows: Tensor, least: float) -> tuple[Tensor, Tensor]:
    """Rows [count, ins] in float8 and their scales [count, 1], as torchao makes them before its own products: the
    largest number of a row, `least` at least, becomes float8's largest. torchao's function cannot be compiled inside
    another one."""
    most = torch.finfo(torch.float8_e4m3fn).max
    scale = (rows.abs().amax(-1, keepdim=True).clamp(min=least) / most).float()
    return (rows.float() / scale).clamp(-most, most).to(torch.float8_e4m3fn), scale


def factors(x: Tensor, matrix: Tensor) -> Factors:
    """x [..., ins] and a matrix as the kernels take them."""
    rows = x.reshape(-1, x.shape[-1]).contiguous()
    if not is_quantised(matrix):
        return Factors(rows, rows, matrix, matrix, False, False)
    activations = getattr(matrix, "act_quant_kwargs", None)
    if activations is None:
        return Factors(rows, rows, matrix.qdata, matrix.scale, True, False)
    return Factors(*in_float8(rows, activations.hp_value_lb), matrix.qdata, matrix.scale, True, True)


def linear(x: Tensor, matrix: Tensor) -> Tensor:
    """x [..., ins] by a matrix [outs, ins], in x's dtype: [..., outs]. To be asked only where it `applies`."""
    return product(x, matrix, is_gated=False)


def gated(x: Tensor, matrix: Tensor) -> Tensor:
    """silu of x [..., ins] by the first half of a matrix [2 x outs, ins], times x by the second half: [..., outs]."""
    return product(x, matrix, is_gated=True)


def product(x: Tensor, matrix: Tensor, is_gated: bool) -> Tensor:
    """What `linear` gives, or `gated`: launches the kernel for so many rows."""
    own = factors(x, matrix)
    outs, ins = matrix.shape
    outs //= 1 + is_gated
    scaling = own.is_scaled, own.is_x_scaled, is_gated
    if len(own.rows) == 1:
        strip = strip_of(matrix)
        result = torch.empty(outs, dtype=x.dtype, device=x.device)
        _row_by_matrix[(outs // strip.outs,)](
            *own[:4], result, outs, ins, strip.outs, strip.ins, strip.stages, *scaling, num_warps=strip.warps
        )
        return result.view(*x.shape[:-1], outs)
    pieces = pieces_of(matrix, is_gated)
    dtype = x.dtype if pieces.splits == 1 else torch.float32
    result = torch.empty(pieces.splits, len(own.rows), outs, dtype=dtype, device=x.device)
    filled = ROWS if len(own.rows) > LEAST_ROWS else LEAST_ROWS
    _rows_by_matrix[(outs // pieces.outs, pieces.splits)](
        *own[:4], result, outs, outs, len(own.rows), ins, filled, len(own.rows) == filled, *pieces, *scaling,
        num_warps=4, num_stages=pieces.stages,
    )  # fmt: skip
    whole = result[0] if pieces.splits == 1 else result.sum(0).to(x.dtype)
    return whole.view(*x.shape[:-1], outs)
