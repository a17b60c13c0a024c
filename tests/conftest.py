"""Shared fixtures: the tiny official-format checkpoint and the shipped pair."""

import json
import os
import tempfile
from pathlib import Path

# Before torch is imported, here and in the processes that tests start: the pocket models are so small that a second
# thread only waits for the first, which costs the whole suite several times its processor time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from bench.devices import lock
from bench.models import checkpoint, weights
from bench.spec.cell import Cell

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Tests run in two processes and beside studies of this machine, which must not wait for each other's device.
OWN_LOCKS = tempfile.TemporaryDirectory(prefix="llada-bench-locks-")
os.environ[lock.LOCKS] = OWN_LOCKS.name
REPO = Path(__file__).parent.parent
GOLDEN = REPO / "tests" / "golden"


@pytest.fixture(params=["cpu", "cuda"])
def device(request) -> str:
    """Each device that is here."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return request.param


@pytest.fixture(scope="session")
def tiny():
    """The golden checkpoint, loaded in float32."""
    return weights.load(checkpoint.read(GOLDEN / "tiny-llada"), "cpu", torch.float32)


@pytest.fixture(scope="session")
def tiny_forward(tiny):
    """ids, attention mask -> logits, of the golden checkpoint."""
    return lambda ids, mask: tiny(ids, attention_mask=mask, use_cache=False).logits


@pytest.fixture(scope="session")
def golden():
    """Read one JSON file of golden vectors."""
    return lambda name: json.loads((GOLDEN / name).read_text())


def make_cell(model: str, **changes) -> Cell:
    """A cell of the shipped pair, with some fields changed."""
    fields = {
        "pair": "pocket", "kind": "test", "model": model, "weights": str(REPO / "bench/pocket" / model),
        "tokenizer": str(REPO / "bench/pocket/tokenizer"), "revision": "r", "dtype": "float32", "device": "cpu",
        "engine": "eager", "gen_length": 16, "batch_size": 1, "prompts": 2, "prompt_hash": "h", "repeat_prompts": 1,
        "stop": "eos", "temperature": 0.0, "seed": 0, "time_limit_s": 60.0,
    }  # fmt: skip
    if model == "llada":
        fields |= {"steps": 4, "block_length": 8, "sampler": "fixed", "remasking": "low_confidence", "cache": "none"}
    return Cell(**(fields | changes))
