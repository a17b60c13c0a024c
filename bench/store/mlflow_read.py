"""A study read back from MLflow."""

import json
from pathlib import Path

import pandas as pd

from bench.common.errors import BadInput
from bench.store import disk, mlflow_client

# Settings that are whole numbers; MLflow has every parameter as text.
WHOLE_NUMBERS = ("steps", "gen_length", "block_length", "batch_size", "prompts", "prompt_tokens", "steps_timed",
                 "tokens_timed")  # fmt: skip


def frame(study: str) -> pd.DataFrame:
    """One row a run: tags, params and metrics as MLflow has them.

    Raises BadInput where the study is not tracked, or where MLflow does not answer.
    """
    try:
        return runs_of(study)
    except BadInput:
        raise
    except Exception as error:  # whatever MLflow or its database raise
        why = " ".join(str(error).split())[:200]
        raise BadInput(f"MLflow does not answer ({why}); the records are in {disk.path(study)}") from error


def runs_of(study: str) -> pd.DataFrame:
    """The rows of `frame`. Raises BadInput where the study is not tracked, and whatever MLflow raises."""
    mlflow = mlflow_client.client()
    experiment = mlflow.get_experiment_by_name(study)
    if experiment is None:
        names = ", ".join(sorted(e.name for e in mlflow.search_experiments() if e.name != "Default")) or "none yet"
        raise BadInput(f"study {study!r} is not tracked here (tracked: {names}); run `make sweep` or `make restore`")
    rows = []
    token = None  # of the next page
    while True:
        page = mlflow.search_runs([experiment.experiment_id], max_results=1000, page_token=token)
        rows += [
            {
                "run_id": run.info.run_id,
                "status": run.info.status,
                "artifacts": run.info.artifact_uri,
                "started_ms": run.info.start_time,
            }
            | {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")}
            | run.data.params
            | run.data.metrics
            for run in page
        ]
        token = page.token
        if not token:
            break
    table = pd.DataFrame(rows)
    whole = [c for c in WHOLE_NUMBERS if c in table]
    table[whole] = table[whole].apply(pd.to_numeric)
    return table


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
