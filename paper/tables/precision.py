"""The precision of a table's rows, where they have several: rows of the most frequent one do not name it, and the
caption says which it is."""

from collections.abc import Sequence

import pandas as pd


def with_precision(names: Sequence[str], runs: pd.DataFrame) -> list[str]:
    """The name of each run, and its precision where it is not the most frequent one."""
    usual = most_frequent(runs)
    told = ["" if pd.isna(dtype) or dtype == usual else dtype for dtype in runs["dtype"]]
    return [", ".join(filter(None, both)) for both in zip(names, told, strict=True)]


def sentence(runs: pd.DataFrame) -> str:
    """Which precision a row has that names none; empty where all have the same."""
    has_several = not runs.empty and runs["dtype"].nunique() > 1
    return f" Rows that name no precision are in {most_frequent(runs)}." if has_several else ""


def most_frequent(runs: pd.DataFrame) -> str:
    """The precision that most runs have; empty where none is known, as with a server."""
    counts = runs["dtype"].dropna().value_counts()
    return str(counts.index[0]) if len(counts) else ""
