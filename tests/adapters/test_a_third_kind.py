"""A third kind of model needs an entry in the table of kinds, an adapter, a format and a pair file.

Its name is tested nowhere.
"""

import json
from dataclasses import replace

import pytest
import torch
import yaml

from bench.adapters import registry
from bench.adapters.contract import Output, Special
from bench.common.errors import BadInput
from bench.cost import floors, peak_memory
from bench.cost.workload import Workload
from bench.measure import calls
from bench.models import checkpoint, kinds
from bench.models.shape import Shape
from bench.records import metrics
from bench.spec import expand, grid
from bench.spec.cell import Cell, unlisted_cell
from bench.spec.pair import PairFile, read_pair

END = 0
NAME = "block-diffusion"
KIND = kinds.Kind(
    NAME, label="Blocks", mark="step", has_steps=True, has_cache=False, causal=False, rotates_in_float32=False
)
SHAPE = Shape(layers=2, width=8, heads=2, kv_heads=1, head_width=4, feed_forward=16, vocabulary=10, tied=False)
PROMPTS = calls.Batch([0], [[1, 2, 3]])


class Blocks:
    """Fills its canvas with ones, a mark a step. skipped: marks that it leaves out."""

    def __init__(self, skipped: int = 0):
        self.cell: Cell | None = None
        self.skipped = skipped

    def load(self, cell: Cell) -> None:
        self.cell = cell

    def generate(self, prompts: list[list[int]], mark) -> Output:
        steps = self.cell.forwards()
        for _ in range(steps - self.skipped):
            mark("step")
        mark("block")
        length = self.cell.gen_length
        tokens = torch.ones(len(prompts), length, dtype=torch.long)  # [rows, length]
        return Output(tokens, steps, steps * len(prompts) * length, [length] * len(prompts), first_step=0)

    def special(self) -> Special:
        return Special((END,))


@pytest.fixture
def cell(monkeypatch) -> Cell:
    """A cell of the third kind, which is known everywhere as long as the test runs."""
    monkeypatch.setitem(kinds.KINDS, NAME, KIND)
    monkeypatch.setitem(registry.ADAPTERS, NAME, Blocks)
    return unlisted_cell("test", NAME, "cpu", gen_length=16, block_length=8, steps=4)


def test_it_is_run_checked_and_measured(cell):
    adapter = registry.create(cell.model)
    adapter.load(cell)
    timed, sequences = calls.timed_calls(adapter, cell, [PROMPTS])
    assert sequences == [[1] * 16]
    values = metrics.timing_metrics(timed, cell)
    assert {"latency/latency_ms", "latency/step_ms", "latency/ttft_ms"} <= set(values)


def test_a_forward_that_it_does_not_mark_is_refused(cell):
    adapter = Blocks(skipped=1)
    adapter.load(cell)
    with pytest.raises(RuntimeError, match="marked 3 steps in 4 forwards"):
        calls.timed_calls(adapter, cell, [PROMPTS])


def test_its_warm_up_runs_its_first_steps(cell):
    assert calls.short_cell(cell, 2) == replace(cell, steps_timed=2)


def test_it_has_a_name_for_people(cell):
    assert kinds.label_of(NAME) == "Blocks"
    assert cell.label == f"{NAME} 4 steps"


def test_it_has_a_cost_and_a_peak(cell):
    llada = replace(cell, model="llada")
    assert floors.call(Workload.of(cell), SHAPE, 3) == floors.call(Workload.of(llada), SHAPE, 3)
    half = replace(Workload.of(cell), dtype="bfloat16")
    ours, of_llada = (peak_memory.peak(replace(half, model=name), SHAPE, 3).total for name in (NAME, "llada"))
    assert ours <= of_llada  # which rotates in float32


@pytest.fixture
def model_directory(cell, monkeypatch, tmp_path):
    """A directory with the configuration of a model of the third kind, in words of its own."""
    keys = replace(checkpoint.FORMATS["llama"], layers="depth", positions="longest")
    monkeypatch.setitem(checkpoint.FORMATS, NAME, keys)
    config = {
        "model_type": NAME, "depth": 2, "hidden_size": 8, "num_attention_heads": 2, "num_key_value_heads": 1,
        "intermediate_size": 16, "vocab_size": 10, "longest": 128, "eos_token_id": END,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def test_its_checkpoint_is_read_by_its_own_keys(model_directory):
    described = checkpoint.read(model_directory, random_seed=0)
    assert described.shape == SHAPE
    assert described.max_positions == 128
    assert not described.causal


@pytest.fixture
def pair(model_directory) -> PairFile:
    """LLaMA's pocket model and one of the third kind, as a pair file says it."""
    tokenizer = {"tokenizer": "bench/pocket/tokenizer"}
    asked = model_directory / "asked.jsonl"
    asked.write_text("".join(json.dumps({"prompt": f"question {i}"}) + "\n" for i in range(64)))
    said = {
        "name": "third", "dtype": "float32", "prompts": {"source": str(asked)}, "stop": "length",
        "llama": tokenizer | {"weights": "bench/pocket/llama"},
        NAME: tokenizer | {"weights": str(model_directory), "random_seed": 0, "fold_ids_below": 10},
    }  # fmt: skip
    file = model_directory / "third.yaml"
    file.write_text(yaml.safe_dump(said))
    return read_pair(str(file))


@pytest.mark.parametrize("name", ["baseline", "sweep", "smoke", "sentinel"])
def test_shipped_grids_span_cells_of_its_pair(pair, name):
    settings = {"gen_length": 16, "block_length": 8} if name != "baseline" else {"gen_length": 16}
    asked = grid.read_grid(name, settings | {"prompts": 2})
    cells, sets = expand.resolve([asked], [name], pair, "cpu", None)
    models = {"baseline": {"llama"}, "smoke": {"llama", NAME}}.get(name, {NAME})
    assert {cell.model for cell in cells} == models
    assert all(set(prompt.ids) == {"llama", NAME} for prompts in sets.values() for prompt in prompts)


def test_a_model_that_its_pair_lacks_is_refused(pair):
    with pytest.raises(BadInput, match=r"model llada is not in the pair, whose models are: llama, block-diffusion"):
        expand.cells_of(grid.GridFile(kind="mine", model="llada"), pair, "cpu", (), "", "mine")
