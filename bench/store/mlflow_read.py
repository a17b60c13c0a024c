"""A study read back from MLflow."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from bench.common import paths
from bench.common.errors import BadInput
from bench.store import disk, mirror, mlflow_client, mlflow_experiment
from bench.store.mlflow_package import Experiment, MlflowClient
from bench.store.refusal import answers
from bench.store.tracking_uri import is_server, tracking_uri

QUESTIONS_AT_ONCE = 8  # to a server
# Settings that are whole numbers; MLflow has every parameter as text.
WHOLE_NUMBERS = ("steps", "gen_length", "block_length", "batch_size", "prompts", "prompt_tokens", "steps_timed",
                 "tokens_timed")  # fmt: skip


def frame(study: str) -> pd.DataFrame:
    """One row a run: tags, params and metrics as MLflow has them, after it was brought up to the records on disk.

    Raises BadInput where the study is not tracked, or where MLflow does not answer.
    """
    with answers(disk.path(study)):
        mlflow_client.check()
        mirror.catch_up(study)
        return runs_of(study)


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


def histories(wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[int, float]]:
    """`history` by (run id, name of a metric). A server is asked for several at once: it has no call for all of them,
    and each answer is mostly waiting. Raises BadInput where it does not answer."""
    wanted = list(wanted)
    if not is_server(tracking_uri()):
        return {(run_id, name): history(run_id, name) for run_id, name in wanted}
    with answers(paths.ROOT), ThreadPoolExecutor(QUESTIONS_AT_ONCE) as pool:
        return dict(zip(wanted, pool.map(lambda pair: history(*pair), wanted), strict=True))


def generations_of(run_id: str) -> list[dict]:
    """The generations that a run carries, or none if its artifacts were moved or never written."""
    mlflow = mlflow_client.client()
    with answers(paths.ROOT):
        if not any(a.path == "generations.jsonl" for a in mlflow.list_artifacts(run_id)):
            return []
        file = mlflow.download_artifacts(run_id, "generations.jsonl")
    return [json.loads(line) for line in Path(file).read_text().splitlines()]
