"""A generation that is watched, and caches that are led along it."""

from dataclasses import replace

import pytest
import torch

from bench.adapters.llada import LladaBody
from bench.diffusion.denoising import denoise, run
from bench.diffusion.following import Follower, canvas_of, watched
from bench.diffusion.plans import Pass, Turn
from tests.diffusion.test_decoders import AT_EVERY_STEP, CACHES, MASK, NAMES, PLAIN, RAGGED, left_padded


def led(tiny, options) -> tuple[list[torch.Tensor], list[torch.Tensor], list[int], list[torch.Tensor]]:
    """What the model and a follower said at each step, the follower's ages, and the canvases before each step."""
    ids, mask = left_padded(RAGGED)
    follower = Follower(LladaBody(tiny), ids, mask, options)
    own, other, ages, canvases = [], [], [], []

    def see(turn, before, logits):
        own.append(logits)
        other.append(follower.logits(turn, before))
        ages.append(follower.age)
        canvases.append(before)

    watched(LladaBody(tiny), ids, mask, PLAIN, see)
    return own, other, ages, canvases


def test_watching_changes_nothing_and_shows_every_step(tiny):
    ids, mask = left_padded(RAGGED)
    seen = []
    denoised = watched(LladaBody(tiny), ids, mask, PLAIN, lambda turn, before, logits: seen.append((turn, before)))
    plain = denoise(LladaBody(tiny), ids, mask, PLAIN)
    assert denoised.canvas.tolist() == plain.canvas.tolist()
    assert [(turn.block, turn.step, turn.forwards) for turn, _ in seen] == [(i // 8, i % 8, i) for i in range(16)]
    assert [int((before == MASK).sum()) for _, before in seen] == [3 * (16 - i) for i in range(16)]


@pytest.mark.parametrize("cache", AT_EVERY_STEP)
def test_a_follower_that_is_refreshed_at_every_step_says_what_the_model_says(cache, tiny):
    own, other, ages, canvases = led(tiny, replace(PLAIN, cache=cache, **AT_EVERY_STEP[cache]))
    assert ages == [0] * 16
    for number, (one, its) in enumerate(zip(own, other, strict=True)):
        block = canvases[number][:, 7 + 8 * (number // 8) :][:, :8] == MASK
        assert torch.allclose(one[block], its[block], atol=1e-4)


@pytest.mark.parametrize(("cache", "options"), CACHES, ids=NAMES)
def test_a_follower_says_what_its_cache_says_on_canvases_of_the_caches_own(cache, options, tiny):
    """What a step of a generation with the cache commits is what the follower says first where the canvas is as it was
    before that step."""
    ids, mask = left_padded(RAGGED)
    asked = replace(PLAIN, cache=cache, **options)
    canvas, follower = canvas_of(LladaBody(tiny), ids, mask, asked), Follower(LladaBody(tiny), ids, mask, asked)
    changes = []

    def step(pass_: Pass) -> None:
        before = canvas.ids.clone()
        canvas.step(pass_)
        changes.append((before, canvas.ids.clone()))

    with torch.inference_mode():
        run(canvas, step, asked.steps, lambda kind: None)
        for number, (before, after) in enumerate(changes):
            said = follower.logits(Turn(number // 8, number % 8, number), before).argmax(-1)
            block = slice(7 + 8 * (number // 8), 15 + 8 * (number // 8))
            new = (before != after)[:, block]
            assert int(new.sum()) == 3
            assert said[new].tolist() == after[:, block][new].tolist()


def test_the_age_counts_forwards_since_a_renewal(tiny):
    ages = {
        str(options): led(tiny, replace(PLAIN, **options))[2]
        for options in (
            {"cache": "dual", "refresh": "never"}, {"cache": "dual", "refresh": "answer"},
            {"cache": "prefix", "refresh": 3}, {"cache": "delayed", "refresh": "block"},
            {"cache": "interval", "prompt_every": 50, "response_every": 5, "ratio": 0.25},
        )
    }  # fmt: skip
    assert list(ages.values()) == [
        list(range(16)), [*range(8)] * 2, [0, 1, 2, 0, 1, 2, 0, 1] * 2, [0, *range(7)] * 2, [*([*range(5)] * 3), 0]
    ]  # fmt: skip
