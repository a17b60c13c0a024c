"""MLflow's pages: every run of every study, and charts over the denoising steps.

    python -m bench.ui                 # at http://127.0.0.1:5000
    python -m bench.ui --port 5001

Prints a link to the charts of each study, then runs MLflow's server until Ctrl-C. Where MLFLOW_TRACKING_URI is the
address of a server, that one has the pages: the links are its own, and none is started here.
"""

import os
import sys

from bench.common.cli import Parser
from bench.common.errors import BadInput, exit_code

PORTS = range(1, 1 << 16)


def main() -> int:
    parser = Parser("bench.ui", __doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at; default: this machine alone")
    parser.add_argument("--port", type=int, default=5000)
    args = parser.parse_args()
    if args.port not in PORTS:
        parser.error(f"--port {args.port}: expected {PORTS[0]} to {PORTS[-1]}")
    from bench.store import mlflow_client, mlflow_experiment, mlflow_view
    from bench.store.tracking_uri import VARIABLE, is_web_server, tracking_uri, without_secrets

    uri = tracking_uri()
    place = without_secrets(uri).rstrip("/") if is_web_server(uri) else f"http://{args.host}:{args.port}"
    try:
        studies = mlflow_experiment.studies(mlflow_client.client(), are_only_read=is_web_server(uri))
    except mlflow_client.REFUSALS as error:
        raise BadInput(f"MLflow's pages cannot be shown: {error}") from error
    for study, experiment_id in studies:
        print(f"study {study}: {place}/{mlflow_view.address(experiment_id)}", flush=True)
    if not studies:
        print("no study is tracked yet; `make study` makes one", flush=True)
    if is_web_server(uri):
        print(f"these pages are at {place} ({VARIABLE}), so none are started here")
    else:
        become_server(uri, args.host, args.port)
    return 0


def become_server(uri: str, host: str, port: int) -> None:
    """Run MLflow's server in place of this process."""
    store = ("--workers", "1", "--backend-store-uri", uri)
    place = ("--host", host, "--port", str(port))
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *store, *place])


if __name__ == "__main__":
    sys.exit(exit_code(main))
