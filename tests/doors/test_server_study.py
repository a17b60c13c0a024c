"""A whole study whose LLaMA is behind an address, through the door: it measures, tracks, reports, and keeps the key."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bench.devices import lock
from tests.conftest import REPO
from tests.store.test_mlflow_server import nobody
from tests.support.fake_server import serving

KEY = "sk-do-not-tell-anybody"
SMALL = ["--steps", "2 4", "--gen", "16", "--block", "8", "--prompts", "2", "--rounds", "1", "--judge", "none"]
GRIDS = ["configs/grids/baseline.yaml", "configs/grids/sweep.yaml"]


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    own = {"PYTHONPATH": str(REPO), "HF_HUB_OFFLINE": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    env = os.environ | own | {lock.LOCKS: str(folder), "OWN_KEY": KEY}
    line = [sys.executable, "-m", "bench.run", *GRIDS, *SMALL, "--pair", "mine.yaml", *arguments]
    return subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, check=False)


def write_pair(folder: Path, **server: object) -> None:
    """A pair of a server's LLaMA and the pocket LLaDA, with prompts of its own."""
    tokenizer = {"tokenizer": "bench/pocket/tokenizer"}
    lines = [{"prompt": text, "reference": "It is so."} for text in ("What is it?", "Why?")]
    (folder / "asked.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    pair = {
        "name": "mine", "dtype": "float32", "prompts": {"source": "asked.jsonl"},
        "llama": tokenizer | {"server": server},
        "llada": tokenizer | {"weights": "bench/pocket/llada"},
    }  # fmt: skip
    (folder / "mine.yaml").write_text(yaml.safe_dump(pair))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("study")
    (place / "bench").symlink_to(REPO / "bench")
    # The pair is read again by its name, when what the study says is read.
    (place / "configs/pairs").mkdir(parents=True)
    for name in ("grids", "recipes", "studies", "devices.yaml"):
        (place / "configs" / name).symlink_to(REPO / "configs" / name)
    (place / "configs/pairs/mine.yaml").symlink_to(place / "mine.yaml")
    (place / "paper").symlink_to(REPO / "paper")
    return place


@pytest.fixture(scope="module")
def done(folder) -> subprocess.CompletedProcess:
    with serving(key=KEY, pieces=(" a",) * 16, usage=16, gap_s=0.01, heeds=True) as does:
        write_pair(folder, address=does.address, api_key_env="OWN_KEY", forced_length={"ignore_eos": True})
        return command(folder)


def rounds(folder: Path) -> list[dict]:
    lines = (folder / "mlruns/mine.jsonl").read_text().splitlines()
    return [record for line in lines if (record := json.loads(line))["record"] == "round"]


def test_it_ends_with_tables_and_a_verdict(done, folder):
    assert done.returncode == 0, done.stderr
    assert {record["outcome"] for record in rounds(folder)} == {"ok"}
    assert "; LLaMA by the server of fake at http://127.0.0.1:" in done.stdout
    assert " ms from its server, whose queue and the way there are part of that; " in done.stdout
    [row] = [line for line in done.stdout.splitlines() if line.split()[:1] == ["llama"]]
    assert "-" in row.split()
    assert "Noise: the same server cell of LLaMA twice in a round differs by a factor of" in done.stdout


def test_the_key_is_written_nowhere(done, folder):
    assert KEY not in done.stdout + done.stderr
    files = [file for place in ("mlruns", ".cache") for file in (folder / place).rglob("*") if file.is_file()]
    files += list(folder.glob("*.db"))
    assert any(file.name == "worker.log" for file in files)
    assert any(file.suffix == ".jsonl" for file in files)
    assert [file for file in files if KEY.encode() in file.read_bytes()] == []
    assert [file for file in files if b"OWN_KEY" in file.read_bytes()] != []  # the variable is named


def test_a_server_that_is_gone_is_one_line_before_anything_is_measured(done, folder):
    before = rounds(folder)
    with nobody() as address:
        write_pair(folder, address=f"{address}/v1", model="fake")
        gone = command(folder)
    assert (gone.returncode, gone.stdout) == (2, "")
    [line] = gone.stderr.splitlines()
    assert line == f"error: {address}/v1: no server answers there (Connection refused); start it, or mend the address"
    assert rounds(folder) == before


def test_another_models_name_is_one_line(done, folder):
    with serving() as does:
        write_pair(folder, address=does.address, model="mine")
        other = command(folder)
    assert (other.returncode, other.stdout) == (2, "")
    [line] = other.stderr.splitlines()
    assert line == f"error: {does.address}: has no model mine (it has: fake); name one under `model:`"


def test_a_server_that_dies_in_the_middle_costs_its_own_cells(done, folder):
    """It answers the first question and the warm-up, and breaks the stream of what is timed."""
    with serving(pieces=(" a", " b", " c"), finish="length", breaks_late=True) as does:
        write_pair(folder, address=does.address)
        broken = command(folder, "--study", "broken", "--steps", "2")
    assert broken.returncode == 1
    assert "LLaMA, server: error: RuntimeError: " in broken.stderr
    lines = (folder / "mlruns/broken.jsonl").read_text().splitlines()
    measured = [record for line in lines if (record := json.loads(line))["record"] == "round"]
    outcomes = {(record["cell"]["model"], record["outcome"]) for record in measured}
    assert outcomes == {("llama", "error"), ("llada", "ok")}
