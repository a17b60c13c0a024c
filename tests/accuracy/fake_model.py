"""An adapter that answers by rule, in a time that is known."""

import time
from collections.abc import Callable

import torch

from bench.adapters.contract import Output, Special
from bench.spec.cell import Cell


class FakeAdapter:
    """Answers every prompt with what `answer` makes of its token ids, and sleeps `seconds` in each call."""

    def __init__(
        self, answer: Callable[[list[int]], list[int]], end: int, seconds: float = 0.0, most: int | None = None
    ):
        self.answer, self.end, self.seconds = answer, end, seconds
        self.most = most  # calls after which it fails, as a machine does that is switched off
        self.calls: list[list[list[int]]] = []
        self.loads: list[str] = []
        self.slept_s = 0.0

    def load(self, cell: Cell) -> None:
        self.loads.append(cell.cell_id)
        self.cell = cell

    def special(self) -> Special:
        return Special((self.end,))

    def generate(self, prompts, mark, lengths=None) -> Output:
        if self.most is not None and len(self.calls) >= self.most:
            raise KeyboardInterrupt
        self.calls.append(prompts)
        start = time.perf_counter()
        time.sleep(self.seconds)
        self.slept_s += time.perf_counter() - start
        answers = [[*self.answer(ids), self.end][: self.cell.gen_length] for ids in prompts]
        longest = max(map(len, answers))
        rows = [answer + [self.end] * (longest - len(answer)) for answer in answers]
        for _ in range(longest):
            mark("token")
        return Output(torch.tensor(rows), longest, longest, [len(answer) for answer in answers])
