"""Asks a server what it says of itself, before anything is measured: is it there, is it OpenAI-compatible, which model?

By Python's own HTTP client, since the parent asks. What is timed is asked by bench/adapters/server.py.
"""

import http.client
import json
import re
import secrets
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from bench.common.errors import BadInput
from bench.models.server import Asked, Said

TIMEOUT_S = 10.0  # how long a server may take to say which models it has
FIRST_ANSWER_S = 300.0  # and to write its first token: some load the model only then
MOST_BYTES = 16 << 20  # of such an answer
SHOWN_NAMES = 8  # of a server's models in a message
ACCEPTED = 200
FAILED = 500  # from here on it is the server's own fault
REFUSES_KEY = (401, 403)
REVISION = r"(@.+|-\d{4}-\d{2}-\d{2})?"  # what a server may put behind a model's name


@dataclass(frozen=True)
class Answer:
    """What a server answered to a plain request. value: the JSON, None where it is none."""

    status: int
    value: object
    software: str | None

    @property
    def words(self) -> str:
        """The status, and why, where the answer says it."""
        return f"status {self.status}{f': {message}' if (message := error_message(self.value)) else ''}"


def error_message(value: object) -> str:
    """Why a request failed, from the JSON of the answer; servers write it under different names."""
    for name in ("error", "message", "detail"):
        if isinstance(value, dict) and value.get(name):
            return error_message(value[name])
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, list) else ""


def request(asked: Asked, path: str, body: dict | None = None, timeout_s: float = TIMEOUT_S) -> Answer:
    """Ask a server once; redirections are not followed. Raises BadInput where no HTTP server answers."""
    parts = urlsplit(asked.address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout_s)
    try:
        content = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, content, asked.headers)
        response = connection.getresponse()
        raw = response.read(MOST_BYTES)
    except OSError as error:
        why = str(error.strerror or error) or type(error).__name__
        raise BadInput(f"{asked.address}: no server answers there ({why}); start it, or mend the address") from None
    except http.client.HTTPException as error:
        raise BadInput(f"{asked.address}: what answers there is no HTTP server ({type(error).__name__})") from None
    finally:
        connection.close()
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = None
    return Answer(response.status, value, (response.getheader("server") or "").strip() or None)


@cache
def look(asked: Asked, ids: tuple[int, ...], text: str) -> Said:
    """What a server says of itself and of the model that is asked, which has to write one token.

    ids, text: a prompt, as both. Raises BadInput where no server answers, where it is not OpenAI-compatible, does not
    have the model or answers by another one's name.
    """
    path = urlsplit(asked.address).path
    listed = models_of(asked, request(asked, f"{path}/models"))
    model = asked.model or only_model(asked, listed)
    takes_ids, answer = first_answer(asked, f"{path}/completions", model, ids, text)
    if model not in listed and (not wrote(answer) or takes_any_name(asked, path, list(ids) if takes_ids else text)):
        raise BadInput(f"{asked.address}: has no model {model} (it has: {names_of(listed)}); name one under `model:`")
    if not wrote(answer):
        raise BadInput(
            f"{asked.address}: {model} writes no token at /completions ({asked.hidden(answer.words)}); the prompt goes"
            " there as it is, since a chat endpoint would put its own form around it"
        )
    answered = answer.value.get("model")
    if not isinstance(answered, str) or not re.fullmatch(re.escape(model) + REVISION, answered):
        raise BadInput(f"{asked.address}: was asked for {model} and answers as {answered}; name that under `model:`")
    about = listed.get(model, {})
    most = about.get("max_model_len")
    return Said(
        asked.address, model, takes_ids, text_or_none(about.get("owned_by")), text_or_none(about.get("root")),
        most if isinstance(most, int) else None, answer.software, version_of(asked),
        text_or_none(answer.value.get("system_fingerprint")),
    )  # fmt: skip


def text_or_none(value: object) -> str | None:
    """A value that is text with something in it."""
    return value if isinstance(value, str) and value else None


def models_of(asked: Asked, answer: Answer) -> dict[str, dict]:
    """What a server's list of models says of each, by name. Raises BadInput where it is none.

    A server that fails to list them may still have the one that is named: `transformers serve` does where nothing was
    ever fetched from the hub.
    """
    check_key(asked, answer)
    if answer.status >= FAILED and asked.model:
        return {}
    data = answer.value.get("data") if isinstance(answer.value, dict) else None
    is_list = isinstance(data, list) and all(isinstance(one, dict) and isinstance(one.get("id"), str) for one in data)
    if answer.status != ACCEPTED or not is_list:
        raise BadInput(
            f"{asked.address}: no OpenAI-compatible server (its /models is no list of models, status {answer.status});"
            " such addresses mostly end in /v1"
        )
    return {one["id"]: one for one in data}


def check_key(asked: Asked, answer: Answer) -> None:
    """Raise BadInput where a server refuses the key, or wants one."""
    if answer.status not in REFUSES_KEY:
        return
    if asked.api_key_env:
        raise BadInput(f"{asked.address}: refuses the key in {asked.api_key_env} (status {answer.status})")
    raise BadInput(
        f"{asked.address}: wants a key (status {answer.status}); export it, and name its variable under api_key_env"
    )


def names_of(listed: dict[str, dict]) -> str:
    """Some names of a server's models, for messages."""
    return ", ".join(list(listed)[:SHOWN_NAMES]) or "none"


def only_model(asked: Asked, listed: dict[str, dict]) -> str:
    """The model of a server that has one. Raises BadInput for none, or several."""
    if len(listed) != 1:
        raise BadInput(f"{asked.address}: lists {len(listed)} models ({names_of(listed)}); name one under `model:`")
    return next(iter(listed))


def first_answer(asked: Asked, path: str, model: str, ids: tuple[int, ...], text: str) -> tuple[bool, Answer]:
    """Whether a server takes token ids for a prompt, and its answer of one token.

    A prompt as text is what every server takes; it has to cut it into tokens, which could become others.
    """
    answer = one_token(asked, path, model, list(ids))
    if wrote(answer):
        return True, answer
    return False, one_token(asked, path, model, text)


def wrote(answer: Answer) -> bool:
    """Whether an answer is one of text completions."""
    choices = answer.value.get("choices") if isinstance(answer.value, dict) else None
    is_filled = isinstance(choices, list) and bool(choices) and isinstance(choices[0], dict)
    return answer.status == ACCEPTED and is_filled and isinstance(choices[0].get("text"), str)


def one_token(asked: Asked, path: str, model: str, prompt: list[int] | str) -> Answer:
    """A server's answer to the shortest request. Raises BadInput where it refuses the key."""
    body = json.loads(asked.extra_body) | {"model": model, "prompt": prompt, "max_tokens": 1, "temperature": 0}
    answer = request(asked, path, body, FIRST_ANSWER_S)
    check_key(asked, answer)
    return answer


def takes_any_name(asked: Asked, path: str, prompt: list[int] | str) -> bool:
    """Whether a server answers for a model that nobody has, so that its answering proves no name."""
    name = f"no-such-model-{secrets.token_hex(4)}"
    return wrote(one_token(asked, f"{path}/completions", name, prompt))


def version_of(asked: Asked) -> str | None:
    """The version that a server states, as vLLM does beside its API."""
    value = request(asked, "/version").value
    return text_or_none(value.get("version")) if isinstance(value, dict) else None
