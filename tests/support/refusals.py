"""What bad input is answered with."""

from collections.abc import Callable

import pytest

from bench.common.errors import BadInput


def refusal(call: Callable, *arguments: object) -> str:
    """The message of the BadInput that a call raises: one line."""
    with pytest.raises(BadInput) as caught:
        call(*arguments)
    text = str(caught.value)
    assert text
    assert len(text.splitlines()) == 1
    return text
