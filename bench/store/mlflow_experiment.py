"""A study's experiment in MLflow: found although it was renamed, restored where it was deleted, and described.

The tag `study` says whose it is, whatever its name has become on MLflow's pages.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from bench.common.errors import BadInput
from bench.store import disk, mlflow_view
from bench.store.mlflow_package import Experiment, MlflowClient, Run, ViewType

STUDY_TAG = "study"
KIND_TAG = "mlflow.experimentKind"  # decides which pages MLflow shows of an experiment, and which first
KIND = "custom_model_development"  # runs and their charts; MLflow's other kind is of chats and their traces
KINDS_NOT_CHOSEN = (None, "", "no_inferred_type", "custom_model_development_inferred", "genai_development_inferred")
NOTE_TAG = "mlflow.note.content"  # the description on an experiment's page, in Markdown
REPORT_KIND = mlflow_view.REPORT  # of the run that holds a study's report and is no measurement
REPORT_TAG = "report_run"  # of an experiment: the id of that run
PAGE = 1000  # runs or experiments that are asked for at once


@dataclass(frozen=True)
class Opened:
    """A study's experiment, ready to be written. tags: that it had before. was_deleted: it had been deleted on MLflow's
    pages."""

    experiment_id: str
    tags: dict[str, str]
    was_deleted: bool = False


def find(mlflow: MlflowClient, study: str) -> Experiment | None:
    """A study's experiment, deleted or not; None where it has none.

    Raises BadInput where another study's experiment was given its name.
    """
    named = mlflow.get_experiment_by_name(study)
    if named is None:
        renamed = (item for item in experiments(mlflow) if item.tags.get(STUDY_TAG) == study)
        return min(renamed, key=is_deleted, default=None)  # one that is there before one that was deleted
    owner = named.tags.get(STUDY_TAG, study)
    if owner != study:
        raise BadInput(
            f"STUDY={study}: in MLflow the experiment of this name is study {owner}, which was renamed there;"
            f" rename it back, or give another STUDY"
        )
    return named


def open_or_create(mlflow: MlflowClient, study: str) -> Opened:
    """A study's experiment: created if it is new, restored if it was deleted, with its tags. Raises BadInput."""
    experiment = find(mlflow, study)
    if experiment is None:
        experiment = mlflow.get_experiment(mlflow.create_experiment(study, tags={STUDY_TAG: study}))
    was_deleted = is_deleted(experiment)
    if was_deleted:
        mlflow.restore_experiment(experiment.experiment_id)
    set_tags(mlflow, experiment, study)
    return Opened(experiment.experiment_id, experiment.tags, was_deleted)


def set_tags(mlflow: MlflowClient, experiment: Experiment, study: str) -> None:
    """Say what kind of experiment it is, and offer its charts; what is so already, or a user has chosen, stays."""
    wanted = {STUDY_TAG: study} | mlflow_view.tags()
    if experiment.tags.get(KIND_TAG) in KINDS_NOT_CHOSEN:
        wanted[KIND_TAG] = KIND
    for name, value in wanted.items():
        if experiment.tags.get(name) != value:
            mlflow.set_experiment_tag(experiment.experiment_id, name, value)
    if NOTE_TAG not in experiment.tags:
        write_description(mlflow, experiment, ())


def describe(mlflow: MlflowClient, study: str, verdicts: tuple[str, ...]) -> None:
    """Put what a study says into the description of its experiment, unless a user has written one."""
    experiment = find(mlflow, study)
    if experiment is not None and not is_deleted(experiment):
        write_description(mlflow, experiment, verdicts)


def write_description(mlflow: MlflowClient, experiment: Experiment, verdicts: tuple[str, ...]) -> None:
    """Write the description, if it has changed and nobody else has written one."""
    there = experiment.tags.get(NOTE_TAG, "")
    study = experiment.tags.get(STUDY_TAG, experiment.name)
    report_run = experiment.tags.get(REPORT_TAG, "")
    text = signed(mlflow_view.description(study, experiment.experiment_id, verdicts, report_run))
    if text != there and (not there or is_ours(there)):
        mlflow.set_experiment_tag(experiment.experiment_id, NOTE_TAG, text)


def signed(text: str) -> str:
    """A description with a hash of it in a line that Markdown does not show."""
    return f"{text}\n\n[//]: # ({hashlib.sha256(text.encode()).hexdigest()[:16]})"


def is_ours(description: str) -> bool:
    """Whether a description stands as we wrote it; one that a user has written or edited does not."""
    return signed(description.rpartition("\n\n")[0]) == description


def is_deleted(experiment: Experiment) -> bool:
    """Whether it was deleted on MLflow's pages, from which it can be restored."""
    return experiment.lifecycle_stage == "deleted"


def experiments(mlflow: MlflowClient) -> Iterator[Experiment]:
    """All experiments, deleted ones too."""
    return on_all_pages(partial(mlflow.search_experiments, ViewType.ALL))


def runs(mlflow: MlflowClient, experiment_id: str) -> Iterator[Run]:
    """All runs of an experiment that were not deleted."""
    return on_all_pages(partial(mlflow.search_runs, [experiment_id]))


def on_all_pages(search: Callable) -> Iterator:
    """Everything that one of MLflow's searches finds, which answers a page at a time."""
    token = None  # of the next page
    while True:
        page = search(max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def studies(mlflow: MlflowClient, are_only_read: bool = False) -> list[tuple[str, str]]:
    """(name, id of the experiment) of every study, with the tags that MLflow's pages need.

    are_only_read: leave the tags as they are, such as those of a server's studies, which may be other people's.
    """
    result = []
    for experiment in experiments(mlflow):
        study = experiment.tags.get(STUDY_TAG, experiment.name)
        has_records = disk.path(study).exists()  # one that was tracked before experiments had tags
        if not is_deleted(experiment) and (STUDY_TAG in experiment.tags or has_records):
            if not are_only_read:
                set_tags(mlflow, experiment, study)
            result.append((study, experiment.experiment_id))
    return sorted(result)
