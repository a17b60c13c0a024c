"""Made-up scaling grids whose times follow a rule: no MLflow, no models."""

import json

import pandas as pd

from bench.analysis.noise import judge
from bench.analysis.scaling import Scaling, scalings
from bench.analysis.study import METRICS_BY_ROUND, ROUNDS, Histories, Study

ROUND_NUMBERS = (1, 2)
BASE = {
    "pair": "pocket", "dtype": "float32", "platform": "cpu", "device": "a CPU", "outcome": "ok", "verdict": "unknown",
    "engine": "eager", "block_length": 16, "prompt_tokens": 32, "gen_length": 64, "batch_size": 1, "weights": "trained",
    "temperature": "0.0", "flags": "", "message": "",
}  # fmt: skip


def run(kind: str, model: str, latency_ms: float, **changes) -> dict:
    """A run; its throughput follows from its latency."""
    row = BASE | {"kind": kind, "model": model} | changes
    row["run_id"] = json.dumps([kind, model, sorted((k, str(v)) for k, v in changes.items())])
    if row["outcome"] == "ok":
        row["latency/latency_ms"] = latency_ms
        row["throughput/tokens_per_s"] = 1e3 * row["gen_length"] * row["batch_size"] / latency_ms
        row["latency/step_ms"] = latency_ms / row.get("steps", 64)
        row["memory/resident_gib"] = 0.5 + row["batch_size"] / 100
        row["memory/weights_gib"] = 0.1
    return row


def study_of(rows: list[dict]) -> Study:
    """A study of some runs, in which every round of a run has its mean."""
    values = {
        (row["run_id"], ROUNDS + metric): dict.fromkeys(ROUND_NUMBERS, row[metric])
        for row in rows
        for metric in METRICS_BY_ROUND
        if row.get(metric) is not None
    }
    return Study("made up", pd.DataFrame(rows), Histories(values))


def groups_of(rows: list[dict]) -> dict[str, Scaling]:
    """The scaling groups of some runs, by kind."""
    return {scaling.kind: scaling for scaling in scalings(judge(study_of(rows)))}


def batch_study() -> list[dict]:
    """LLaMA's call takes 64 + batch ms, a step of LLaDA's 4 batch ms, 16 and 64 of them."""
    rows = []
    for batch in (1, 8):
        rows.append(run("batch", "llama", 64 + batch, batch_size=batch, tokens_timed=16))
        rows += [run("batch", "llada", s * 4 * batch, batch_size=batch, steps=s, steps_timed=4) for s in (64, 16)]
    rows.append(run("batch", "llada", 16 * 4 / 1.25, steps=16))  # whole: the part says 1.25 times as much
    rows.append(run("batch", "llada", 0, batch_size=32, steps=16, outcome="oom", message="no room"))
    return rows


def memory_study() -> list[dict]:
    """Peaks over batch and length, without times; LLaDA has one that fits and one that does not."""
    rows = [
        run("memory", "llama", 1, batch_size=batch, gen_length=length, tokens_timed=4)
        for batch in (1, 8)
        for length in (64, 256)
    ]
    rows.append(run("memory", "llada", 1, steps=64, head="lean"))
    rows.append(run("memory", "llada", 1, steps=256, head="lean", batch_size=8, gen_length=256, outcome="oom"))
    for row in rows:
        row.pop("latency/latency_ms", None)
        row.pop("throughput/tokens_per_s", None)
    return rows


def corners_study() -> list[dict]:
    """Batch and length together: LLaMA takes 5 ms a token, a step of LLaDA's 2 ms for each row of 64 tokens.

    LLaMA's calls are extrapolated at batch 4; LLaDA's at 256 tokens, where a part says .9 of the whole call at batch 1.
    """
    rows = []
    for batch in (1, 4):
        for length in (64, 256):
            place = {"batch_size": batch, "gen_length": length}
            rows.append(run("corners", "llama", 5 * length, **place, **({"tokens_timed": 16} if batch == 4 else {})))
            steps = length // 16
            parts = {"steps_timed": 4} if length == 256 else {}
            rows.append(run("corners", "llada", steps * 2 * batch * length / 64, steps=steps, **place, **parts))
    return [*rows, run("corners", "llada", 16 * 2 * 4 / 0.9, steps=16, batch_size=1, gen_length=256)]


def probes(model: str, *tries: tuple[int, str], **more) -> list[dict]:
    """Probes of the frontier, by batch and outcome."""
    return [run("frontier", model, 1, batch_size=batch, outcome=outcome, **more) for batch, outcome in tries]


def everything() -> list[dict]:
    """Runs of every kind of grid."""
    rows = batch_study() + memory_study()
    rows += [run("length", "llama", 10 * n, gen_length=n) for n in (64, 256)]
    rows += [run("length", "llada", n * s, gen_length=n, steps=s) for n in (64, 256) for s in (n, n // 4)]
    rows += [run("prompt", "llama", 10 + n, prompt_tokens=n) for n in (32, 512)]
    rows += corners_study()
    rows += [run("attention", "llada", 5, steps=16, attention=kind) for kind in (None, "math")]
    rows += [run("engines", "llada", 5, steps=16, head=head) for head in (None, "lean")]
    rows += [run("values", "llada", 5, steps=16, fill=fill) for fill in (None, "zero")]
    return rows + probes("llama", (1, "ok"), (2, "oom"))
