"""A small server that speaks OpenAI's protocol, streams included, and answers as a test wants it to."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

WORDS = ("A", "plain", "answer", "that", "goes", "on", "for", "some", "words", ".")


class ChatServer:
    """What the server does, and what it was asked.

    models: that it lists. answers_as: the model that its answers name; None: the one that was asked for. key: that it
    wants. refuses: the status with which it answers every prompt. first_s, gap_s: before the first word and each other.
    listing, listed_with: its list of models, where it is another one, and the status with which it comes.
    """

    def __init__(
        self, models=("m",), answers_as=None, key=None, refuses=None, first_s=0.02, gap_s=0.005, listing=None,
        listed_with=200,
    ):  # fmt: skip
        self.models, self.answers_as, self.key, self.refuses = models, answers_as, key, refuses
        self.first_s, self.gap_s = first_s, gap_s
        self.listing, self.listed_with = listing, listed_with
        self.asked: list[dict] = []  # bodies of the prompts
        self.at_once = self.most_at_once = 0
        self.lock = Lock()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count a request while it is answered."""
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield
        finally:
            with self.lock:
                self.at_once -= 1


@contextmanager
def serving(about: ChatServer) -> Iterator[str]:
    """Start a server; its address, which ends in /v1."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            if self.may_enter():
                listing = about.listing or {"object": "list", "data": [{"id": name} for name in about.models]}
                found = self.path == "/v1/models"
                self.say(about.listed_with if found else 404, listing if found else {"detail": "Not Found"})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not self.may_enter():
                return
            about.asked.append(body)
            name = about.answers_as or body["model"]
            with about.under_way():
                if about.refuses:
                    self.say(about.refuses, {"error": {"message": "no such thing"}})
                elif body.get("stream"):
                    self.stream(name, body)
                else:
                    message = {"role": "assistant", "content": WORDS[0]}
                    self.say(200, {"model": name, "choices": [{"index": 0, "message": message, "text": WORDS[0]}]})

        def may_enter(self) -> bool:
            if about.key and self.headers.get("Authorization") != f"Bearer {about.key}":
                self.say(401, {"error": {"message": "no key"}})
                return False
            return True

        def say(self, status: int, body: dict) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def stream(self, name: str, body: dict) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            count = min(body.get("max_tokens") or len(WORDS), len(WORDS))
            for number, word in enumerate(WORDS[:count]):
                time.sleep(about.gap_s if number else about.first_s)
                self.send_chunk(name, {"content": f"{word} "}, None)
            self.send_chunk(name, {}, "stop")
            self.wfile.write(b"data: [DONE]\n\n")
            self.wfile.flush()
            self.close_connection = True

        def send_chunk(self, name: str, delta: dict, reason: str | None) -> None:
            choice = {"index": 0, "delta": delta, "text": delta.get("content", ""), "finish_reason": reason}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": name, "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
