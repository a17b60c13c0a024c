"""Reading and writing some positions of each row, in place and without waiting for the device.

An index is LongTensor [n], the same positions for all rows, or [rows, n], of each row its own.
"""

from torch import Tensor


def taken(x: Tensor, index: Tensor) -> Tensor:
    """Some positions of x [rows, positions, ...]."""
    if index.ndim == 1:
        return x.index_select(1, index)
    index = index.view(*index.shape, *[1] * (x.ndim - 2)).expand(*index.shape, *x.shape[2:])
    return x.gather(1, index)


def put(target: Tensor, index: Tensor, new: Tensor) -> None:
    """Write new [rows, ..., n, width] over some positions of target [rows, ..., positions, width]."""
    if index.ndim == 1:
        target.index_copy_(-2, index, new)
    else:
        index = index.view(len(index), *[1] * (new.ndim - 3), -1, 1)
        target.scatter_(-2, index.expand_as(new), new)
