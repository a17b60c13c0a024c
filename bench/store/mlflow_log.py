"""MLflow: the only module that imports it. One run is one cell; records are the source of everything in it.

    python -m bench.tracking replay FILE      # records of another machine (.jsonl or .jsonl.gz) into this one's MLflow
    python -m bench.tracking restore STUDY    # the same with a published study (paper/recorded)

MLflow's defaults are kept (`mlflow.db` in the working directory, artifacts under `mlruns/`), so a bare
`mlflow ui` in the repository's root shows what was tracked. Logging is idempotent: a run carries a digest of
the records that it shows, and nothing happens while that is current.
"""

import hashlib
import json
import time
from collections.abc import Iterator

from bench.records import metrics, trust, utilisation
from bench.records.merge import CellRecords
from bench.store import mlflow_client
from bench.store.generations import generations
from bench.store.mlflow_client import Metric, MlflowClient, Param, Run, RunTag

SIGNIFICANT_DIGITS = 6
RULES = 4  # of what a run shows of its records; another number logs every run anew
NOT_PARAMS = ("pair", "kind", "device", "weights", "tokenizer", "time_limit_s", "first")  # tags; places and order


def experiment_id(mlflow: MlflowClient, study: str) -> str:
    found = mlflow.get_experiment_by_name(study)
    return found.experiment_id if found else mlflow.create_experiment(study)


def digest(entry: CellRecords) -> str:
    text = json.dumps([RULES, entry.rounds, entry.scores, entry.ceilings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def find_run(mlflow: MlflowClient, experiment: str, cell_id: str) -> Run | None:
    found = mlflow.search_runs([experiment], f"tags.cell_id = '{cell_id}'", max_results=1)
    return found[0] if found else None


def log_cell(study: str, cell_id: str, entry: CellRecords) -> None:
    """Bring one cell's run up to its records: created if new, untouched if current."""
    mlflow = mlflow_client.client()
    experiment = experiment_id(mlflow, study)
    run = find_run(mlflow, experiment, cell_id)
    current = digest(entry)
    if run and run.data.tags.get("digest") == current:
        return
    rounds = list(entry.rounds.values())
    shown = {f"{RULES}:{n}:{r['started']}": n for n, r in sorted(entry.rounds.items()) if r["outcome"] == "ok"}
    logged = set(run.data.tags.get("rounds_logged", "").split()) if run else set()
    if logged - set(shown):  # a round was measured again, and MLflow forgets no value
        mlflow.delete_run(run.info.run_id)
        run, logged = None, set()
    if run is None:
        started = int(1e3 * min((r["started"] for r in rounds), default=time.time()))
        name = {"cell_id": cell_id}  # from the first moment, so that an interrupted update finds it
        run = mlflow.create_run(experiment, start_time=started, tags=name, run_name=run_name(entry.cell))
    run_id = run.info.run_id
    values = metrics_of(entry, {shown[name] for name in logged}, set(run.data.metrics))
    params = [Param(k, str(v)) for k, v in entry.cell.items() if k not in NOT_PARAMS] if not run.data.params else []
    tags = tags_of(study, cell_id, entry) | {"rounds_logged": " ".join(shown)}
    for start in range(0, len(values), 1000):  # MLflow's limit for one call
        mlflow.log_batch(run_id, metrics=values[start : start + 1000])
    if "generations" not in run.data.tags and (text := generations(entry)):
        mlflow.log_text(run_id, text, "generations.jsonl")
        tags["generations"] = "generations.jsonl"
    mlflow.log_batch(run_id, params=params, tags=[RunTag(k, v) for k, v in tags.items()])
    complete = set(entry.rounds) >= set(range(1, 1 + max((r["rounds"] for r in rounds), default=0)))
    if entry.failed or complete:
        ended = int(1e3 * max((r["ended"] for r in rounds), default=time.time()))
        mlflow.set_terminated(run_id, "FAILED" if entry.failed else "FINISHED", end_time=ended)
    mlflow.set_tag(run_id, "digest", current)  # last: an interrupted update is done again


def run_name(cell: dict) -> str:
    """What the list of runs shows: `llada 16 steps, 128 tokens`."""
    if cell["kind"] == "reference":
        return "human reference"
    if cell["kind"] == "likelihood":
        return f"{cell['model']} likelihood of {cell['text']}"
    engine = ", captured" if cell.get("engine") == "captured" else ""
    if cell["kind"] == "sentinel":
        return f"sentinel {cell['twin']}{engine}"
    steps = f" {cell['steps']} steps" if "steps" in cell else ""
    what = "tasks" if cell["kind"] == "tasks" else f"{cell['gen_length']} tokens"
    head = f", {cell['head']} head" if cell.get("head") else ""
    heat = f", temperature {cell['temperature']:g}" if cell.get("temperature") else ""
    return f"{cell['model']}{steps}, {what}{head}{engine}{heat}"


def tags_of(study: str, cell_id: str, entry: CellRecords) -> dict[str, str]:
    """The tags of the contract and where the run came from."""
    head = {"study": study, "kind": entry.cell["kind"], "pair": entry.cell["pair"], "cell_id": cell_id}
    if not entry.rounds:
        return head | {"outcome": "ok"}
    last = list(entry.rounds.values())[-1]
    shown = entry.failed or last
    verdict, reason = trust.verdict(entry)
    card = {k: v for k, v in last.get("nvml", {}).items() if k in ("telemetry", "sampler_cpu_s", "lists_hidden")}
    return head | {
        "outcome": shown["outcome"],
        "message": shown["message"],
        "verdict": verdict,
        "verdict_reason": reason,
        "flags": ", ".join(trust.flags(entry)),
        "platform": entry.cell["device"],
        "device": last["environment"]["device"],
        "weights": "trained" if entry.cell.get("random_seed") is None else "random",
        "git": " ".join(sorted({record.get("git", "") for record in entry.rounds.values()})),
        "command": last.get("command", ""),
        "order": " ".join(f"{number}:{record.get('order', '')}" for number, record in sorted(entry.rounds.items())),
        "order_seed": str(last.get("seed", "")),
        **utilisation.ceiling_tags(entry),
        **{f"env.{name}": str(value) for name, value in flat(last["environment"]) if name not in ("verdict", "device")},
        **{f"card.{name}": str(value) for name, value in flat(card)},
    }


def flat(values: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested values under dotted names."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def metrics_of(entry: CellRecords, logged: set[int], names: set[str]) -> list[Metric]:
    """All values to log: each new round at its number, then headlines and quality at the number of rounds.

    logged: rounds that are there, with metrics of these names; one that came later (ceilings measured last) is new.
    """
    rounds = metrics.round_metrics(entry)
    now, last = int(1e3 * time.time()), len(rounds)
    found = [
        Metric(f"rounds/{name}", rounded(value), now, number)
        for number, values in rounds.items()
        for name, value in values.items()
        if number not in logged or f"rounds/{name}" not in names
    ]
    plain = metrics.headline(rounds) | metrics.quality_metrics(entry)
    found += [Metric(name, rounded(value), now, last) for name, value in plain.items()]
    found += [Metric(f"per_prompt/{n}", rounded(v), now, i) for n, i, v in metrics.per_prompt(entry)]
    return found


def rounded(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
