"""A tracking server that does not answer: one line within ten seconds, and the records wait on disk."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.common.errors import BadInput
from bench.store import disk, mlflow_client, refusal, tracking_uri
from bench.store.sink import Sink
from tests.conftest import REPO

LIMIT_S = 10.0


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does one thing with whoever connects; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # the test is over
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@contextmanager
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def without_a_name() -> Iterator[str]:
    """A host that no name server has."""
    yield "http://no-such-host.invalid:5000"


def silent() -> Iterator[str]:
    return listening(lambda connection: time.sleep(60))


def trickling() -> Iterator[str]:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(60):
            time.sleep(1)
            connection.sendall(f"X-{number}: y\r\n".encode())

    return listening(trickle)


def another_program() -> Iterator[str]:
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        page = b"<html>a printer</html>"
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page))
        connection.close()

    return listening(serve)


def busy() -> Iterator[str]:
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n")
        connection.close()

    return listening(serve)


def hanging_up() -> Iterator[str]:
    return listening(lambda connection: connection.close())


SERVERS = [nobody, without_a_name, silent, trickling, another_program, busy, hanging_up]


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_that_does_not_answer_is_one_line_within_ten_seconds(server):
    with server() as uri:
        with_password = uri.replace("http://", "http://me:secret@")
        start = time.monotonic()
        with pytest.raises(mlflow_client.NoAnswer) as caught:
            mlflow_client.check(with_password)
    assert time.monotonic() - start < LIMIT_S
    assert str(caught.value).startswith(f"{uri} d")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def door(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, float]:
    """Exit status of a door, what it said on standard error, and the seconds that it took."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stderr, time.monotonic() - start


def test_records_wait_for_a_server_and_are_sent_by_the_next_door(place):
    (place / "mlruns/s.jsonl").rename(place / "elsewhere.jsonl")
    _, _, own_s = door(place, "bench.tracking", "--help")
    with silent() as uri:
        status, said, seconds = door(place, "bench.tracking", "replay", "elsewhere.jsonl", MLFLOW_TRACKING_URI=uri)
    assert status == 1
    assert said.count("\n") == 1
    assert said.startswith(f"MLflow did not take everything ({uri} did not answer within")
    assert seconds - own_s < LIMIT_S
    assert disk.read_json(place / "mlruns/s.jsonl") == disk.read_json(place / "elsewhere.jsonl")
    count = "from bench.store import mlflow_read; print(len(mlflow_read.frame('s')))"
    done = subprocess.run([sys.executable, "-c", count], cwd=place, env=os.environ | {"PYTHONPATH": str(REPO)},
                          capture_output=True, text=True, check=True)  # fmt: skip
    cells = len(disk.by_cell("s"))
    assert done.stdout.strip() == str(cells)
    assert done.stderr == f"MLflow lacked {cells} of the {cells} runs of study s: logged from mlruns/s.jsonl\n"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [("http://h:1", True), ("https://me@h", True), ("postgresql://h/runs", True), ("databricks://p", True),
     ("sqlite:///mlflow.db", False), ("file:///tmp/x", False), ("mlruns", False)],
)  # fmt: skip
def test_a_server_is_told_from_a_file(uri, expected):
    assert tracking_uri.is_server(uri) == expected


@pytest.mark.parametrize("server", SERVERS)
def test_an_address_without_a_server_of_mlflow_is_refused_before_anything_is_measured(server, place, monkeypatch):
    with server() as uri:
        monkeypatch.setenv(tracking_uri.VARIABLE, uri.replace("http://", "http://me:secret@"))
        start = time.monotonic()
        with pytest.raises(BadInput) as caught:
            Sink("new").check()
        assert time.monotonic() - start < LIMIT_S
    said = str(caught.value)
    assert said.startswith(f"MLFLOW_TRACKING_URI: {uri} d")
    assert said.endswith(
        "; start that server or correct the address. Without MLFLOW_TRACKING_URI runs are tracked in mlflow.db, and the"
        " first command with it sends them"
    )
    assert "\n" not in said
    assert "secret" not in said
    assert not disk.path("new").exists()


@pytest.mark.parametrize("uri", ["127.0.0.1:5000", "localhost:5000/mlflow", "me:secret@host:80"])
def test_an_address_without_its_beginning_is_refused(uri, place, monkeypatch):
    monkeypatch.setenv(tracking_uri.VARIABLE, uri)
    says = f"MLFLOW_TRACKING_URI={uri.split('@')[-1]}: the address of a server begins with http:// or https://"
    with pytest.raises(BadInput, match=says):
        Sink("new").check()


def test_a_machine_without_mlflow_asks_no_server(tmp_path, monkeypatch):
    monkeypatch.setenv(tracking_uri.VARIABLE, "http://127.0.0.1:9")
    Sink("s", tmp_path / "out.jsonl").check()


def test_a_refusal_is_said_once_and_so_is_its_end(place, monkeypatch, capsys):
    sink = Sink("s")
    with nobody() as uri:
        monkeypatch.setenv(tracking_uri.VARIABLE, uri)
        assert [sink.track(), sink.track(), sink.track(again=True)] == [False, False, False]
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"MLflow did not take everything ({uri} does not answer: ")
    monkeypatch.delenv(tracking_uri.VARIABLE)
    assert not sink.track()  # between workers nothing is asked again
    assert [sink.track(again=True), sink.track()] == [True, True]
    assert capsys.readouterr().err == "MLflow takes records again, and has all of study s\n"


def test_what_a_server_says_back_of_a_token_or_a_password_is_not_said(monkeypatch):
    monkeypatch.setenv(tracking_uri.TOKEN, "tok-1")
    monkeypatch.setenv(tracking_uri.PASSWORD, "pass-2")
    said = refusal.in_short(ValueError("no tok-1 of mine,\n nor pass-2, at http://me:pass-2@host/x"))
    assert said == "no MLFLOW_TRACKING_TOKEN of mine, nor MLFLOW_TRACKING_PASSWORD, at http://host/x"
