"""Where runs are tracked. MLflow is not imported here: a bare machine asks as well."""

import os
import re
from pathlib import Path

VARIABLE = "MLFLOW_TRACKING_URI"  # of the environment


def tracking_uri() -> str:
    """The user's MLFLOW_TRACKING_URI, else the file `mlflow.db` in the working directory.

    MLflow's default is the same file, but of a path with a blank it makes another one (`my%20folder`).
    """
    return os.environ.get(VARIABLE) or f"sqlite:///{Path('mlflow.db').absolute()}"


def is_server(uri: str) -> bool:
    """Whether something beyond this machine's files must answer: a tracking server, or a database server."""
    return "://" in uri and not uri.startswith(("sqlite:", "file:"))


def without_password(text: str) -> str:
    """A text whose URIs have lost the name and the password of their user."""
    return re.sub(r"://[^/\s]*@", "://", text)
