"""The sampler against the official one's outputs, and properties that any schedule must keep."""

import itertools
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.diffusion.samplers import Sampling, denoise, gumbel_scores, schedule
from tests.conftest import GOLDEN

CASES = json.loads((GOLDEN / "generate.json").read_text())
MASK = 500


def options_of(case: dict) -> Sampling:
    kwargs = dict(case["kwargs"])
    flag = "official" if kwargs.pop("confidence_eos_eot_inf", False) else "off"
    ids = {name: case[name] for name in ("mask_id", "eos_id", "eot_id")}
    return Sampling(confidence_eos_eot=flag, **ids, **kwargs)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_equals_the_official_sampler_token_for_token(case, tiny_forward):
    if case["seed"] is not None:
        torch.manual_seed(case["seed"])
    mask = None if case["attention_mask"] is None else torch.tensor(case["attention_mask"])
    found = denoise(tiny_forward, torch.tensor(case["prompt_ids"]), mask, options_of(case))
    assert found.canvas.tolist() == case["output_ids"]
    assert found.nfe == case["forward_calls"]


@pytest.mark.parametrize("case", json.loads((GOLDEN / "num_transfer_tokens.json").read_text()))
def test_schedule_equals_the_official_one(case):
    assert schedule(case["masked"], case["steps"]) == case["transfer"]


@given(st.integers(0, 300), st.integers(1, 300))
def test_schedule_commits_every_token_once_and_front_loads_the_rest(masked, steps):
    quotas = schedule(masked, steps)
    assert len(quotas) == steps
    assert sum(quotas) == masked
    assert sorted(quotas, reverse=True) == quotas
    assert max(quotas) - min(quotas) <= 1


class Recorder:
    """A forward with random logits that keeps each canvas it was shown; never proposes the mask."""

    def __init__(self, seed: int):
        self.generator = torch.Generator().manual_seed(seed)
        self.canvases: list[torch.Tensor] = []

    def __call__(self, canvas, attention_mask):
        self.canvases.append(canvas.clone())
        logits = torch.randn(*canvas.shape, MASK + 1, generator=self.generator)
        logits[..., MASK] = -1e9
        return logits


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000), blocks=st.integers(1, 4), block=st.integers(1, 8), per_block=st.integers(1, 10),
    rows=st.integers(1, 3),
)  # fmt: skip
def test_positions_are_committed_once_and_blocks_finish_left_to_right(seed, blocks, block, per_block, rows):
    recorder = Recorder(seed)
    options = Sampling(steps=blocks * per_block, gen_length=blocks * block, block_length=block, mask_id=MASK)
    prompt = torch.randint(0, MASK, (rows, 3), generator=recorder.generator)
    marks: list[str] = []
    found = denoise(recorder, prompt, None, options, marks.append)
    seen = [*recorder.canvases, found.canvas]
    for before, after in itertools.pairwise(seen):
        committed = before != MASK
        assert (after[committed] == before[committed]).all()
    assert not (found.canvas == MASK).any()
    assert (found.canvas[:, :3] == prompt).all()
    for i, canvas in enumerate(recorder.canvases):
        begin = 3 + (i // per_block) * block
        assert not (canvas[:, :begin] == MASK).any()
        assert (canvas[:, begin + block :] == MASK).all()
    assert marks.count("step") == options.steps == found.nfe
    assert marks.count("block") == blocks
    assert found.positions == options.steps * rows * (3 + blocks * block)


def test_first_step_is_when_output_position_0_became_final():
    recorder = Recorder(0)
    found = denoise(recorder, torch.zeros(1, 2, dtype=torch.long), None, Sampling(8, 8, 8, MASK))
    states = [*recorder.canvases, found.canvas]
    assert found.first_step == next(i for i in range(8) if states[i + 1][0, 2] != MASK)


def test_steps_above_the_length_cost_forwards_and_change_nothing(tiny_forward):
    prompt = torch.tensor([[5, 6, 7]])
    few = denoise(tiny_forward, prompt, None, Sampling(16, 16, 16, MASK))
    many = denoise(tiny_forward, prompt, None, Sampling(32, 16, 16, MASK))
    assert (few.nfe, many.nfe) == (16, 32)
    assert many.canvas.tolist() == few.canvas.tolist()


@pytest.mark.parametrize(("steps", "gen", "block"), [(4, 10, 4), (3, 8, 4)])
def test_refuses_what_the_official_code_asserts(steps, gen, block, tiny_forward):
    with pytest.raises(ValueError, match="multiple"):
        denoise(tiny_forward, torch.tensor([[1]]), None, Sampling(steps, gen, block, MASK))


def test_gumbel_scores_sample_the_softmax_at_temperature():
    torch.manual_seed(0)
    logits = torch.tensor([1.0, 0.0, -1.0])
    for temperature in (0.5, 1.0):
        drawn = gumbel_scores(logits.repeat(40_000, 1), temperature).argmax(-1)
        shares = torch.bincount(drawn, minlength=3) / 40_000
        assert torch.allclose(shares, torch.softmax(logits / temperature, -1), atol=0.01)
    assert gumbel_scores(logits, 1.0).dtype == torch.float64
