"""The report of a study as a run of its experiment: paper, page, figures and tables lie where MLflow's pages show them.

A study has one run of kind `report`, which `make paper` brings up to what it built. It is no cell: it has no cell's id,
so that nothing that follows the records touches it, and no reader of runs gets it (bench/store/mlflow_read.py).
"""

import time
from collections.abc import Iterator
from pathlib import Path

from bench.store import disk, mlflow_client, mlflow_experiment
from bench.store.mlflow_experiment import REPORT_KIND, REPORT_TAG
from bench.store.mlflow_package import Experiment, MlflowClient, Run, RunTag, artifacts_of
from bench.store.refusal import answers, in_short, tell

FILES = ("report.pdf", "report.html", "results.json", "facts.json", "figures/*", "tables/*")  # of a built report


def is_logged(study: str, mark: str) -> bool:
    """Whether MLflow has the report that this mark stands for; True as well where the study has no experiment in which
    it could be. Raises BadInput where MLflow does not answer."""
    with answers(disk.path(study)):
        mlflow = mlflow_client.client()
        experiment = open_experiment(mlflow, study)
        return experiment is None or [run.data.tags.get("digest") for run in runs_of(mlflow, experiment)] == [mark]


def log(study: str, folder: Path, mark: str) -> None:
    """Bring the report's run of a study up to the files of a folder; one line if MLflow refuses.

    mark: stands for what the report was built from; a run that has it is left alone.
    """
    try:
        mlflow = mlflow_client.client()
        if experiment := open_experiment(mlflow, study):
            log_into(mlflow, experiment, study, folder, mark)
    except Exception as error:  # whatever MLflow, its database or its server raise: the report lies in its folder
        tell(f"MLflow did not take the report ({in_short(error)}); it is in {folder}")


def log_into(mlflow: MlflowClient, experiment: Experiment, study: str, folder: Path, mark: str) -> None:
    """Bring the run up to date, and let the experiment's description find it."""
    run, *others = runs_of(mlflow, experiment) or [None]
    for other in others:
        mlflow.delete_run(other.info.run_id)
    if run is None:
        tags = {"study": study, "kind": REPORT_KIND}
        run = mlflow.create_run(experiment.experiment_id, int(1e3 * time.time()), tags, run_name=REPORT_KIND)
    run_id = run.info.run_id
    if run.data.tags.get("digest") != mark:
        replace_files(mlflow, run, folder)
        note = mlflow_experiment.signed(description(study, folder))
        mlflow.log_batch(run_id, tags=[RunTag(mlflow_experiment.NOTE_TAG, note)])
        mlflow.set_terminated(run_id)
        mlflow.set_tag(run_id, "digest", mark)  # last: an interrupted update is done again
    if experiment.tags.get(REPORT_TAG) != run_id:
        mlflow.set_experiment_tag(experiment.experiment_id, REPORT_TAG, run_id)


def open_experiment(mlflow: MlflowClient, study: str) -> Experiment | None:
    """A study's experiment; None where there is none, or it was deleted."""
    experiment = mlflow_experiment.find(mlflow, study)
    return None if experiment is None or mlflow_experiment.is_deleted(experiment) else experiment


def runs_of(mlflow: MlflowClient, experiment: Experiment) -> list[Run]:
    """The runs of kind `report` of an experiment, the newest first."""
    runs = mlflow.search_runs([experiment.experiment_id], f"tags.kind = '{REPORT_KIND}'")
    return sorted(runs, key=lambda run: run.info.start_time, reverse=True)


def replace_files(mlflow: MlflowClient, run: Run, folder: Path) -> None:
    """Put the files of a report into its run, and take out what an older report had and this one has not."""
    files = files_of(folder)
    for name, file in files.items():
        parent = name.rpartition("/")[0]
        mlflow.log_artifact(run.info.run_id, str(file), parent or None)
    for stale in set(artifacts_in(mlflow, run.info.run_id)) - set(files):
        artifacts_of(run).delete_artifacts(stale)


def files_of(folder: Path) -> dict[str, Path]:
    """The files of a built report that a person looks for, by their path in the folder."""
    found = [file for pattern in FILES for file in sorted(folder.glob(pattern)) if file.stat().st_size]
    return {file.relative_to(folder).as_posix(): file for file in found}


def artifacts_in(mlflow: MlflowClient, run_id: str, path: str | None = None) -> Iterator[str]:
    """The path of every file that a run carries."""
    for artifact in mlflow.list_artifacts(run_id, path):
        if artifact.is_dir:
            yield from artifacts_in(mlflow, run_id, artifact.path)
        else:
            yield artifact.path


def description(study: str, folder: Path) -> str:
    """What the run says of itself, in Markdown."""
    has_paper = (folder / "report.pdf").exists()
    paper = "`report.pdf` is the paper, " if has_paper else "There is no `report.pdf`: no LaTeX was there. "
    return (
        f"The report of study **{study}**, under Artifacts: {paper}`report.html` the same for a browser (pick it and"
        " MLflow shows it; downloaded, it needs no network), `figures` and `tables` its parts, `results.json` every"
        f" number with its unit and runs.\n\n`make paper STUDY={study}` builds it anew and replaces what is here. This"
        " run is no measurement, and no comparison counts it."
    )
