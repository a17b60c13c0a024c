"""A model behind an address: an OpenAI-compatible server, how it is asked, and what it says of itself.

What cannot be seen of such a model (weights, precision, engine, memory, forwards) is stated nowhere. It is named by
what the server does say: its address, the model's name there, who owns it, which software answers. `server_look.py`
asks for that, and bench/adapters/server.py asks what is timed. Imports no torch.

A key comes from the environment alone, under the variable that the pair's file names. It is sent, and never kept,
printed or logged: what a server repeats of it is blotted out.
"""

import hashlib
import ipaddress
import json
import os
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from bench.common import read
from bench.common.errors import BadInput

# Fields of a request that a cell decides.
SET_BY_CELLS = ("model", "prompt", "messages", "stream", "stream_options", "max_tokens", "temperature", "n", "stop")


@dataclass(frozen=True)
class Asked:
    """A server's model and how it is asked, as the pair's file says it.

    model: its name there; None: the only one that the server has. extra_body: further fields of every request, as JSON.
    forced_length: fields that make an answer go on behind an end token, as JSON; None where the server has none.
    api_key_env: the variable that holds the key.
    """

    address: str
    model: str | None = None
    extra_body: str = "{}"
    forced_length: str | None = None
    api_key_env: str | None = None

    @property
    def key(self) -> str | None:
        """The key, from the environment. Raises BadInput where it is named and not there."""
        if self.api_key_env is None:
            return None
        key = os.environ.get(self.api_key_env, "").strip()
        if not key or not (key.isascii() and key.isprintable()):
            raise BadInput(f"{self.address}: {self.api_key_env} holds no key; export it with the server's")
        return key

    @property
    def headers(self) -> dict[str, str]:
        """What every request says beside its body."""
        return {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})

    def hidden(self, text: str) -> str:
        """A text of the server's on one line, shortened, without the key that it may repeat."""
        text = text.replace(self.key, "***") if self.key else text
        return read.bounded(" ".join(text.split()))


@dataclass(frozen=True)
class Said:
    """What a server says of itself and of the model that is asked; a part that it does not say is None.

    takes_ids: whether prompts may be token ids; else they are text.
    """

    address: str
    model: str
    takes_ids: bool
    owned_by: str | None = None
    root: str | None = None  # where it has the weights from
    max_model_len: int | None = None  # tokens of prompt and answer together
    software: str | None = None  # the header `server`
    version: str | None = None  # of /version, as vLLM has it
    fingerprint: str | None = None  # `system_fingerprint` of an answer

    @property
    def stated(self) -> dict:
        """What it says, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def revision(self) -> str:
        """Twelve hex digits that name it, in place of the hash of weights that nobody shows."""
        return hashlib.sha256(json.dumps(self.stated, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def label(self) -> str:
        """ "bench/pocket/llama at http://127.0.0.1:8000/v1 (vllm 0.11.0)": for tables and sentences."""
        words = " ".join(filter(None, (self.owned_by or self.software, self.version or self.fingerprint)))
        return f"{self.model} at {self.address}{f' ({words})' if words else ''}"


@dataclass(frozen=True)
class Counted:
    """What is known of the answers of a call, an entry a request.

    usage: tokens of the answer as the server counts them, None where it does not say. tokens: the same by the pair's
    tokenizer. ended: whether the model ended it by itself. prompt_usage: tokens of the prompt by the server. sent:
    token ids of the prompt as the pair has it; other_text: whether the text that was sent has other ids than these.
    """

    usage: list[int | None]
    tokens: list[int]
    ended: list[bool]
    prompt_usage: list[int | None]
    sent: list[int]
    other_text: list[bool]


def checked_address(address: str, allow_remote: bool = False) -> str:
    """An address without a slash at its end. Raises ValueError for one that is not to be asked."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError(f"{read.bounded(address)}: no address of a server; give one such as http://127.0.0.1:8000/v1")
    if "@" in parts.netloc:
        raise ValueError("the address holds a name or a password; take it out, and name the key's variable under"
                         " api_key_env")  # fmt: skip
    if parts.query or parts.fragment:
        raise ValueError(f"{address}: leave out what stands behind ? or #")
    if not allow_remote and not is_loopback(host):
        raise ValueError(f"{address}: is not on this machine; say allow_remote: true if prompts may be sent there")
    return address.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host's name or number is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def to_json(asked: Asked, said: Said) -> str:
    """What a cell states of the server: whom it asks, and how. The key's variable is not part of it."""
    how = {"address": said.address, "model": said.model, "takes_ids": said.takes_ids}
    fields = {"extra_body": asked.extra_body, "forced_length": asked.forced_length}
    stated = {name: json.loads(text) for name, text in fields.items() if text not in (None, "{}")}
    return json.dumps(how | stated, sort_keys=True)


def from_json(text: str, api_key_env: str | None) -> Asked:
    """How a cell's server is asked."""
    stated = json.loads(text)
    fields = {
        name: json.dumps(stated[name], sort_keys=True) for name in ("extra_body", "forced_length") if name in stated
    }
    return Asked(stated["address"], stated["model"], api_key_env=api_key_env, **fields)
