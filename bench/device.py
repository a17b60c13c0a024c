"""Which device to run on, found without importing torch."""

from importlib.metadata import PackageNotFoundError, version

from bench.errors import BadInput


def choose(wanted: str, here: bool = True) -> str:
    """`cpu` or `cuda`; `auto` takes the GPU if there is one that torch can use. Raises BadInput if it is not there.

    here: False for work that runs on another machine, where `auto` means a GPU.
    """
    if wanted not in ("auto", "cpu", "cuda"):
        raise BadInput(f"DEVICE={wanted}: expected auto, cpu or cuda")
    if wanted == "cpu" or not here:
        return "cpu" if wanted == "cpu" else "cuda"
    found = gpu_name()
    if wanted == "cuda" and not found:
        raise BadInput("DEVICE=cuda: no GPU that this torch can use; `make doctor` says why, DEVICE=cpu runs without")
    return "cuda" if found else "cpu"


def gpu_name() -> str | None:
    """Name of the first GPU, or None where there is no driver, no GPU, or torch is a CPU build."""
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
        return pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0)) if pynvml.nvmlDeviceGetCount() else None
    finally:
        pynvml.nvmlShutdown()
