"""The lines that a figure joins: which runs of a scaling group differ along its axis alone."""

from dataclasses import dataclass

import pandas as pd

from bench.analysis.runs import setting_of
from bench.models import kinds
from bench.models.engines import label_of

DEFAULTS = {"head": "official", "attention": "fused", "fill": "own"}  # what a setting is of a run that does not have it


@dataclass(frozen=True)
class Line:
    """Runs that a figure joins by a line: the model, and those settings in which its lines differ (the others are
    None)."""

    model: str
    tokens_per_step: float | None = None
    head: str | None = None
    engine: str | None = None
    attention: str | None = None
    fill: str | None = None


def lines_of_runs(runs: pd.DataFrame) -> list[Line]:
    """The line of each run: its model, and of its settings those that differ between this model's runs. Where the
    engine does, the head is named too: they are two axes."""
    differing = {model: differing_settings(same_model) for model, same_model in runs.groupby("model")}
    result = []
    for _, run in runs.iterrows():
        settings = {name: setting_of(run, name, DEFAULTS.get(name, "")) for name in differing[run["model"]]}
        if "engine" in settings:
            settings["engine"] = label_of(settings["engine"], setting_of(run, "platform", ""))
        if "tokens_per_step" in settings:
            settings["tokens_per_step"] = run["tokens_per_step"]
        result.append(Line(run["model"], **settings))
    return result


def differing_settings(runs: pd.DataFrame) -> list[str]:
    """The settings of one model's runs that tell its lines apart."""
    names = ["tokens_per_step", "engine"]
    differing = [name for name in names if runs[name].nunique() > 1]
    names = [name for name in DEFAULTS if name != "head" or kinds.has_steps(runs["model"].iloc[0])]
    with_engine = ["head"] if "engine" in differing else []
    return differing + [name for name in names if name in with_engine or runs[name].nunique(dropna=False) > 1]
