"""Where runs are tracked. MLflow is not imported here: a bare machine asks as well."""

import os
from pathlib import Path
from urllib.parse import urlsplit

VARIABLE = "MLFLOW_TRACKING_URI"  # of the environment


def tracking_uri() -> str:
    """The user's MLFLOW_TRACKING_URI, else the file `mlflow.db` in the working directory.

    MLflow's default is the same file, but of a path with a blank it makes another one (`my%20folder`).
    """
    return os.environ.get(VARIABLE) or f"sqlite:///{Path('mlflow.db').absolute()}"


def is_server(uri: str) -> bool:
    """Whether something beyond this machine's files must answer: a tracking server, or a database server."""
    return "://" in uri and not uri.startswith(("sqlite:", "file:"))


def without_password(uri: str) -> str:
    """A URI without the user's name and password."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
