"""MLflow's client, behind a database that is whole or a server that answers."""

import re
import threading
from collections.abc import Callable
from functools import cache

from bench.store import mlflow_database
from bench.store.mlflow_package import SIGN_OF_LIFE_S, MlflowClient
from bench.store.tracking_uri import is_server, tracking_uri, without_password


class NoAnswer(Exception):
    """A tracking server that does not answer. The message says so in one line."""


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
        within(SIGN_OF_LIFE_S, lambda: MlflowClient(uri).search_experiments(max_results=1), uri)
    else:
        mlflow_database.ensure(uri)


def within(limit_s: float, ask: Callable[[], object], uri: str) -> None:
    """Ask a server, and wait so long in all: a request's own limit holds neither for names nor for a slow trickle."""
    raised: list[Exception] = []

    def call() -> None:
        try:
            ask()
        except Exception as error:  # passed on below
            raised.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(limit_s)
    if thread.is_alive():
        raise NoAnswer(f"{without_password(uri)} did not answer within {limit_s:.0f} s")
    if raised:
        raise NoAnswer(f"{without_password(uri)} does not answer as MLflow does: {reason(raised[0])}") from raised[0]


def reason(error: Exception) -> str:
    """Why a request failed, in few words: the system's own where there are any."""
    text = " ".join(str(error).split())
    words = re.findall(r"\[Errno -?\d+\] ([\w ]+)", text)
    if words:
        return words[-1].lower()
    return "no answer in time" if "timed out" in text else text[:150]


def is_no_answer(error: BaseException | None) -> bool:
    """Whether a server has stopped answering, so that asking it again would only take time."""
    import requests

    while error is not None:
        if isinstance(error, NoAnswer | requests.exceptions.ConnectionError | requests.exceptions.Timeout):
            return True
        error = error.__cause__ or error.__context__
    return False
