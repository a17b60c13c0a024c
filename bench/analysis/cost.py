"""The cost model beside what was measured: every run's time, peak memory, MFU and MBU in one table.

What the model says of a run was tracked with it (bench/records/utilisation.py); time needs the ceilings that
`make ceilings` measures.
"""

import pandas as pd

from bench.analysis.decoders import names_of
from bench.analysis.runs import order_of_models, that_count, with_columns
from bench.spec import sentinel

MEASURED = {"latency": "latency/latency_ms", "step": "latency/step_ms", "memory": "memory/allocated_gib"}
PREDICTED = {"latency": "predicted/latency_ms", "step": "predicted/step_ms", "memory": "predicted/allocated_gib"}
SETTINGS = ("decoder", "head", "engine", "attention", "dtype", "stop")  # stand in the table where they differ
SHARES = ("compute/mfu", "compute/mbu")


def rows(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of which the model says something, with `latency_ratio`, `step_ratio` and `memory_ratio`: measured over
    predicted. In the order of kinds."""
    places = ("gen_length", "batch_size", "prompt_tokens", "steps")  # which held-out text has not
    runs = runs.assign(decoder=names_of(runs).replace("", None))
    runs = with_columns(runs, [*MEASURED.values(), *PREDICTED.values(), *SHARES, *SETTINGS, *places])
    good = that_count(runs)
    good = good[(good["kind"] != sentinel.KIND) & good[list(PREDICTED.values())].notna().any(axis=1)].copy()
    for name in MEASURED:
        good[f"{name}_ratio"] = pd.to_numeric(good[MEASURED[name]]) / pd.to_numeric(good[PREDICTED[name]])
    return good.sort_values(
        ["kind", "model", "gen_length", "batch_size", "steps"],
        key=lambda column: order_of_models(column) if column.name == "model" else column,
    )
