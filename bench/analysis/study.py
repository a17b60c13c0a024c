"""A study as it was tracked, read once: its runs, and the values of each run by round and by prompt.

The doors call `read` and pass what it returns down. The other modules of this room, of bench/render and of paper/ work
on that and never ask MLflow themselves, so a report cannot show two states of a study that is still running.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import get_args

import pandas as pd

from bench.analysis.runs import machines_of
from bench.common.errors import BadInput
from bench.records.settings import LOAD
from bench.spec.pair import Metric
from bench.store import mlflow_read

ROUNDS = "rounds/"  # before a metric's name: its value in each round
ACCURACY = "accuracy"  # the kind of cells that are answers to tasks of lm-evaluation-harness
PER_PROMPT = "per_prompt/"  # before a metric's name: its value for each prompt
METRICS_BY_ROUND = (  # of which ratios are made that are paired by round
    "latency/latency_ms",
    "latency/step_ms",
    "throughput/tokens_per_s",
    "throughput/text_bytes_per_s",
    "memory/allocated_gib",
    "memory/resident_gib",
    "energy/j",
)
METRICS_BY_PROMPT = (*get_args(Metric), "seconds_an_item")  # declared with a margin; the last of accuracies alone


@dataclass(frozen=True)
class Histories:
    """Values of metrics by round and by prompt.

    values: by run id and tracked name (`rounds/latency/latency_ms`, `per_prompt/accuracy`); each maps the number of a
    round or prompt to the value. cards: by run id the UUID of the card on which each round ran, of runs on a GPU.
    """

    values: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)
    cards: dict[str, dict[int, str]] = field(default_factory=dict)

    def scores(self, run_id: str, metric: str) -> dict[int, float]:
        """A quality metric of a run for each prompt; empty where the run was not scored."""
        return self.values.get((run_id, PER_PROMPT + metric), {})

    def rounds(self, run_ids: Iterable[str], metric: str) -> dict[int, list[float]]:
        """By number of the round: a metric's value of each of these runs, of the rounds that all of them have, each on
        one card. What two cards differ by would else be taken for a difference of the runs."""
        run_ids = list(run_ids)
        return {
            number: [self.values[run_id, ROUNDS + metric][number] for run_id in ids]
            for number, ids in self.by_round(run_ids, metric).items()
            if ids == run_ids
        }

    def by_round(self, run_ids: Iterable[str], metric: str) -> dict[int, list[str]]:
        """By number of the round, in order: the runs among these that have a metric's value in it. A round that was
        measured on several cards is left out."""
        having: dict[int, list[str]] = {}
        for run_id in run_ids:
            for number in self.values.get((run_id, ROUNDS + metric), {}):
                having.setdefault(number, []).append(run_id)
        return {number: ids for number, ids in sorted(having.items()) if len(self.cards_of(ids, number)) <= 1}

    def cards_of(self, run_ids: Iterable[str], number: int) -> set[str]:
        """The cards on which some runs were measured in a round; none of runs on a processor or of a server."""
        by_run = (self.cards.get(run_id, {}) for run_id in run_ids)
        return {of_run[number] for of_run in by_run if number in of_run}


@dataclass(frozen=True)
class Study:
    """A study's runs (a row each: tags, parameters and metrics under their tracked names) and their histories.

    accuracies: the runs of tasks of lm-evaluation-harness, which are not among the others, since they have no rounds.
    """

    name: str
    runs: pd.DataFrame
    histories: Histories = field(default_factory=Histories)
    accuracies: pd.DataFrame = field(default_factory=pd.DataFrame)

    def generations_of(self, run_id: str) -> list[dict]:
        """The texts that a run generated, with prompts and references. They are read when asked for: they are large,
        and most reports show none."""
        return mlflow_read.generations_of(run_id)


def runs_of(name: str) -> pd.DataFrame:
    """A study's runs of models, a row each. Raises BadInput if it is not tracked here or has none.

    Servers under load are left out: what answered them is not known, so nothing is compared with them.
    """
    runs = mlflow_read.frame(name)
    if runs.empty:
        raise BadInput(f"study {name!r} has no runs yet; run `make sweep` first")
    is_load = runs["kind"] == LOAD
    if is_load.all():
        raise BadInput(
            f"study {name!r} has only servers under load, which `make load` prints again; run `make sweep` first"
        )
    return runs[~is_load].dropna(axis="columns", how="all") if is_load.any() else runs


def read(name: str) -> Study:
    """Read a study from MLflow. Raises BadInput if it is not tracked here or has no runs."""
    return with_histories(name, runs_of(name))


def with_histories(name: str, runs: pd.DataFrame) -> Study:
    """A study from its runs as tracked; their histories are read here, each once.

    Those alone are asked for that a run has, which its row tells: it holds the last value of each. These columns are
    dropped then, since nobody reads last values.
    """
    tracked_names = [*(ROUNDS + metric for metric in METRICS_BY_ROUND), *(PER_PROMPT + m for m in METRICS_BY_PROMPT)]
    values = mlflow_read.histories(
        (run_id, tracked_name)
        for tracked_name in tracked_names
        if tracked_name in runs
        for run_id in runs.loc[runs[tracked_name].notna(), "run_id"]
    )
    last_values = [column for column in runs if column.startswith((ROUNDS, PER_PROMPT))]
    runs = runs.drop(columns=last_values).copy()  # in one piece again, or pandas warns at each column that is added
    is_accuracy = runs["kind"] == ACCURACY
    return Study(name, runs[~is_accuracy], Histories(values, cards_by_run(runs)), runs[is_accuracy])


def cards_by_run(runs: pd.DataFrame) -> dict[str, dict[int, str]]:
    """By run id the card of each round, of the runs that were made on a GPU of this study."""
    return {run["run_id"]: machines_of(run) for _, run in runs.iterrows() if run.get("platform") == "cuda"}


def cards_under(runs: pd.DataFrame) -> set[str]:
    """The cards on which some runs were made; none of runs on a processor or of a server."""
    return {card for by_round in cards_by_run(runs).values() for card in by_round.values()}
