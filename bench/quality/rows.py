"""Scores text by text: one that cannot be scored has no score and a reason, and the others go on."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench.common.characters import half_character
from bench.common.errors import BadInput

Score = TypeVar("Score")
REASON_LENGTH = 160  # characters of a library's message, at most


class NotScored(Exception):
    """A text that a scorer cannot score. The message is the reason, as the report says it."""


@dataclass(frozen=True)
class Row:
    """One text with what it is scored against."""

    prompt: str
    reference: str | None  # as long as an answer may be; None where nobody wrote one
    text: str
    ids: list[int]  # the text's token ids, by the tokenizer of its model


def reason_of(error: Exception) -> str:
    """What an exception says, in one short line."""
    text = textwrap.shorten(str(error), REASON_LENGTH, placeholder=" ...")
    if isinstance(error, (BadInput, NotScored)):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def check_characters(text: str, what: str) -> None:
    """Raise NotScored for a text that no tokenizer takes. what: `the prompt`, say."""
    if half := half_character(text):
        raise NotScored(f"{what} has half a character ({half})")


def each(
    rows: Sequence[Row], score: Callable[[Row], Score], advance: Callable[[int], object] | None = None
) -> tuple[list[Score | None], dict[int, str]]:
    """The score of each row, None where there is none, and the reasons of these by index.

    advance: told after each row that one more is done.

    A scorer that fails at every row in a way that it does not foresee fails as a whole: its exception is raised, as is
    bad input, which is not a row's fault.
    """
    scores: list[Score | None] = []
    reasons: dict[int, str] = {}
    unforeseen: list[Exception] = []
    for index, row in enumerate(rows):
        value = None
        try:
            value = score(row)
        except BadInput:
            raise
        except NotScored as error:
            reasons[index] = str(error)
        except Exception as error:  # whatever a library raises at an odd text
            reasons[index] = reason_of(error)
            unforeseen.append(error)
        scores.append(value)
        if advance:
            advance(1)
    if unforeseen and len(unforeseen) == len(rows):
        raise unforeseen[0]
    return scores, reasons
