"""Numbers of things in words."""

import pytest

from bench.common.plural import counted, listed


@pytest.mark.parametrize(("count", "words"), [(0, "0 cells"), (1, "1 cell"), (12, "12 cells")])
def test_numbers_of_things(count, words):
    assert counted(count, "cell") == words


def test_lists_are_read_as_people_write_them():
    assert [listed(parts) for parts in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
