"""What every analysis asks of runs, the rows of a data frame: which model, whether it counts, its values, its likes."""

import json
from collections.abc import Iterator

import pandas as pd

from bench.common import stats
from bench.models import kinds
from bench.models.engines import SERVER
from bench.records import trust

OF_MACHINE = ("dtype", "engine", "platform", "device")  # settings of a run that a server does not tell


def with_columns(runs: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The runs with all of these columns; one that no run has is empty."""
    return runs.reindex(columns=[*runs.columns, *[name for name in dict.fromkeys(names) if name not in runs]])


def with_steps(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of models that denoise in a chosen number of steps."""
    return runs[runs["model"].map(kinds.has_steps).astype(bool)]


def without_steps(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of models that generate one token a forward; human references are no model."""
    is_model = runs["model"].isin(list(kinds.KINDS))
    return runs[is_model & ~runs["model"].map(kinds.has_steps).astype(bool)]


def order_of_models(models: pd.Series) -> pd.Series:
    """Sorts models: those without steps come first, since the others are compared with them."""
    return models.map(kinds.has_steps)


def temperature_of(run: pd.Series) -> float:
    """A run's sampling temperature; 0, greedy, where it says nothing."""
    value = run.get("temperature")
    return 0.0 if pd.isna(value) else float(value)


def setting_of(run: pd.Series, name: str, default: str) -> str:
    """A setting of a run as text; the default where the run does not have it."""
    value = run.get(name)
    return default if pd.isna(value) or not value else str(value)


def machines_of(run: pd.Series) -> dict[int, str]:
    """The machine of each round of a run, by number; empty where it was not tracked. Of a GPU it is the card's UUID."""
    text = run.get("machines")
    return {} if pd.isna(text) or not text else {int(number): name for number, name in json.loads(text).items()}


def estimate_of(run: pd.Series, metric: str) -> stats.Estimate | None:
    """A run's tracked value with its interval, None if it was not measured."""
    value = run.get(metric)
    if value is None or pd.isna(value):
        return None
    bounds = (run.get(f"{metric}_ci_{side}") for side in ("low", "high"))
    return stats.Estimate(value, *(None if bound is None or pd.isna(bound) else bound for bound in bounds))


def part_of(run: pd.Series) -> str:
    """ "8 of 32 steps": how much of its calls a run made, so that its times are extrapolated; empty where all."""
    for timed, whole, unit in (("steps_timed", "steps", "steps"), ("tokens_timed", "gen_length", "tokens")):
        if pd.notna(run.get(timed)):
            return f"{float(run[timed]):.0f} of {float(run[whole]):.0f} {unit}"
    return ""


def like(runs: pd.DataFrame, run: pd.Series, settings: list[str]) -> pd.DataFrame:
    """Those of some runs that share settings with a run; as text, so that what neither says is equal too."""
    return runs[runs[settings].map(str).eq(run[settings].map(str)).all(axis=1)]


def are_served(runs: pd.DataFrame) -> pd.Series:
    """Which runs are of a model behind an address."""
    is_served = runs["platform"] == SERVER if "platform" in runs else [False] * len(runs)
    return pd.Series(is_served, runs.index, dtype=bool)


def beside(runs: pd.DataFrame, run: pd.Series, settings: list[str]) -> pd.DataFrame:
    """Those of some runs that a run of ours is compared with: that share settings with it. A server's run need not
    share those of a machine, since nobody knows them."""
    served = runs[are_served(runs)]
    if served.empty:
        return like(runs, run, settings)
    alike = [like(runs.drop(served.index), run, settings), like(served, run, without_machine(settings))]
    return runs[runs.index.isin(alike[0].index.union(alike[1].index))]


def without_machine(settings: list[str]) -> list[str]:
    """The settings that a run shares with another whatever they ran on."""
    return [name for name in settings if name not in OF_MACHINE]


def together_by(runs: pd.DataFrame, settings: list[str]) -> Iterator[pd.DataFrame]:
    """Runs in groups that share settings. A server's runs belong to each group of ours that they are compared with;
    those that belong to none are groups of their own."""
    guests = runs[are_served(runs)]
    alone = guests
    for _, group in runs.drop(guests.index).groupby(settings, dropna=False):
        there = guests if guests.empty else like(guests, group.iloc[0], without_machine(settings))
        alone = alone.drop(there.index, errors="ignore")
        yield group if there.empty else pd.concat([there, group])
    for _, group in alone.groupby(settings, dropna=False):
        yield group


def lead(runs: pd.DataFrame) -> pd.Series:
    """The run that says where some runs were made, in which precision and on which engine: the first of ours, or the
    first where all are a server's."""
    own = runs[~are_served(runs)]
    return (runs if own.empty else own).iloc[0]


def reason_left_out(run: pd.Series) -> str:
    """Why a run's numbers stand in no table, empty where they do: it failed, or nothing vouches that the card was ours
    alone.

    A CPU has no verdict to pass; its study is labelled instead.
    """
    if run["outcome"] != "ok":
        return f"{run['outcome']}: {run.get('message', '')}".removesuffix(": ")
    if run.get("platform") == "cuda" and run["verdict"] not in trust.PRINTED:
        return f"excluded, {run['verdict']}: {run.get('verdict_reason', '')}".removesuffix(": ")
    return ""


def that_count(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs whose numbers stand in tables; of none, none, with the same columns."""
    return runs[pd.Series([reason_left_out(run) == "" for _, run in runs.iterrows()], runs.index, dtype=bool)]


def without_numbers(runs: pd.DataFrame) -> pd.DataFrame:
    """Runs that are left out, with nothing that was measured of them."""
    return runs.assign(**{column: float("nan") for column in runs if "/" in column})


def devices_of(runs: pd.DataFrame) -> list[str]:
    """Each run's device. A worker that failed to open or died has not told it: then that of the study's other runs."""
    good = runs[runs["outcome"] == "ok"].groupby("platform")["device"].unique()
    only_device = {platform: names[0] for platform, names in good.items() if len(names) == 1}
    return [
        only_device.get(run["platform"], run["device"]) if run["outcome"] != "ok" else run["device"]
        for _, run in runs.iterrows()
    ]
