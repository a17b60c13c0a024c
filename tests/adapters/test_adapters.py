"""Both adapters on small models: equality with generate(), marks, padding, what counts as kept."""

import pytest
import torch

from bench.adapters import registry
from bench.adapters.base import attention_kernel, left_pad
from bench.adapters.contract import kept_tokens, masks_left
from bench.diffusion.denoising import denoise
from bench.diffusion.samplers import Sampling
from bench.models import checkpoint, weights
from tests.conftest import GOLDEN, REPO, make_cell

PROMPTS = [[0, 3, 40, 50, 60, 4], [0, 3, 900, 4], [0, 3, 70, 80, 90, 100, 110, 4]]


@pytest.fixture(scope="module")
def llama():
    adapter = registry.create("llama")
    adapter.load(make_cell("llama"))
    return adapter


def run(adapter, prompts, **changes):
    marks: list[str] = []
    adapter.load(make_cell(adapter.cell.model if adapter.cell else "llama", **changes))
    return adapter.generate(prompts, marks.append), marks


@pytest.mark.parametrize("prompts", [PROMPTS[:1], PROMPTS[1:2], PROMPTS])
def test_llama_equals_generate_token_for_token(prompts, llama):
    output, marks = run(llama, prompts, gen_length=24)
    ids, mask = left_pad(prompts, 1, "cpu")
    expected = llama.model.generate(
        ids, attention_mask=torch.ones_like(ids) if mask is None else mask, max_new_tokens=24, do_sample=False,
        eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    assert output.sequences.tolist() == expected[:, ids.shape[1] :].tolist()
    assert marks == ["token"] * output.sequences.shape[1]


def test_a_padded_batch_equals_its_rows(llama):
    together, _ = run(llama, PROMPTS, gen_length=12, stop="length")
    for row, prompt in enumerate(PROMPTS):
        alone, _ = run(llama, [prompt], gen_length=12, stop="length")
        assert together.sequences[row].tolist() == alone.sequences[0].tolist()


def test_llama_counts_prefill_rows_and_one_row_a_token(llama):
    output, _ = run(llama, PROMPTS[:1], gen_length=10, stop="length")
    assert (output.nfe, output.positions, output.kept) == (10, 6 + 9, [10])


def test_forced_length_ignores_the_end_token(llama, monkeypatch):
    monkeypatch.setattr(llama, "forward", lambda rows, mask, cache: torch.eye(4096)[1].repeat(len(rows), 1))
    assert run(llama, PROMPTS, gen_length=5)[0].kept == [1, 1, 1]
    assert run(llama, PROMPTS, gen_length=5)[0].nfe == 1
    assert run(llama, PROMPTS, gen_length=5, stop="length")[0].kept == [5, 5, 5]


def test_llada_runs_the_official_sampler_on_the_official_format(tiny_forward):
    adapter = registry.create("llada")
    cell = make_cell("llada", weights=str(GOLDEN / "tiny-llada"), steps=8, gen_length=16, block_length=8)
    adapter.load(cell)
    marks: list[str] = []
    prompts = [[5, 6, 7, 8], [9, 10]]
    output = adapter.generate(prompts, marks.append)
    ids, mask = left_pad(prompts, 481, "cpu")
    expected = denoise(tiny_forward, ids, mask, Sampling(8, 16, 8, 500))
    assert output.sequences.tolist() == expected.canvas[:, 4:].tolist()
    assert output.sequences.shape == (2, 16)
    assert (marks.count("step"), marks.count("block")) == (8, 2)
    assert output.positions == 8 * 2 * 20


def test_an_adapter_that_ignores_steps_would_be_noticed():
    adapter = registry.create("llada")
    counts = {}
    for steps in (4, 16):
        marks: list[str] = []
        adapter.load(make_cell("llada", steps=steps, gen_length=16, block_length=8))
        output = adapter.generate(PROMPTS[:1], marks.append)
        counts[steps] = (output.nfe, marks.count("step"), output.positions)
    assert counts == {4: (4, 4, 4 * 22), 16: (16, 16, 16 * 22)}


def test_weights_are_loaded_once_for_cells_that_share_them(monkeypatch):
    loads = []
    real = weights.load
    monkeypatch.setattr(weights, "load", lambda *args: loads.append(args) or real(*args))
    adapter = registry.create("llama")
    for gen_length in (4, 8):
        adapter.load(make_cell("llama", gen_length=gen_length))
    adapter.load(make_cell("llama", dtype="bfloat16"))
    assert len(loads) == 2


def test_weights_bytes_counts_a_tied_head_once(llama):
    run(llama, PROMPTS[:1], gen_length=1)
    file = REPO / "bench/pocket/llama/model.safetensors"
    assert llama.weights_bytes() == pytest.approx(2 * file.stat().st_size, rel=0.001)  # float32 against bfloat16
    assert checkpoint.read(file.parent).config["tie_word_embeddings"]


@pytest.mark.parametrize(
    ("row", "stop", "kept"),
    [([5, 6, 7], "eos", 3), ([5, 1, 7], "eos", 2), ([1, 1, 1], "eos", 1), ([1, 5, 1], "length", 3)],
)
def test_kept_counts_up_to_the_first_end_token(row, stop, kept):
    assert kept_tokens(torch.tensor([row]), (1, 2), stop) == [kept]


def test_left_pad_gives_no_mask_where_nothing_was_padded():
    assert left_pad([[1, 2], [3, 4]], 0, "cpu")[1] is None
    ids, mask = left_pad([[1, 2, 3], [4]], 9, "cpu")
    assert ids.tolist() == [[1, 2, 3], [9, 9, 4]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_the_first_steps_are_those_of_all_steps(tiny_forward):
    options = Sampling(16, 16, 8, 500)
    ids, canvases = torch.tensor([[5, 6, 7, 8]]), []

    def forward(canvas, mask):
        canvases.append(canvas.clone())
        return tiny_forward(canvas, mask)

    denoise(forward, ids, None, options)
    for steps in (1, 8, 11):
        marks: list[str] = []
        denoised = denoise(tiny_forward, ids, None, options, marks.append, steps)
        assert denoised.canvas.tolist() == canvases[steps].tolist()
        assert (denoised.nfe, denoised.positions) == (steps, steps * 20)
        assert (marks.count("step"), marks.count("block")) == (steps, steps // 8)


@pytest.mark.parametrize(("steps", "timed", "left"), [(16, None, 0), (16, 3, 13), (8, 3, 10), (4, 3, 4), (6, 2, 10)])
def test_masks_that_are_left_are_those_of_the_schedule(steps, timed, left):
    cell = make_cell("llada", steps=steps, steps_timed=timed, gen_length=16, block_length=8)
    assert masks_left(cell) == left
    adapter = registry.create("llada")
    adapter.load(cell)
    output = adapter.generate(PROMPTS[:1], lambda kind: None)
    assert int((output.sequences == adapter.special().mask).sum()) == left


@pytest.mark.parametrize("prompts", [PROMPTS[:1], PROMPTS])
def test_llama_jumps_to_its_last_positions(prompts, llama):
    output, marks = run(llama, prompts, gen_length=30, tokens_timed=6, stop="length")
    assert marks == [*["token"] * 3, "jump", *["token"] * 3]
    whole, _ = run(llama, prompts, gen_length=30, stop="length")
    assert output.sequences[:, :3].tolist() == whole.sequences[:, :3].tolist()
    assert (output.nfe, output.sequences.shape[1], output.kept) == (6, 6, [6] * len(prompts))


@pytest.mark.parametrize("prompts", [PROMPTS[:1], PROMPTS])
def test_the_last_token_of_a_jump_meets_a_whole_cache(prompts, llama, monkeypatch):
    lengths = []  # of the cache and of the mask, after each forward
    real = llama.forward

    def forward(rows, mask, cache):
        logits = real(rows, mask, cache)
        lengths.append((cache.get_seq_length(), None if mask is None else mask.shape[1]))
        return logits

    monkeypatch.setattr(llama, "forward", forward)
    run(llama, prompts, gen_length=30, stop="length")
    of_whole_run = list(lengths)
    lengths.clear()
    run(llama, prompts, gen_length=30, tokens_timed=6, stop="length")
    assert lengths == [*of_whole_run[:3], *of_whole_run[-3:]]


def test_math_attention_gives_the_same_tokens_by_another_kernel(llama):
    plain, _ = run(llama, PROMPTS[:1], gen_length=8, stop="length")
    with attention_kernel(make_cell("llama", attention="math")):
        assert not torch.backends.cuda.flash_sdp_enabled()
        assert run(llama, PROMPTS[:1], gen_length=8, stop="length")[0].sequences.tolist() == plain.sequences.tolist()
    with attention_kernel(make_cell("llama")):
        assert torch.backends.cuda.flash_sdp_enabled()


@pytest.mark.parametrize("prompts", [PROMPTS[:1], PROMPTS])
def test_a_captured_cache_jumps_too(prompts, llama):
    def call(**changes):
        marks: list[str] = []
        llama.load(make_cell("llama", gen_length=30, stop="length", engine="captured", **changes))
        llama.prepare([prompts])
        return llama.generate(prompts, marks.append), marks, llama.captured(prompts)

    whole, _, decoder = call()
    length, end = decoder.decoding.prompt_length, int(decoder.place)
    output, marks, decoder = call(tokens_timed=6)
    assert marks == [*["token"] * 3, "jump", *["token"] * 3]
    assert output.sequences[:, :3].tolist() == whole.sequences[:, :3].tolist()
    assert output.sequences[:, 3:].tolist() == decoder.sequences[:, -3:].tolist()
    assert (output.sequences.shape[1], int(decoder.place)) == (6, end)
    held = decoder.keys[0, 0, 0, : length + 26]
    assert held[length + 2 : length + 26].tolist() == [held[i % length].tolist() for i in range(24)]


def test_the_first_steps_are_the_same_captured():
    adapter, of_engines = registry.create("llada"), []
    for engine in ("eager", "captured"):
        adapter.load(make_cell("llada", steps=16, steps_timed=5, gen_length=16, block_length=8, engine=engine))
        adapter.prepare([PROMPTS])
        marks: list[str] = []
        output = adapter.generate(PROMPTS, marks.append)
        of_engines.append((output.sequences.tolist(), output.nfe, output.positions, marks))
    assert of_engines[0] == of_engines[1]
    assert of_engines[0][1] == 5
