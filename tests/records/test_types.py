"""Records as types: what a file says is read whole and written with the same keys; old files are read too."""

import ast
import gzip
import json
from pathlib import Path

import pytest

from bench.models.shape import Shape
from bench.records import types
from bench.records.machine import Energy, Environment, KernelTime, MemoryGib, NvmlReport, Place, Rate, Telemetry
from bench.records.settings import HumanReferences, Likelihood, settings_of
from bench.records.types import Beside, Ceilings, Round, Scores
from bench.spec.cell import Cell
from tests.conftest import REPO, make_cell
from tests.support.records import llada_call, round_of

RECORDED = REPO / "paper/recorded/h100-8b-shapes.jsonl.gz"
REFERENCES = HumanReferences("pocket", "tokenizer", 16, 2, "h")
LIKELIHOOD = Likelihood("pocket", "llada", "float32", "r", "sharegpt", 8, "t", samples=32, canvas=128)
RATE = Rate(3.0, 2.0, 1.0, "sum")
FULL_ROUND = Round(
    "s", "c", 1, make_cell("llada", engine="captured", device="cuda"), "ok", started_s=1.5, ended_s=2.5,
    environment=Environment("host", "3.12", 2, "H100", "exclusive", {"torch": "2.11"}, {"uuid": "GPU-1"}, "expandable"),
    shape=Shape(2, 8, 2, 1, 4, 16, 10, False), load_s=0.5, warmup_ms=[1.0, 2.0],
    calls=[llada_call(0, device_ms=31.0), llada_call(1)], memory_gib=MemoryGib(0.5, 1.0, 2.0), capture_s=3.0,
    compile_s=4.0, nvml=NvmlReport("exclusive", seconds=1.0, telemetry=Telemetry(5, [1, 2.0, 3], throttled=[])),
    sequences=[[1, 2], [3]], rounds_planned=3, order_seed=0, order=2, replaces_started_s=0.5, git="g", command="run",
    gpu="GPU-1", place=Place("host", "GPU-1", 0, 8, 1),
)  # fmt: skip
RECORDS = [
    FULL_ROUND,
    round_of(make_cell("llama"), [llada_call(0)], kept_bytes=12),
    round_of(make_cell("llama"), [], outcome="oom", message="out of memory"),
    Beside("s", "c", 1, 1.5, energy=Energy(5.0, 6.0, 7, 8)),
    Beside("s", "c", 1, 1.5, busy=KernelTime(9.0, 7.0)),
    Scores("s", "c", "diversity", {"entropy": [0.5, None]}, make_cell("llada")),
    Scores("s", "a", "lm-eval", {"accuracy": [1.0]}, make_cell("llada"), 2.5, device="a card"),
    Scores("s", "h", "judge-smollm2", {}, REFERENCES, nats=[1.0], tokens=[2]),
    Scores("s", "l", "likelihood", {}, LIKELIHOOD, 2.5, nats=[1.0], standard_errors=[0.1], text_bytes=[9]),
    Ceilings("s", "pocket", "Zen", "float32", RATE, RATE, {"eager": {"llama": 0.1}}, 1.5, "g", {"torch": "2.11"}),
]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS)
def test_what_is_written_is_read_back_equal(record):
    line = json.dumps(record.to_json())
    read_back = types.parse(json.loads(line))
    assert read_back == record
    assert json.dumps(read_back.to_json()) == line


def test_every_line_of_the_recorded_study_is_written_as_it_stood():
    with gzip.open(RECORDED, "rt") as stream:
        for line in stream:
            assert json.dumps(types.parse(json.loads(line)).to_json()) == line.rstrip("\n")


def test_a_failed_round_says_nothing_of_what_was_not_measured():
    raw = round_of(make_cell("llama"), [], outcome="error", message="m").to_json()
    assert not {"calls", "memory_gib", "nvml", "warmup_ms"} & set(raw)


