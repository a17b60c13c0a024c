"""Which answer on record belongs to which request of a task. Imports neither lm-eval nor torch."""

from __future__ import annotations

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
