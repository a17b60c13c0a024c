"""This project's models as lm-evaluation-harness asks them: one `LM` over the adapters, with a memory of what is done.

A cell says model, decoder, engine, precision and device. What was answered before is given back from the records, so
a run that was stopped goes on, and answers can be scored again without a model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import postprocess_generated_text
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from bench.accuracy import likelihood
from bench.accuracy.answers import Answer, Key, key_of
from bench.accuracy.likelihood import Estimator, LogLikelihood, Pair
from bench.accuracy.texts import Texts, hash_of
from bench.adapters.contract import Adapter, check
from bench.measure.clock import Stopwatch
from bench.models.engines import ENGINES
from bench.records.items import Item
from bench.spec.cell import Cell

SEEDS = 1 << 31  # seeds are below this
Take = Callable[[list[tuple[Instance, Answer]]], None]  # of the requests that were answered together


def cut_text(text: str, request: Instance) -> str:
    """An answer as its task reads it: up to the first of the task's stop strings, by lm-eval's own function."""
    until = request.args[1].get("until") or []
    return postprocess_generated_text(text, until, None)


class BenchLM(TemplateLM):
    """A cell's model. `take` puts the answers of each call on record at once, and into `done`."""

    def __init__(
        self, cell: Cell, texts: Texts, load: Callable[[Cell], Adapter], take: Take, done: dict[Key, Item],
        rows_of_noise: int = 1, greedy: bool = False,
    ):  # fmt: skip
        super().__init__()
        self.cell, self.texts, self.take, self.done = cell, texts, take, done
        self.load = load  # makes the model ready; called when the first request has no answer yet
        self.rows_of_noise, self.greedy = rows_of_noise, greedy
        self.tokenizer = texts.tokenizer

    @property
    def eot_token_id(self) -> int:
        return self.texts.files.describe().eos_ids[0]

    @property
    def prefix_token_id(self) -> int:
        return self.texts.prefix_id

    @property
    def tokenizer_name(self) -> str:
        return self.cell.revision

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return self.texts.chat(chat_history, add_generation_prompt)

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: object) -> list[int]:
        return self.texts.encode(string, add_special_tokens)

    def missing(self, requests: Iterable[Instance]) -> list[Instance]:
        """The requests that have no answer on record."""
        return [request for request in requests if key_of(request) not in self.done]

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        todo = self.missing(requests)
        if todo:
            self.generate(todo)
        return [cut_text(self.done[key_of(request)].text, request) for request in requests]

    def generate(self, requests: list[Instance]) -> None:
        """Answer in batches of like lengths, the longest prompts first, so that memory runs out at once or never."""
        adapter, engine = self.load(self.cell), ENGINES[self.cell.engine]
        asked = list(batches(requests, lambda request: self.texts.encode(request.args[0]), self.cell))
        if engine.is_prepared and not engine.has_one_shape:
            adapter.prepare([[ids for _, ids in batch] for batch in asked])
        for batch in asked:
            prompts = [ids for _, ids in batch]
            if engine.has_one_shape:
                adapter.prepare([prompts])  # what other lengths needed is let go, so that memory does not grow
            torch.manual_seed(seed_of(self.cell, prompts))  # where tokens are sampled, a later run draws the same
            watch = Stopwatch(self.cell.device)
            output, timing = watch.time(lambda mark, prompts=prompts: adapter.generate(prompts, mark))
            check(self.cell, output, timing.marks, adapter.special())
            seconds = timing.latency_ms / 1e3 / len(batch)
            rows = zip(batch, output.sequences.tolist(), output.kept, strict=True)
            texts = [(request, kept, self.texts.decode(sequence[:kept])) for (request, _), sequence, kept in rows]
            self.take([
                (request, Answer(seconds, len(batch), text, kept, output.nfe)) for request, kept, text in texts
            ])  # fmt: skip

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        self.score(self.missing(requests), lambda request: [self.pair_of(*request.args)])
        items = [self.done[key_of(request)] for request in requests]
        return [(item.log_likelihood, bool(item.is_greedy)) for item in items]

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        self.score(self.missing(requests), lambda request: self.windows_of(request.args[0]))
        return [self.done[key_of(request)].log_likelihood for request in requests]

    def _loglikelihood_tokens(self, requests: list, **_: object) -> list[tuple[float, bool]]:
        """Of token ids that belong to no request, as lm-eval's base class has it; nothing is put on record."""
        pairs = [Pair(context, continuation) for _, context, continuation in requests]
        results = self.likelihoods(self.load(self.cell), pairs)
        return [(result.nats, bool(result.is_greedy)) for result in results]

    def pair_of(self, context: str, continuation: str) -> Pair:
        """Token ids of both, cut apart as lm-eval's base class does it."""
        if context:
            return Pair(*self._encode_pair(context, continuation))
        ids = self.tok_encode(continuation, add_special_tokens=False)
        first = self.prefix_token_id
        return Pair(ids[:1], ids[1:]) if ids[0] == first else Pair([first], ids)

    def windows_of(self, text: str) -> list[Pair]:
        """A whole text in windows of the model's positions, each token predicted once."""
        most = self.texts.files.describe().max_positions - 1  # the prefix takes one
        windows = get_rolling_token_windows(self.tok_encode(text), self.prefix_token_id, most, context_len=1)
        return [Pair(*map(list, make_disjoint_window(window))) for window in windows]

    def score(self, requests: list[Instance], pairs_of: Callable[[Instance], list[Pair]]) -> None:
        """Put the likelihood of each request on record: the sum over its pairs. The longest come first."""
        if not requests:
            return
        adapter = self.load(self.cell)
        asked = [(request, pairs_of(request)) for request in requests]
        asked.sort(key=lambda each: -sum(map(len, each[1])))
        for batch in parts(asked, self.cell.batch_size):
            pairs = [pair for _, of_request in batch for pair in of_request]
            watch = Stopwatch(self.cell.device)
            results, timing = watch.time(lambda mark, pairs=pairs: iter(self.likelihoods(adapter, pairs)))
            seconds = timing.latency_ms / 1e3 / len(batch)
            self.take([
                (request, total(list(islice(results, len(of_request))), seconds, len(batch)))
                for request, of_request in batch
            ])  # fmt: skip

    def likelihoods(self, adapter: Adapter, pairs: list[Pair]) -> list[LogLikelihood]:
        """The likelihood of each pair by the cell's model."""
        about = self.texts.files.describe()
        if about.causal:
            of_batches = [likelihood.exact(adapter.model, batch) for batch in parts(pairs, self.cell.batch_size)]
            return [result for batch in of_batches for result in batch]
        how = Estimator(about.mask_id, self.cell.samples, self.rows_of_noise, self.cell.cfg_scale or 0.0, self.greedy)
        seeds = [seed_of(self.cell, pair) for pair in pairs]
        return [likelihood.estimated(adapter.model, pair, how, seed) for pair, seed in zip(pairs, seeds, strict=True)]


