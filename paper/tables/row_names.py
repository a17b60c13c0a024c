"""The names of a table's rows, and what of them its caption says once: the engine and the head, where all rows but the
sentinels have the same, and the precision that most rows have. A row that has another one names it."""

from collections.abc import Sequence

import pandas as pd

from bench.analysis.decoders import name_of
from bench.analysis.runs import setting_of
from bench.models import kinds
from bench.render import wording
from bench.spec import sentinel
from bench.spec.cell import ENDS, STOPS, UNSTATED


def names_of(runs: pd.DataFrame) -> list[str]:
    """What each run is, without what the caption says of most (`said_once`)."""
    engine, head = shared_engine_and_head(runs)
    return with_precision([what(run, engine, head) for _, run in runs.iterrows()], runs)


def said_once(runs: pd.DataFrame) -> str:
    """What a row has that does not name it: for the caption, empty where there is nothing to say."""
    engine, head = shared_engine_and_head(runs)
    of_head = f", LLaDA's with the {head} head" if head else ""
    engine_sentence = f" Rows that name no engine are on the {engine} engine{of_head}." if engine else ""
    return engine_sentence + precision_sentence(runs)


def shared_engine_and_head(runs: pd.DataFrame) -> tuple[str, str]:
    """The engine and LLaDA's head that all runs of models but the sentinels have; empty where they have several."""
    if runs.empty:
        return "", ""
    compared = runs[(runs["kind"] != sentinel.KIND) & runs["model"].isin(list(kinds.KINDS))]
    engines = {wording.engine_of(run) for _, run in compared.iterrows()}
    heads = wording.heads_of(compared)
    if len(engines) != 1 or len(heads) > 1:
        return "", ""
    return engines.pop(), "".join(heads)


def what(run: pd.Series, usual_engine: str, usual_head: str) -> str:
    """ "length: LLaDA 32, captured, lean head": kind, model and steps, engine and head unless they are the usual ones,
    the decoder and the other settings that are not the default; of runs that differ in how answers end, that too."""
    ends = [STOPS[run["stop"]]] if run["kind"] == ENDS else []
    steps = f" {float(run['steps']):.0f}" if pd.notna(run["steps"]) else ""
    is_usual = wording.engine_of(run) == usual_engine and set(wording.heads_of(run.to_frame().T)) <= {usual_head}
    both = "" if is_usual else wording.own_engine_and_head(run, is_short=True)
    settings = [both, name_of(run), *(setting_of(run, name, "") for name in ("attention", "fill"))]
    return ", ".join(filter(None, [f"{run['kind']}: {kinds.label_of(run['model'])}{steps}", *ends, *settings]))


def with_precision(names: Sequence[str], runs: pd.DataFrame) -> list[str]:
    """The name of each run, and its precision where it has one and that is not the most frequent."""
    dtypes = stated(runs)
    usual = most_frequent(dtypes)
    told = ["" if pd.isna(dtype) or dtype == usual else dtype for dtype in dtypes]
    return [", ".join(filter(None, both)) for both in zip(names, told, strict=True)]


def precision_sentence(runs: pd.DataFrame) -> str:
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
