"""Cells of tasks, answered and scored: every answer is on disk before the next one is asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bench.accuracy import score
from bench.accuracy.answers import Answer, Key, key_of, key_of_item
from bench.accuracy.cells import Asked
from bench.accuracy.texts import hash_of
from bench.common import provenance
from bench.common.errors import BadInput
from bench.records.items import Item
from bench.records.types import Scores
from bench.spec.cell import Cell
from bench.store import disk
from bench.store.sink import Sink

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

    from bench.adapters.contract import Adapter


def items_of(sink: Sink) -> dict[str, dict[Key, Item]]:
    """The answers on record by cell, each by question and request; of two to one request the later."""
    items: dict[str, dict[Key, Item]] = {}
    for record in disk.read(sink.file):
        if isinstance(record, Item):
            items.setdefault(record.cell_id, {})[key_of_item(record)] = record
    return items


class Models:
    """The one model that is loaded: cells of the same model share it, and another takes its place."""

    def __init__(self, create: Callable[[str], Adapter] | None = None):
        self.create = create
        self.kind: str | None = None
        self.adapter: Adapter | None = None

    def load(self, cell: Cell) -> Adapter:
        """The adapter of a cell's model, ready for the cell."""
        from bench.adapters import registry
        from bench.models.release import release

        if cell.model != self.kind:
            self.adapter = None  # before another takes memory
            release(cell.device)
            self.adapter, self.kind = (self.create or registry.create)(cell.model), cell.model
        self.adapter.load(cell)
        return self.adapter


@dataclass
class Recorder:
    """Puts a cell's answers on record as they come, each question's outcome with its last request."""

    asked: Asked
    sink: Sink
    done: dict[Key, Item]  # the answers on record; grows
    device: str  # name of the card or processor
    git: str
    said: Callable[[int], None]  # is called with the number of answers after each call of the model
    has_stated_cell: bool = False

    def take(self, answered: list[tuple[Instance, Answer]]) -> None:
        """Put the answers of one call on record, which waits for the disk once."""
        items: list[Item] = []
        try:
            for request, answer in answered:
                items.append(self.item(request, answer))
        finally:  # those before an answer that lm-eval cannot score
            self.sink.take(*items)
        self.said(len(self.done))

    def item(self, request: Instance, answer: Answer) -> Item:
        """An answer as its record, which is in `done` from then on."""
        cell, key = self.asked.cell, key_of(request)
        given = "".join(arg for arg in request.args if isinstance(arg, str))
        item = Item(
            self.sink.study, cell.cell_id, *key, hash_of(given), **asdict(answer),
            cell=None if self.has_stated_cell else cell, device=self.device, git=self.git, ended_s=time.time(),
        )  # fmt: skip
        self.has_stated_cell = True
        self.done[key] = item
        self.done[key] = item = replace(item, outcome=self.outcome(request.doc_id))
        return item

    @cached_property
    def questions(self) -> dict[int, list[Instance]]:
        """The requests of each question."""
        found: dict[int, list[Instance]] = {}
        for request in self.asked.requests:
            found.setdefault(request.doc_id, []).append(request)
        return found

    def outcome(self, index: int) -> dict[str, float]:
        """lm-eval's scores of a question; empty while one of its requests has no answer."""
        requests = self.questions[index]
        items = [self.done.get(key_of(request)) for request in requests]
        if None in items:
            return {}
        return score.outcome_of(self.asked.task, list(zip(requests, map(self.answer_of, requests, items), strict=True)))

    def answer_of(self, request: Instance, item: Item) -> Any:
        """What lm-eval is given of an item."""
        if item.text is not None:
            from bench.accuracy.lm import cut_text

            return cut_text(item.text, request)
        if self.asked.task.OUTPUT_TYPE == score.ROLLING:
            return item.log_likelihood
        return item.log_likelihood, bool(item.is_greedy)


@dataclass(frozen=True)
class Scored:
    """A cell with its scores. others: means of all of lm-eval's scores, by "metric,filter"; the recipe's is one."""

    asked: Asked
    scores: Scores
    others: dict[str, float]


def run(asked: list[Asked], sink: Sink, models: Models | None = None) -> Iterator[Scored | str]:
    """Answer and score each cell; yields it, or in words why it failed. What failed can be asked again.

    models: another one than the registry's, for tests. Raises BadInput where the disk takes nothing.
    """
    from bench.devices import choose

    models = models or Models()
    on_record = items_of(sink)
    device = choose.gpu()[1] if asked[0].cell.device == "cuda" else provenance.cpu_name()
    for each in asked:
        done = on_record.get(each.cell.cell_id, {})
        try:
            yield scored(each, sink, models, done, device)
        except (RuntimeError, MemoryError) as error:  # torch's out of memory is one; the other cells go on
            yield f"{each.cell.label}: {type(error).__name__}: {str(error).splitlines()[0][:300]}"


def scored(asked: Asked, sink: Sink, models: Models, done: dict[Key, Item], device: str) -> Scored:
    """Answer what is missing of a cell and score it; new scores are put on record."""
    from bench.accuracy.lm import BenchLM

    bar = Bar(asked, len(done))
    recorder = Recorder(asked, sink, done, device, provenance.git_state(), bar.move)
    how = asked.recipe.likelihood
    lm = BenchLM(asked.cell, asked.texts, models.load, recorder.take, done, how.rows, how.greedy)
    try:
        samples = score.evaluated(lm, asked)
    finally:
        bar.close()
    wanted = asked.keys
    scores = score.scores_of(sink.study, asked, samples, [item for key, item in done.items() if key in wanted])
    known = sink.known().get(asked.cell.cell_id)
    before = known and known.scores.get(scores.scorer)
    same = before and (before.values, before.nats, before.device) == (scores.values, scores.nats, scores.device)
    if not same:
        sink.take(replace(scores, ended_s=time.time()))
    return Scored(asked, scores, score.all_scores(samples))


class Bar:
    """Shows how far a cell is; begins when the first answer is made, so that what is done shows nothing."""

    def __init__(self, asked: Asked, done: int):
        self.asked, self.before, self.bar = asked, done, None

    def move(self, done: int) -> None:
        from tqdm import tqdm

        if self.bar is None:
            total = len(self.asked.requests)
            label = self.asked.cell.label
            self.bar = tqdm(
                total=total, initial=self.before, desc=label, unit="item", file=sys.stderr, mininterval=1, disable=False
            )
        self.bar.update(done - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def check(asked: list[Asked]) -> None:
    """Raise BadInput for a cell whose recipe does not fit its task, before a model loads."""
    for each in asked:
        score.check_score(each)
    if not asked:
        raise BadInput("TASKS: nothing is asked; give names of recipes, such as TASKS=gsm8k")