def test_fields_that_are_not_known_are_passed_over_and_absent_ones_have_no_value():
    cell = {"model": "llada", "of_another_version": 1}
    raw = {"record": "round", "study": "s", "cell_id": "c", "round": 1, "cell": cell, "outcome": "ok", "new": [1]}
    record = types.parse(raw)
    assert (record.calls, record.nvml, record.shape, record.sequences) == ([], None, None, None)
    assert (record.cell.engine, record.environment.verdict) == ("eager", "unknown")


@pytest.mark.parametrize("kind", ["round", "beside", "scores", "ceilings"])
def test_a_record_that_lacks_what_it_cannot_do_without_is_named(kind):
    with pytest.raises(ValueError, match=f"a record of kind `{kind}` "):
        types.parse({"record": kind})


@pytest.mark.parametrize("settings", [make_cell("llama"), make_cell("llada", head="lean"), REFERENCES, LIKELIHOOD])
def test_settings_are_those_of_a_cell_of_references_or_of_a_likelihood(settings):
    assert settings_of(settings.settings()) == settings


def test_versions_of_packages_stand_beside_the_other_facts_of_a_machine():
    environment = Environment.from_json({"host": "h", "torch": "2.11", "nvidia-ml-py": "13"})
    assert environment.packages == {"torch": "2.11", "nvidia-ml-py": "13"}
    assert environment.to_json() == {"host": "h", "verdict": "unknown", "torch": "2.11", "nvidia-ml-py": "13"}


def test_a_machine_is_named_by_its_card_which_may_change_its_container():
    assert Environment(host="a", device="H100", card={"uuid": "GPU-1"}).machine == "GPU-1"
    assert Environment(host="a", device="Zen").machine == "a Zen"


def test_references_are_named_without_the_place_of_the_tokenizer():
    elsewhere = HumanReferences("pocket", "/elsewhere", 16, 2, "h")
    assert REFERENCES.cell_id == elsewhere.cell_id
    assert REFERENCES.cell_id != HumanReferences("pocket", "tokenizer", 32, 2, "h").cell_id


def test_references_stand_beside_the_answers_of_their_cell():
    cell = make_cell("llada", gen_length=16)
    assert HumanReferences.beside(cell).settings() == {
        "pair": cell.pair, "tokenizer": cell.tokenizer, "gen_length": 16, "prompts": 2, "prompt_hash": "h",
        "kind": "reference", "model": "human",
    }  # fmt: skip
    assert isinstance(settings_of({"kind": "sweep"}), Cell)


# Keys of records that are no columns of MLflow's frames, which are read by name everywhere.
KEYS = {
    "calls", "marks", "latency_ms", "nfe", "positions", "kept", "first_step", "device_ms", "environment", "memory_gib",
    "warmup_ms", "load_s", "capture_s", "compile_s", "sequences", "started", "ended", "again", "nvml", "telemetry",
    "signs", "doubts", "joules", "energy", "busy", "kernel_ms", "nats", "standard_errors", "scorer", "flops_per_s",
    "bytes_per_s", "host_s",
}  # fmt: skip
READERS = {REPO / "bench/records" / name for name in ("types.py", "machine.py", "settings.py", "load.py")}
SOURCES = sorted(file for room in ("bench", "paper") for file in (REPO / room).rglob("*.py") if file not in READERS)


def keys_read(file: Path) -> set[str]:
    """The literal texts by which a module takes something from a mapping: `x["key"]` and `x.get("key")`."""
    keys = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            key = node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            key = node.args[0] if node.args else None
        else:
            continue
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            keys.add(key.value)
    return keys


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.relative_to(REPO).as_posix())
def test_nobody_else_reads_a_record_by_a_literal_key(file):
    assert keys_read(file) & KEYS == set()


def test_the_guard_sees_both_ways_to_read_a_key(tmp_path):
    file = tmp_path / "reader.py"
    file.write_text('latency = record["calls"][0].get("latency_ms")\n')
    assert keys_read(file) == {"calls", "latency_ms"}
