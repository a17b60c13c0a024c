"""MLflow's pages: every run of every study, and charts over the denoising steps.

    python -m bench.ui                 # at http://127.0.0.1:5000
    python -m bench.ui --port 5001

Prints a link to the charts of each study, then runs MLflow's server until Ctrl-C.
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
    from bench.store.tracking_uri import VARIABLE, tracking_uri, without_password

    uri = tracking_uri()
    if uri.startswith("http"):
        raise BadInput(f"{VARIABLE}={without_password(uri)}: this server has the runs and shows its own pages")
    try:
        studies = mlflow_experiment.studies(mlflow_client.client())
    except mlflow_client.REFUSALS as error:
        raise BadInput(f"MLflow's pages cannot be shown: {error}") from error
    for study, experiment_id in studies:
        print(f"study {study}: http://{args.host}:{args.port}/{mlflow_view.address(experiment_id)}", flush=True)
    if not studies:
        print("no study is tracked yet; `make study` makes one", flush=True)
    server = [
        "-m",
        "mlflow",
        "ui",
        "--workers",
        "1",
        "--backend-store-uri",
        uri,
        "--host",
        args.host,
        "--port",
        str(args.port),
    ]
    os.execv(sys.executable, [sys.executable, *server])


if __name__ == "__main__":
    sys.exit(exit_code(main))
