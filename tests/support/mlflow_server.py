"""A real `mlflow server` on this machine's loopback, its artifacts proxied, and a guard that asks for a token."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

START_LIMIT_S = 90.0  # it loads for seconds, and longer beside other tests
STOP_LIMIT_S = 10.0
# No jobs of its own, which would be further processes, and nothing said to anybody.
QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


def free_port() -> int:
    """A port of the loopback at which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Server:
    """A tracking server that can be stopped and started again at its address, with what it holds.

    folder: of its database and its artifacts. database: a whole one with nothing in it, since making one takes seconds.
    """

    def __init__(self, folder: Path, database: Path):
        self.folder, self.port, self.process = folder, free_port(), None
        folder.mkdir(parents=True)
        (folder / "server.db").write_bytes(database.read_bytes())

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it in a process group of its own and wait until it answers."""
        store = ("--backend-store-uri", f"sqlite:///{self.folder}/server.db")
        artifacts = ("--serve-artifacts", "--artifacts-destination", str(self.folder / "artifacts"))
        place = ("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *store, *artifacts, *place],
                cwd=self.folder, env=without_tracking(os.environ) | QUIET, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.wait()

    def wait(self) -> None:
        """Wait until it answers."""
        deadline_s = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline_s:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=2).close()
                return
            except (urllib.error.URLError, OSError):
                assert self.process.poll() is None, (self.folder / "server.log").read_text()
                time.sleep(0.1)
        raise AssertionError((self.folder / "server.log").read_text())

    def stop(self) -> None:
        """Stop it and every process that it started."""
        if self.process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(STOP_LIMIT_S)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None

    def content(self) -> bytes:
        """All bytes that it keeps or has said, in one piece."""
        return b"\n".join(file.read_bytes() for file in sorted(self.folder.rglob("*")) if file.is_file())


def without_tracking(environment: dict) -> dict:
    """An environment without what the tests themselves may be told of a tracking server."""
    return {name: value for name, value in environment.items() if not name.startswith("MLFLOW_TRACKING")}


class Passing(BaseHTTPRequestHandler):
    """Passes every request on to a server and its answer back."""

    protocol_version = "HTTP/1.1"
    target = ""  # host:port

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def asked(self) -> tuple[int, bytes, str]:
        """(status, body, type) of the server's answer to this request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name not in ("Host", "Authorization")}
        with closing(http.client.HTTPConnection(self.target)) as connection:
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            return response.status, response.read(), response.headers.get("Content-Type", "text/plain")

    def say(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self) -> None:
        self.say(*self.asked())

    def do_GET(self) -> None:
        self.answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A small web server; its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        proxy.daemon_threads = True
        Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
        proxy.shutdown()


def guarded(uri: str, token: str, refusal: int = 401) -> AbstractContextManager[str]:
    """A small reverse proxy before a server: it wants `Authorization: Bearer TOKEN` and passes on whatever has it.

    It stands for what labs put before MLflow; MLflow's own login needs further packages.
    """

    class Guard(Passing):
        target = urlsplit(uri).netloc

        def answer(self) -> None:
            answer = self.asked() if self.headers.get("Authorization") == f"Bearer {token}" else None
            if answer is None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.say(*(answer or (refusal, b"no entry", "text/plain")))

    return serving(Guard)


def losing_answers(uri: str, answers: int) -> AbstractContextManager[str]:
    """A way to a server that passes on every request, and after so many answers none of them back."""
    left = [answers]

    class Losing(Passing):
        target = urlsplit(uri).netloc

        def answer(self) -> None:
            answer = self.asked()
            left[0] -= 1
            if left[0] >= 0:
                self.say(*answer)
            else:
                self.close_connection = True

    return serving(Losing)
