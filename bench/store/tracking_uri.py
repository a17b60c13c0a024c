"""Where runs are tracked. MLflow is not imported here: a bare machine asks as well."""

import os
import re
from pathlib import Path

VARIABLE = "MLFLOW_TRACKING_URI"  # of the environment
TOKEN = "MLFLOW_TRACKING_TOKEN"  # of the environment: what MLflow's client shows a server
USER, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"  # the same for a server that asks for these


def tracking_uri() -> str:
    """The user's MLFLOW_TRACKING_URI, else the file `mlflow.db` in the working directory.

    MLflow's default is the same file, but of a path with a blank it makes another one (`my%20folder`).
    """
    return os.environ.get(VARIABLE) or f"sqlite:///{Path('mlflow.db').absolute()}"


def is_server(uri: str) -> bool:
    """Whether something beyond this machine's files must answer: a tracking server, or a database server."""
    return "://" in uri and not uri.startswith(("sqlite:", "file:"))


def is_web_server(uri: str) -> bool:
    """Whether a tracking server is meant, which is asked over http and shows its own pages."""
    return uri.startswith(("http:", "https:"))


def without_secrets(text: str) -> str:
    """A text whose URIs have lost the name and the password of their user, and in which the token and the password of
    the environment, which a server may have said back, are called by the names of their variables."""
    text = re.sub(r"://[^/\s]*@", "://", text)
    for name in (TOKEN, PASSWORD):
        if secret := os.environ.get(name):
            text = text.replace(secret, name)
    return text
