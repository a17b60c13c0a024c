"""A request to an OpenAI-compatible server, and its answer as it arrives: server-sent events with pieces of text.

Times are those of arrival: `mark` is called as soon as a piece has been read. A piece is what the server chose to send
at once, and may be several tokens, or a part of one; so pieces are never counted as tokens.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp

from bench.adapters.contract import Mark
from bench.models.server import Asked
from bench.models.server_look import error_message

DATA = b"data:"  # how a line of an event begins; events of these servers have one such line
DONE = b"[DONE]"  # what many send last
LENGTH, STOP = "length", "stop"  # why an answer ended: at its most tokens, or by itself


@dataclass
class Answer:
    """What has arrived of an answer. usage: tokens as the server counts them, if it does."""

    parts: list[str] = field(default_factory=list)
    finish: str | None = None
    usage: dict = field(default_factory=dict)
    is_whole: bool = False

    @property
    def text(self) -> str:
        return "".join(self.parts)

    def take(self, event: dict, row: int, mark: Mark) -> None:
        """Take in an event of the stream. Raises RuntimeError for one that says that the server failed."""
        if event.get("error"):
            raise RuntimeError(f"the server failed in the middle of an answer: {error_message(event)}")
        for choice in event.get("choices") or []:
            if text := choice.get("text"):
                self.parts.append(text)
                mark(f"chunk.{row}")
            if choice.get("finish_reason"):
                self.finish = choice["finish_reason"]
                self.end(row, mark)
        self.usage = event.get("usage") or self.usage

    def end(self, row: int, mark: Mark) -> None:
        """Note that the last token is there; what may follow counts no more."""
        if not self.is_whole:
            mark(f"end.{row}")
        self.is_whole = True


async def stream(session: aiohttp.ClientSession, asked: Asked, body: dict, row: int, mark: Mark) -> Answer:
    """The answer to one request, marked as it arrives. Raises RuntimeError, in one line, where it does not come whole.

    row: of the batch, which tells its marks from those of others.
    """
    answer = Answer()
    try:
        async with session.post(f"{asked.address}/completions", json=body, allow_redirects=False) as response:
            await check(response, asked)
            async for line in data_lines(response.content):
                if line == DONE:
                    answer.end(row, mark)
                else:
                    answer.take(event_of(line), row, mark)
    except (aiohttp.ClientError, TimeoutError) as error:
        reason = asked.hidden(str(error) or type(error).__name__)
        raise RuntimeError(f"{asked.address}: {arrived(answer)}: {reason}") from None
    except RuntimeError as error:
        raise RuntimeError(f"{asked.address}: {asked.hidden(str(error))}") from None
    if not answer.is_whole:
        raise RuntimeError(f"{asked.address}: {arrived(answer)}")
    return answer


def arrived(answer: Answer) -> str:
    """How far an answer came that is not whole."""
    if not answer.parts:
        return "the server gave no answer"
    return f"the stream broke off after {len(answer.parts)} pieces of text"


async def check(response: aiohttp.ClientResponse, asked: Asked) -> None:
    """Raise RuntimeError for an answer that is an error, or no stream of events."""
    if response.status == 200 and response.content_type == "text/event-stream":
        return
    text = await response.text(errors="replace")
    try:
        reason = error_message(json.loads(text)) or text
    except (ValueError, RecursionError):
        reason = text
    what = "refused a request" if response.status != 200 else f"does not stream (it sent {response.content_type})"
    raise RuntimeError(f"the server {what}, status {response.status}: {asked.hidden(reason)}")


def event_of(line: bytes) -> dict:
    """The JSON object of an event. Raises RuntimeError where it is none."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise RuntimeError(f"the server sent an event that is no JSON object: {line[:80].decode(errors='replace')}")
    return event


async def data_lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """What stands behind `data:` in each line of a stream, as soon as the line is there.

    Lines are cut at line feeds alone: a text may hold any other character that Python would take for a line's end.
    """
    rest = b""
    async for part in content.iter_any():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.startswith(DATA):
                yield line[len(DATA) :].strip()
    if rest.startswith(DATA):
        yield rest[len(DATA) :].strip()
