"""MLflow's client, and the settings under which it stays quiet."""

import logging
import os
from functools import cache

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
logging.getLogger("alembic").setLevel(logging.WARNING)  # its migrations are no news to the user

from mlflow.entities import Metric, Param, Run, RunTag  # noqa: E402, F401 (imported here, behind the switches)
from mlflow.store.db import utils as database  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402


@cache
def client() -> MlflowClient:
    """One client for the process: each new one opens the database again."""
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # what it refuses is raised as well, and said in one line
    database.MAX_RETRY_COUNT = 1  # MLflow's ten tries at a database that cannot be opened take minutes
    return MlflowClient()
