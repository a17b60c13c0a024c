"""The sampler against the official one's outputs, and properties that any schedule must keep."""

import itertools
import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.adapters.llada import LladaBody
from bench.diffusion import head as diffusion_head
from bench.diffusion.denoising import denoise
from bench.diffusion.head import propose
from bench.diffusion.samplers import gumbel_scores
from bench.diffusion.sampling import Sampling
from bench.diffusion.schedules import schedule
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
    denoised = denoise(tiny_forward, torch.tensor(case["prompt_ids"]), mask, options_of(case))
    assert denoised.canvas.tolist() == case["output_ids"]
    assert denoised.nfe == case["forward_calls"]


class Counting(LladaBody):
    """The golden model in two parts; counts the rows that meet its head."""

    rows = 0

    def head(self, hidden):
        type(self).rows += hidden.numel() // hidden.shape[-1]
        return super().head(hidden)


GREEDY = [case for case in CASES if not case["kwargs"].get("temperature") and case["seed"] is None]


@pytest.mark.parametrize("head", ["lean", "official-old"])
@pytest.mark.parametrize("case", GREEDY, ids=[case["name"] for case in GREEDY])
def test_every_rung_of_the_head_gives_the_official_tokens(case, head, tiny):
    mask = None if case["attention_mask"] is None else torch.tensor(case["attention_mask"])
    denoised = denoise(LladaBody(tiny), torch.tensor(case["prompt_ids"]), mask, replace(options_of(case), head=head))
    assert denoised.canvas.tolist() == case["output_ids"]
    assert denoised.nfe == case["forward_calls"]


@pytest.mark.parametrize("cfg_scale", [0.0, 1.5])
def test_the_lean_head_sees_only_the_rows_that_can_be_committed(cfg_scale, tiny, monkeypatch):
    monkeypatch.setattr(Counting, "rows", 0)
    prompts = torch.tensor([[5, 6, 7], [8, 9, 10]])
    denoise(Counting(tiny), prompts, None, Sampling(8, 16, 8, MASK, head="lean", cfg_scale=cfg_scale))
    assert Counting.rows == 8 * 2 * 8 * (2 if cfg_scale else 1)  # steps, rows, block, and both halves of the guidance


def test_rows_of_the_head_in_chunks_are_the_same(tiny, monkeypatch):
    prompts, options = torch.tensor([[5, 6, 7], [8, 9, 10]]), Sampling(8, 16, 8, MASK, head="lean", cfg_scale=1.0)
    at_once = denoise(LladaBody(tiny), prompts, None, options).canvas
    monkeypatch.setattr(diffusion_head, "HEAD_ROWS", 5)
    assert denoise(LladaBody(tiny), prompts, None, options).canvas.tolist() == at_once.tolist()


