"""transformers' own call as an engine: the tokens of our loop, a mark a forward, nothing compiled in a timed call."""

from dataclasses import replace

import pytest
import torch
from transformers import CompileConfig, LlamaForCausalLM, StaticCache

from bench.adapters import generate, registry
from bench.adapters.contract import Output, check
from bench.adapters.llama import LlamaAdapter
from bench.measure.calls import Batch, Preparation, capture, timed_calls, warm_up
from bench.models import engines
from tests.conftest import make_cell

ENGINES = ("generate", "generate-static")
ALONE = [[0, 3, 40, 50, 60, 4]]
RAGGED = [[0, 3, 40, 50, 60, 4], [0, 3, 900, 4], [0, 3, 70, 80, 90, 100, 110, 4], [0, 3, 300, 310, 4]]
END = 1  # the pocket pair's end token


@pytest.fixture(scope="module")
def llama() -> LlamaAdapter:
    return registry.create("llama")


def run(adapter: LlamaAdapter, prompts: list[list[int]], **changes) -> tuple[Output, list[str]]:
    """The output and the marks of a call, prepared as a worker does it and checked as after the first timed call."""
    marks: list[str] = []
    cell = make_cell("llama", **changes)
    adapter.load(cell)
    adapter.prepare([prompts])
    output = adapter.generate(prompts, marks.append)
    check(cell, output, {"token": [0.0] * len(marks)}, adapter.special())
    return output, marks


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("stop", ["eos", "length"])
@pytest.mark.parametrize("prompts", [ALONE, RAGGED], ids=["batch 1", "left-padded batch 4"])
def test_greedy_tokens_are_those_of_our_loop(prompts, stop, engine, llama, device):
    ours, _ = run(llama, prompts, gen_length=48, stop=stop, device=device)
    output, marks = run(llama, prompts, gen_length=48, stop=stop, device=device, engine=engine)
    assert output.sequences.tolist() == ours.sequences.tolist()
    assert (output.nfe, output.positions, output.kept) == (ours.nfe, ours.positions, ours.kept)
    assert marks == ["token"] * output.nfe


def always(token: int, monkeypatch) -> None:
    """Let every model predict a token wherever it is asked."""
    real = LlamaForCausalLM.forward

    def forward(self, *args, **options):
        output = real(self, *args, **options)
        output.logits = torch.nn.functional.one_hot(torch.full(output.logits.shape[:2], token), 4096).float()
        return output

    monkeypatch.setattr(LlamaForCausalLM, "forward", forward)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_forced_length_ignores_end_tokens_and_a_natural_end_heeds_those_of_the_checkpoint(engine, llama, monkeypatch):
    always(END, monkeypatch)
    assert run(llama, RAGGED, engine=engine, gen_length=5)[0].kept == [1] * 4
    assert run(llama, RAGGED, engine=engine, gen_length=5, stop="length")[0].sequences.tolist() == [[END] * 5] * 4


@pytest.mark.parametrize("engine", ENGINES)
def test_the_end_token_that_transformers_supposes_ends_nothing(engine, llama, monkeypatch):
    llama.load(make_cell("llama"))
    supposed = llama.model.generation_config.eos_token_id
    assert supposed != END  # LlamaConfig's default, of which the checkpoint says nothing
    always(supposed, monkeypatch)
    for stop in ("eos", "length"):
        assert run(llama, ALONE, engine=engine, gen_length=5, stop=stop)[0].kept == [5]


def test_marks_come_once_a_forward_behind_its_token(llama, monkeypatch):
    happened: list[str] = []
    real = LlamaForCausalLM.forward
    monkeypatch.setattr(LlamaForCausalLM, "forward", lambda *a, **o: happened.append("forward") or real(*a, **o))
    llama.load(make_cell("llama", engine="generate", gen_length=4, stop="length"))
    seen: list[int] = []

    class Lengths(generate.MarkTokens):
        def __call__(self, input_ids, scores, **options):
            seen.append(input_ids.shape[1])
            return super().__call__(input_ids, scores, **options)

    generate.generate(llama.model, llama.cell, (END,), ALONE, Lengths(happened.append))
    assert happened == ["forward", "token"] * 4
    assert seen == [7, 8, 9, 10]  # the new token is there when it is marked


@pytest.mark.parametrize("engine", ENGINES)
def test_tokens_are_drawn_from_the_softmax_that_our_loop_draws_from(engine, llama):
    rows = 2000
    cell = make_cell("llama", engine=engine, gen_length=1, stop="length", temperature=1.6)
    llama.load(cell)
    llama.prepare([ALONE * rows])
    with torch.no_grad():
        logits = llama.model(torch.tensor(ALONE)).logits[0, -1]
    expected = torch.softmax(logits / 1.6, dim=-1)  # [vocabulary]
    torch.manual_seed(0)
    output = llama.generate(ALONE * rows, lambda kind: None)
    counts = torch.bincount(output.sequences[:, 0], minlength=len(expected))
    likely = expected.topk(8).indices
    deviations = (counts[likely] - rows * expected[likely]) / (rows * expected[likely]).sqrt()
    assert deviations.abs().max() < 4
    beyond_top_k = expected.topk(50).values.sum()  # of transformers' default top_k
    assert beyond_top_k < 0.9
    assert counts[expected.topk(50).indices].sum() / rows == pytest.approx(float(beyond_top_k), abs=0.04)


