"""Which device to run on, and whether it computes in a precision. Imports no torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from bench.common.dtypes import product_dtype_of
from bench.common.errors import BadInput

# Compute capability from which on a GPU has products in a precision. Older ones emulate bfloat16, and times would be of
# the emulation; torch has no float8 for them.
SINCE = {"bfloat16": (8, 0), "float8": (8, 9)}


def choose(wanted: str, here: bool = True) -> str:
    """`cpu` or `cuda`; `auto` takes the GPU if there is one that torch can use. Raises BadInput if it is not there.

    here: False for work that runs on another machine, where `auto` means a GPU.
    """
    if wanted not in ("auto", "cpu", "cuda"):
        raise BadInput(f"DEVICE={wanted}: expected auto, cpu or cuda")
    if wanted == "cpu" or not here:
        return "cpu" if wanted == "cpu" else "cuda"
    card = gpu()
    if wanted == "cuda" and not card:
        raise BadInput("DEVICE=cuda: no GPU that this torch can use; `make doctor` says why, DEVICE=cpu runs without")
    return "cuda" if card else "cpu"


def gpu() -> tuple[str, str] | None:
    """(UUID, name) of the GPU to use; None where there is no driver, no GPU, or torch is a CPU build.

    The first of CUDA_VISIBLE_DEVICES, a UUID or an index in NVML's order (that of the PCI bus), else NVML's first.
    Workers get it by UUID, since CUDA may count in another order. Raises BadInput for one that is not there.
    """
    try:
        if version("torch").endswith("+cpu"):
            return None
        import pynvml

        pynvml.nvmlInit()
    except (PackageNotFoundError, ImportError):
        return None
    except pynvml.NVMLError:
        return None
    try:
        return pick(pynvml, os.environ.get("CUDA_VISIBLE_DEVICES"))
    except pynvml.NVMLError as error:
        raise BadInput(f"NVML does not tell which GPUs there are ({error}); DEVICE=cpu runs without") from error
    finally:
        pynvml.nvmlShutdown()


def pick(pynvml: ModuleType, visible: str | None) -> tuple[str, str] | None:
    """The GPU that CUDA_VISIBLE_DEVICES names first; the first of all where it is not set, None where it is empty."""
    cards = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    uuids = [pynvml.nvmlDeviceGetUUID(card) for card in cards]
    if not cards or (visible is not None and visible.strip() in ("", "-1")):
        return None
    wanted = (visible or "0").split(",")[0].strip()
    if wanted.startswith("MIG-"):
        return wanted, "a MIG slice"
    fitting = [index for index, uuid in enumerate(uuids) if wanted == str(index) or uuid.startswith(wanted)]
    names = [pynvml.nvmlDeviceGetName(card) for card in cards]
    if len(fitting) != 1:
        choices = ", ".join(f"{i}: {name} ({uuid})" for i, (name, uuid) in enumerate(zip(names, uuids, strict=True)))
        raise BadInput(f"CUDA_VISIBLE_DEVICES={visible}: no such GPU; there are {choices}")
    by_bus = os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    if wanted.isdecimal() and visible and len(set(names)) > 1 and not by_bus:
        raise BadInput(f"CUDA_VISIBLE_DEVICES={visible}: an index is ambiguous among different GPUs; give {uuids[0]}")
    return uuids[fitting[0]], names[fitting[0]]


@contextmanager
def nvml() -> Iterator[ModuleType]:
    """NVML, opened for a question and closed after it. Raises NVMLError where it cannot be opened."""
    import pynvml

    pynvml.nvmlInit()
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def compute_capability(uuid: str) -> tuple[int, int] | None:
    """(major, minor) of the GPU that `gpu` chose; None where NVML does not tell."""
    import pynvml

    try:
        with nvml():
            return tuple(pynvml.nvmlDeviceGetCudaComputeCapability(pynvml.nvmlDeviceGetHandleByUUID(uuid)))
    except pynvml.NVMLError:
        return None


def check_dtype(dtype: str, where: str) -> None:
    """Raise BadInput, its line beginning with `where`, if the GPU here is too old to compute in a precision.

    What cannot be known is not refused: no GPU is here, or it does not tell.
    """
    arithmetic = product_dtype_of(dtype)
    since = SINCE.get(arithmetic)
    card = gpu() if since else None
    capability = compute_capability(card[0]) if card else None
    if capability and capability < since:
        raise BadInput(
            f"{where}: dtype {dtype} needs a GPU of compute capability {'.'.join(map(str, since))} or more,"
            f" whose arithmetic is {arithmetic}; {card[1]} has {'.'.join(map(str, capability))}; use"
            f" {'bfloat16 or int8' if capability >= SINCE['bfloat16'] else 'float32 or float16'}"
        )
