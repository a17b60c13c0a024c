"""Made-up runs that were measured and predicted: no MLflow, no models."""

import pandas as pd

from bench.analysis.study import ROUNDS, Histories, Study


def run(model: str, **more) -> dict:
    """A run of the grid over batches, slower than predicted."""
    common = {
        "run_id": f"{model} {more}", "pair": "pocket", "kind": "batch", "model": model, "outcome": "ok",
        "platform": "cpu", "verdict": "unknown", "device": "cpu", "batch_size": 4, "gen_length": 64,
        "prompt_tokens": "32", "dtype": "float32", "engine": "captured", "head": None if model == "llama" else "lean",
        "steps": None if model == "llama" else 16, "latency/latency_ms": 300.0, "predicted/latency_ms": 200.0,
        "latency/step_ms": 10.0, "predicted/step_ms": 8.0, "compute/mfu": 0.5, "compute/mbu": 0.1,
        "compute/gflop": 20.0, "compute/gbyte": 2.0, "ceiling.flops_per_s": "1e11", "ceiling.bytes_per_s": "4e10",
        "ceiling.host_s": "0.001", "block_length": 16,
    }  # fmt: skip
    return common | more


def study_of(rows: list[dict]) -> Study:
    """A study of these runs, each of one round."""
    latency = "latency/latency_ms"
    values = {(row["run_id"], ROUNDS + latency): {1: row[latency]} for row in rows if latency in row}
    return Study("made up", pd.DataFrame(rows), Histories(values))
