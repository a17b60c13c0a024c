"""Is a server at an address, does it speak OpenAI's protocol, and does it serve the model? Asked before any load.

A key comes from the environment alone and is sent to the address that the user gave and to no other: redirects are not
followed. Imports the standard library alone.
"""

from __future__ import annotations

import ipaddress
import json
import os
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from bench.common.errors import BadInput

API_KEY = "OPENAI_API_KEY"  # of the environment
LIST_LIMIT_S = 8.0  # in which a server must name its models
ANSWER_LIMIT_S = 120.0  # in which it must answer with one token: it may load the model first
LONGEST_REASON = 160  # characters of what a server says
CHAT, COMPLETIONS = "chat", "completions"  # the two endpoints that answer a prompt
PATHS = {CHAT: "chat/completions", COMPLETIONS: "completions"}
WANTS_A_KEY = (401, 403)
FAILED_AT_IT = 500


def checked(url: str, may_be_remote: bool) -> str:
    """The address as requests are sent to it. Raises BadInput where it is none, bears a password, or is not of this
    machine's own loopback and the user has not said that it may be another's."""
    parts = urlsplit(url.strip())
    place = f"{parts.hostname}:{parts.port}" if has_port(url) else parts.hostname
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(f"URL={url.rpartition('@')[2]}: expected an address such as http://127.0.0.1:8000/v1")
    if "@" in parts.netloc:
        raise BadInput(f"URL: {place} comes with a name or a password; a key is read from the environment ({API_KEY})")
    if not is_loopback(parts.hostname) and not may_be_remote:
        raise BadInput(
            f"URL={url}: {parts.hostname} is not this machine; give REMOTE=yes if its owner expects this load"
        )
    return url.strip().rstrip("/")


def has_port(url: str) -> bool:
    """Whether an address names a port that is one."""
    try:
        return urlsplit(url).port is not None
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Lets a redirect be an answer like any other."""

    def redirect_request(self, *arguments: object) -> None:
        return None


def asked(url: str, limit_s: float, body: dict | None = None) -> object:
    """The JSON value that an address answers to a GET, or to a POST of a JSON body.

    Raises OSError (URLError and HTTPError are such) and ValueError.
    """
    handlers: list[urllib.request.BaseHandler] = [NoRedirects()]
    if is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if key := os.environ.get(API_KEY):
        request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.build_opener(*handlers).open(request, timeout=limit_s) as answer:
        return json.loads(answer.read())


def models_at(url: str) -> list[str]:
    """The names of the models that a server lists; none where it fails at that, as `transformers serve` does on a
    machine without a cache of the hub. Raises BadInput where no server is there, or none that speaks so."""
    try:
        listed = asked(f"{url}/models", LIST_LIMIT_S)
        return [entry["id"] for entry in listed["data"]]
    except urllib.error.HTTPError as error:
        if error.code in WANTS_A_KEY:
            raise BadInput(
                f"URL={url}: the server wants a key (it answers {error.code}); put it into the environment as {API_KEY}"
            ) from error
        if error.code == FAILED_AT_IT:
            return []
        raise not_compatible(url, f"answers {error.code}") from error
    except OSError as error:
        raise BadInput(
            f"URL={url}: no server answers there ({reason(error)}); start it, or correct the address"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise not_compatible(url, "does not list models") from error


def not_compatible(url: str, what: str) -> BadInput:
    return BadInput(f"URL={url}: no OpenAI-compatible server, GET {url}/models {what}; most addresses end in /v1")


def served(url: str, wanted: str, endpoint: str) -> str:
    """The name of the model that a server is to be asked for: the wanted one, or the only one that it lists.

    Raises BadInput where there is no server that speaks OpenAI's protocol, or where it serves or answers as another.
    """
    listed = models_at(url)
    if not wanted and len(listed) != 1:
        names = ", ".join(listed) or "no model by its name"
        raise BadInput(f"URL={url}: the server lists {names}; say which one is to answer with SERVED=NAME")
    if wanted and listed and wanted not in listed:
        raise BadInput(f"SERVED={wanted}: {url} serves another model: {', '.join(listed)}")
    model = wanted or listed[0]
    answers_as = first_answer(url, model, endpoint)
    if answers_as.partition("@")[0] != model.partition("@")[0]:  # behind it stands a revision
        raise BadInput(f"SERVED={model}: {url} answers as another model: {answers_as}")
    return model


def first_answer(url: str, model: str, endpoint: str) -> str:
    """The name of the model that answers with one token. Raises BadInput where none does."""
    message = "a"
    prompt = {"messages": [{"role": "user", "content": message}]} if endpoint == CHAT else {"prompt": message}
    try:
        answer = asked(f"{url}/{PATHS[endpoint]}", ANSWER_LIMIT_S, {"model": model, "max_tokens": 1} | prompt)
        return str(answer["model"])
    except urllib.error.HTTPError as error:
        said = " ".join(error.read().decode(errors="replace").split())[:LONGEST_REASON]
        raise BadInput(f"SERVED={model}: {url} does not answer for it ({error.code}: {without_key(said)})") from error
    except OSError as error:
        raise BadInput(f"SERVED={model}: {url} does not answer for it ({reason(error)})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"URL={url}: no OpenAI-compatible server, POST {url}/{PATHS[endpoint]} answers otherwise"
        ) from error


def reason(error: OSError) -> str:
    """Why a request failed, in few words."""
    cause = getattr(error, "reason", error)
    words = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return without_key(" ".join(words.split()).lower())[:LONGEST_REASON]


def without_key(text: str) -> str:
    """A text in which the user's key is called by the name of its variable."""
    key = os.environ.get(API_KEY)
    return text.replace(key, API_KEY) if key else text