def test_the_static_cache_is_as_long_as_the_cells_calls_whatever_ran_before(llama, monkeypatch):
    lengths: list[int] = []
    real = StaticCache.__init__

    def init(self, *args, **options):
        lengths.append(options["max_cache_len"])
        real(self, *args, **options)

    monkeypatch.setattr(StaticCache, "__init__", init)
    for gen_length in (40, 8):
        cell = make_cell("llama", engine="generate-static", gen_length=gen_length, stop="length")
        llama.load(cell)
        capture(llama, cell, [Batch([0], ALONE), Batch([1], RAGGED[2:3])])
        warm_up(llama, cell, [Batch([0], ALONE)])
        timed_calls(llama, cell, [Batch([0], ALONE)])
    assert set(lengths[:4]) == {8 + 40}
    assert set(lengths[4:]) == {8 + 8}


@pytest.fixture
def compiled_here(monkeypatch) -> list[int]:
    """The code path of a GPU on this CPU: transformers traces its decode forward and runs it without a compiler.

    Returns a list to which each tracing adds a number.
    """
    torch.compiler.reset()
    traced: list[int] = []

    def backend(graph, inputs):
        traced.append(len(inputs))
        return graph

    def options(cell):
        config = CompileConfig(dynamic=False, backend=backend, mode=None)
        config._compile_all_devices = True
        return {} if cell.engine == "generate" else {"cache_implementation": "static", "compile_config": config}

    config_options = {}  # one configuration for all calls: transformers compiles anew for another one
    monkeypatch.setattr(generate, "cache_options", lambda cell: config_options.setdefault(cell.engine, options(cell)))
    monkeypatch.setattr(LlamaAdapter, "compiles", lambda self: self.cell.engine == "generate-static")
    for name in ("synchronize", "empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 123)
    yield traced
    torch.compiler.reset()


def test_what_is_compiled_is_compiled_before_the_calls_for_each_of_their_shapes(compiled_here):
    llama, ours = registry.create("llama"), registry.create("llama")
    cell = make_cell("llama", engine="generate-static", gen_length=12, stop="length")
    batches = [Batch([0], ALONE), Batch([0, 1, 2, 3], RAGGED), Batch([4, 5], ALONE * 2)]
    llama.load(cell)
    prepared = capture(llama, cell, batches)
    assert len(compiled_here) == 3  # for batches of 1, 4 and 2
    assert prepared.compile_s > 0
    assert prepared.capture_s >= 0
    assert llama.captured_peak_bytes() == 123
    warm_up(llama, cell, batches)
    _, sequences = timed_calls(llama, cell, batches)
    assert len(compiled_here) == 3
    ours.load(make_cell("llama", gen_length=12, stop="length"))
    assert sequences == timed_calls(ours, ours.cell, batches)[1]
    llama.load(cell)
    assert capture(llama, cell, batches) == Preparation()  # all is there


def test_a_call_that_would_compile_is_refused(compiled_here):
    llama = registry.create("llama")
    llama.load(make_cell("llama", engine="generate-static", gen_length=8, stop="length"))
    with pytest.raises(RuntimeError, match="not prepared for prompts of this shape"):
        llama.generate(ALONE, lambda kind: None)
    llama.prepare([ALONE])
    with pytest.raises(RuntimeError, match="not prepared for prompts of this shape"):
        llama.generate(ALONE * 2, lambda kind: None)
    llama.ready = replace(llama.ready, positions=100)  # another cache than the one that was compiled for
    with pytest.raises(RuntimeError, match="recompile"):
        llama.generate(ALONE, lambda kind: None)


def test_another_engine_or_length_lets_go_of_what_was_compiled(compiled_here):
    llama = registry.create("llama")
    cell = {"engine": "generate-static", "stop": "length"}
    run(llama, ALONE, gen_length=8, **cell)
    run(llama, ALONE, gen_length=8, **cell)
    assert len(compiled_here) == 1
    run(llama, ALONE, gen_length=6, **cell)
    assert len(compiled_here) == 2
    run(llama, ALONE, gen_length=6, stop="length")
    assert llama.captured_peak_bytes() == 0
    run(llama, ALONE, gen_length=6, **cell)
    assert len(compiled_here) == 3


def test_a_name_says_that_nothing_is_compiled_on_a_cpu():
    assert engines.label_of("generate-static", "cpu") == "generate-static (not compiled)"
    assert engines.label_of("generate-static", "cuda") == "generate-static"
    assert make_cell("llama", engine="generate-static").label.endswith("batch 1, generate-static (not compiled)")


def test_cuda_compiles_and_records_before_the_calls():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from torch._dynamo.utils import counters

    llama = registry.create("llama")
    cell = make_cell("llama", engine="generate-static", gen_length=24, stop="length", device="cuda")
    batches = [Batch([0], ALONE), Batch([0, 1, 2, 3], RAGGED)]
    llama.load(cell)
    prepared = capture(llama, cell, batches)
    assert prepared.compile_s > prepared.capture_s > 0
    assert llama.captured_peak_bytes() > llama.weights_bytes()
    before = counters["stats"]["unique_graphs"]
    warm_up(llama, cell, batches)
    timed_calls(llama, cell, batches)
    assert counters["stats"]["unique_graphs"] == before > 0
