"""NVML's watch over the card of this worker, opened before CUDA is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from bench.devices.exclusivity import Watch


def open_device(device: str) -> Watch | Exception | None:
    """NVML's watch over the card, CUDA opened under its eyes, or why that failed (a full card, say).

    None on a CPU, or where torch sees no card.
    """
    try:
        return open_watch(device)
    except Exception as error:  # it becomes the record of the cells
        return error


def reserved_bytes() -> int:
    """Bytes that torch's pool holds of the card. Asked five times a second while calls are timed, so not by
    `torch.cuda.memory_reserved`, which spends 0.2 ms of Python on numbers that are not needed here."""
    return torch.cuda.memory_stats_as_nested_dict()["reserved_bytes"]["all"]["current"]


def open_watch(device: str) -> Watch | None:
    """NVML's watch over the card that this process sees, with CUDA opened under its eyes; None where there is no card.

    Raises what CUDA or NVML raise where the card cannot be opened.
    """
    if device != "cuda" or not torch.cuda.is_available():
        return None
    from bench.devices import exclusivity

    watch = exclusivity.Watch(os.environ["CUDA_VISIBLE_DEVICES"], reserved_bytes)
    torch.cuda.init()
    torch.zeros(1, device="cuda")
    watch.opened()
    if str(torch.cuda.get_device_properties(0).uuid) not in watch.uuid:
        watch.findings.doubts.append("CUDA runs on another card than the one that is watched")
    return watch
