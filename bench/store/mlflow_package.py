"""MLflow's names that this room uses, imported behind the settings under which it stays quiet and does not hang.

A user's own value of any of these environment variables counts.
"""

import logging
import os

REQUEST_LIMIT_S = 8  # in which a server must answer any request
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # a line for each run of a tracking server
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(REQUEST_LIMIT_S))  # MLflow's own 120 s would be silence
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # its seven take minutes; the records wait on disk
logging.getLogger("alembic").setLevel(logging.WARNING)  # its migrations are no news to the user

from alembic.script import ScriptDirectory  # noqa: E402, F401 (imported here, behind the settings)
from mlflow.entities import Experiment, Metric, Param, Run, RunTag, ViewType  # noqa: E402, F401
from mlflow.exceptions import MlflowException  # noqa: E402, F401
from mlflow.store.artifact.artifact_repo import ArtifactRepository  # noqa: E402
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository  # noqa: E402
from mlflow.store.db import utils as database  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402, F401

logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # what it refuses is raised as well, and said in one line
database.MAX_RETRY_COUNT = 1  # MLflow's ten tries at a database that cannot be opened take minutes


def artifacts_of(run: Run) -> ArtifactRepository:
    """Where a run's artifacts lie: the client writes and reads there, and has no call that deletes a file."""
    return get_artifact_repository(run.info.artifact_uri)
