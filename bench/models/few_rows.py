"""Products of a few rows with a matrix, where all the time goes into reading the matrix once. For GPUs.

For 32 rows cuBLAS reads a bfloat16 matrix at 2.1 to 2.7 TB/s on an H100, and this kernel at 2.3 to 3.0; torch's float8
products by rows read 1.2 to 2.6 TB/s, and this kernel 2.0 to 2.9 (paper/recorded/engines.md). It multiplies the matrix
by the rows and not the rows by the matrix, so that the matrix fills the long side of the tensor cores. A denoising step
on a block of 32 positions has 32 rows, and so has LLaMA's decode step at batch 32.
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


class Pieces(NamedTuple):
    """How a product is cut: outputs of one program, inputs that are multiplied at a time, how many pieces of the inputs
    are on their way at a time, and into how many parts the inputs are split."""

    outs: int
    ins: int
    stages: int
    splits: int


@triton.jit
def _rows_by_matrix(
    x, x_scale, matrix, scale, result, outs, ins: tl.constexpr, count: tl.constexpr, rows: tl.constexpr,
    block_out: tl.constexpr, block_in: tl.constexpr, stages: tl.constexpr, splits: tl.constexpr,
    is_scaled: tl.constexpr, is_x_scaled: tl.constexpr,
):  # fmt: skip
    """`block_out` outputs of every row, from one part of the inputs. x [count, ins]; matrix [outs, ins]; result
    [splits, count, outs]; sums in float32. x_scale [count] and scale [outs] are what rows and outputs are multiplied
    with, and not read where there are none."""
    out = tl.program_id(0) * block_out + tl.arange(0, block_out)
    part = tl.program_id(1)
    row = tl.arange(0, rows)
    is_row = row < count
    inside = tl.arange(0, block_in)
    total = tl.zeros((block_out, rows), tl.float32)
    first = part * (ins // splits)
    for begin in tl.range(first, first + ins // splits, block_in, num_stages=stages):
        of_matrix = tl.load(matrix + out[:, None] * ins + (begin + inside)[None, :], eviction_policy="evict_first")
        if count == rows:
            of_rows = tl.load(x + (begin + inside)[:, None] + row[None, :] * ins)
        else:
            of_rows = tl.load(x + (begin + inside)[:, None] + row[None, :] * ins, mask=is_row[None, :], other=0.0)
        if is_scaled and not is_x_scaled:  # int8, multiplied in the dtype of the rows
            of_matrix = of_matrix.to(x.dtype.element_ty)
        total = tl.dot(of_matrix, of_rows, total)
    if is_scaled:
        total *= tl.load(scale + out)[:, None]
    if is_x_scaled:
        total *= tl.load(x_scale + row, mask=is_row, other=0.0)[None, :]
    place = result + part * count * outs + out[:, None] + row[None, :] * outs
    tl.store(place, total.to(result.dtype.element_ty), mask=is_row[None, :])


def is_quantised(matrix: Tensor) -> bool:
    """Whether a matrix is a tensor of torchao's in eight bits."""
    return type(matrix) not in (Tensor, torch.nn.Parameter)


def is_int8(matrix: Tensor) -> bool:
    """Whether a matrix on a GPU is of torchao's int8."""
    return matrix.is_cuda and is_quantised(matrix) and matrix.qdata.dtype == torch.int8


def applies(x: Tensor, matrix: Tensor) -> bool:
    """Whether the kernel multiplies x [..., ins] by a matrix [outs, ins]: 32 rows in half precision, or up to 32 by a
    matrix of eight bits; whole pieces."""
    if not matrix.is_cuda:
        return False
    rows = x.numel() // x.shape[-1]
    if is_quantised(matrix):
        is_of_kind = rows <= ROWS
    else:
        is_of_kind = rows == ROWS and matrix.dtype in (torch.bfloat16, torch.float16) and matrix.is_contiguous()
    pieces = pieces_of(matrix)
    return is_of_kind and matrix.shape[0] % pieces.outs == 0 and matrix.shape[1] % (pieces.ins * pieces.splits) == 0


def pieces_of(matrix: Tensor) -> Pieces:
    """The best of some forty tries for the shapes of 8B models on an H100, in bfloat16 and in float8."""
    is_narrow = matrix.shape[0] <= NARROW
    if is_quantised(matrix):
        return Pieces(64, 256, 4, 2) if is_narrow else Pieces(64, 256, 3, 1)
    if matrix.shape[0] >= WIDE:
        return Pieces(128, 128, 3, 1)
    return Pieces(64, 128, 4, 2) if is_narrow else Pieces(64, 128, 3, 1)


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


def linear(x: Tensor, matrix: Tensor) -> Tensor:
    """x [..., ins] by a matrix [outs, ins], in x's dtype: [..., outs]. To be asked only where it `applies`."""
    outs, ins = matrix.shape
    rows = x.reshape(-1, ins).contiguous()
    rows_scale, data, scale = rows, matrix, matrix  # where there are no scales
    is_scaled = is_quantised(matrix)
    is_x_scaled = is_scaled and getattr(matrix, "act_quant_kwargs", None) is not None
    if is_scaled:
        data, scale = matrix.qdata, matrix.scale
    if is_x_scaled:
        rows, rows_scale = in_float8(rows, matrix.act_quant_kwargs.hp_value_lb)
    pieces = pieces_of(matrix)
    dtype = x.dtype if pieces.splits == 1 else torch.float32
    result = torch.empty(pieces.splits, len(rows), outs, dtype=dtype, device=x.device)
    filled = ROWS if len(rows) > LEAST_ROWS else LEAST_ROWS
    _rows_by_matrix[(outs // pieces.outs, pieces.splits)](
        rows, rows_scale, data, scale, result, outs, ins, len(rows), filled, *pieces, is_scaled, is_x_scaled,
        num_warps=4, num_stages=pieces.stages,
    )  # fmt: skip
    whole = result[0] if pieces.splits == 1 else result.sum(0).to(x.dtype)
    return whole.view(*x.shape[:-1], outs)
