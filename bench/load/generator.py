"""AIPerf, NVIDIA's load generator, in an environment of its own: started, waited for, and its report read.

Nothing here generates load. AIPerf keeps so many requests under way at once, takes the times, counts the tokens of the
answers with the pair's tokenizer, and writes a report in JSON. What it says under other units than expected is refused.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.common.errors import BadInput
from bench.load.address import API_KEY, PATHS
from bench.records.settings import Load

PYTHON = Path(".venv-load/bin/python")  # of its environment
PACKAGE = "aiperf"
REQUEST_LIMIT_S = 600  # after which a request counts as failed
STOP_LIMIT_S = 10.0
LONGEST_REASON = 200  # characters of what the generator says
REPORT = "profile_export_aiperf.json"  # the file that it writes
# The key goes to the generator in its environment, since everybody may read a process's command line.
START = (
    f"import os, sys; key = os.environ.get('{API_KEY}'); sys.argv += ['--api-key', key] if key else [];"
    " from aiperf.cli import app; sys.exit(app())"
)
# Where it is told to stay off the hub it looks for a tokenizer's directory in the hub's cache, and finds none; so it is
# not told so, and the hub is an address at which nobody listens.
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
# Unbuffered, so that the last line of its log is the last that it said.
OWN_SETTINGS = {"HF_ENDPOINT": "http://127.0.0.1:9", "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}


class Failed(Exception):
    """The generator came to no result. The message says why in one line."""


@dataclass(frozen=True)
class Figure:
    """Where a value stands in the generator's report. unit: in which it must be."""

    metric: str
    part: str
    unit: str


FIGURES = {
    "requests_per_s": Figure("request_throughput", "avg", "requests/sec"),
    "tokens_per_s": Figure("output_token_throughput", "avg", "tokens/sec"),
    "answer_tokens": Figure("output_sequence_length", "avg", "tokens"),
    "good_per_s": Figure("goodput", "avg", "requests/sec"),
    **{
        f"{name}_{part}_ms": Figure(metric, part, "ms")
        for name, metric in (
            ("ttft", "time_to_first_token"),
            ("gap", "inter_token_latency"),
            ("latency", "request_latency"),
        )
        for part in ("p50", "p95", "p99")
    },
}
ANSWERED, GOOD = Figure("request_count", "avg", "requests"), Figure("good_request_count", "avg", "requests")


def version(python: Path = PYTHON) -> str:
    """ "aiperf 0.13.0", as it is installed. Raises BadInput where it is not."""
    code = f"from importlib.metadata import version; print('{PACKAGE}', version('{PACKAGE}'))"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BadInput(
            f"{python}: the load generator is not installed; `make load` does that, or: python3 -m venv .venv-load &&"
            " .venv-load/bin/pip install -r configs/requirements-load.txt"
        ) from error
    return done.stdout.strip()


def write_prompts(texts: Iterable[str], file: Path) -> None:
    """A file of prompts in the generator's format, a line each."""
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")


def command(asked: Load, prompts: Path, tokenizer: str, folder: Path) -> list[str]:
    """The generator's arguments. prompts: its file. tokenizer: a directory. folder: for what it writes."""
    parts = urlsplit(asked.server)
    path = f"{parts.path}/{PATHS[asked.endpoint]}"
    return [
        "profile", "--model", asked.model, "--url", f"{parts.scheme}://{parts.netloc}", "--custom-endpoint", path,
        "--streaming", "--endpoint-type", asked.endpoint, "--use-legacy-max-tokens",
        "--extra-inputs", json.dumps({"max_tokens": asked.gen_length, "temperature": asked.temperature}),
        "--tokenizer", tokenizer, "--input-file", str(prompts), "--custom-dataset-type", "single_turn",
        "--dataset-sampling-strategy", "sequential", "--random-seed", "0",
        "--concurrency", str(asked.concurrency), "--request-count", str(asked.requests),
        "--warmup-request-count", str(asked.concurrency), "--request-timeout-seconds", str(REQUEST_LIMIT_S),
        "--goodput", f"time_to_first_token:{1e3 * asked.ttft_limit_s:g} inter_token_latency:{asked.gap_limit_ms:g}",
        "--export-level", "summary", "--ui", "none", "--no-gpu-telemetry", "--no-server-metrics",
        "--output-artifact-dir", str(folder),
    ]  # fmt: skip


def run(asked: Load, prompts: Path, tokenizer: str, folder: Path, python: Path = PYTHON) -> dict:
    """The generator's report of one load. Raises Failed."""
    log = folder / "generator.log"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", *OFFLINE))}
    line = [str(python), "-c", START, *command(asked, prompts, tokenizer, folder)]
    with open(log, "w") as stream:
        process = subprocess.Popen(line, env=kept | OWN_SETTINGS, stdout=stream, stderr=stream, start_new_session=True)
        try:
            status = process.wait()
        finally:
            stop(process)
    try:
        return json.loads((folder / REPORT).read_text())
    except (OSError, ValueError) as error:
        raise Failed(f"{PACKAGE} ended with status {status}: {last_words(log)}") from error


def last_words(log: Path) -> str:
    """The last error in what the generator said, or its last line, in one line that is not too long."""
    said = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line.partition(" ERROR ")[2].strip() for line in said if " ERROR " in line]
    return (errors or said or ["it said nothing"])[-1][:LONGEST_REASON]


def stop(process: subprocess.Popen) -> None:
    """End the generator with every process that it started, where any is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            continue


def figure(report: dict, where: Figure) -> float | None:
    """A value of a report; None where it has none. Raises Failed where it has another unit."""
    block = report.get(where.metric) or {}
    value = block.get(where.part)
    if value is None:
        return None
    if block.get("unit") != where.unit:
        raise Failed(f"{PACKAGE} gives {where.metric} in {block.get('unit')}, not in {where.unit}")
    return float(value)


def values_of(report: dict, asked: Load) -> dict[str, float]:
    """A report's values under the names of our metrics; what it does not say is absent. Raises Failed where no request
    was answered, or a unit is another."""
    answered = figure(report, ANSWERED)
    if not answered:
        errors = report.get("error_summary") or [{}]
        why = (errors[0].get("error_details") or {}).get("message", "no reason is given")
        raise Failed(f"no request of {asked.requests} was answered: {' '.join(str(why).split())[:LONGEST_REASON]}")
    values = {name: figure(report, where) for name, where in FIGURES.items()}
    good = figure(report, GOOD)
    values |= {
        "failed_requests": asked.requests - answered,
        "good_share": None if good is None else good / asked.requests,
    }
    return {name: value for name, value in values.items() if value is not None}
