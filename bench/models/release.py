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
