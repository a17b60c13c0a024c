"""MLflow is brought up to the records on disk, which are the source of everything in it.

MLflow's defaults are kept (`mlflow.db` in the working directory, artifacts under `mlruns/`), so a bare `mlflow ui` in
the repository's root shows what was tracked. MLflow is imported in this module and in those named `mlflow_*` alone.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from bench.records.merge import CellRecords
from bench.store import disk, file_lock, mlflow_client, mlflow_experiment, mlflow_log, mlflow_owner
from bench.store.mlflow_package import MlflowClient, Run
from bench.store.refusal import in_short, refusal, tell

LOCK_LIMIT_S = 300.0  # another process may be logging the same study
MOST_REFUSALS = 3  # after as many nothing more is tried: a locked database makes each cell wait


def log_all(study: str, cells: dict[str, CellRecords]) -> list[Exception]:
    """Log every cell of a study; what MLflow or its database raised meanwhile. The records are safe whatever it is."""
    errors: list[Exception] = []
    try:
        mlflow_client.check()
        with file_lock.held(Path(f"{disk.path(study)}.lock"), LOCK_LIMIT_S):
            log_under_lock(study, cells, errors)
    except Exception as error:  # whatever MLflow, its database or the disk raise
        errors.append(error)
    return [mlflow_client.in_words(error) for error in errors]


def log_under_lock(study: str, cells: dict[str, CellRecords], errors: list[Exception]) -> None:
    """Log every cell, and append to `errors` what was raised; later cells may still succeed."""
    mlflow = mlflow_client.client()
    where = opened(mlflow, study, cells)
    runs_of = by_cell(mlflow_experiment.runs(mlflow, where.experiment_id))
    names = {cell_id: {run.info.run_name for run in runs} for cell_id, runs in runs_of.items()}
    for cell_id, entry in cells.items():
        others = {name for other, taken in names.items() if other != cell_id for name in taken}
        try:
            names[cell_id] = {mlflow_log.log_cell(where, cell_id, entry, runs_of.get(cell_id, []), others)}
        except Exception as error:
            errors.append(error)
            if len(errors) == MOST_REFUSALS or mlflow_client.is_no_answer(error):
                return


def opened(mlflow: MlflowClient, study: str, cells: dict[str, CellRecords]) -> mlflow_log.Destination:
    """A study's experiment, restored with a word where it was deleted on MLflow's pages.

    MLflow then restores all of its runs, those too that were deleted before because a cell was measured again. Of
    these, and of cells that have no record any more, nothing is to come back. Raises BadInput where a server has
    another study of this name.
    """
    mlflow_owner.check(mlflow, study)
    experiment = mlflow_experiment.open_or_create(mlflow, study)
    mlflow_owner.sign(mlflow, experiment.experiment_id, experiment.tags, study)
    if experiment.was_deleted:
        for cell_id, runs in by_cell(mlflow_experiment.runs(mlflow, experiment.experiment_id)).items():
            current = mlflow_log.digest(cells[cell_id]) if cell_id in cells else None
            for run in runs:
                if run.data.tags.get("digest") != current:
                    mlflow.delete_run(run.info.run_id)
        tell(
            f"study {study} had been deleted in MLflow and is there again, from {disk.path(study)};"
            " to start afresh give another STUDY"
        )
    return mlflow_log.Destination(mlflow, experiment.experiment_id, study)


def by_cell(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Runs by the id of their cell; one that somebody else put into the experiment has none and is left alone."""
    result = defaultdict(list)
    for run in runs:
        if "cell_id" in run.data.tags:
            result[run.data.tags["cell_id"]].append(run)
    return result


def catch_up(study: str) -> None:
    """Before a study is read: log what MLflow lacks of its records, which a refusal or a deleted run left out.

    Says in a line what was logged, or why not. Raises BadInput where the records cannot be read, or a server has
    another study of this name.
    """
    cells = disk.by_cell(study)
    mlflow = mlflow_client.client()
    if cells:
        mlflow_owner.check(mlflow, study)
    experiment = mlflow_experiment.find(mlflow, study) if cells else None
    was_deleted = experiment is not None and mlflow_experiment.is_deleted(experiment)
    runs = [] if experiment is None or was_deleted else mlflow_experiment.runs(mlflow, experiment.experiment_id)
    missing = len(cells) - count_current(by_cell(runs), cells)
    if not missing:
        return
    errors = log_all(study, cells)
    if errors:
        tell(refusal(errors[0], disk.path(study)))
    elif not was_deleted:  # of which `opened` has told
        tell(f"MLflow lacked {missing} of the {len(cells)} runs of study {study}: logged from {disk.path(study)}")


def count_current(runs_of: dict[str, list[Run]], cells: dict[str, CellRecords]) -> int:
    """How many cells have one run in MLflow, which shows their records as they are."""
    return sum(
        [run.data.tags.get("digest") for run in runs_of.get(cell_id, [])] == [mlflow_log.digest(entry)]
        for cell_id, entry in cells.items()
    )


def describe(study: str, verdicts: tuple[str, ...]) -> None:
    """Put verdicts, a paragraph each, into the description of a study's experiment; one line if MLflow refuses."""
    try:
        mlflow_experiment.describe(mlflow_client.client(), study, verdicts)
    except Exception as error:  # whatever MLflow or its database raise: what was found is printed all the same
        tell(f"MLflow did not take the verdict into its description ({in_short(error)})")
