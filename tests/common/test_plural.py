"""Numbers of things in words."""

import pytest

from bench.common.plural import counted


@pytest.mark.parametrize(("count", "words"), [(0, "0 cells"), (1, "1 cell"), (12, "12 cells")])
def test_numbers_of_things(count, words):
    assert counted(count, "cell") == words