def test_the_lean_head_fills_masks_of_a_prompt_as_the_official_sampler_does(tiny):
    prompt = torch.tensor([[5, MASK, 7]])
    canvases = [
        denoise(LladaBody(tiny), prompt, None, Sampling(8, 8, 8, MASK, head=h)).canvas for h in ("official", "lean")
    ]
    assert canvases[0].tolist() == canvases[1].tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_rungs_agree_on_probabilities(dtype):
    logits = (20 * torch.randn(64, 100, generator=torch.Generator().manual_seed(0))).to(dtype)
    candidates = logits.argmax(-1)
    exact = diffusion_head.probability(logits, candidates, "official-old")
    assert exact.dtype == torch.float64
    lean = diffusion_head.probability(logits, candidates, "lean")
    assert lean.dtype == torch.float32
    assert torch.allclose(lean.double(), exact, rtol=2e-6 if dtype == torch.float32 else 2e-2)


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
    denoised = denoise(recorder, prompt, None, options, marks.append)
    canvases = [*recorder.canvases, denoised.canvas]
    for before, after in itertools.pairwise(canvases):
        committed = before != MASK
        assert (after[committed] == before[committed]).all()
    assert not (denoised.canvas == MASK).any()
    assert (denoised.canvas[:, :3] == prompt).all()
    for i, canvas in enumerate(recorder.canvases):
        begin = 3 + (i // per_block) * block
        assert not (canvas[:, :begin] == MASK).any()
        assert (canvas[:, begin + block :] == MASK).all()
    assert marks.count("step") == options.steps == denoised.nfe
    assert marks.count("block") == blocks
    assert denoised.positions == options.steps * rows * (3 + blocks * block)


def test_first_step_is_when_output_position_0_became_final():
    recorder = Recorder(0)
    denoised = denoise(recorder, torch.zeros(1, 2, dtype=torch.long), None, Sampling(8, 8, 8, MASK))
    states = [*recorder.canvases, denoised.canvas]
    assert denoised.first_step == next(i for i in range(8) if states[i + 1][0, 2] != MASK)


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


def test_permuting_a_batch_permutes_the_result(tiny_forward):
    prompts = torch.tensor([[5, 6, 7, 8], [50, 60, 70, 80], [9, 9, 9, 9]])
    options = Sampling(8, 16, 8, MASK)
    straight = denoise(tiny_forward, prompts, None, options).canvas
    order = [2, 0, 1]
    assert denoise(tiny_forward, prompts[order], None, options).canvas.tolist() == straight[order].tolist()


def test_a_left_padded_batch_equals_its_rows_one_by_one(tiny_forward):
    rows = [[5, 6, 7, 8, 10, 11], [50, 60], [9, 10, 12, 13]]
    ids = torch.tensor([[481] * (6 - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (6 - len(row)) + [1] * len(row) for row in rows])
    options = Sampling(8, 16, 8, MASK)
    together = denoise(tiny_forward, ids, mask, options).canvas[:, 6:]
    for row, in_batch in zip(rows, together, strict=True):
        alone = denoise(tiny_forward, torch.tensor([row]), None, options).canvas[0, len(row) :]
        assert in_batch.tolist() == alone.tolist()


def test_a_mask_token_in_the_prompt_competes_and_is_filled(tiny_forward):
    denoised = denoise(tiny_forward, torch.tensor([[5, MASK, 7]]), None, Sampling(8, 8, 8, MASK))
    assert (denoised.canvas == MASK).sum() == 1  # eight commits for nine masks, as the official schedule counts
    assert denoised.canvas[0, [0, 2]].tolist() == [5, 7]


def test_guidance_without_an_attention_mask_works(tiny_forward):
    """The official code raises UnboundLocalError here (its bug a)."""
    prompt = torch.tensor([[5, 6, 7]])
    options = Sampling(8, 8, 8, MASK, cfg_scale=0.5)
    bare = denoise(tiny_forward, prompt, None, options)
    masked = denoise(tiny_forward, prompt, torch.ones_like(prompt), options)
    assert bare.canvas.tolist() == masked.canvas.tolist()
    assert bare.positions == 2 * 8 * 11


@pytest.mark.parametrize(("temperature", "official_eos"), [(0.0, False), (1.0, True)])
def test_the_confidence_flag_by_intent_and_as_it_really_is(temperature, official_eos):
    """The official flag spares EOS above temperature 0 (its bug b); by intent both end tokens get confidence 0."""
    eos, eot = 1, 2
    logits = torch.tensor([[[0.0, 30.0, 0.0, 0.0], [0.0, 0.0, 30.0, 0.0], [0.0, 0.0, 0.0, 30.0]]])
    confident = {}
    for flag in ("official", "intent"):
        torch.manual_seed(0)
        options = Sampling(4, 4, 4, MASK, temperature=temperature, eos_id=eos, eot_id=eot, confidence_eos_eot=flag)
        candidates, confidence = propose(logits.clone(), options)
        assert candidates.tolist() == [[eos, eot, 3]]
        confident[flag] = (confidence[0] > 0.9).tolist()
    assert confident["intent"] == [False, False, True]
    assert confident["official"] == [official_eos, False, True]


def test_end_tokens_with_minus_infinite_logits_are_never_chosen(tiny_forward):
    options = Sampling(16, 16, 16, MASK, eos_id=481, logits_eos_inf=True)
    with_eos = denoise(
        tiny_forward, torch.tensor([[307, 119, 327, 128, 91]]), None, replace(options, logits_eos_inf=False)
    ).canvas
    without = denoise(tiny_forward, torch.tensor([[307, 119, 327, 128, 91]]), None, options).canvas
    assert (with_eos == 481).any()
    assert not (without == 481).any()
