"""Memory of an earlier model, given back."""

import contextlib
import ctypes
import gc

import torch


def release(device: str) -> None:
    """Give back what an earlier cell left in torch's pool. Before a warm-up: after it, the timed calls would have to
    ask the driver for memory again. On a CPU the C library keeps pages that would count as resident (glibc alone has a
    call to let go of them)."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
    else:
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)


def release_workspaces() -> None:
    """Give back the workspaces that cuBLAS keeps, one for each stream that it has seen: 32 MiB each on an H100, and a
    capture uses two streams of its own. Only for when nothing that was captured is replayed any more.

    Source: PyTorch's notes on CUDA semantics, which name this call. cuBLAS makes a new workspace with its next product.
    """
    if torch.cuda.is_available():
        torch._C._cuda_clearCublasWorkspaces()