def seed_of(cell: Cell, asked: object) -> int:
    """A seed of its own for what is asked, the same in each run."""
    return int(hash_of(f"{cell.seed} {asked}"), 16) % SEEDS


def total(results: list[LogLikelihood], seconds: float, rows: int) -> Answer:
    """One answer of the likelihoods of a request's pairs."""
    greedy = [result.is_greedy for result in results]
    return Answer(
        seconds, rows,
        log_likelihood=sum(result.nats for result in results),
        standard_error=math.sqrt(sum(result.standard_error**2 for result in results)),
        is_greedy=None if None in greedy else all(greedy),
    )  # fmt: skip


def parts(values: list, size: int) -> Iterator[list]:
    """A list in parts of a size, the last one perhaps shorter."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def batches(requests: list[Instance], encode: Callable[[Instance], list[int]], cell: Cell) -> Iterator[list[tuple]]:
    """Requests with their prompts' token ids, in the batches that are answered together, the longest prompts first.

    An engine that records a step for one shape gets prompts of one length in a batch.
    """
    encoded = sorted(((request, encode(request)) for request in requests), key=lambda each: -len(each[1]))
    if not ENGINES[cell.engine].has_one_shape:
        yield from parts(encoded, cell.batch_size)
        return
    for _, alike in groupby(encoded, key=lambda each: len(each[1])):
        yield from parts(list(alike), cell.batch_size)
