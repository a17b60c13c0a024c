"""Endless shuffled batches of training rows, already on the device."""

from dataclasses import dataclass

import numpy as np
import torch

from bench.training import rows as training_rows
from bench.training.rows import CACHE, Rows

CANVASES = (160, 192)  # rows are batched by the shortest canvas that leaves room for their answer


@dataclass(frozen=True)
class Batch:
    """ids [rows, canvas]; the answer of a row is positions first..last-1 ([rows] each), its EOS included.

    end [rows]: where a row's own canvas ends, if that is before the common one; None if it never is.
    """

    ids: torch.Tensor
    first: torch.Tensor
    last: torch.Tensor
    end: torch.Tensor | None = None


class Batches:
    """Endless shuffled batches of rows that share a canvas, already on the device.

    canvases: rows go to the shortest that leaves room for their answer. own_canvas: an answer's canvas has
    this many tokens and ends with them, whatever the common one.
    """

    def __init__(
        self, rows: Rows, canvases: tuple[int, ...], own_canvas: int | None, size: int, device: str, seed: int
    ):
        self.ids = torch.from_numpy(rows.ids.astype(np.int16)).to(device)
        self.first = torch.from_numpy(rows.prompt_lengths).to(device)
        self.answer = torch.from_numpy(rows.answer_lengths).to(device)
        spare = rows.ids.shape[1] - np.array(canvases)  # how much shorter than the longest prompt
        which = (rows.prompt_lengths[:, None] <= rows.prompt_lengths.max() - spare).argmax(1)
        self.buckets = [(canvas, np.flatnonzero(which == i)) for i, canvas in enumerate(canvases)]
        self.own_canvas, self.size, self.random = own_canvas, size, np.random.default_rng(seed)

    def __iter__(self):
        while True:
            epoch = [
                (canvas, part)
                for canvas, bucket in self.buckets
                for part in np.array_split(self.random.permutation(bucket), max(1, len(bucket) // self.size))
                if len(part) >= self.size
            ]
            for i in self.random.permutation(len(epoch)):
                canvas, part = epoch[i]
                yield self.take(canvas, torch.from_numpy(part[: self.size]).to(self.ids.device))

    def take(self, canvas: int, index: torch.Tensor) -> Batch:
        """The rows at `index`, cut to a canvas."""
        first = self.first[index]
        end = None if self.own_canvas is None else first + self.own_canvas
        return Batch(self.ids[index, :canvas].long(), first, (first + self.answer[index]).clamp(max=canvas), end)


@dataclass
class Data:
    """What a model is trained on and watched by: batches of text and of tasks."""

    text: Batches
    tasks: Batches
    heldout: Batches

    @classmethod
    def load(cls, kind: str, recipe: dict, device: str) -> "Data":
        settings, seed = recipe["optimizer"], recipe["seed"]
        rows, task_rows = (settings[name][device][kind] for name in ("batch_rows", "task_rows"))
        tasks = training_rows.task_rows(recipe, CACHE / "tokenizer.json")  # first: it forks, and CUDA must not be up
        text = Batches(Rows.load(CACHE / "train.npz"), CANVASES, None, rows, device, seed)
        heldout = Batches(Rows.load(CACHE / "heldout.npz"), CANVASES, None, rows, device, seed)
        width = tasks.ids.shape[1]
        return cls(text, Batches(tasks, (width,), recipe["task_answer_tokens"], task_rows, device, seed), heldout)

    def shapes(self) -> list[Batch]:
        """One batch of each shape that training meets, to compile for."""
        index = torch.arange(self.text.size, device=self.text.ids.device)
        found = [self.text.take(canvas, index) for canvas in CANVASES]
        return [*found, self.tasks.take(self.tasks.ids.shape[1], torch.arange(self.tasks.size, device=index.device))]
