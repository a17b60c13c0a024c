"""A server under load, in rounds that make every load once; each load is on disk before the next begins."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.common import provenance
from bench.data import prompts as prompt_sets
from bench.data import tokenizers
from bench.data.prompt import Prompt
from bench.load import generator
from bench.load.address import CHAT, COMPLETIONS, asked_at
from bench.models import kinds
from bench.records.load import LoadRun
from bench.records.merge import CellRecords
from bench.records.settings import Load
from bench.runner import notices, progress
from bench.spec.pair import PairFile
from bench.store.sink import Sink

WAVES = 4  # how often each of the requests that are under way at once is followed by another, at least


@dataclass(frozen=True)
class Task:
    """What a server is asked. tokenizer: the directory of the one that counts the tokens of its answers. rounds: how
    often it is asked all of it, each time by a fresh generator."""

    prompts: tuple[Prompt, ...]
    tokenizer: str
    loads: tuple[Load, ...]
    rounds: int = 1

    def with_records(self, entries: dict[str, CellRecords]) -> Iterator[tuple[int, Load, LoadRun | None]]:
        """Each round's number with each load, and what is on record of it."""
        for number in range(1, 1 + self.rounds):
            for load in self.loads:
                on_record = entries[load.cell_id].loads if load.cell_id in entries else {}
                yield number, load, on_record.get(number)


def counting_model(pair: PairFile) -> str:
    """The kind of the pair's model whose tokenizer counts a server's tokens: the one that writes token by token."""
    return pair.kind_of(kinds.AUTOREGRESSIVE)


def endpoint_of(pair: PairFile) -> str:
    """`chat` where the pair's prompts have a chat form, which the server then gives them; else `completions`."""
    directory = pair.models[counting_model(pair)].tokenizer_directory
    return CHAT if tokenizers.tokenizer(directory).chat_template else COMPLETIONS


def chosen(pair: PairFile, count: int, prompts_file: str | None) -> tuple[Prompt, ...]:
    """The pair's first prompts that fit, as its grids take them. Raises BadInput."""
    limits = pair.prompts.max_prompt_tokens, pair.prompts.min_reference_chars
    encoders = {kind: files.encode for kind, files in pair.models.items()}
    return prompt_sets.select(prompts_file or pair.prompts.source, count, *limits, encoders)


def task_of(
    pair: PairFile, server: str, model: str, asked: tuple[Prompt, ...], gen_length: int, at_once: list[int],
    ttft_limit_s: float, gap_limit_ms: float, rounds: int = 1,
) -> Task:  # fmt: skip
    """The loads at these numbers of requests at once."""
    prompt_hash = prompt_sets.keep(asked)
    kind = counting_model(pair)
    loads = tuple(
        Load(
            pair=pair.name, model=model, server=server, endpoint=endpoint_of(pair), counted_by=kind,
            concurrency=number, requests=max(len(asked), WAVES * number), prompts=len(asked), prompt_hash=prompt_hash,
            gen_length=gen_length, temperature=0.0, ttft_limit_s=ttft_limit_s, gap_limit_ms=gap_limit_ms,
        )
        for number in at_once
    )  # fmt: skip
    return Task(asked, pair.models[kind].tokenizer_directory, loads, rounds)


def measure(task: Task, sink: Sink) -> Iterator[LoadRun | str]:
    """Each load, measured where the study does not have it; what failed is said in words and can be asked again.

    Raises BadInput where the disk takes nothing, or the generator is not installed.
    """
    loads = list(task.with_records(sink.known()))
    installed = generator.version() if any(record is None for *_, record in loads) else ""
    for number, load, on_record in loads:
        if on_record:
            yield on_record
            continue
        place = f"{progress.round_text(number, task.rounds)}{load.concurrency} at once"
        notices.say(f"{place}: {load.requests} requests for {load.gen_length} tokens")
        try:
            record = measured(task, load, number, sink.study, installed)
        except generator.Failed as error:
            yield f"{place}: {asked_at(load.server).hidden(str(error))}"
            continue
        sink.take(record)
        yield record


def measured(task: Task, load: Load, number: int, study: str, installed: str) -> LoadRun:
    """One load in one round as its record. Raises Failed."""
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        folder = Path(name)
        generator.write_prompts((prompt.text for prompt in task.prompts), folder / "prompts.jsonl")
        started_s = time.time()
        report = generator.run(load, folder / "prompts.jsonl", str(Path(task.tokenizer).absolute()), folder)
        ended_s = time.time()
        values = generator.values_of(report, load)
    return LoadRun(study, load.cell_id, load, values, started_s, ended_s, installed, provenance.git_state(), number)
