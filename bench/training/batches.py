"""Endless shuffled batches of training rows, already on the device."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from bench.training import rows as training_rows
from bench.training.recipe import Recipe
from bench.training.rows import CACHE, Rows

CANVASES = (160, 192)  # tokens; rows of text are batched by the shortest that leaves room for their answer


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

    canvases: widths in tokens, of which a row goes to the shortest that leaves room for its answer. own_canvas: where
    given, a row's own canvas ends this many tokens after its prompt, even where the common canvas is longer. size: rows
    of a batch.
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
        self.own_canvas = own_canvas
        self.size = size
        self.random = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[Batch]:
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
    """What a model is trained on and watched by: batches of text, of tasks and of word problems."""

    text: Batches
    tasks: Batches
    problems: Batches
    heldout: Batches

    @classmethod
    def load(cls, kind: str, recipe: Recipe, device: str) -> "Data":
        """What a kind of model is trained on, on a device, in the batches that the recipe gives the two."""
        rows = recipe.optimizer.batch_rows[device][kind]
        task_rows = recipe.optimizer.task_rows[device][kind]
        problem_rows = recipe.optimizer.problem_rows[device][kind]
        seed = recipe.seed
        # These come first, since making them forks this process, and CUDA must not be open then.
        tasks = training_rows.task_rows(recipe, CACHE / "tokenizer.json")
        problems = training_rows.problem_rows(recipe, CACHE / "tokenizer.json")
        text = Batches(Rows.load(CACHE / "train.npz"), CANVASES, None, rows, device, seed)
        heldout = Batches(Rows.load(CACHE / "heldout.npz"), CANVASES, None, rows, device, seed)
        return cls(
            text,
            one_canvas(tasks, recipe.task_answer_tokens, task_rows, device, seed),
            one_canvas(problems, recipe.problem_answer_tokens, problem_rows, device, seed),
            heldout,
        )

    def parts(self) -> tuple[Batches, ...]:
        """What each step of training has one batch of."""
        return self.text, self.tasks, self.problems

    def shapes(self) -> list[Batch]:
        """One batch of each shape that training meets, to compile for."""
        return [
            part.take(canvas, torch.arange(part.size, device=part.ids.device))
            for part in self.parts()
            for canvas, _ in part.buckets
        ]


def one_canvas(rows: Rows, answer_tokens: int, size: int, device: str, seed: int) -> Batches:
    """Batches of generated rows: one common canvas, in which a row's own ends `answer_tokens` after its prompt."""
    return Batches(rows, (rows.ids.shape[1],), answer_tokens, size, device, seed)
