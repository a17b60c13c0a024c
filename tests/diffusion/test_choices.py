"""Samplers and caches are chosen by name: the names that are offered are those that there are."""

from dataclasses import fields

import pytest

from bench.common.errors import BadInput
from bench.diffusion import choices, plans, samplers
from bench.diffusion.caches.registry import CACHES
from bench.diffusion.sampling import Sampling
from bench.spec import decoder_rules
from bench.spec.cell import Cell


def test_every_name_has_its_function():
    assert tuple(samplers.SAMPLERS) == tuple(choices.SAMPLERS)
    assert tuple(CACHES) == tuple(choices.CACHES) == tuple(plans.PLANS)


def test_every_option_is_a_field_of_cells_and_of_sampling():
    for kind in (Cell, Sampling):
        assert set(decoder_rules.OPTIONS) <= {field.name for field in fields(kind)}


@pytest.mark.parametrize(("sampler", "cache", "message"), [
    ("slow", "none", "there is no sampler 'slow'; there are: fixed, threshold, factor, entropy, klass, imposed"),
    ("fixed", "all", "there is no cache 'all'; there are: none, prefix, dual, delayed, interval"),
])  # fmt: skip
def test_an_unknown_name_is_refused_in_one_line(sampler, cache, message):
    with pytest.raises(BadInput, match=f"^grid x: {message}$"):
        decoder_rules.check_choices(sampler, cache, "grid x")
