"""Does a tracking server answer at all? Asked before MLflow is imported, which alone takes seconds."""

import http.client
import re
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable

from bench.store.refusal import LONGEST_REASON
from bench.store.tracking_uri import is_web_server, without_secrets

HUNG_UP = ("Connection aborted", "Remote end closed connection")  # what libraries say of a connection that was closed
LIMIT_S = 4.0  # in which a server must answer, in all


class NoAnswer(Exception):
    """A tracking server that does not answer. The message says so in one line."""


class NotAllowed(Exception):
    """A tracking server that answers, and does not let this user in. The message says so in one line."""


def ask_if_server(uri: str) -> None:
    """Ask for a sign of life, if a URI is the http address of a server. Raises NoAnswer."""
    if is_web_server(uri):
        ask(uri)


def ask(uri: str) -> None:
    """Ask a server at an http address for anything; whatever it answers is a sign of life.

    Raises NoAnswer. Nothing secret is sent, so a certificate that is not trusted is left to MLflow.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))

    def get() -> None:
        try:
            opener.open(f"{without_secrets(uri).rstrip('/')}/health", timeout=LIMIT_S).close()
        except urllib.error.HTTPError:
            return  # it refuses, and so it lives

    within(LIMIT_S, get, uri)


def within(limit_s: float, question: Callable[[], None], uri: str) -> None:
    """Ask a server, and wait so long in all: a request's own limit holds neither for names nor for a slow trickle.

    Raises NoAnswer, also in place of whatever the question raises but NotAllowed.
    """
    raised: list[Exception] = []

    def call() -> None:
        try:
            question()
        except Exception as error:  # passed on below
            raised.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(limit_s)
    place = without_secrets(uri)
    if thread.is_alive() or (raised and isinstance(raised[0], TimeoutError)):
        raise NoAnswer(f"{place} did not answer within {limit_s:.0f} s")
    if raised and isinstance(raised[0], NotAllowed):
        raise raised[0]
    if raised:
        is_other = isinstance(raised[0], http.client.HTTPException)
        said = "does not answer" if not is_other else "does not answer as a web server does"
        raise NoAnswer(f"{place} {said}: {reason(raised[0])}") from raised[0]


def reason(error: Exception) -> str:
    """Why a request failed, in few words: the system's own where there are any."""
    text = without_secrets(" ".join(str(error).split()))
    words = re.findall(r"\[Errno -?\d+\] ([\w ]+)", text)
    if not words and any(sign in text for sign in HUNG_UP):
        return "it hung up"
    return words[-1].lower() if words else text[:LONGEST_REASON]
