"""The cost model beside what was measured: every run's time, peak memory, MFU and MBU in one table. Reads MLflow.

What the model says of a run was tracked with it (bench/records/utilisation.py); time needs the ceilings that
`make ceilings` measures.
"""

import pandas as pd

from bench.analysis import comparison
from bench.spec import sentinel

MEASURED = {"latency": "latency/latency_ms", "step": "latency/step_ms", "memory": "memory/allocated_gib"}
PREDICTED = {"latency": "predicted/latency_ms", "step": "predicted/step_ms", "memory": "predicted/allocated_gib"}
SETTINGS = ("head", "engine", "attention", "dtype")  # shown where they differ
SHARES = ("compute/mfu", "compute/mbu")


def rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs of which the model says something, with measured over predicted; in the order of kinds."""
    names = [*MEASURED.values(), *PREDICTED.values(), *SHARES, *SETTINGS, "prompt_tokens", "steps"]
    frame = frame.reindex(columns=[*frame.columns, *[n for n in dict.fromkeys(names) if n not in frame]])
    good = frame[[comparison.reason_left_out(run) == "" for _, run in frame.iterrows()]]
    good = good[(good["kind"] != sentinel.KIND) & good[list(PREDICTED.values())].notna().any(axis=1)].copy()
    for name in MEASURED:
        good[f"{name}_ratio"] = pd.to_numeric(good[MEASURED[name]]) / pd.to_numeric(good[PREDICTED[name]])
    return good.sort_values(
        ["kind", "model", "gen_length", "batch_size", "steps"], ascending=[True, False, *[True] * 3]
    )
