"""Words and numbers that several tables share: values with intervals, notes, noise, what was left out."""

import pandas as pd

from bench.analysis.comparison import Comparison
from bench.analysis.noise import Noise
from bench.common import stats
from bench.records import trust

NOTE_LENGTH = 80


def note(row: pd.Series) -> str:
    """What stands beside a run's numbers, or in their place."""
    known = (row.get("reason"), row.get("flags"), part_words(row))
    return " ".join(str(v)[:NOTE_LENGTH] for v in known if v and not pd.isna(v))


def part_words(row: pd.Series) -> str:
    """From what a run's times are extrapolated; empty where all forwards were made, or no time is shown."""
    for name, unit in (("steps_timed", "steps"), ("tokens_timed", "tokens")):
        if pd.notna(row.get(name)) and pd.notna(row.get("latency/latency_ms")):
            return f"extrapolated from {row[name]:.0f} {unit}"
    return ""


def format_value(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:.{digits}f}"


def interval(estimate: stats.Estimate, digits: int, unit: str = "") -> str:
    """ "0.41 [0.38, 0.44]": a value with its interval, if it has one."""
    return estimate.text(digits, unit)


def noise_sentence(noise: Noise | None) -> str:
    """What the study's sentinels of one engine say of the machine."""
    if noise is None:
        return "Noise: no sentinel of this engine ran."
    begin = f"Noise: no sentinel ran {noise.none_ran};" if noise.none_ran else "Noise:"
    left_out = f" A sentinel is left out: {noise.left_out}." if noise.left_out else ""
    if noise.ratio is None:
        return f"{begin} not measured.{left_out}"
    drift = "" if noise.drift is None else f"; from round to round it moved by {noise.drift:.1%}"
    flag = f" (MORE THAN {trust.DRIFT:.0%}: {noise.engine.upper()} RUNS DRIFTED)" if noise.drifted else ""
    ratio = interval(noise.ratio, 2)
    cell = f"the same {noise.engine} cell twice in a round"
    return f"{begin} {cell} differs by a factor of {ratio}{drift}{flag}.{left_out}"


def left_out_sentence(found: Comparison) -> str:
    """How many runs stand in the table without numbers; empty where none does."""
    if found.left_out.empty:
        return ""
    outcomes = found.left_out["outcome"].where(found.left_out["outcome"] != "ok", "excluded").value_counts()
    counted = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    return f"Left out: {len(found.left_out)} of {len(found.every)} runs ({counted})."


def retry_sentence(found: Comparison) -> str:
    """How to measure again what was left out."""
    if found.left_out.empty:
        return ""
    words = found.left_out["outcome"].where(found.left_out["outcome"] != "ok", found.left_out["verdict"])
    return f'To measure again what was left out: RETRY="{" ".join(sorted(set(words)))}" with the same settings.'
