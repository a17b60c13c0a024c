"""Whatever is wrong with an address is one line before any load: nobody there, another protocol, another model."""

import socket
import time
from http.server import BaseHTTPRequestHandler

import pytest

from bench import loadtest
from bench.common.errors import BadInput, exit_code
from bench.load import address
from bench.load.address import API_KEY, CHAT, COMPLETIONS
from tests.support import mlflow_server
from tests.support.chat_server import ChatServer, serving

KEY = "sk-9f31c0ffee"


def refusal(url: str, served: str = "", endpoint: str = CHAT) -> str:
    """The one line with which an address is refused."""
    with pytest.raises(BadInput) as caught:
        address.served(address.checked(url, False), served, endpoint)
    said = str(caught.value)
    assert "\n" not in said
    assert KEY not in said
    return said


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv(API_KEY, raising=False)


@pytest.mark.parametrize("endpoint", [CHAT, COMPLETIONS])
def test_the_only_model_is_taken_and_a_named_one_is_kept(endpoint):
    with serving(ChatServer(models=["m"])) as url:
        assert address.served(url, "", endpoint) == "m"
    about = ChatServer(models=["m", "n"])
    with serving(about) as url:
        assert address.served(f"{url}", "n", endpoint) == "n"
    assert [body["model"] for body in about.asked] == ["n"]


@pytest.mark.parametrize("listing", [{"models": []}, {"listed_with": 500}])
def test_a_server_that_lists_nothing_is_asked_for_the_name(listing):
    """`transformers serve` lists what the hub's cache holds, and no directory; without a cache it fails at that."""
    with serving(ChatServer(**listing)) as url:
        assert address.served(url, "/models/llama", CHAT) == "/models/llama"
        assert (
            refusal(url)
            == f"URL={url}: the server lists no model by its name; say which one is to answer with SERVED=NAME"
        )
    with serving(ChatServer(refuses=400, **listing)) as url:
        assert refusal(url, "x").startswith(f"SERVED=x: {url} does not answer for it (status 400")


def test_a_revision_behind_the_name_is_the_same_model():
    with serving(ChatServer(models=[], answers_as="m@main")) as url:
        assert address.served(url, "m", CHAT) == "m"


def test_another_model_is_refused():
    with serving(ChatServer(models=["m", "n"])) as url:
        assert refusal(url, "x") == f"SERVED=x: {url} serves another model: m, n"
        assert refusal(url) == f"URL={url}: the server lists m, n; say which one is to answer with SERVED=NAME"
    with serving(ChatServer(answers_as="n")) as url:
        assert refusal(url, "m") == f"SERVED=m: {url} answers as another model: n"


def test_nobody_there_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
    assert refusal(url) == f"{url}: no server answers there (Connection refused); start it, or mend the address"


def test_a_silent_server_is_refused_in_time(monkeypatch):
    monkeypatch.setattr(address.server_look, "TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:  # which connects and never answers
        start = time.monotonic()
        assert "no server answers there (timed out)" in refusal(f"http://127.0.0.1:{server.getsockname()[1]}/v1")
    assert time.monotonic() - start < 5


def test_another_protocol_is_refused():
    with serving(ChatServer()) as url:
        base = url.removesuffix("/v1")
        assert refusal(base) == (
            f"URL={base}: no OpenAI-compatible server, GET {base}/models answers 404; most addresses end in /v1"
        )
    for listing in ({"models": []}, {"data": [{"name": "m"}]}, {"data": None}):
        with serving(ChatServer(listing=listing)) as url:
            assert "no OpenAI-compatible server" in refusal(url)


def test_a_key_is_wanted_sent_and_never_said(monkeypatch):
    with serving(ChatServer(key=KEY)) as url:
        assert refusal(url) == (
            f"URL={url}: the server wants a key (it answers 401); put it into the environment as OPENAI_API_KEY"
        )
        monkeypatch.setenv(API_KEY, KEY)
        assert address.served(url, "", CHAT) == "m"
    monkeypatch.setenv(API_KEY, "such")  # which the server says back
    with serving(ChatServer(refuses=400)) as url:
        assert "no *** thing" in refusal(url, "m")


def test_a_key_follows_no_redirect(monkeypatch):
    monkeypatch.setenv(API_KEY, KEY)
    elsewhere = ChatServer()
    with serving(elsewhere) as other:

        class Sending(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Location", f"{other}/models")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        with mlflow_server.serving(Sending) as url:
            assert "answers 302; most addresses end in /v1" in refusal(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "URL=: expected an address such as http://127.0.0.1:8000/v1"),
        ("localhost:8000", "URL=localhost:8000: expected an address such as http://127.0.0.1:8000/v1"),
        ("ftp://localhost/v1", "URL=ftp://localhost/v1: expected an address such as http://127.0.0.1:8000/v1"),
        (f"http://me:{KEY}@localhost:1/v1", "URL: localhost:1 comes with a name or a password; a key is read from the"),
        ("http://10.0.0.7/v1", "URL=http://10.0.0.7/v1: 10.0.0.7 is not this machine; give REMOTE=yes if its owner"),
        ("http://localhost.evil.com/v1", "localhost.evil.com is not this machine"),
    ],
)  # fmt: skip
def test_what_is_no_address_of_this_machine_is_refused(url, says):
    assert says in refusal(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "[::1]", "localhost"])
def test_the_loopback_needs_no_word(host):
    assert address.checked(f"http://{host}:8000/v1/", False) == f"http://{host}:8000/v1"


def test_another_machine_needs_a_word():
    assert address.checked("https://api.example.com/v1", True) == "https://api.example.com/v1"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--concurrency", "1 two"), 'CONCURRENCY="1 two": expected whole numbers'),
        (("--concurrency", "2000"), "CONCURRENCY=2000: expected 1 to 1024"),
        (("--rounds", "0"), "ROUNDS=0: expected 1 to 100"),
        (("--prompts", "0"), "PROMPTS=0: expected 1"),
        (("--gen", "0"), "GEN=0: expected 1"),
        (("--ttft-limit-s", "0"), "TTFT_LIMIT_S=0: expected more than 0"),
        (("--gap-limit-ms", "nan"), "GAP_LIMIT_MS=nan: expected more than 0"),
        (("--remote", "no"), "REMOTE=no: expected yes, or nothing"),
        (("--pair", "none"), "none"),
    ],
)
def test_the_door_refuses_bad_values_before_it_asks_a_server(more, says, monkeypatch, capsys):
    monkeypatch.setattr(address, "models_at", lambda url: pytest.fail("asked"))
    assert exit_code(lambda: loadtest.main(["--url", "http://127.0.0.1:9/v1", *more])) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
