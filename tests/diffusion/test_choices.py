"""Samplers and caches are chosen by name: the names that are offered are those that there are."""

import pytest

from bench.common.errors import BadInput
from bench.diffusion import caches, choices, samplers
from bench.spec import rules


def test_every_name_has_its_function():
    assert tuple(samplers.SAMPLERS) == choices.SAMPLERS
    assert tuple(caches.CACHES) == choices.CACHES


@pytest.mark.parametrize(("sampler", "cache", "message"), [
    ("slow", "none", "grid x: there is no sampler 'slow'; there are: fixed"),
    ("fixed", "all", "grid x: there is no cache 'all'; there are: none"),
])  # fmt: skip
def test_an_unknown_name_is_refused_in_one_line(sampler, cache, message):
    with pytest.raises(BadInput, match=f"^{message}$"):
        rules.check_choices(sampler, cache, "grid x")


def test_names_that_a_cell_leaves_out_are_the_defaults():
    rules.check_choices(None, None, "grid x")
