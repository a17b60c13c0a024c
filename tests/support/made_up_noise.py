"""Made-up runs beside sentinels of known noise: no MLflow, no models.

A row has its latencies in the column `rounds`, from which `judged` makes its history.
"""

import pandas as pd

from bench.analysis.noise import JudgedStudy, judge
from bench.analysis.study import Histories, Study

BASE = {
    "pair": "pocket", "dtype": "float32", "platform": "cpu", "device": "a CPU", "outcome": "ok", "verdict": "unknown",
    "message": "", "prompt_hash": "h", "gen_length": 64, "batch_size": 1, "block_length": 32, "prompts": 2,
}  # fmt: skip
AA = {"eager": 1.5, "captured": 1.25}  # of the sentinel on each engine


def twins(engine: str, a: list[float] | None = None, b: list[float] | None = None, **more) -> list[dict]:
    """A sentinel's two runs with these latencies; its A/A is `AA` unless they are given."""
    b = b or [100.0, 100.0]
    a = a or [AA[engine] * latency for latency in b]
    rows = []
    for twin, latencies in (("a", a), ("b", b)):
        row = BASE | {"kind": "sentinel", "model": "llada", "twin": twin, "watches": "w", "engine": engine} | more
        rows.append(row | {"run_id": f"twin {row}", "rounds": latencies})
    return rows


def runs(kind: str, engine: str, **more) -> list[dict]:
    """A run of each model in two places, LLaDA's twice as long."""
    rows = []
    for batch in (1, 8):
        for model, latency in (("llama", 50.0), ("llada", 100.0)):
            row = BASE | {"kind": kind, "model": model, "engine": engine, "batch_size": batch} | more
            row |= {"steps": 16} if model == "llada" else {}
            row |= {"latency/latency_ms": latency, "throughput/tokens_per_s": 64 * batch / latency}
            rows.append(row | {"run_id": f"run {row}", "rounds": [latency, latency]})
    return rows


def judged(rows: list[dict]) -> JudgedStudy:
    """A study of these runs, judged. Every metric that is asked by round has the latencies' values."""
    metrics = ("latency/latency_ms", "throughput/tokens_per_s")
    values = {
        (row["run_id"], f"rounds/{metric}"): dict(enumerate(row["rounds"], 1)) for row in rows for metric in metrics
    }
    return judge(Study("made up", pd.DataFrame(rows).drop(columns="rounds"), Histories(values)))
