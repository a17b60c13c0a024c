"""Whose a study on a tracking server is.

A server is shared, and `pocket` is what everybody's first study is called. Two machines that logged their own records
under one name would each take the other's runs for old ones of theirs, and delete them. So the experiment of a study on
a server bears the name of the records that it shows, which is made of the first of them: records are only ever
appended, so it stays the same while a study grows, and in every copy of it. A file on this machine needs none of this.
"""

import hashlib
import json

from bench.common.errors import BadInput
from bench.store import disk, mlflow_experiment
from bench.store.mlflow_package import MlflowClient
from bench.store.tracking_uri import is_server, tracking_uri, without_secrets

TAG = "records"  # of an experiment on a server: the name of the records that it shows
PARTS = ("record", "cell_id", "started", "ended")  # of a record, equal where a study is published


def name_of(study: str) -> str | None:
    """Sixteen hex digits that name a study's records on this machine; None where it has none yet."""
    first = disk.first_json(disk.path(study))
    if first is None:
        return None
    return hashlib.sha256(json.dumps([first.get(part) for part in PARTS]).encode()).hexdigest()[:16]


def check(mlflow: MlflowClient, study: str) -> None:
    """Raise BadInput where a server has a study of this name that was logged from other records than this machine's."""
    if not is_server(tracking_uri()):
        return
    experiment = mlflow_experiment.find(mlflow, study)
    theirs = experiment.tags.get(TAG) if experiment else None
    if theirs in (None, name_of(study)):
        return
    raise BadInput(
        f"STUDY={study}: {without_secrets(tracking_uri())} has a study of this name from other records than"
        f" {disk.path(study)}, and its runs would be replaced; give another STUDY, or bring its records here first"
    )


def sign(mlflow: MlflowClient, experiment_id: str, tags: dict[str, str], study: str) -> None:
    """Let the experiment of a study on a server bear the name of its records. tags: that it has."""
    name = name_of(study)
    if is_server(tracking_uri()) and name and tags.get(TAG) != name:
        mlflow.set_experiment_tag(experiment_id, TAG, name)
