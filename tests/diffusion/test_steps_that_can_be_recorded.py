"""A step of every decoder can be recorded once and replayed: shapes are constant, tensors stay in place, and nothing in
it waits for the device. Both engines' bodies run it; a graph of it is a matter of the captured engine."""

from dataclasses import replace

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from bench.adapters import registry
from bench.adapters.captured import StaticBody
from bench.adapters.llada import LladaBody
from bench.diffusion import denoising
from bench.diffusion.denoising import Canvas, denoise
from bench.diffusion.plans import Pass, Turn
from tests.conftest import GOLDEN, make_cell
from tests.diffusion.test_decoders import CACHES, NAMES, RAGGED, SAMPLERS, left_padded, options_of

TURNS = (Turn(0, 0, 0), Turn(0, 1, 1, 9), Turn(0, 2, 2, 9), Turn(0, 3, 3, 9), Turn(1, 0, 4, 9), Turn(1, 2, 6, 5))


def tensors_of(thing: object) -> dict[str, torch.Tensor]:
    """The tensors that an object holds in its fields."""
    return {name: value for name, value in vars(thing).items() if isinstance(value, torch.Tensor)}


@pytest.mark.parametrize(("cache", "options"), CACHES, ids=NAMES)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_recording_of_each_forward_serves_all_blocks_and_prompts(sampler, cache, options, tiny):
    """Each forward's function is made once, over the captured engine's body, and called again wherever it comes up; the
    texts are those of the eager engine."""
    asked = options_of(sampler, cache, **options)
    ids, mask = left_padded(RAGGED)
    recorded = {}

    def step(pass_: Pass) -> None:
        recorded.setdefault(pass_, lambda: canvas.step(pass_))()

    with torch.inference_mode():
        canvas = Canvas(StaticBody(tiny, len(ids), ids.shape[1] + 16), asked, *ids.shape, True, False, "cpu")
        canvas.fill(torch.full_like(ids, 9), mask)
        denoising.run(canvas, step, 16, lambda kind: None)
        places = {name: x.data_ptr() for part in (canvas, canvas.cache) for name, x in tensors_of(part).items()}
        canvas.fill(ids, mask)
        replayed = denoising.run(canvas, step, 16, lambda kind: None)
        now = {name: x.data_ptr() for part in (canvas, canvas.cache) for name, x in tensors_of(part).items()}
    assert replayed.canvas.tolist() == denoise(LladaBody(tiny), ids, mask, asked).canvas.tolist()
    assert now == places


@pytest.fixture(scope="module")
def fake():
    """A LLaDA without values: whatever asks for one of a tensor raises."""
    with FakeTensorMode() as mode:
        adapter = registry.create("llada")
        adapter.load(make_cell("llada", weights=str(GOLDEN / "tiny-llada"), random_seed=0))
    return mode, adapter.model


@pytest.mark.parametrize("head", ["lean", "official"])
@pytest.mark.parametrize(("cache", "options"), CACHES, ids=NAMES)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_step_waits_for_the_device(sampler, cache, options, head, fake):
    mode, model = fake
    asked = replace(options_of(sampler, cache, **options), head=head, early_stop=True, ends=(1, 2))
    with mode, torch.no_grad():
        canvas = Canvas(LladaBody(model), asked, 2, 6, True, False, "cpu")
        for pass_ in dict.fromkeys(map(canvas.cache.plan, TURNS)):
            canvas.step(pass_)
        with pytest.raises(DataDependentOutputException):
            canvas.news.tolist()


def test_a_wait_would_be_noticed(fake):
    mode, _ = fake
    with mode, pytest.raises(DataDependentOutputException):
        bool((torch.ones(3) > 0).any())
