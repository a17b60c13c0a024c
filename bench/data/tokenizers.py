"""Tokenizers of model directories and packages: text to token ids and back. Imports no torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from bench.common import read
from bench.common.errors import BadInput
from bench.models import json_file

SHOWN_CHARS = 40  # of a message in an error
# Some chat templates write today's date into the prompt. Ids must not change overnight, so it is always this one, which
# Llama 3.1's own template takes where it is told none.
DATE_IN_TEMPLATES = datetime(2024, 7, 26)


def tokenizer_directory(name: str) -> str:
    """A directory as it is; `package:NAME` is the directory of an installed package."""
    if not name.startswith("package:"):
        return name
    package = find_spec(name.removeprefix("package:"))
    if package is None:
        raise BadInput(f"{name}: the package is not installed; run `make setup`")
    return str(Path(package.origin).parent)


@cache
def tokenizer(directory: str):
    """The tokenizer of a directory, with its chat template if it has one.

    Raises BadInput if there is none, or if its files cannot be read.
    """
    file = Path(directory) / "tokenizer.json"
    if not file.is_file():
        raise BadInput(
            f"{directory}: no tokenizer there (tokenizer.json is missing); save it once with transformers'"
            " AutoTokenizer, or name another directory in the pair's file"
        )
    settings = file.parent / "tokenizer_config.json"
    json_file.read_json(file)
    if settings.is_file():
        json_file.read_json(settings)
    from transformers import PreTrainedTokenizerFast

    try:
        if settings.is_file():
            return PreTrainedTokenizerFast.from_pretrained(directory)
        return PreTrainedTokenizerFast(tokenizer_file=str(file))
    except Exception as error:  # the tokenizers library raises whatever it likes for a part that it does not know
        raise BadInput(
            f"{file}: the tokenizers library here does not read it ({read.shortened(error)}); it may be for a newer one"
        ) from error


def encode(directory: str, prompt: str) -> list[int]:
    """Token ids of a user's message in the model's chat form; plain text for a model that has no template.

    Raises BadInput if the template does not take the message.
    """
    tok = tokenizer(directory)
    # Plain text begins with bos if the tokenizer adds one.
    ids = tok(prompt)["input_ids"] if tok.chat_template is None else in_chat_form(directory, prompt)
    if not ids:
        raise BadInput(f"{directory}: its tokenizer gives no token for the message {start_of(prompt)}")
    return ids


def in_chat_form(directory: str, prompt: str) -> list[int]:
    """Token ids of a user's message as the directory's chat template writes it. Raises BadInput where it refuses."""
    message = [{"role": "user", "content": prompt}]
    try:
        with fixed_date():
            encoded = tokenizer(directory).apply_chat_template(message, add_generation_prompt=True)
    except Exception as error:  # what a template raises or does wrong, or that none of several is the default one
        raise BadInput(
            f"{directory}: its chat template refuses the message {start_of(prompt)} ({read.shortened(error)}); mend"
            " chat_template, or take it out for plain text"
        ) from error
    return list(encoded["input_ids"])


def start_of(prompt: str) -> str:
    """How a message begins, for errors."""
    return repr(" ".join(prompt.split())[:SHOWN_CHARS])


class FixedDate(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return DATE_IN_TEMPLATES


@contextmanager
def fixed_date() -> Iterator[None]:
    """While it lasts, chat templates are told DATE_IN_TEMPLATES for today.

    The library takes the date itself, and hands no function of ours to a template.
    """
    from transformers.utils import chat_template_utils

    clock = chat_template_utils.datetime
    chat_template_utils.datetime = FixedDate
    try:
        yield
    finally:
        chat_template_utils.datetime = clock


def count(directory: str, text: str) -> int:
    """Tokens of a text as an answer: without what a tokenizer puts in front of a text or behind it."""
    return len(tokenizer(directory)(text, add_special_tokens=False)["input_ids"])


def cut(directory: str, text: str, tokens: int) -> str:
    """The first `tokens` tokens of a text, as text: references are as long as an answer may be."""
    tok = tokenizer(directory)
    return tok.decode(tok(text, add_special_tokens=False)["input_ids"][:tokens], skip_special_tokens=True).strip()
