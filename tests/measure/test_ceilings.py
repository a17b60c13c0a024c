"""Ceilings: rates of known kernels, the models' own shapes, a record that runs find again, bad input."""

import json
import time
from dataclasses import replace

import pytest
import torch

from bench import ceilings as ceilings_door
from bench.common.errors import BadInput
from bench.measure import ceilings
from bench.models import checkpoint
from bench.models.shape import Shape
from bench.records import merge
from bench.records.machine import Environment, Rate
from bench.records.types import Ceilings, Round
from bench.runner import ceilings as runner_ceilings
from tests.conftest import REPO, make_cell
from tests.support.model_directory import LLAMA, write_config
from tests.support.records import round_of

SMALL = Shape(layers=2, width=8, heads=2, kv_heads=1, head_width=4, feed_forward=16, vocabulary=10, tied=False)


def test_a_rate_is_the_best_that_is_sustained_and_says_when_something_else_ran():
    steady = Rate.of([100.0] * 99 + [1.0], "k")
    assert steady.value == steady.median == 100
    assert "may be running here" not in steady.text(1, "x")
    shared = Rate.of([100.0] * 10 + [50.0] * 90, "k")
    assert (shared.value, shared.median) == (100, 50)
    assert "it often fell behind that, so something else may be running here" in shared.text(1, "x")


def test_the_fastest_of_some_kernels_is_found_at_its_rate():
    candidates = iter([("slow", 10.0, lambda: time.sleep(0.02)), ("fast", 10.0, lambda: time.sleep(0.005))])
    measured = ceilings.best(candidates, "cpu", 0.3)
    assert measured.kernel == "fast"
    assert 1200 < measured.value <= 2000  # 10 in 5 ms, and what a sleep takes longer


def test_matrices_are_all_that_a_row_meets():
    measured = ceilings.matrices(SMALL)
    assert sum(a * b for a, b in measured) == SMALL.layers * SMALL.layer_matrices + SMALL.width * SMALL.vocabulary


def test_reads_are_as_many_bytes_as_the_weights_and_no_more_than_the_limit(monkeypatch):
    whole = {name: work for name, work, _ in ceilings.reads([SMALL], torch.float32, "cpu")}
    assert set(whole.values()) == {4.0 * (SMALL.layers * SMALL.layer_matrices + SMALL.width * SMALL.vocabulary)}
    monkeypatch.setattr(ceilings, "MOST_BYTES", 1000)
    limited = {name: work for name, work, _ in ceilings.reads([SMALL], torch.float32, "cpu")}
    assert 0 < max(limited.values()) <= 1000


@pytest.mark.parametrize("engine", ["eager", "captured"])
@pytest.mark.parametrize("kind", ["llama", "llada"])
def test_the_host_is_measured_on_as_many_layers_without_arithmetic(kind, engine):
    measured = checkpoint.read(REPO / "bench/pocket" / kind)
    config = ceilings.thin(measured)
    assert config.get("n_layers", config.get("num_hidden_layers")) == measured.shape.layers
    assert 1e-5 < ceilings.host_s(measured, "float32", "cpu", engine) < 1


def ceilings_record(**changes) -> Ceilings:
    rate = Rate(1.0, 1.0, 1.0, "k")
    record = Ceilings("s", "pocket", "A", "float32", rate, rate, {"eager": {"llama": 0.1}}, threads=1)
    return replace(record, **changes)


def run_on(device: str = "A", threads: int = 1, platform: str = "cpu") -> Round:
    """A round of a cell of the shipped pair, on this device."""
    cell = make_cell("llama", device=platform)
    return round_of(cell, [], environment=Environment(device=device, threads=threads))


@pytest.mark.parametrize(
    ("run", "ceiling", "same"),
    [
        (run_on(), ceilings_record(), True),
        (run_on(device="B"), ceilings_record(), False),
        (run_on(threads=2), ceilings_record(), False),
        (run_on(threads=2, platform="cuda"), ceilings_record(), True),  # a GPU does not care
        (run_on(), ceilings_record(dtype="bfloat16"), False),
        (run_on(), ceilings_record(pair="8b"), False),
    ],
)
def test_runs_find_the_ceilings_of_their_own_device(run, ceiling, same):
    entry = merge.group([run, ceiling])["c"]
    assert entry.ceilings == (ceiling if same else None)


def test_the_last_measured_ceilings_count():
    later = ceilings_record(threads=1, started=2)
    assert merge.group([ceilings_record(), later, run_on()])["c"].ceilings == later


def test_a_record_in_words():
    text = "\n".join(runner_ceilings.lines(ceilings_record()))
    assert "ridge           1 FLOP a byte" in text
    assert "llama 100 ms" in text


@pytest.mark.parametrize(
    "arguments", [["--seconds", "0"], ["--seconds", "nan"], ["--cells", "nowhere", "--record", "x"], ["--cells", "x"],
                  ["--pair", "none"], ["--device", "tpu"]],
)  # fmt: skip
def test_bad_input_is_refused_before_anything_is_measured(arguments, monkeypatch):
    monkeypatch.setattr("sys.argv", ["ceilings", *arguments])
    with pytest.raises(BadInput):
        ceilings_door.main()


def test_measured_end_to_end_into_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ceilings, "CANDIDATE_S", 0.01)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    out = tmp_path / "out.jsonl"
    monkeypatch.setattr("sys.argv", ["ceilings", "--seconds", "0.02", "--device", "cpu", "--record", str(out)])
    assert ceilings_door.main() == 0
    measured = json.loads(out.read_text())
    assert measured["flops_per_s"]["value"] > measured["bytes_per_s"]["value"] > 0
    assert measured["host_s"].keys() == {"eager", "captured"}
    assert set(measured["host_s"]["eager"]) == {"llama", "llada"}
    monkeypatch.setattr("sys.argv", [*["ceilings", "--missing", "--device", "cpu", "--record", str(out)]])
    assert ceilings_door.main() == 0  # at once: it is there
    assert len(out.read_text().splitlines()) == 1


@pytest.mark.parametrize("asked", [
    {"head_dim": 16, "rope_scaling": {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [2.0] * 8}},
    {"hidden_act": "gelu", "attention_bias": True, "mlp_bias": True, "num_key_value_heads": 1},
], ids=str)  # fmt: skip
def test_a_model_of_any_configuration_has_a_thin_one(asked, tmp_path):
    described = checkpoint.read(write_config(tmp_path / "whole", LLAMA | asked), random_seed=0)
    thin = checkpoint.read(write_config(tmp_path / "thin", ceilings.thin(described)), random_seed=0)
    assert (thin.shape.width, thin.shape.head_width, thin.shape.kv_heads) == (64, 32, 2)
    assert thin.shape.layers == described.shape.layers
    assert described.is_computed_by("eager")
    assert not described.is_computed_by("captured")
