"""Both engines give the same tokens in float32, option by option; what a captured cell refuses."""

import json
from dataclasses import replace
from typing import ClassVar

import pytest
import torch

from bench.adapters import base, registry, replay
from bench.adapters import captured as adapters_captured
from bench.adapters.llada import LladaBody
from bench.diffusion.denoising import denoise, run
from bench.diffusion.samplers import Sampling
from bench.measure import calls
from bench.models import layers
from bench.models.release import release_workspaces
from tests.conftest import GOLDEN, make_cell
from tests.diffusion.test_samplers import CASES, options_of

LLADA_PROMPTS = [[0, 3, 40, 50, 60, 4], [0, 3, 70, 80, 90, 4]]
RAGGED = [[0, 3, 40, 50, 60, 4], [0, 3, 900, 4], [0, 3, 70, 80, 90, 100, 110, 4]]


def replayed(model, case: dict, options: Sampling) -> list[list[int]]:
    """Tokens of a golden case from a denoiser that has already been used for other prompts."""
    prompts = torch.tensor(case["prompt_ids"])
    mask = None if case["attention_mask"] is None else torch.tensor(case["attention_mask"])
    whole = bool((prompts == options.mask_id).any())
    with torch.no_grad():
        denoiser = adapters_captured.Denoiser(model, replace(options, steps=0), *prompts.shape, mask is not None, whole)
        denoiser.canvas.fill(torch.full_like(prompts, 7), mask)
        run(denoiser.canvas, denoiser.make, options.gen_length // options.block_length, lambda kind: None)
        if case["seed"] is not None:
            torch.manual_seed(case["seed"])
        denoiser.canvas.fill(prompts, mask)
        return run(denoiser.canvas, denoiser.make, options.steps, lambda kind: None).canvas.tolist()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_captured_step_gives_the_official_tokens(case, tiny):
    """Temperature, guidance, random remasking, the options about end tokens, padding, masks in a prompt."""
    assert replayed(tiny, case, options_of(case)) == case["output_ids"]


@pytest.mark.parametrize("head", ["lean", "official-old"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_both_engines_draw_the_same_tokens_on_every_rung(case, head, tiny):
    options = replace(options_of(case), head=head)
    mask = None if case["attention_mask"] is None else torch.tensor(case["attention_mask"])
    torch.manual_seed(case["seed"] or 0)
    eager = denoise(LladaBody(tiny), torch.tensor(case["prompt_ids"]), mask, options)
    torch.manual_seed(case["seed"] or 0)
    assert replayed(tiny, case | {"seed": case["seed"] or 0}, options) == eager.canvas.tolist()


def outputs_of_engines(model: str, prompts: list[list[int]], **changes):
    """The outputs of both engines from the same seed, and the marks of the captured one."""
    outputs, marks = [], []
    adapter = registry.create(model)
    for engine in ("eager", "captured"):
        cell = make_cell(model, engine=engine, **changes)
        adapter.load(cell)
        adapter.prepare([prompts])
        adapter.generate(prompts, lambda kind: None)  # what a first call leaves behind must not matter
        marks.clear()
        torch.manual_seed(3)
        outputs.append(adapter.generate(prompts, marks.append))
    return *outputs, marks


LLADA = [
    {}, {"head": "lean"}, {"head": "official-old"}, {"temperature": 1.0}, {"temperature": 0.7, "head": "lean"},
    {"cfg_scale": 1.5}, {"cfg_scale": 1.5, "head": "lean"}, {"remasking": "random"}, {"steps": 16},
    {"logits_eos_inf": True, "head": "lean"}, {"block_length": 16, "steps": 3, "stop": "length"},
]  # fmt: skip


@pytest.mark.parametrize("prompts", [LLADA_PROMPTS[:1], LLADA_PROMPTS, RAGGED], ids=["one", "two", "ragged"])
@pytest.mark.parametrize("changes", LLADA, ids=str)
def test_llada_gives_the_same_from_both_engines(changes, prompts, device):
    eager, captured, marks = outputs_of_engines("llada", prompts, device=device, **changes)
    assert captured.sequences.tolist() == eager.sequences.tolist()
    same = ("nfe", "positions", "kept", "first_step")
    assert [getattr(captured, name) for name in same] == [getattr(eager, name) for name in same]
    assert (marks.count("step"), marks.count("block")) == (eager.nfe, 16 // changes.get("block_length", 8))


@pytest.mark.parametrize("prompts", [LLADA_PROMPTS[:1], LLADA_PROMPTS, RAGGED], ids=["one", "two", "ragged"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("stop", ["eos", "length"])
def test_llama_gives_the_same_from_both_engines(stop, temperature, prompts, device):
    changes = {"gen_length": 48, "stop": stop, "temperature": temperature, "device": device}
    eager, captured, marks = outputs_of_engines("llama", prompts, **changes)
    assert captured.sequences.tolist() == eager.sequences.tolist()
    assert captured.kept == eager.kept
    late = replay.LAG - 1 if device == "cuda" and eager.nfe < 48 else 0  # the host reads a step's end late
    assert (captured.nfe, captured.positions) == (eager.nfe + late, eager.positions + late * len(prompts))
    assert marks == ["token"] * captured.nfe


def test_a_captured_llama_ends_with_its_text():
    eager, captured, _ = outputs_of_engines("llama", RAGGED[1:2], gen_length=200)
    assert captured.nfe == eager.nfe < 200
    assert captured.sequences[0, -1] == 1


def test_the_feed_forward_in_parts_is_the_same(monkeypatch):
    at_once = outputs_of_engines("llada", LLADA_PROMPTS, head="lean")[1]
    monkeypatch.setattr(layers, "FEED_FORWARD_ROWS", 5)
    assert outputs_of_engines("llada", LLADA_PROMPTS, head="lean")[1].sequences.tolist() == at_once.sequences.tolist()


def test_queries_that_share_keys_and_values(tmp_path):
    config = json.loads((GOLDEN.parent.parent / "bench/pocket/llama/config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_key_value_heads": 2}))
    eager, captured, _ = outputs_of_engines("llama", RAGGED, weights=str(tmp_path), random_seed=0, stop="length")
    assert captured.sequences.tolist() == eager.sequences.tolist()


def test_shorter_calls_use_what_was_captured_and_others_are_refused():
    for model in ("llama", "llada"):
        adapter, cell = registry.create(model), make_cell(model, engine="captured")
        adapter.load(cell)
        adapter.prepare([LLADA_PROMPTS])
        short = calls.short_cell(cell, 2)
        adapter.load(short)
        assert adapter.generate(LLADA_PROMPTS, lambda kind: None).nfe == short.forwards() == 2
        with pytest.raises(RuntimeError, match="captured"):
            adapter.generate(LLADA_PROMPTS[:1], lambda kind: None)
    adapter = registry.create("llama")
    adapter.load(make_cell("llama", engine="captured", gen_length=4))
    adapter.prepare([LLADA_PROMPTS])
    adapter.load(make_cell("llama", engine="captured", gen_length=8))
    with pytest.raises(RuntimeError, match="captured for 4 tokens"):
        adapter.generate(LLADA_PROMPTS, lambda kind: None)


def test_matrices_are_joined_once_and_nothing_is_held_twice():
    adapter = registry.create("llama")
    adapter.load(make_cell("llama"))
    before = adapter.weights_bytes()
    first, second = layers.weights_of(adapter.model), layers.weights_of(adapter.model)
    assert first.layers[0].qkv.data_ptr() == second.layers[0].qkv.data_ptr()
    assert adapter.model.model.layers[0].mlp.gate_proj.weight.data_ptr() == first.layers[0].gate_up.data_ptr()
    assert adapter.weights_bytes() == before


class Late:
    """Stands for a CUDA event that the host waits for."""

    waited: ClassVar[list[int]] = []

    def __init__(self, number: int):
        self.number = number

    def synchronize(self) -> None:
        self.waited.append(self.number)


def test_the_host_looks_at_the_step_before_the_last(monkeypatch):
    lookout = replay.Lookout(torch.tensor([False]), 10)
    assert [lookout.ended(), lookout.ended()] == [False, False]
    lookout.flag.fill_(True)
    assert lookout.ended()  # on a CPU at once
    lookout = replay.Lookout(torch.tensor([False]), 10)
    lookout.cuda = True
    monkeypatch.setattr(replay, "recorded_event", lambda: Late(lookout.steps))
    answers = []
    for step in range(1, 6):
        lookout.flag.fill_(step >= 3)
        answers.append(lookout.ended())
    assert answers == [False, False, False, True, True]
    assert Late.waited == [1, 2, 3, 4]


def test_what_the_next_cell_replays_too_is_captured_once():
    for model, changes in (("llama", {"tokens_timed": 8}), ("llada", {"steps": 8})):
        adapter, cell = registry.create(model), make_cell(model, engine="captured", stop="length")
        adapter.load(cell)
        assert adapter.prepare([LLADA_PROMPTS]) == 0.0  # a CPU compiles nothing
        (first,) = adapter.captures.values()
        adapter.load(replace(cell, **changes))
        assert adapter.prepare([LLADA_PROMPTS]) is None
        assert list(adapter.captures.values()) == [first]
        adapter.load(replace(cell, gen_length=32))
        assert adapter.prepare([LLADA_PROMPTS]) == 0.0
        assert list(adapter.captures.values()) != [first]


def test_memory_of_the_captures_before_is_given_back_before_others_are_made(monkeypatch):
    """Else a small tensor is put into what a large capture left, and holds the rest of that for as long as it lives."""
    held = []
    adapter, cell = registry.create("llada"), make_cell("llada", engine="captured", steps=4)
    monkeypatch.setattr(base, "release", lambda device: held.append(len(adapter.captures)))
    alone, together = [LLADA_PROMPTS[:1]], [LLADA_PROMPTS[:1], LLADA_PROMPTS]
    for gen_length, batches, expected in ((16, alone, []), (16, together, []), (16, alone, [1]), (32, alone, [0])):
        adapter.load(replace(cell, gen_length=gen_length))
        held.clear()  # of releases before another model
        adapter.prepare(batches)
        assert held == expected


def test_a_small_cell_holds_no_more_memory_because_a_large_one_was_before_it(device):
    if device == "cpu":
        pytest.skip("a CPU has no pool of memory")
    adapter, cell = registry.create("llada"), make_cell("llada", engine="captured", steps=4, device=device)
    cell = replace(cell, cache="dual", refresh="block", sampler="imposed", tokens_per_step=8)

    def reserved(rows: int) -> int:
        adapter.load(cell)
        adapter.prepare([LLADA_PROMPTS[:1] * rows])
        return torch.cuda.memory_reserved()

    reserved(2)  # sets the libraries up
    alone, large, after = reserved(1), reserved(2048), reserved(1)
    assert large > 1.5 * alone
    assert after < (alone + large) / 2


def test_a_step_captured_for_another_number_of_steps_gives_the_same_tokens():
    adapter, cell = registry.create("llada"), make_cell("llada", engine="captured", steps=4)
    adapter.load(replace(cell, steps=16))
    adapter.prepare([LLADA_PROMPTS])
    adapter.load(cell)
    adapter.prepare([LLADA_PROMPTS])
    again = adapter.generate(LLADA_PROMPTS, lambda kind: None)
    adapter = registry.create("llada")
    adapter.load(cell)
    adapter.prepare([LLADA_PROMPTS])
    assert again.sequences.tolist() == adapter.generate(LLADA_PROMPTS, lambda kind: None).sequences.tolist()


def test_a_peak_does_not_grow_with_the_captures_before_it(device):
    if device == "cpu":
        pytest.skip("nothing is captured on a CPU")
    matrix = torch.randn(1024, 1024, device=device)
    product = torch.empty_like(matrix)
    captures = [replay.Replay(lambda: torch.mm(matrix, matrix, out=product), device) for _ in range(4)]
    assert len({capture.peak_bytes for capture in captures[1:]}) == 1
    assert captures[0].peak_bytes <= captures[1].peak_bytes


def test_a_peak_does_not_grow_with_the_captures_of_another_engine(device):
    if device == "cpu":
        pytest.skip("a CPU has no workspaces")
    matrix = torch.randn(1024, 1024, device=device)
    product = torch.empty_like(matrix)

    def eager_peak() -> int:
        torch.mm(matrix, matrix, out=product)  # as a warm-up does
        torch.cuda.reset_peak_memory_stats()
        torch.mm(matrix, matrix, out=product)
        return torch.cuda.max_memory_allocated()

    release_workspaces()
    before = eager_peak()
    captured = replay.Replay(lambda: torch.mm(matrix, matrix, out=product), device)
    del captured
    assert eager_peak() > before
    release_workspaces()
    assert eager_peak() == before


def test_workspaces_go_with_the_captures_of_an_engine_that_is_left(monkeypatch):
    released = []
    monkeypatch.setattr(base, "release_workspaces", lambda: released.append(1))
    adapter, cell = registry.create("llada"), make_cell("llada", engine="captured", steps=4)
    for engine, expected in (("captured", 0), ("eager", 1), ("eager", 1), ("captured", 1), ("eager", 2)):
        adapter.load(replace(cell, engine=engine))
        adapter.prepare([LLADA_PROMPTS])
        assert len(released) == expected
