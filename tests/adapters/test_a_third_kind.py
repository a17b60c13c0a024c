"""A third kind of model is an entry in the table of kinds, an adapter and a pair file: its name is tested nowhere."""

import json
from dataclasses import replace

import pytest
import torch
import yaml
from safetensors.torch import save_file

from bench.adapters import registry
from bench.adapters.contract import Output, Special
from bench.common.errors import BadInput
from bench.cost import floors, peak_memory
from bench.cost.workload import Workload
from bench.measure import calls
from bench.models import checkpoint, kinds, weights
from bench.models.shape import Shape
from bench.records import metrics
from bench.spec import expand, grid
from bench.spec.cell import Cell, unlisted_cell
from bench.spec.pair import PairFile, read_pair
from tests.support.model_directory import tensors_of, write_config

END = 0
NAME = "block-diffusion"


def net_name(name: str) -> str:
    """What this kind calls a parameter of the body."""
    return "net." + name.removeprefix("model.").replace("embed_tokens", "tokens")


KIND = replace(
    kinds.KINDS["llada"],
    name=NAME,
    label="Blocks",
    rotates_in_float32=False,
    configuration=replace(
        kinds.KINDS["llama"].configuration,
        keys=replace(kinds.KINDS["llama"].configuration.keys, layers="depth", positions="longest"),
        architectures=("Blocks",),
    ),
    parameter_name=net_name,
    name_prefixes=(),
    llama_settings=lambda config: {
        "num_hidden_layers": config["depth"],
        **{
            key: config[key]
            for key in ("hidden_size", "num_attention_heads", "num_key_value_heads", "vocab_size", "intermediate_size")
        },
    },
)
CONFIG = {
    "model_type": NAME, "architectures": ["Blocks"], "depth": 2, "hidden_size": 8, "num_attention_heads": 2,
    "num_key_value_heads": 1, "intermediate_size": 16, "vocab_size": 10, "longest": 128, "eos_token_id": END,
}  # fmt: skip
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
    assert cell.label == "Blocks, 4 steps, 16 tokens, batch 1"


def test_it_has_a_cost_and_a_peak(cell):
    llada = replace(cell, model="llada")
    assert floors.call(Workload.of(cell), SHAPE, 3) == floors.call(Workload.of(llada), SHAPE, 3)
    half = replace(Workload.of(cell), dtype="bfloat16")
    ours, of_llada = (peak_memory.peak(replace(half, model=name), SHAPE, 3).total for name in (NAME, "llada"))
    assert ours <= of_llada  # which rotates in float32


def test_its_checkpoint_is_read_by_its_own_keys(cell, tmp_path):
    described = checkpoint.read(write_config(tmp_path, CONFIG), random_seed=0)
    assert described.shape == SHAPE
    assert described.max_positions == 128
    assert not described.causal


def test_its_weights_are_loaded_under_its_own_names(cell, tmp_path):
    write_config(tmp_path, CONFIG)
    tensors = {name: torch.randn(shape) for name, shape in tensors_of(CONFIG).items()}
    assert {"net.tokens.weight", "net.layers.1.mlp.up_proj.weight", "net.lm_head.weight"} <= set(tensors)
    save_file(tensors, tmp_path / "model.safetensors")
    model = weights.load(checkpoint.read(tmp_path), "cpu", torch.float32)
    assert torch.equal(model.lm_head.weight, tensors["net.lm_head.weight"])
    assert not model.model.layers[0].self_attn.is_causal


def test_what_it_does_not_state_is_refused_by_key(cell, tmp_path):
    with pytest.raises(BadInput, match="depth is missing; every Blocks configuration has it"):
        checkpoint.read(write_config(tmp_path, {k: v for k, v in CONFIG.items() if k != "depth"}), random_seed=0)
    write_config(tmp_path, CONFIG | {"block_size": 4})
    with pytest.raises(BadInput, match="engine captured does not know the key block_size"):
        checkpoint.read(tmp_path, random_seed=0).check_engine("captured")


@pytest.fixture
def pair(cell, tmp_path) -> PairFile:
    """LLaMA's pocket model and one of the third kind, as a pair file says it."""
    tokenizer = {"tokenizer": "bench/pocket/tokenizer"}
    write_config(tmp_path, CONFIG)
    asked = tmp_path / "asked.jsonl"
    asked.write_text("".join(json.dumps({"prompt": f"question {i}"}) + "\n" for i in range(64)))
    said = {
        "name": "third", "dtype": "float32", "prompts": {"source": str(asked)}, "stop": "length",
        "llama": tokenizer | {"weights": "bench/pocket/llama"},
        NAME: tokenizer | {"weights": str(tmp_path), "random_seed": 0, "fold_ids_below": 10},
    }  # fmt: skip
    file = tmp_path / "third.yaml"
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
