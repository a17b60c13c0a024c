"""Requests of a task and their answers: what an answer holds, and which one on record belongs to which request.

Imports neither lm-eval nor torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

    from bench.records.items import Item

Key = tuple[int, int]  # the number of a question in its task, and of a request among those of the question


def key_of(request: Instance) -> Key:
    """The key of a request."""
    return request.doc_id, request.idx


def key_of_item(item: Item) -> Key:
    """The key of the request that an item on record answers."""
    return item.index, item.request


@dataclass(frozen=True)
class Answer:
    """What a request was answered, as a record has it (bench/records/items.py)."""

    seconds: float
    rows: int
    text: str | None = None
    tokens: int | None = None
    nfe: int | None = None
    log_likelihood: float | None = None
    standard_error: float | None = None
    is_greedy: bool | None = None
