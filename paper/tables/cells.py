"""The table of every cell of a study, also of those that failed or cannot be believed."""

from pathlib import Path

import pandas as pd

from bench.analysis.comparison import LATENCY
from bench.analysis.runs import estimate_of, with_columns
from bench.analysis.scaling import PEAKS
from bench.models import kinds
from bench.render import wording
from paper.tables.latex import cell_text, escape, long_table
from paper.tables.row_names import names_of, said_once

CAPTION = (
    "Every cell of the study, as it was asked for, with its rounds, its latency and its peak of memory (allocated on a"
    " GPU, resident on a CPU). A cell that failed, or that cannot be believed, stands here with the reason and without"
    " numbers."
)
ORDER = ["kind", "model", "steps", "batch_size", "prompt_tokens", "gen_length", "dtype", "attention", "fill"]
UNKNOWN = "-"


def write(runs: pd.DataFrame, folder: Path) -> None:
    """Write the table to `folder`. runs: of a study, judged."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cells.tex").write_text(long_table("cells", CAPTION + said_once(runs), table(runs)), encoding="utf-8")


def table(runs: pd.DataFrame) -> pd.DataFrame:
    """A line a cell: what it is and where it stands, its rounds and numbers, and what is to be said of it."""
    whole = with_columns(runs, [*ORDER, "stop", "head", "engine"])
    ordered = whole.sort_values(ORDER, key=lambda column: column.map(str) if column.dtype == object else column)
    lines = [line_of(run) for _, run in ordered.iterrows()]
    return pd.DataFrame(lines, index=[escape(name) for name in names(ordered)])


def names(runs: pd.DataFrame) -> list[str]:
    """What each cell is; of the references of a study's prompts, that."""
    of_models = runs["model"].isin(list(kinds.KINDS))
    named = pd.Series(runs["kind"] + ": " + runs["model"], runs.index, dtype=object)
    named[of_models] = names_of(runs[of_models])
    return named.tolist()


def line_of(run: pd.Series) -> dict[str, str]:
    """A line of the table."""
    rounds = run.get("rounds_logged")
    counts = run["reason"] == ""
    peak = next((found for metric in PEAKS if (found := estimate_of(run, metric))), None)
    latency = estimate_of(run, LATENCY)
    return {
        "batch": whole_number(run["batch_size"]),
        "prompt": whole_number(run["prompt_tokens"]),
        "tokens": whole_number(run["gen_length"]),
        "rounds": str(len(rounds.split())) if isinstance(rounds, str) else UNKNOWN,
        "latency ms": cell_text(latency, 1) if counts else "--",
        "GiB": f"{peak.value:.2f}" if counts and peak else "--",
        "note": escape(wording.note(run)),
    }


def whole_number(value: float) -> str:
    """A number that was asked for; a dash where there is none."""
    return UNKNOWN if pd.isna(value) else f"{float(value):,.0f}"
