"""The precision of a table's rows, where they have several: rows of the most frequent one do not name it, and the
caption says which it is."""

from collections.abc import Sequence

import pandas as pd

from bench.spec.cell import UNSTATED


def with_precision(names: Sequence[str], runs: pd.DataFrame) -> list[str]:
    """The name of each run, and its precision where it has one and that is not the most frequent."""
    dtypes = stated(runs)
    usual = most_frequent(dtypes)
    told = ["" if pd.isna(dtype) or dtype == usual else dtype for dtype in dtypes]
    return [", ".join(filter(None, both)) for both in zip(names, told, strict=True)]


def sentence(runs: pd.DataFrame) -> str:
    """Which precision a row has that names none; empty where all have the same."""
    dtypes = stated(runs)
    if dtypes.nunique() < 2:
        return ""
    but = ", but for those that have none (a server, references)" if dtypes.isna().any() else ""
    return f" Rows that name no precision are in {most_frequent(dtypes)}{but}."


def stated(runs: pd.DataFrame) -> pd.Series:
    """The precision of each run; missing where a server does not tell it, and where no model ran."""
    return runs.get("dtype", pd.Series(index=runs.index, dtype=object)).replace(UNSTATED, None)


def most_frequent(dtypes: pd.Series) -> str:
    """The precision that most runs have; empty where none has one."""
    counts = dtypes.dropna().value_counts()
    return str(counts.index[0]) if len(counts) else ""
