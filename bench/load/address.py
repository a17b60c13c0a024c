"""Is a server at an address, does it speak OpenAI's protocol, and does it serve the model? Asked before any load.

A key comes from the environment alone and is sent to the address that the user gave and to no other: redirects are not
followed (bench/models/server_look.py asks).
"""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from bench.common.errors import BadInput
from bench.models import server_look
from bench.models.server import Asked, is_loopback
from bench.models.server_look import ACCEPTED, FAILED, REFUSES_KEY, REVISION, Answer

API_KEY = "OPENAI_API_KEY"  # of the environment
CHAT, COMPLETIONS = "chat", "completions"  # the two endpoints that answer a prompt
PATHS = {CHAT: "chat/completions", COMPLETIONS: "completions"}


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


def asked_at(url: str) -> Asked:
    """How the server at an address is asked."""
    return Asked(url, api_key_env=API_KEY if os.environ.get(API_KEY) else None)


def answer_of(url: str, path: str, body: dict | None = None, timeout_s: float | None = None) -> Answer:
    """What a server answers to a GET, or to a POST of a JSON body. Raises BadInput where none is there."""
    limit_s = timeout_s or server_look.TIMEOUT_S
    return server_look.request(asked_at(url), f"{urlsplit(url).path}/{path}", body, limit_s)


def models_at(url: str) -> list[str]:
    """The names of the models that a server lists; none where it fails at that, as `transformers serve` does on a
    machine without a cache of the hub. Raises BadInput where no server is there, or none that speaks so."""
    answer = answer_of(url, "models")
    if answer.status in REFUSES_KEY:
        raise BadInput(
            f"URL={url}: the server wants a key (it answers {answer.status}); put it into the environment as {API_KEY}"
        )
    if answer.status >= FAILED:
        return []
    if answer.status != ACCEPTED:
        raise not_compatible(url, f"answers {answer.status}")
    try:
        return [str(entry["id"]) for entry in answer.value["data"]]
    except (KeyError, TypeError) as error:
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
    if not re.fullmatch(re.escape(model) + REVISION, answers_as):
        raise BadInput(f"SERVED={model}: {url} answers as another model: {answers_as}")
    return model


def first_answer(url: str, model: str, endpoint: str) -> str:
    """The name of the model that answers with one token. Raises BadInput where none does."""
    message = "a"
    prompt = {"messages": [{"role": "user", "content": message}]} if endpoint == CHAT else {"prompt": message}
    body = {"model": model, "max_tokens": 1} | prompt
    answer = answer_of(url, PATHS[endpoint], body, server_look.FIRST_ANSWER_S)
    if answer.status != ACCEPTED:
        raise BadInput(f"SERVED={model}: {url} does not answer for it ({asked_at(url).hidden(answer.words)})")
    if not isinstance(answer.value, dict) or "model" not in answer.value:
        raise BadInput(f"URL={url}: no OpenAI-compatible server, POST {url}/{PATHS[endpoint]} answers otherwise")
    return str(answer.value["model"])
