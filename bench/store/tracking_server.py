"""A tracking server is asked before anything is measured whether it is there and would take a study."""

import re

from bench.common.errors import BadInput
from bench.store import sign_of_life
from bench.store.refusal import in_short
from bench.store.tracking_uri import VARIABLE, is_server, tracking_uri

WITHOUT_SCHEME = re.compile(r"(?:[^@/\s]+@)?([\w.-]+:\d+(?:/.*)?)")  # host:port, in which MLflow sees no address


def check(study: str) -> None:
    """Raise BadInput, within some ten seconds, where the user's tracking server would not take a study. Nothing is
    asked where runs are tracked in a file.

    A server that is not there is refused here and waited for later: a wrong address is a slip that costs nothing yet,
    while a server that goes away in the middle of a study costs no measurement (bench/store/sink.py).
    """
    uri = tracking_uri()
    if place := WITHOUT_SCHEME.fullmatch(uri):
        raise BadInput(f"{VARIABLE}={place[1]}: the address of a server begins with http:// or https://")
    if not is_server(uri):
        return
    try:
        sign_of_life.ask_if_server(uri)  # before the seconds that MLflow takes to load
        from bench.store import mlflow_client, mlflow_owner

        mlflow_client.check(uri)
        with mlflow_client.refusals_named(uri):
            mlflow_owner.check(mlflow_client.client_of(uri), study)
    except BadInput:
        raise
    except sign_of_life.NotAllowed as error:
        raise BadInput(f"{VARIABLE}: {error}") from error
    except Exception as error:  # it does not answer, or as no server of MLflow does
        raise BadInput(
            f"{VARIABLE}: {in_short(error)}; start that server or correct the address. Without {VARIABLE} runs are"
            " tracked in mlflow.db, and the first command with it sends them"
        ) from error
