"""An OpenAI-compatible server that does as it is told, for what no real server shows on command."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bench.data import served
from bench.models import server, server_look
from bench.spec.cell import Cell
from tests.conftest import REPO, make_cell

TOKENIZER = str(REPO / "bench/pocket/tokenizer")
IDS = (0, 3, 65, 4)  # a prompt's


@dataclass
class Behaviour:
    """What the server does.

    pieces: of text, sent one by one, `gap_s` seconds apart. usage: tokens that it counts, None where it says nothing.
    breaks_after: pieces after which it closes the connection. key: that it wants. status, error: of every answer.
    instead: bytes that are sent in place of events. echoes: whether it answers under any name that it is asked for.
    """

    models: tuple[str, ...] = ("fake",)
    pieces: tuple[str, ...] = ("One", " two", " three")
    gap_s: float = 0.0
    wait_s: float = 0.0  # before the first piece
    usage: int | None = None
    prompt_usage: int | None = None
    finish: str | None = "length"
    heeds: bool = False  # whether `ignore_eos` makes it write as many tokens as it may
    takes_ids: bool = True
    breaks_after: int | None = None
    breaks_late: bool = False  # whether it does so after one piece wherever more than a few tokens are asked for
    key: str | None = None
    status: int = 200
    error: object = None
    instead: bytes | None = None
    echoes: bool = False
    answers_as: str | None = None
    version: str | None = None
    page: bytes | None = None  # sent for everything
    more: dict = field(default_factory=dict)  # what the list of models says of each besides
    listed: tuple[str, ...] | None = None  # in place of those that it has
    lists: bool = True  # whether it can say which models it has
    redirects_to: str | None = None  # another address, for everything
    asked: list[dict] = field(default_factory=list)  # bodies of requests for a stream
    headers: list[dict] = field(default_factory=list)  # of every request
    address: str = ""


class Handler(BaseHTTPRequestHandler):
    """One connection. `behaviour` is the server's."""

    protocol_version = "HTTP/1.1"
    server_version = "fake/1"
    sys_version = ""
    behaviour: Behaviour

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def reply(self, status: int, value: object) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def is_refused(self) -> bool:
        """Answer a request that the server refuses whatever it asks; whether that was so."""
        does = self.behaviour
        does.headers.append(dict(self.headers))
        if does.redirects_to:
            self.send_response(307)
            self.send_header("Location", does.redirects_to + self.path.removeprefix("/v1"))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif does.page is not None:
            self.reply(200, does.page)
        elif does.key and self.headers.get("Authorization") != f"Bearer {does.key}":
            self.reply(401, {"error": {"message": f"Incorrect API key provided: {self.headers.get('Authorization')}"}})
        else:
            return False
        return True

    def do_GET(self) -> None:
        does = self.behaviour
        if self.is_refused():
            return
        about = {"owned_by": "tests"} | does.more
        if self.path == "/v1/models" and not does.lists:
            self.reply(500, b"Internal Server Error")
        elif self.path == "/v1/models":
            self.reply(200, {"object": "list", "data": [about | {"id": name} for name in does.listed or does.models]})
        elif self.path == "/version" and does.version:
            self.reply(200, {"version": does.version})
        else:
            self.reply(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        does = self.behaviour
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.is_refused():
            return
        is_known = does.echoes or body["model"] in does.models
        if self.path != "/v1/completions" or not is_known:
            self.reply(404, {"error": {"message": f"The model `{body['model']}` does not exist."}})
        elif isinstance(body["prompt"], list) and not does.takes_ids:
            self.reply(400, {"detail": "prompt must be a string."})
        elif not body.get("stream"):
            name = does.answers_as or body["model"]
            self.reply(200, {"model": name, "choices": [{"text": "x"}], "system_fingerprint": "fp"})
        elif does.status != 200:
            self.reply(does.status, does.error)
        else:
            does.asked.append(body)
            self.stream(body)

    def stream(self, body: dict) -> None:
        does = self.behaviour
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if does.instead is not None:
            self.chunk(does.instead)
            self.chunk(b"")
            return
        time.sleep(does.wait_s)
        is_forced = does.heeds and body.get("ignore_eos")
        usage = body["max_tokens"] if is_forced else does.usage
        for number, piece in enumerate([" a"] * usage if is_forced else does.pieces):
            is_late = does.breaks_late and number == 1 and body["max_tokens"] > 4
            if number == does.breaks_after or is_late:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.event({"choices": [{"text": piece}]})
            time.sleep(does.gap_s)
        self.event({"choices": [{"text": "", "finish_reason": does.finish}]})
        if usage is not None:
            self.event({"choices": [], "usage": {"completion_tokens": usage, "prompt_tokens": does.prompt_usage}})
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def event(self, value: dict) -> None:
        """Send an event, with line ends and characters as some servers write them."""
        self.chunk(f"data: {json.dumps(value, ensure_ascii=False)}\r\n\r\n".encode())

    def chunk(self, content: bytes) -> None:
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self.wfile.flush()


@contextmanager
def serving(**does: object) -> Iterator[Behaviour]:
    """A server that behaves as told; what it does may be changed while it runs."""
    behaviour = Behaviour(**does)
    handler = type("OwnHandler", (Handler,), {"behaviour": behaviour})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        behaviour.address = f"http://127.0.0.1:{running.server_address[1]}/v1"
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        server_look.look.cache_clear()
        yield behaviour
        running.shutdown()


def asked_of(behaviour: Behaviour, **more: str) -> server.Asked:
    """How the server's model is asked."""
    return server.Asked(behaviour.address, **more)


def cell_of(behaviour: Behaviour, forced_length: str | None = '{"ignore_eos": true}', **changes: object) -> Cell:
    """A cell of LLaMA on the server."""
    asked = asked_of(behaviour, forced_length=forced_length, api_key_env=changes.get("api_key_env"))
    said = served.look(asked, TOKENIZER)
    settings = {
        "engine": "server", "device": "server", "dtype": "unstated", "weights": asked.address,
        "server": server.to_json(asked, said), "revision": served.revision(said, TOKENIZER),
    }  # fmt: skip
    return make_cell("llama", **settings | changes)
