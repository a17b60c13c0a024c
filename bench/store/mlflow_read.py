"""A study read back from MLflow."""

import json
from pathlib import Path

import pandas as pd

from bench.common.errors import BadInput
from bench.store import disk, mirror, mlflow_client, mlflow_experiment
from bench.store.mlflow_package import Experiment, MlflowClient
from bench.store.refusal import in_short

# Settings that are whole numbers; MLflow has every parameter as text.
WHOLE_NUMBERS = ("steps", "gen_length", "block_length", "batch_size", "prompts", "prompt_tokens", "steps_timed",
                 "tokens_timed")  # fmt: skip


def frame(study: str) -> pd.DataFrame:
    """One row a run: tags, params and metrics as MLflow has them, after it was brought up to the records on disk.

    Raises BadInput where the study is not tracked, or where MLflow does not answer.
    """
    try:
        mlflow_client.check()
        mirror.catch_up(study)
        return runs_of(study)
    except BadInput:
        raise
    except Exception as error:  # whatever MLflow or its database raise
        raise BadInput(f"MLflow does not answer ({in_short(error)}); the records are in {disk.path(study)}") from error


def runs_of(study: str) -> pd.DataFrame:
    """The rows of `frame`. Raises BadInput where the study is not tracked, and whatever MLflow raises."""
    mlflow = mlflow_client.client()
    table = pd.DataFrame(
        {
            "run_id": run.info.run_id,
            "status": run.info.status,
            "artifacts": run.info.artifact_uri,
            "started_ms": run.info.start_time,
        }
        | {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")}
        | run.data.params
        | run.data.metrics
        for run in mlflow_experiment.runs(mlflow, experiment_of(mlflow, study).experiment_id)
        if run.data.tags.get("kind") != mlflow_experiment.REPORT_KIND  # which measured nothing
    )
    whole = [name for name in WHOLE_NUMBERS if name in table]
    table[whole] = table[whole].apply(pd.to_numeric)
    return table


def experiment_of(mlflow: MlflowClient, study: str) -> Experiment:
    """The experiment of a study that can be read. Raises BadInput where there is none, or only a deleted one."""
    experiment = mlflow_experiment.find(mlflow, study)
    if experiment is None:
        others = (item for item in mlflow_experiment.experiments(mlflow) if not mlflow_experiment.is_deleted(item))
        names = ", ".join(sorted(item.name for item in others if item.name != "Default")) or "none yet"
        raise BadInput(f"study {study!r} is not tracked here (tracked: {names}); run `make sweep` or `make restore`")
    if mlflow_experiment.is_deleted(experiment):
        raise BadInput(
            f"study {study!r} was deleted in MLflow, and {disk.path(study)} has no records of it; get it back with"
            f" `mlflow experiments restore --experiment-id {experiment.experiment_id}`, or give another STUDY"
        )
    return experiment


def history(run_id: str, name: str) -> dict[int, float]:
    """A metric's value at each step: rounds of `rounds/NAME`, prompts of `per_prompt/NAME`."""
    return {m.step: m.value for m in mlflow_client.client().get_metric_history(run_id, name)}


def generations_of(run_id: str) -> list[dict]:
    """The generations that a run carries, or none if its artifacts were moved or never written."""
    mlflow = mlflow_client.client()
    if not any(a.path == "generations.jsonl" for a in mlflow.list_artifacts(run_id)):
        return []
    file = mlflow.download_artifacts(run_id, "generations.jsonl")
    return [json.loads(line) for line in Path(file).read_text().splitlines()]
