"""MLflow's client, behind a database that is whole or a server that answers."""

from functools import cache

from bench.store import mlflow_database, sign_of_life
from bench.store.mlflow_package import MlflowClient
from bench.store.sign_of_life import NoAnswer
from bench.store.tracking_uri import is_server, tracking_uri

REFUSALS = (NoAnswer, mlflow_database.UnusableDatabase)  # what `check` raises, each with a message in one line


def client() -> MlflowClient:
    """A client that works, checked when it is first asked for; one for the process, since each new one opens the
    database again. Raises what `check` raises."""
    return client_of(tracking_uri())


@cache
def client_of(uri: str) -> MlflowClient:
    check(uri)
    return MlflowClient(uri)


def check(uri: str | None = None) -> None:
    """See that MLflow can work: make its database if it is not there, or ask the server for a sign of life.

    Raises NoAnswer within ten seconds, UnusableDatabase, and OSError where the database cannot be written.
    """
    uri = uri or tracking_uri()
    if is_server(uri):
        sign_of_life.ask_if_server(uri)
        sign_of_life.within(sign_of_life.LIMIT_S, lambda: MlflowClient(uri).search_experiments(max_results=1), uri)
    else:
        mlflow_database.ensure(uri)


def is_no_answer(error: BaseException | None) -> bool:
    """Whether a server has stopped answering, so that asking it again would only take time."""
    import requests

    while error is not None:
        if isinstance(error, NoAnswer | requests.exceptions.ConnectionError | requests.exceptions.Timeout):
            return True
        error = error.__cause__ or error.__context__
    return False
