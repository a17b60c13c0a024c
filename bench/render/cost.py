"""The cost model beside what was measured, in the terminal."""

import pandas as pd

from bench.analysis.cost import PREDICTED, SETTINGS
from bench.analysis.lines import DEFAULTS
from bench.records.catalogue import of
from bench.render.wording import MISSING, format_value, part_words, setting_text

# Each group of columns: what was measured, what was predicted of it, and the column of their ratio with its digits.
GROUPS = (
    ("latency/latency_ms", "predicted/latency_ms", "latency_ratio", 2),
    ("latency/step_ms", "predicted/step_ms", "step_ratio", 2),
    ("memory/allocated_gib", "predicted/allocated_gib", "memory_ratio", 3),
)
SHARES = ("compute/mfu", "compute/mbu")
PLACES = (("gen_length", "tokens"), ("batch_size", "batch"), ("prompt_tokens", "prompt"))  # column and heading
RATIO_WORDS = (("latency", "Measured over predicted latency"), ("memory", "Measured over predicted peak"))


def columns() -> dict[str, tuple[str, int]]:
    """(heading, digits) by metric. Spaces behind the headings of a later group keep them apart: a data frame cannot
    tell two columns of one name."""
    result = {}
    for number, (measured, predicted, ratio, ratio_digits) in enumerate(GROUPS):
        spaces = " " * number
        result[measured] = (of(measured).heading, of(measured).digits)
        result[predicted] = (of(predicted).heading + spaces, of(predicted).digits)
        result[ratio] = ("ratio" + spaces, ratio_digits)
    return result | {share: (of(share).heading, of(share).digits) for share in SHARES}


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """A line a run; columns without any value are left out. rows: of bench/analysis/cost.py."""
    result = pd.DataFrame({"kind": rows["kind"], "model": rows["model"]})
    result["steps"] = [format_value(value, 0) for value in pd.to_numeric(rows["steps"])]
    for name, heading in PLACES:
        values = pd.to_numeric(rows[name])
        if values.notna().any():
            result[heading] = [format_value(value, 0) for value in values]
    differing = {name for name in SETTINGS if rows[name].nunique(dropna=False) > 1}
    for name in SETTINGS:
        if name in differing or (name == "head" and "engine" in differing):  # two axes, so both are shown
            default = DEFAULTS.get(name, MISSING)
            result[name] = [setting_text(run, name, default) or MISSING for _, run in rows.iterrows()]
    for metric, (heading, digits) in columns().items():
        values = pd.to_numeric(rows[metric])
        if values.notna().any():
            result[heading] = [format_value(value, digits) for value in values]
    parts = [part_words(run) for _, run in rows.iterrows()]
    return result.assign(note=parts) if any(parts) else result


def sentences(rows: pd.DataFrame) -> list[str]:
    """How far the model was from what was measured, by model, in words."""
    result = []
    for name, words in RATIO_WORDS:
        parts = []
        for model, runs in rows.groupby("model", sort=False):
            ratios = runs[f"{name}_ratio"].dropna()
            if len(ratios):
                text = f"{ratios.median():.2f} ({ratios.min():.2f} to {ratios.max():.2f}, {len(ratios)} runs)"
                parts.append(f"{model} {text}")
        if parts:
            result.append(f"{words}: median {'; '.join(parts)}.")
    return result


def lines(rows: pd.DataFrame) -> list[str]:
    """The table in the terminal; that ceilings are missing, where they are."""
    if rows.empty or rows[[PREDICTED["latency"], PREDICTED["memory"]]].isna().all(axis=None):
        return ["Cost model: no ceilings of this device in this study (make ceilings)."]
    return ["\ncost model: floors at this device's ceilings", table(rows).to_string(index=False), *sentences(rows)]
