"""Every sampler with every cache gives the same tokens from both engines in float32, with the same forwards counted."""

import itertools

import pytest

from bench.diffusion.choices import CACHES, SAMPLERS
from tests.adapters.test_captured import LLADA_PROMPTS, RAGGED, outputs_of_engines

SAMPLED = {
    "fixed": {"steps": 8}, "threshold": {"threshold": 0.3}, "factor": {"factor": 1.5}, "entropy": {"gamma": 2.0},
    "klass": {"threshold": 0.3, "kl_threshold": 0.5}, "imposed": {"tokens_per_step": 3},
}  # fmt: skip
CACHED = {
    "none": {}, "prefix": {"refresh": "block"}, "dual": {"refresh": "block"}, "delayed": {"refresh": 4},
    "interval": {"prompt_every": 5, "response_every": 3, "ratio": 0.25},
}  # fmt: skip
REFRESHED = [
    {"cache": "dual", "refresh": "answer"}, {"cache": "dual", "refresh": "never"}, {"cache": "dual", "refresh": 2},
    {"cache": "prefix", "refresh": "answer"}, {"cache": "prefix", "refresh": "never"},
    {"cache": "prefix", "refresh": 2},
    {"cache": "delayed", "refresh": "block"}, {"cache": "delayed", "refresh": 1},
    {"cache": "interval", "prompt_every": 1, "response_every": 1, "ratio": 0.5},
    {"cache": "interval", "prompt_every": 4, "response_every": 2, "ratio": 0.0},
]  # fmt: skip
COUNTED = ("nfe", "nfe_full", "kept", "committed", "first_step", "own_forwards")


def test_every_decoder_is_tried():
    assert (set(SAMPLED), set(CACHED)) == (set(SAMPLERS), set(CACHES))


def same_from_both_engines(prompts, device: str, **changes) -> None:
    eager, captured, marks = outputs_of_engines("llada", prompts, device=device, head="lean", **changes)
    assert captured.sequences.tolist() == eager.sequences.tolist()
    assert [getattr(captured, name) for name in COUNTED] == [getattr(eager, name) for name in COUNTED]
    assert marks.count("step") == eager.nfe
    if changes["cache"] == "delayed":  # it pushes whole blocks where steps are recorded
        assert eager.positions <= captured.positions
    else:
        assert captured.positions == eager.positions


@pytest.mark.parametrize(("sampler", "cache"), itertools.product(SAMPLED, CACHED))
def test_both_engines_give_the_same(sampler, cache, device):
    """In a left-padded batch; for one sampler of a single prompt as well."""
    for prompts in (RAGGED, LLADA_PROMPTS[:1]) if sampler == "threshold" else (RAGGED,):
        same_from_both_engines(prompts, device, sampler=sampler, cache=cache, **SAMPLED[sampler], **CACHED[cache])


@pytest.mark.parametrize("sampler", ["imposed", "threshold"])
@pytest.mark.parametrize("changes", REFRESHED, ids=str)
def test_with_each_refresh(changes, sampler, device):
    same_from_both_engines(RAGGED, device, sampler=sampler, **SAMPLED[sampler], **changes)


@pytest.mark.parametrize("cache", CACHED)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_with_an_early_stop(cache, temperature, device):
    changes = {"early_stop": True, "temperature": temperature, "gen_length": 32, "steps": 32}
    same_from_both_engines(
        RAGGED, device, sampler="threshold", cache=cache, **changes, **SAMPLED["threshold"], **CACHED[cache]
    )
