"""The cost model beside what was measured, in the terminal."""

import pandas as pd

from bench.analysis import comparison, cost
from bench.analysis.cost import PREDICTED, SETTINGS

COLUMNS = {  # metric: (heading, digits)
    "latency/latency_ms": ("latency ms", 1),
    "predicted/latency_ms": ("predicted", 1),
    "latency_ratio": ("ratio", 2),
    "latency/step_ms": ("step ms", 2),
    "predicted/step_ms": ("predicted ", 2),
    "step_ratio": ("ratio ", 2),
    "memory/allocated_gib": ("alloc GiB", 2),
    "predicted/allocated_gib": ("predicted  ", 2),
    "memory_ratio": ("ratio  ", 3),
    "compute/mfu": ("MFU", 3),
    "compute/mbu": ("MBU", 3),
}


def table(found: pd.DataFrame) -> pd.DataFrame:
    """A line a run; columns in which nothing is known are left out."""
    shown = pd.DataFrame({"kind": found["kind"], "model": found["model"]})
    steps = pd.to_numeric(found["steps"])
    shown["steps"] = [f"{value:.0f}" if value == value else "-" for value in steps]
    for name, heading in (("gen_length", "tokens"), ("batch_size", "batch"), ("prompt_tokens", "prompt")):
        values = pd.to_numeric(found[name])
        if values.notna().any():
            shown[heading] = [f"{value:.0f}" if value == value else "-" for value in values]
    for name in SETTINGS:
        if found[name].nunique(dropna=False) > 1:
            shown[name] = [comparison.text_of(value, "-") for value in found[name]]
    for metric, (heading, digits) in COLUMNS.items():
        values = pd.to_numeric(found[metric])
        if values.notna().any():
            shown[heading] = [f"{value:.{digits}f}" if value == value else "-" for value in values]
    return shown


def sentences(found: pd.DataFrame) -> list[str]:
    """How far the model was from what was measured, by model, in words."""
    result = []
    for name, words in (("latency", "Measured over predicted latency"), ("memory", "Measured over predicted peak")):
        parts = []
        for model, runs in found.groupby("model", sort=False):
            ratios = runs[f"{name}_ratio"].dropna()
            if len(ratios):
                text = f"{ratios.median():.2f} ({ratios.min():.2f} to {ratios.max():.2f}, {len(ratios)} runs)"
                parts.append(f"{model} {text}")
        if parts:
            result.append(f"{words}: median {'; '.join(parts)}.")
    return result


def lines(frame: pd.DataFrame) -> list[str]:
    """The table in the terminal; that ceilings are missing, where they are."""
    found = cost.rows(frame)
    if found.empty or found[[PREDICTED["latency"], PREDICTED["memory"]]].isna().all(axis=None):
        return ["Cost model: no ceilings of this device in this study (make ceilings)."]
    return ["\ncost model: floors at this device's ceilings", table(found).to_string(index=False), *sentences(found)]
