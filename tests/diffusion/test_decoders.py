"""Samplers with caches: what a refresh at every step gives, batches, padding, positions, early stops, and what counts.

tests/golden/decoders.json holds what the authors' own code generates; here is what must hold of any combination.
"""

import itertools
import json
from dataclasses import replace

import pytest
import torch

from bench.adapters.llada import LladaBody
from bench.diffusion import denoising
from bench.diffusion.denoising import Canvas, denoise
from bench.diffusion.plans import Pass, Turn
from bench.diffusion.sampling import Sampling
from bench.models import checkpoint, weights
from bench.models.parts import Parts
from tests.conftest import GOLDEN

MASK = 500
PROMPT = [[307, 119, 327, 128, 91, 254]]
RAGGED = [[307, 119, 327, 128, 91, 254, 12], [50, 60], [9, 10, 12, 13]]
PLAIN = Sampling(16, 16, 8, MASK, head="lean")
SAMPLERS = {
    "fixed": {},
    "threshold": {"threshold": 0.3},
    "factor": {"factor": 1.5},
    "entropy": {"gamma": 2.0},
    "klass": {"threshold": 0.2, "kl_threshold": 0.3},
    "imposed": {"tokens_per_step": 3},
}
AT_EVERY_STEP = {
    "prefix": {"refresh": 1},
    "dual": {"refresh": 1},
    "delayed": {"refresh": 1},
    "interval": {"prompt_every": 1, "response_every": 1, "ratio": 0.25},
}
CACHES = [
    ("none", {}), ("prefix", {"refresh": "block"}), ("prefix", {"refresh": "answer"}), ("prefix", {"refresh": "never"}),
    ("dual", {"refresh": "block"}), ("dual", {"refresh": "answer"}), ("dual", {"refresh": "never"}),
    ("dual", {"refresh": 3}), ("delayed", {"refresh": 3}), ("delayed", {"refresh": "block"}),
    ("interval", {"prompt_every": 6, "response_every": 3, "ratio": 0.25}),
]  # fmt: skip
NAMES = [f"{cache}-{'-'.join(map(str, options.values()))}" for cache, options in CACHES]


def options_of(sampler: str, cache: str = "none", **changes) -> Sampling:
    return replace(PLAIN, sampler=sampler, cache=cache, **(SAMPLERS[sampler] | changes))


def left_padded(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, rows))
    ids = torch.tensor([[481] * (longest - len(row)) + row for row in rows])
    return ids, torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])


@pytest.mark.parametrize("head", ["lean", "official"])
@pytest.mark.parametrize("cache", AT_EVERY_STEP)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_refresh_at_every_step_gives_the_tokens_without_a_cache(sampler, cache, head, tiny):
    ids, mask = left_padded(RAGGED)
    plain = replace(options_of(sampler), head=head)
    cached = replace(options_of(sampler, cache, **AT_EVERY_STEP[cache]), head=head)
    without = denoise(LladaBody(tiny), ids, mask, plain)
    refreshed = denoise(LladaBody(tiny), ids, mask, cached)
    assert refreshed.canvas.tolist() == without.canvas.tolist()
    assert (refreshed.nfe, refreshed.nfe_full) == (without.nfe, without.nfe)
    assert refreshed.positions == without.positions


OWN = {"steps", "gen_length", "block_length"}  # what golden answers vary that a cache has no part in
AS_USUAL = {("temperature", 0.0), ("cfg_scale", 0.0), ("remasking", "low_confidence")}
PLAIN_CASES = [
    case
    for case in json.loads((GOLDEN / "generate.json").read_text())
    if all(item in AS_USUAL for item in case["kwargs"].items() if item[0] not in OWN)
    and not any(case["mask_id"] in row for row in case["prompt_ids"])
]


@pytest.mark.parametrize("cache", AT_EVERY_STEP)
@pytest.mark.parametrize("case", PLAIN_CASES, ids=[case["name"] for case in PLAIN_CASES])
def test_a_refresh_at_every_step_gives_the_official_tokens(case, cache, tiny):
    mask = None if case["attention_mask"] is None else torch.tensor(case["attention_mask"])
    own = {name: value for name, value in case["kwargs"].items() if name in OWN}
    asked = Sampling(mask_id=case["mask_id"], cache=cache, **own, **AT_EVERY_STEP[cache])
    denoised = denoise(LladaBody(tiny), torch.tensor(case["prompt_ids"]), mask, asked)
    assert denoised.canvas.tolist() == case["output_ids"]
    assert denoised.nfe == case["forward_calls"]


