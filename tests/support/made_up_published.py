"""A made-up study of the 8B pair at batch 1 beside a made-up file of published numbers."""

from pathlib import Path

import yaml

from bench.analysis import published
from bench.analysis.comparison import Comparison
from bench.analysis.published import Published
from tests.support.made_up_comparison import MadeUp

LLAMA_MS, STEP_MS = 1000.0, 8.0  # LLaMA's call, and a step of LLaDA's, over 256 tokens
STEPS = (16, 64, 256)
LLADA = {
    "task": "sums", "source": "paper", "model": "LLaDA", "kind": "llada", "percent": 79.0, "shots": 0,
    "harness": "its own", "precision": "bfloat16", "gen_length": 256, "block_length": 32, "forwards": 256,
    "decoder": "a step a token", "cache": "none",
}  # fmt: skip
LLAMA = {
    "task": "sums", "source": "card", "model": "LLaMA", "kind": "llama", "percent": 80.0, "shots": 8,
    "harness": "its own", "precision": "not stated", "gen_length": "not stated",
}  # fmt: skip
CLAIM = {
    "source": "paper", "statement": "LLaDA is {value:g} times as fast", "value": 1.5, "unit": "times",
    "setting": "batch 1", "card": "A100", "counted": "somehow", "restated": "otherwise",
    "ours": [
        {"label": "at a step a token", "quantity": "ratio", "engine": "captured", "gen_length": 256},
        {"label": "most steps", "quantity": "steps_for_value", "engine": "captured", "gen_length": 256},
    ],
    "cause": {"above": "our card is faster", "below": "our card is slower"},
}  # fmt: skip


def values(**changes: object) -> dict:
    """What the file says; changes replace whole parts of it."""
    sources = {
        "paper": {"name": "A paper", "at": "arXiv:2502.09992"},
        "card": {"name": "A card", "at": "https://a.b/c"},
    }
    return {
        "pairs": ["8b-shapes"], "margin_of": "pocket", "sources": sources,
        "tasks": {"sums": {"label": "Sums", "items": 1000, "source": "paper", "recipe": "gsm8k"}},
        "accuracies": {"llama": LLAMA, "llada": LLADA}, "claims": {"fast": CLAIM},
    } | changes  # fmt: skip


def write(folder: Path, content: dict) -> Path:
    """The file in a folder."""
    file = folder / "published.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def about(folder: Path, **changes: object) -> Published:
    """The published numbers, read from such a file."""
    published.read.cache_clear()
    return published.read(write(folder, values(**changes)))


def sweep(step_ms: float = STEP_MS, llama_ms: float = LLAMA_MS, **changes: object) -> Comparison:
    """LLaMA's call and LLaDA's at some steps over 256 tokens, on captured engines."""
    settings = {"gen_length": 256, "engine": "captured", "pair": "8b-shapes", "stop": "length"} | changes
    llada = {steps: (steps * step_ms, 0.4) for steps in STEPS}
    return MadeUp().comparison((llama_ms, 0.4), llada, {}, **settings)
