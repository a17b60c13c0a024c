"""Products of a few rows with a matrix, where all the time goes into reading the matrix once. For GPUs.

For 32 rows cuBLAS reads a matrix at 2.26 to 2.73 TB/s on an H100, and this kernel at 2.31 to 2.97
(paper/recorded/engines.md). It multiplies the matrix by the rows and not the rows by the matrix, so that the matrix
fills the long side of the tensor cores. A denoising step on a block of 32 positions has 32 rows, and so has LLaMA's
decode step at batch 32.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

ROWS = 32
BLOCK_IN = 128  # inputs that are multiplied at a time
WIDE = 65_536  # outputs from which on larger pieces are faster: the head


@triton.jit
def _rows_by_matrix(
    x, matrix, result, outs, ins: tl.constexpr, rows: tl.constexpr, block_out: tl.constexpr, block_in: tl.constexpr,
    stages: tl.constexpr,
):  # fmt: skip
    """`block_out` outputs of every row. x [rows, ins]; matrix [outs, ins]; result [rows, outs]; sums in float32."""
    out = tl.program_id(0) * block_out + tl.arange(0, block_out)
    row = tl.arange(0, rows)
    inside = tl.arange(0, block_in)
    total = tl.zeros((block_out, rows), tl.float32)
    for begin in tl.range(0, ins, block_in, num_stages=stages):
        of_matrix = tl.load(matrix + out[:, None] * ins + (begin + inside)[None, :], eviction_policy="evict_first")
        of_rows = tl.load(x + (begin + inside)[:, None] + row[None, :] * ins)
        total = tl.dot(of_matrix, of_rows, total)
    tl.store(result + out[:, None] + row[None, :] * outs, total.to(result.dtype.element_ty))


def applies(x: Tensor, matrix: Tensor) -> bool:
    """Whether the kernel multiplies x [..., ins] by a matrix [outs, ins]: 32 rows in half precision, whole pieces."""
    return (
        matrix.is_cuda
        and type(matrix) in (Tensor, torch.nn.Parameter)
        and matrix.dtype in (torch.bfloat16, torch.float16)
        and x.numel() == ROWS * x.shape[-1]
        and matrix.is_contiguous()
        and matrix.shape[0] % pieces(matrix)[0] == 0
        and matrix.shape[1] % BLOCK_IN == 0
    )


def pieces(matrix: Tensor) -> tuple[int, int]:
    """How many outputs one program computes, and how many pieces of its inputs are on their way at a time: the best of
    some eighty tries for the shapes of 8B models on an H100."""
    return (128, 3) if matrix.shape[0] >= WIDE else (64, 6)


def linear(x: Tensor, matrix: Tensor) -> Tensor:
    """x [..., ins] by a matrix [outs, ins], in their dtype: [..., outs]. To be asked only where it `applies`."""
    outs, ins = matrix.shape
    block_out, stages = pieces(matrix)
    result = torch.empty(*x.shape[:-1], outs, dtype=x.dtype, device=x.device)
    _rows_by_matrix[(outs // block_out,)](
        x.contiguous(), matrix, result, outs, ins, ROWS, block_out, BLOCK_IN, stages, num_warps=4, num_stages=stages
    )
    return result