@pytest.mark.parametrize("cache", AT_EVERY_STEP)
def test_keys_and_values_that_queries_share_are_kept_as_well(cache, tmp_path):
    config = json.loads((GOLDEN / "tiny-llada/config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"n_kv_heads": 2}))
    body = LladaBody(weights.load(checkpoint.read(tmp_path, 0), "cpu", torch.float32))
    ids, mask = left_padded(RAGGED)
    cached = replace(PLAIN, cache=cache, **AT_EVERY_STEP[cache])
    assert denoise(body, ids, mask, cached).canvas.tolist() == denoise(body, ids, mask, PLAIN).canvas.tolist()


@pytest.mark.parametrize(("cache", "options"), CACHES, ids=NAMES)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_left_padded_batch_equals_its_rows_one_by_one(sampler, cache, options, tiny):
    """Some ports ignore padding where there is a cache, or let a row that is done wait with what it keeps changing. The
    interval cache counts forwards over the whole answer, those of other rows too: there rows must take equally many."""
    if cache == "interval" and sampler not in ("fixed", "imposed"):
        pytest.skip("its refreshes come by the forwards of the whole batch")
    asked = options_of(sampler, cache, **options)
    ids, mask = left_padded(RAGGED)
    together = denoise(LladaBody(tiny), ids, mask, asked)
    alone = [denoise(LladaBody(tiny), torch.tensor([row]), None, asked) for row in RAGGED]
    for row, answer, denoised in zip(RAGGED, together.canvas[:, ids.shape[1] :], alone, strict=True):
        assert answer.tolist() == denoised.canvas[0, len(row) :].tolist()
    assert together.nfe >= max(denoised.nfe for denoised in alone)
    assert (together.own_forwards or [together.nfe] * len(RAGGED)) == [denoised.nfe for denoised in alone]


@pytest.mark.parametrize("head", ["official", "official-old"])
@pytest.mark.parametrize(("cache", "options"), CACHES, ids=NAMES)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_rung_of_the_head_gives_the_same_tokens(sampler, cache, options, head, tiny):
    asked = options_of(sampler, cache, **options)
    prompt = torch.tensor(PROMPT)
    lean = denoise(LladaBody(tiny), prompt, None, asked)
    other = denoise(LladaBody(tiny), prompt, None, replace(asked, head=head))
    assert other.canvas.tolist() == lean.canvas.tolist()
    assert other.positions == lean.positions


@pytest.mark.parametrize(("cache", "options"), CACHES[1:], ids=NAMES[1:])
def test_rows_are_rotated_by_their_positions_on_the_canvas(cache, options, tiny):
    """Right behind a full forward nothing has changed, so a partial one must give the same logits, keys and values."""
    asked = options_of("fixed", cache, **options)
    canvas = Canvas(LladaBody(tiny), asked, 1, 6, False, False, "cpu")
    canvas.fill(torch.tensor(PROMPT), None)
    canvas.begin.fill_(6 + 8)  # the second block
    with torch.inference_mode():
        full = canvas.cache.body(Pass("full", 22)).trunk(canvas.ids, None, torch.arange(14, 22))
        canvas.cache.settle(canvas.ids)
        before = canvas.cache.keys.clone(), canvas.cache.values.clone()
        pass_ = canvas.cache.plan(Turn(1, 2, 2, unsettled=16))
        assert not pass_.is_full
        partial = canvas.cache.body(pass_).trunk(canvas.ids, None, torch.arange(14, 22))
    assert torch.allclose(partial, full, atol=1e-5)
    assert torch.allclose(canvas.cache.keys, before[0], atol=1e-5)
    assert torch.allclose(canvas.cache.values, before[1], atol=1e-5)


@pytest.mark.parametrize(("cache", "options"), CACHES[1:], ids=NAMES[1:])
def test_keys_lie_rotated_and_a_partial_forward_rotates_what_it_pushes_alone(cache, options, tiny, monkeypatch):
    """Some ports store keys as they are and rotate all of them in every step."""
    rotated = []  # positions whose rotation each forward asks for
    rope = Parts.rope
    count = lambda parts, place: rotated.append(22 if place is None else place.shape[-1]) or rope(parts, place)  # noqa: E731
    monkeypatch.setattr(Parts, "rope", count)
    passes, _ = made(tiny, cache=cache, **options)
    pushed = [int(pass_.split()[1]) for pass_ in passes]
    if cache == "interval":  # its first layer is full, and it asks once a layer
        assert sum(rotated) == sum(22 + 2 * queries for queries in pushed)
    else:
        assert rotated == pushed


def test_the_delayed_cache_pushes_a_token_once_more_after_it_was_committed(tiny):
    """Its K and V as a token are computed in the step after the one that committed it, else they stay its mask's."""
    asked = replace(PLAIN, cache="delayed", refresh="block")
    canvas = Canvas(LladaBody(tiny), asked, 1, 6, False, False, "cpu")
    canvas.fill(torch.tensor(PROMPT), None)
    new = torch.zeros(22, dtype=torch.bool)  # what the step before committed
    tried = 0

    def step(pass_: Pass) -> None:
        nonlocal new, tried
        before = canvas.ids[0].clone()
        if not pass_.is_full:
            pushed = canvas.cache.place(pass_)[0]
            assert set(pushed.tolist()) == set((new | (before == MASK)).nonzero().flatten().tolist())
            tried += 1
        canvas.step(pass_)
        new = canvas.ids[0] != before

    with torch.inference_mode():
        denoising.run(canvas, step, 16, lambda kind: None)
    assert tried == 12


@pytest.mark.parametrize(("cache", "options"), CACHES, ids=NAMES)
@pytest.mark.parametrize("sampler", ["fixed", "threshold", "factor", "entropy", "klass"])
def test_one_step_a_block_works(sampler, cache, options, tiny):
    """Published loops go out of range there, or make a forward on a block that is done."""
    asked = replace(options_of(sampler, cache, **options), steps=2)
    denoised = denoise(LladaBody(tiny), torch.tensor(PROMPT), None, asked)
    assert denoised.nfe == 2
    assert not (denoised.canvas == MASK).any()


@pytest.mark.parametrize(("cache", "options"), CACHES, ids=NAMES)
def test_a_block_that_one_step_fills_costs_no_further_forward(cache, options, tiny):
    asked = options_of("threshold", cache, **options | {"threshold": 1e-6})
    marks = []
    denoised = denoise(LladaBody(tiny), torch.tensor(PROMPT), None, asked, marks.append)
    assert denoised.nfe == 2
    assert marks == ["step", "block"] * 2


@pytest.mark.parametrize("sampler", ["threshold", "factor", "entropy", "klass"])
def test_steps_are_the_most_and_the_last_of_them_fills_the_block(sampler, tiny):
    never_sure = {"threshold": 1.0} if sampler in ("threshold", "klass") else {"factor": 1e-6, "gamma": 0.0}
    asked = replace(options_of(sampler), **never_sure)
    for steps, nfe in ((None, 16), (16, 16), (6, 6)):
        denoised = denoise(LladaBody(tiny), torch.tensor(PROMPT), None, replace(asked, steps=steps))
        assert denoised.nfe == nfe
        assert denoised.committed == [16]
        assert not (denoised.canvas == MASK).any()


def test_imposed_steps_take_what_they_are_told_and_what_is_left(tiny):
    denoised = denoise(LladaBody(tiny), torch.tensor(PROMPT), None, options_of("imposed", tokens_per_step=3))
    assert denoised.nfe == 2 * 3  # 3, 3 and 2 of each block of 8


@pytest.mark.parametrize("sampler", ["fixed", "imposed"])
@pytest.mark.parametrize("cache", ["none", "prefix", "dual", "interval"])
def test_nothing_is_asked_of_the_device_where_the_steps_are_known(sampler, cache, tiny, monkeypatch):
    monkeypatch.setattr(Canvas, "tell", lambda canvas: pytest.fail("asked"))
    options = dict(CACHES)[cache]
    denoise(LladaBody(tiny), torch.tensor(PROMPT), None, options_of(sampler, cache, **options))


def made(tiny, **options) -> tuple[list[str], denoising.Denoised]:
    """The forwards of a generation as `kind queries`, and its outcome."""
    canvas = Canvas(LladaBody(tiny), replace(PLAIN, **options), 1, 6, False, False, "cpu")
    canvas.fill(torch.tensor(PROMPT), None)
    passes = []

    def step(pass_: Pass) -> None:
        passes.append(f"{pass_.kind} {pass_.queries}")
        canvas.step(pass_)

    with torch.inference_mode():
        return passes, denoising.run(canvas, step, 8, lambda kind: None)


@pytest.mark.parametrize(("options", "expected"), [
    ({"cache": "none"}, ["full 22"] * 8),
    ({"cache": "prefix", "refresh": "block"}, ["full 22", *["partial 16"] * 3, "full 22", *["partial 8"] * 3]),
    ({"cache": "dual", "refresh": "block"}, ["full 22", *["partial 8"] * 3] * 2),
    ({"cache": "dual", "refresh": "never"}, ["full 22", *["partial 8"] * 7]),
    ({"cache": "dual", "refresh": "answer"}, ["full 22", *["partial 8"] * 3, "answer 16", *["partial 8"] * 3]),
    ({"cache": "dual", "refresh": 2}, ["full 22", "partial 8"] * 4),
    ({"cache": "delayed", "refresh": "block"}, ["full 22", "full 22", "partial 14", "partial 12", "full 22", "full 22",
                                                "partial 6", "partial 4"]),
    ({"cache": "interval", "prompt_every": 4, "response_every": 2, "ratio": 0.25},
     ["full 22", "rest 4", "answer 16", "rest 4"] * 2),
    ({"cache": "interval", "prompt_every": 8, "response_every": 3, "ratio": 0.5},
     ["full 22", "rest 8", "rest 8", "answer 16", "rest 8", "rest 8", "answer 16", "rest 8"]),
    ({"cache": "interval", "prompt_every": 2, "response_every": 4, "ratio": 0.0},
     ["full 22", "rest 0", "prompt 6", "rest 0"] * 2),
], ids=str)  # fmt: skip
def test_each_cache_makes_the_forwards_that_it_says_and_counts_them(options, expected, tiny):
    passes, denoised = made(tiny, **options)
    assert passes == expected
    assert (denoised.nfe, denoised.nfe_full) == (8, sum(pass_ == "full 22" for pass_ in passes))
    queries = [int(pass_.split()[1]) for pass_ in passes]
    layers = [[22 if options["cache"] == "interval" else pushed, pushed, pushed] for pushed in queries]  # of three
    assert denoised.positions == round(sum(map(sum, layers)) / 3)


@pytest.mark.parametrize(("cache", "pushed"), [("prefix", [22, 16, 22, 8]), ("dual", [22, 8, 22, 8])])
def test_the_lean_head_of_a_partial_forward_sees_the_block_and_the_official_one_what_is_pushed(
    cache, pushed, tiny, monkeypatch
):
    seen = []  # rows that meet the head in each forward
    head = Parts.head
    monkeypatch.setattr(Parts, "head", lambda parts, hidden: seen.append(hidden[..., 0].numel()) or head(parts, hidden))
    asked = replace(PLAIN, steps=4, cache=cache, refresh="block")
    denoise(LladaBody(tiny), torch.tensor(PROMPT), None, asked)
    assert seen == [8] * 4
    seen.clear()
    denoise(LladaBody(tiny), torch.tensor(PROMPT), None, replace(asked, head="official"))
    assert seen == pushed


class Scripted:
    """A model that says one token at each position of the canvas, surer of some."""

    def __init__(self, tokens: list[list[int]], sureness: list[list[float]]):
        self.logits = torch.zeros(len(tokens), len(tokens[0]), MASK + 1)
        self.logits.scatter_(2, torch.tensor(tokens)[..., None], torch.tensor(sureness)[..., None])

    def __call__(self, ids, attention_mask):
        return self.logits.clone()


END, OTHER_END = 7, 8


def stopped(tokens: list[list[int]], sureness: list[list[float]], **options) -> denoising.Denoised:
    """The outcome with an early stop, behind a prompt of one token."""
    forward = Scripted([[1, *row] for row in tokens], [[9.0, *row] for row in sureness])
    asked = Sampling(8, 8, 4, MASK, early_stop=True, ends=(END, OTHER_END), **options)
    return denoise(forward, torch.ones(len(tokens), 1, dtype=torch.long), None, asked)


def test_an_early_stop_comes_with_the_last_token_before_a_committed_end():
    tokens = [[11, 12, END, 13, 14, 15, 16, 17]]
    denoised = stopped(tokens, [[5.0, 7.0, 9.0, 8.0, 1.0, 1.0, 1.0, 1.0]])  # the end, what is behind it, 12, and 11
    assert denoised.nfe == 4
    assert denoised.canvas.tolist() == [[1, 11, 12, END, *[END] * 5]]
    assert denoised.committed == [4]
    early = stopped(tokens, [[8.0, 7.0, 6.0, 5.0, 1.0, 1.0, 1.0, 1.0]])
    assert (early.nfe, early.committed) == (3, [3])


def test_an_end_of_turn_is_an_end_and_what_is_behind_is_filled_with_the_first_end_token():
    denoised = stopped([[11, OTHER_END, 12, 13, 14, 15, 16, 17]], [[9.0, 8.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]])
    assert denoised.canvas.tolist() == [[1, 11, OTHER_END, *[END] * 6]]


def test_an_early_stop_waits_for_all_rows_and_changes_no_row():
    tokens = [[END, 12, 13, 14, 15, 16, 17, 18], [11, 12, 13, 14, 15, END, 16, 17]]
    sureness = [[9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0]] * 2
    denoised = stopped(tokens, sureness)
    assert denoised.nfe == 6
    assert denoised.own_forwards == [1, 6]  # what each takes alone
    assert denoised.canvas[:, 1:].tolist() == [[END] * 8, [11, 12, 13, 14, 15, END, END, END]]
    whole = stopped(tokens, sureness, sampler="threshold", threshold=0.99)
    assert whole.canvas.tolist() == denoised.canvas.tolist()


def test_a_row_that_has_ended_holds_up_no_block():
    """The second row's first block is done in one step; the first row has ended with masks in it."""
    tokens = [[END, 12, 13, 14, 15, 16, 17, 18], [11, 12, 13, 14, END, 15, 16, 17]]
    sureness = [[20.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], [20.0] * 8]
    denoised = stopped(tokens, sureness, sampler="threshold", threshold=0.9)
    assert (denoised.nfe, denoised.own_forwards) == (2, [1, 2])


def test_an_early_stop_without_an_end_token_runs_to_the_end():
    tokens = [[11, 12, 13, 14, 15, 16, 17, 18]]
    denoised = stopped(tokens, [[9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0]])
    assert (denoised.nfe, denoised.committed, denoised.canvas.tolist()) == (8, [8], [[1, *tokens[0]]])


@pytest.mark.parametrize(("cache", "options"), CACHES, ids=NAMES)
def test_an_early_stop_keeps_what_is_up_to_the_end_under_every_cache(cache, options, tiny):
    """The answer up to its first end token is that of a whole run."""
    asked = options_of("fixed", cache, **options)
    whole = denoise(LladaBody(tiny), torch.tensor(PROMPT), None, asked).canvas[0, 6:].tolist()
    ends = (whole[3],)
    early = denoise(LladaBody(tiny), torch.tensor(PROMPT), None, replace(asked, early_stop=True, ends=ends))
    kept = whole.index(ends[0]) + 1
    assert early.canvas[0, 6:].tolist() == whole[:kept] + [ends[0]] * (16 - kept)
    assert early.nfe < 16


def test_agreement_with_no_cache_grows_with_the_refreshes(tiny):
    """By how much keys that are kept differ from fresh ones, in the mean over a generation under the fixed schedule."""
    errors = []
    for refresh in (1, 2, 4, 8):
        canvas = Canvas(LladaBody(tiny), replace(PLAIN, cache="dual", refresh=refresh), 1, 6, False, False, "cpu")
        canvas.fill(torch.tensor(PROMPT), None)
        fresh = LladaBody(tiny)
        distances = []

        def step(pass_: Pass, canvas=canvas, fresh=fresh, distances=distances) -> None:
            positions = canvas.extent.block()
            ours = canvas.cache.body(pass_)
            logits = ours.head(ours.trunk(canvas.ids, None, positions)).log_softmax(-1)
            exact = fresh.head(fresh.trunk(canvas.ids, None, positions)).log_softmax(-1)
            distances.append(float((exact.exp() * (exact - logits)).sum(-1).mean()))
            canvas.step(pass_)

        with torch.inference_mode():
            denoising.run(canvas, step, 16, lambda kind: None)
        errors.append(sum(distances) / len(distances))
    assert errors[0] < 1e-6
    assert all(earlier < later for earlier, later in itertools.pairwise(errors))
