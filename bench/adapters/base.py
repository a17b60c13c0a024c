"""What all adapters share: a checkpoint that is loaded once and kept while cells change."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from bench.common.dtypes import EIGHT_BITS
from bench.models import checkpoint, eight_bits, weights
from bench.models.release import release, release_workspaces
from bench.spec.cell import Cell


class ModelAdapter:
    """Loads a checkpoint once and keeps it while cells change; keeps what was captured while it fits."""

    def __init__(self) -> None:
        self.cell: Cell | None = None
        self.checkpoint: checkpoint.Checkpoint | None = None
        self.model = None
        self.captures: dict[tuple, Any] = {}
        self.captured_length: int | None = None  # tokens that they have room for

    def load(self, cell: Cell) -> None:
        if self.cell and (self.cell.weights, self.cell.engine) != (cell.weights, cell.engine):
            self.forget()
        is_other_model = self.cell is None or model_of(self.cell) != model_of(cell)
        if is_other_model:
            self.cell = self.model = None  # before another takes memory; and if that fails, nothing is loaded
            self.forget()
            release(cell.device)
            self.checkpoint = checkpoint.read(cell.weights, cell.random_seed)
        self.checkpoint.check_engine(cell.engine)
        if is_other_model:
            self.model = weights.load(self.checkpoint, cell.device, getattr(torch, cell.float_dtype), cell.fill)
            if cell.dtype in EIGHT_BITS:
                eight_bits.quantise(self.model, cell.dtype)
        self.cell = cell

    def share(self, other: "ModelAdapter") -> None:
        """Use the weights that another adapter of the same model has loaded."""
        self.cell, self.checkpoint, self.model = other.cell, other.checkpoint, other.model

    def forget(self) -> None:
        """Let go of what was captured, since the model or its engine changes, and of cuBLAS's workspaces for it, which
        would count in the peak of the next eager cell. An adapter without captures leaves the workspaces alone, since
        another adapter of this process may still replay its own."""
        if self.captures:
            self.captures.clear()
            release_workspaces()

    def weights_bytes(self) -> int:
        return sum(map(eight_bits.bytes_of, self.model.parameters()))

    def prepare(self, batches: list[list[list[int]]]) -> float | None:
        wanted = {self.shape_of(prompts): prompts for prompts in batches} if self.cell.engine == "captured" else {}
        before = len(self.captures)
        if self.cell.gen_length != self.captured_length:
            self.captures.clear()
        self.captured_length = self.cell.gen_length
        self.captures = {shape: capture for shape, capture in self.captures.items() if shape in wanted}
        new = {shape: prompts for shape, prompts in wanted.items() if shape not in self.captures}
        if len(self.captures) < before:  # else new tensors take parts of that memory, and torch keeps the rest
            release(self.cell.device)
        for shape, prompts in new.items():
            with torch.no_grad():
                self.captures[shape] = self.capture(prompts)
        return sum(replay.compile_s for shape in new for replay in self.captures[shape].replays) if new else None

    def captured(self, prompts: list[list[int]]) -> Any:
        """What was captured for prompts of this shape. Raises RuntimeError if `prepare` did not see it."""
        capture = self.captures.get(self.shape_of(prompts))
        if capture is None:
            raise RuntimeError("nothing was captured for prompts of this shape: capturing must not be timed")
        return capture

    def captured_peak_bytes(self) -> int:
        return max((replay.peak_bytes for capture in self.captures.values() for replay in capture.replays), default=0)


def model_of(cell: Cell) -> tuple:
    """What the loaded weights depend on."""
    return cell.weights, cell.random_seed, cell.fill, cell.dtype, cell.device


def attention_kernel(cell: Cell) -> AbstractContextManager:
    """Inside it attention is computed as the cell says: torch's choice, or `math`, plain products and a softmax."""
    return sdpa_kernel(SDPBackend.MATH) if cell.attention == "math" else nullcontext()


def left_pad(prompts: list[list[int]], pad_id: int, device: str) -> tuple[torch.Tensor, torch.Tensor | None]:
    """(ids [batch, longest], mask [batch, longest] that is 0 on padding); no mask if nothing was padded."""
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), longest), pad_id)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    padded = bool((mask == 0).any())
    return ids.to(device), mask.to(device) if padded else None
