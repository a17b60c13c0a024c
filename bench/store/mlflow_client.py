"""MLflow's client, behind a database that is whole or a server that answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from bench.store import mlflow_database, sign_of_life
from bench.store.mlflow_package import MlflowClient, MlflowException
from bench.store.sign_of_life import NoAnswer, NotAllowed
from bench.store.tracking_uri import PASSWORD, TOKEN, USER, is_server, tracking_uri, without_secrets

REFUSALS = (NoAnswer, NotAllowed, mlflow_database.UnusableDatabase)  # what `check` raises, each with a line as message
NOT_ALLOWED = (401, 403)  # how a server says over http that it does not let a user in


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

    Raises NoAnswer within ten seconds, NotAllowed, UnusableDatabase, and OSError where the database cannot be written.
    """
    uri = uri or tracking_uri()
    if is_server(uri):
        sign_of_life.ask_if_server(uri)
        sign_of_life.within(sign_of_life.LIMIT_S, lambda: be_let_in(uri), uri)
    else:
        mlflow_database.ensure(uri)


def be_let_in(uri: str) -> None:
    """Ask a server one small thing. Raises NotAllowed, and whatever else MLflow raises."""
    with refusals_named(uri):
        MlflowClient(uri).search_experiments(max_results=1)


@contextmanager
def refusals_named(uri: str) -> Iterator[None]:
    """Let what a server answers to a user whom it does not let in be a NotAllowed, which says what to do."""
    try:
        yield
    except MlflowException as error:
        status = error.get_http_status_code()
        if status not in NOT_ALLOWED:
            raise
        raise NotAllowed(
            f"{without_secrets(uri)} does not let this user in (it answers {status}); put a token that it takes into"
            f" the environment as {TOKEN}, or a name and a password as {USER} and {PASSWORD}"
        ) from error


def in_words(error: Exception) -> Exception:
    """An error of MLflow's; where it says that the server has stopped answering, a NoAnswer that says so shortly."""
    uri = tracking_uri()
    if isinstance(error, REFUSALS) or not is_server(uri) or not is_no_answer(error):
        return error
    first: BaseException = error  # in the chain of those that led to it
    while first.__cause__ or first.__context__:
        first = first.__cause__ or first.__context__
    return NoAnswer(f"{without_secrets(uri)} does not answer any more: {sign_of_life.reason(first)}")


def is_no_answer(error: BaseException | None) -> bool:
    """Whether a server has stopped answering, so that asking it again would only take time."""
    import requests

    while error is not None:
        if isinstance(error, NoAnswer | NotAllowed | requests.exceptions.ConnectionError | requests.exceptions.Timeout):
            return True
        error = error.__cause__ or error.__context__
    return False
