"""Products of few rows on a GPU: what F.linear gives, and left to it where the kernel does not apply."""

import pytest
import torch
import torch.nn.functional as F

from bench.models import eight_bits, layers

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@pytest.mark.parametrize("shape", [(4096, 4096), (12288, 4096), (4096, 12288), (126464, 4096)], ids=str)
@pytest.mark.parametrize(
    ("rows", "of"), [*((rows, "rows") for rows in (2, 8, 16, 17, 31, 32)), (32, "batch"), (32, "part"), (24, "part")]
)
def test_cuda_few_rows_give_what_linear_gives(shape, rows, of):
    outs, ins = shape
    matrix = torch.randn(outs, ins, device="cuda", dtype=torch.bfloat16)
    x = torch.randn(rows, ins, device="cuda", dtype=torch.bfloat16)
    if of == "batch":
        x = x.view(2, rows // 2, ins)
    if of == "part":
        matrix = matrix[: outs // 2]
    assert layers.few_rows.applies(x, matrix)
    exact = F.linear(x.float(), matrix.float())
    ours, cublas = (
        (made.float() - exact).norm() / exact.norm() for made in (layers.linear(x, matrix), F.linear(x, matrix))
    )
    assert ours <= 1.01 * cublas


@pytest.mark.parametrize("shape", [(6144, 4096), (4096, 4096), (28672, 4096), (4096, 14336), (128256, 4096)], ids=str)
def test_cuda_one_row_gives_what_linear_gives(shape):
    outs, ins = shape
    matrix = torch.randn(outs, ins, device="cuda", dtype=torch.bfloat16)
    x = torch.randn(1, 1, ins, device="cuda", dtype=torch.bfloat16)
    assert layers.few_rows.applies(x, matrix)
    exact = F.linear(x.float(), matrix.float())
    ours, cublas = layers.linear(x, matrix), F.linear(x, matrix)
    assert ours.shape == cublas.shape
    assert (ours.float() - exact).norm() <= 1.01 * (cublas.float() - exact).norm()


@pytest.mark.parametrize("dtype", ["bfloat16", "int8", "float8"])
@pytest.mark.parametrize("rows", [1, 8, 24, 32])
def test_cuda_a_gated_product_is_silu_of_one_half_times_the_other(rows, dtype):
    matrix = torch.randn(28672, 4096, device="cuda", dtype=torch.bfloat16) / 64
    x = torch.randn(rows, 1, 4096, device="cuda", dtype=torch.bfloat16)
    if dtype != "bfloat16":
        pytest.importorskip("torchao")
        matrix = eight_bits.quantised(matrix, dtype)
    assert layers.few_rows.applies(x, matrix, is_gated=True)
    gate, up = layers.linear(x, matrix).float().chunk(2, -1)
    expected = F.silu(gate) * up
    assert (layers.few_rows.gated(x, matrix).float() - expected).norm() < 0.01 * expected.norm()


@pytest.mark.parametrize("dtype", ["int8", "float8"])
@pytest.mark.parametrize("shape", [(4096, 4096), (24576, 4096), (4096, 14336)], ids=str)
@pytest.mark.parametrize("rows", [1, 8, 16, 17, 32])
def test_cuda_few_rows_by_a_matrix_of_eight_bits_give_what_torchao_gives(shape, rows, dtype):
    pytest.importorskip("torchao")
    outs, ins = shape
    matrix = torch.randn(outs, ins, device="cuda", dtype=torch.bfloat16)
    x = torch.randn(rows, 1, ins, device="cuda", dtype=torch.bfloat16)
    quantised = eight_bits.quantised(matrix, dtype)
    assert layers.few_rows.applies(x, quantised)
    exact = F.linear(x.float(), matrix.float())
    ours, torchao = (
        (made.float() - exact).norm() / exact.norm() for made in (layers.linear(x, quantised), F.linear(x, quantised))
    )
    assert ours <= 1.01 * torchao
    part = quantised[outs // 2 :]
    assert torch.equal(layers.linear(x, part), layers.linear(x, quantised)[..., outs // 2 :])


def test_cuda_many_rows_by_int8_give_what_torchao_gives():
    pytest.importorskip("torchao")
    x = torch.randn(100, 256, device="cuda", dtype=torch.bfloat16)
    matrix = eight_bits.quantised(torch.randn(512, 256, device="cuda", dtype=torch.bfloat16), "int8")
    assert not layers.few_rows.applies(x, matrix)
    ours, torchao = layers.linear(x, matrix).float(), F.linear(x, matrix).float()
    assert (ours - torchao).norm() / torchao.norm() < 0.01  # one scales the matrix, the other the product


@pytest.mark.parametrize(
    ("rows", "outs", "dtype"),
    [(33, 4096, torch.bfloat16), (32, 4096, torch.float32), (32, 4100, torch.bfloat16), (1, 4096, torch.bfloat16)],
)
def test_cuda_other_products_are_left_to_torch(rows, outs, dtype):
    x, matrix = torch.randn(rows, 256, device="cuda", dtype=dtype), torch.randn(outs, 256, device="cuda", dtype=dtype)
    assert not layers.few_rows.applies(x, matrix)
    assert torch.equal(layers.linear(x, matrix), F.linear(x, matrix))
