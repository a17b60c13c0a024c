"""Made-up studies whose changes are known: no MLflow, no models."""

import numpy as np
import pandas as pd

from bench.analysis.study import Histories, Study

LATENCY, RATE = "latency/latency_ms", "throughput/tokens_per_s"
BASE = {
    "pair": "pocket", "dtype": "float32", "platform": "cpu", "device": "a CPU", "outcome": "ok", "verdict": "unknown",
    "message": "", "prompt_hash": "h", "revision": "r", "gen_length": 64, "batch_size": 1, "prompts": 2,
    "engine": "eager", "stop": "eos", "git": "c0ffee", "kind": "sweep",
}  # fmt: skip


def run(model: str, latencies_ms: list[float], scores: list[float] | None = None, **more) -> dict:
    """A run with these latencies by round, the rate that follows, and BERTScores by prompt. more: other settings, and
    `by_round`: further values by metric."""
    row = BASE | {"model": model} | ({"steps": 16, "block_length": 32} if model == "llada" else {}) | more
    row["by_round"] = {LATENCY: latencies_ms, RATE: [64e3 / each for each in latencies_ms]} | more.get("by_round", {})
    if scores is not None:
        row |= {"scores": scores, "quality/bertscore_f1": float(np.mean(scores))}
    return row


def sentinel(model: str, first: list[float], second: list[float], **more) -> list[dict]:
    """The twins of a sentinel."""
    return [
        run(model, latencies, kind="sentinel", twin=twin, watches="w", **more)
        for twin, latencies in (("a", first), ("b", second))
    ]


def tries(model: str, *batches: tuple[int, str], **more) -> list[dict]:
    """Tries of the frontier, by batch and outcome; each has a prompt for each row."""
    return [
        run(
            model,
            [],
            kind="frontier",
            batch_size=batch,
            prompts=batch,
            prompt_hash=f"h{batch}",
            outcome=outcome,
            **more,
        )
        for batch, outcome in batches
    ]


def study(name: str, rows: list[dict]) -> Study:
    """A study of these runs."""
    values = {}
    table = []
    for number, row in enumerate(rows):
        run_id = f"{name} {number}"
        for metric, by_round in row["by_round"].items():
            values[run_id, f"rounds/{metric}"] = dict(enumerate(by_round, 1))
        if "scores" in row:
            values[run_id, "per_prompt/bertscore_f1"] = dict(enumerate(row["scores"]))
        table.append(
            {key: value for key, value in row.items() if key not in ("by_round", "scores")} | {"run_id": run_id}
        )
    return Study(name, pd.DataFrame(table), Histories(values))


QUIET = [*sentinel("llama", [100.0, 101.0, 102.0], [101.0, 101.0, 101.0]),
         *sentinel("llada", [100.0, 150.0, 100.0], [100.0, 100.0, 100.0])]  # fmt: skip


def two(**of_second) -> tuple[Study, Study]:
    """Two studies: in the second LLaMA takes half as long and LLaDA a tenth more, which is within the noise of its
    sentinel. of_second: settings of the second study's runs, on another card say."""
    memory = {"memory/resident_gib": [2.0, 2.0, 2.0]}
    more = {"memory/resident_gib": [3.0, 3.0, 3.0]}
    before = [
        run("llama", [100.0, 101.0, 99.0], [0.5, 0.6], by_round=memory),
        run("llada", [200.0, 201.0, 199.0], [0.4, 0.5], by_round=memory),
        run("llada", [400.0, 401.0, 399.0], steps=32),
    ]
    after = [
        run("llama", [50.0, 50.5, 49.5], [0.5, 0.6], by_round=more, **of_second),
        run("llada", [220.0, 221.0, 219.0], [0.3, 0.38], by_round=memory, **of_second),
        run("llada", [800.0], steps=64, **of_second),
    ]
    return study("before", before + QUIET), study("after", after + [row | of_second for row in QUIET])
