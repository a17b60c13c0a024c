"""A model behind an address: an OpenAI-compatible server such as vLLM, SGLang, llama.cpp's or `transformers serve`.

A cell's batch is that many requests at the same moment. What the server does with them (one batch, a queue) is its own
affair, and so are its weights, precision, memory and forwards: none of these is stated. The call ends with the last
token of its last answer.
"""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import aiohttp
import torch

from bench.adapters import served, stream
from bench.adapters.contract import Mark, Output, Special
from bench.adapters.stream import Answer
from bench.data import served as data
from bench.models import server
from bench.models.server import Asked, Counted
from bench.spec.cell import Cell

CONNECT_S = 10.0  # how long a connection may take; an answer may take as long as the cell
KEPT_OPEN_S = 2.0  # how long an idle connection is used again: less than any server keeps it, or it would break


class ServerAdapter:
    """Asks a server for text completions and streams them. Connections stay open from call to call."""

    def __init__(self) -> None:
        self.cell: Cell | None = None
        self.asked: Asked | None = None
        self.said: server.Said | None = None
        self.loop = asyncio.new_event_loop()
        self.session: aiohttp.ClientSession | None = None

    def load(self, cell: Cell) -> None:
        """Make sure that the server is still the one that the cell was made for. Raises BadInput or RuntimeError."""
        if self.said is None or (self.cell.server, self.cell.revision) != (cell.server, cell.revision):
            self.said = None
            if self.session is not None:
                self.loop.run_until_complete(self.session.close())
                self.session = None
            self.asked = server.from_json(cell.server, cell.api_key_env)
            said = data.look(self.asked, cell.tokenizer)
            if data.revision(said, cell.tokenizer) != cell.revision:
                raise RuntimeError(f"{said.label} is not what it was when this was planned; give the command once more")
            self.said = said
        self.cell = cell

    def prepare(self, batches: list[list[list[int]]]) -> float | None:
        return None

    def special(self) -> Special:
        end = data.end_of(self.cell.tokenizer)
        return Special(() if end is None else (end,))

    def weights_bytes(self) -> int:
        raise RuntimeError("a server does not show its weights")

    def captured_peak_bytes(self) -> int:
        return 0

    def generate(self, prompts: list[list[int]], mark: Mark, lengths: list[int] | None = None) -> Output:
        wanted = served.wanted_tokens(self.cell, len(prompts), lengths)
        sent = [data.text_of(self.cell.tokenizer, tuple(ids)) for ids in prompts]
        inputs = [ids if self.said.takes_ids else text for ids, (text, _) in zip(prompts, sent, strict=True)]
        bodies = [self.body(prompt, most) for prompt, most in zip(inputs, wanted, strict=True)]
        answers = self.loop.run_until_complete(self.ask(bodies, mark))
        others = [not (self.said.takes_ids or is_same) for _, is_same in sent]
        rows = [self.tokens_of(answer) for answer in answers]
        counted = Counted(
            usage=[whole_number(answer.usage.get("completion_tokens")) for answer in answers],
            tokens=list(map(len, rows)),
            ended=[answer.finish == stream.STOP for answer in answers],
            prompt_usage=[whole_number(answer.usage.get("prompt_tokens")) for answer in answers],
            sent=list(map(len, prompts)),
            other_text=others,
        )
        return Output(self.padded(rows), None, None, served.kept_tokens(self.cell, counted, lengths), counted=counted)

    def body(self, prompt: list[int] | str, most: int) -> dict[str, Any]:
        """A request for an answer of at most so many tokens, or of exactly so many where its end is forced."""
        forced = {} if self.cell.stop == "eos" else json.loads(self.asked.forced_length or "{}")
        return json.loads(self.asked.extra_body) | forced | {
            "model": self.said.model, "prompt": prompt, "max_tokens": most, "temperature": self.cell.temperature,
            "stream": True, "stream_options": {"include_usage": True},
        }  # fmt: skip

    async def ask(self, bodies: list[dict], mark: Mark) -> list[Answer]:
        """The answers to requests that are sent at the same moment. The first failure ends the others."""
        session = self.opened()
        return await together([stream.stream(session, self.asked, body, row, mark) for row, body in enumerate(bodies)])

    def opened(self) -> aiohttp.ClientSession:
        """The session, with as many connections as there are requests and no proxy in between."""
        if self.session is None:
            self.session = aiohttp.ClientSession(
                headers=self.asked.headers,
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_OPEN_S),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            )
        return self.session

    def tokens_of(self, answer: Answer) -> list[int]:
        """Token ids of an answer by the pair's tokenizer, with the end token where the model ended it."""
        ids = data.ids_of(self.cell.tokenizer, answer.text)
        end = data.end_of(self.cell.tokenizer)
        return [*ids, end] if answer.finish == stream.STOP and end is not None else ids

    def padded(self, rows: list[list[int]]) -> torch.Tensor:
        """Answers as [rows, longest], end tokens behind the shorter ones."""
        fill = data.end_of(self.cell.tokenizer) or 0
        longest = max(map(len, rows))
        return torch.tensor([row + [fill] * (longest - len(row)) for row in rows], dtype=torch.long)


async def together(requests: list[Coroutine[Any, Any, Answer]]) -> list[Answer]:
    """The results of all; where one fails the others are ended before that is raised."""
    tasks = [asyncio.ensure_future(request) for request in requests]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def whole_number(value: object) -> int | None:
    """A count of the server's; None where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
