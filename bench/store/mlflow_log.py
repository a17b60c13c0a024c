"""MLflow: one run is one cell, and records are the source of everything in it. MLflow is imported here and in its
neighbours `mlflow_client` and `mlflow_read` alone.

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
from bench.records.settings import HumanReferences, Likelihood, Settings
from bench.records.types import Round
from bench.store import mlflow_client, text_size
from bench.store.generations import generations
from bench.store.mlflow_client import Metric, MlflowClient, Param, Run, RunTag

SIGNIFICANT_DIGITS = 6  # of every value
RULES = 6  # of what a run shows of its records; another number logs every run anew
METRICS_A_CALL = 1000  # MLflow's limit for one call of log_batch
# Settings of a cell that are no parameters: the first three are tags, the rest places on this machine and the order.
NOT_PARAMS = ("pair", "kind", "device", "weights", "tokenizer", "time_limit_s", "first")
# What a run's tags say of the card, of the report that NVML's watch made.
CARD_TAGS = ("telemetry", "sampler_cpu_s", "lists_hidden")


def experiment_id(mlflow: MlflowClient, study: str) -> str:
    """The id of a study's experiment, created if it is new."""
    experiment = mlflow.get_experiment_by_name(study)
    return experiment.experiment_id if experiment else mlflow.create_experiment(study)


def digest(entry: CellRecords) -> str:
    """Sixteen hex digits that name the records that a run shows, and the rules by which it does."""
    rounds = {number: record.to_json() for number, record in entry.rounds.items()}
    scores = {scorer: record.to_json() for scorer, record in entry.scores.items()}
    ceilings = entry.ceilings and entry.ceilings.to_json()
    text = json.dumps([RULES, rounds, scores, ceilings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def find_run(mlflow: MlflowClient, experiment: str, cell_id: str) -> Run | None:
    """The run of a cell; None where it has none yet."""
    runs = mlflow.search_runs([experiment], f"tags.cell_id = '{cell_id}'", max_results=1)
    return runs[0] if runs else None


def names_of_rounds(entry: CellRecords) -> dict[str, int]:
    """The number of each good round, by a name that says which measurement it was: by which rules, and when."""
    rounds = entry.good_rounds
    return {f"{RULES}:{number}:{record.started_s}": number for number, record in rounds.items()}


def log_cell(study: str, cell_id: str, entry: CellRecords) -> None:
    """Bring one cell's run up to its records: created if new, untouched if current."""
    mlflow = mlflow_client.client()
    experiment = experiment_id(mlflow, study)
    run = find_run(mlflow, experiment, cell_id)
    current = digest(entry)
    if run and run.data.tags.get("digest") == current:
        return
    rounds = names_of_rounds(entry)
    logged = set(run.data.tags.get("rounds_logged", "").split()) if run else set()
    if logged - set(rounds):  # a round was measured again, and MLflow forgets no value
        mlflow.delete_run(run.info.run_id)
        run = None
        logged = set()
    if run is None:
        run = create_run(mlflow, experiment, cell_id, entry)
    run_id = run.info.run_id
    values = metrics_of(entry, {rounds[name] for name in logged}, set(run.data.metrics))
    for start in range(0, len(values), METRICS_A_CALL):
        mlflow.log_batch(run_id, metrics=values[start : start + METRICS_A_CALL])
    tags = tags_of(study, cell_id, entry) | {"rounds_logged": " ".join(rounds)}
    if "generations" not in run.data.tags and (text := generations(entry)):
        mlflow.log_text(run_id, text, "generations.jsonl")
        tags["generations"] = "generations.jsonl"
    params = params_of(entry.cell) if not run.data.params else []
    mlflow.log_batch(run_id, params=params, tags=[RunTag(name, value) for name, value in tags.items()])
    terminate(mlflow, run_id, entry)
    mlflow.set_tag(run_id, "digest", current)  # last: an interrupted update is done again


def create_run(mlflow: MlflowClient, experiment: str, cell_id: str, entry: CellRecords) -> Run:
    """A new run that bears the cell's id from the first moment, so that an interrupted update finds it."""
    started_s = min((record.started_s for record in entry.rounds.values()), default=time.time())
    tags = {"cell_id": cell_id}
    return mlflow.create_run(experiment, start_time=int(1e3 * started_s), tags=tags, run_name=run_name(entry.cell))


def params_of(cell: Settings) -> list[Param]:
    """The settings of a cell that say what was measured."""
    return [Param(name, str(value)) for name, value in cell.settings().items() if name not in NOT_PARAMS]


def terminate(mlflow: MlflowClient, run_id: str, entry: CellRecords) -> None:
    """End a run whose cell failed or has all its rounds; one that has more to come stays running."""
    planned = max((record.rounds_planned for record in entry.rounds.values()), default=0)
    is_complete = set(entry.rounds) >= set(range(1, 1 + planned))
    if not entry.failed and not is_complete:
        return
    ended_s = max((record.ended_s for record in entry.rounds.values()), default=time.time())
    mlflow.set_terminated(run_id, "FAILED" if entry.failed else "FINISHED", end_time=int(1e3 * ended_s))


def run_name(cell: Settings) -> str:
    """What the list of runs shows: `llada 16 steps, 128 tokens`."""
    if isinstance(cell, HumanReferences):
        return "human reference"
    if isinstance(cell, Likelihood):
        return f"{cell.model} likelihood of {cell.text}"
    engine = ", captured" if cell.engine == "captured" else ""
    if cell.kind == "sentinel":
        return f"sentinel {cell.twin}, {cell.model}{engine}"
    steps = "" if cell.steps is None else f" {cell.steps} steps"
    what = "tasks" if cell.kind == "tasks" else f"{cell.gen_length} tokens"
    head = f", {cell.head} head" if cell.head else ""
    temperature = f", temperature {cell.temperature:g}" if cell.temperature else ""
    return f"{cell.model}{steps}, {what}{head}{engine}{temperature}"


def tags_of(study: str, cell_id: str, entry: CellRecords) -> dict[str, str]:
    """The tags of the contract and where the run came from."""
    head = {"study": study, "kind": entry.cell.kind, "pair": entry.cell.pair, "cell_id": cell_id}
    if not entry.rounds:
        return head | {"outcome": "ok"}
    rounds = sorted(entry.rounds.items())
    last = list(entry.rounds.values())[-1]
    told = entry.failed or last  # the round whose outcome the run has
    verdict, reason = trust.verdict(entry)
    return head | {
        "outcome": told.outcome,
        "message": told.message,
        "verdict": verdict,
        "verdict_reason": reason,
        "flags": ", ".join(trust.flags(entry)),
        "platform": entry.cell.device,
        "device": str(last.environment.device),
        "weights": "trained" if entry.cell.random_seed is None else "random",
        "git": " ".join(sorted({record.git or "" for record in entry.rounds.values()})),
        "command": last.command or "",
        "order": " ".join(f"{number}:{'' if record.order is None else record.order}" for number, record in rounds),
        "machines": json.dumps({number: record.environment.machine for number, record in rounds}),
        "order_seed": "" if last.order_seed is None else str(last.order_seed),
        **utilisation.ceiling_tags(entry),
        **machine_tags(last),
    }


def machine_tags(record: Round) -> dict[str, str]:
    """`env.NAME`: what a round's environment was. `card.NAME`: what NVML read of the card meanwhile."""
    environment = {
        name: value for name, value in record.environment.to_json().items() if name not in ("verdict", "device")
    }
    report = record.nvml.to_json() if record.nvml else {}
    card = {name: value for name, value in report.items() if name in CARD_TAGS}
    return {
        **{f"env.{name}": str(value) for name, value in flat(environment)},
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
    rounds = text_size.with_text_rates(entry, metrics.round_metrics(entry))
    now_ms = int(1e3 * time.time())
    values = [
        Metric(f"rounds/{name}", rounded(value), now_ms, number)
        for number, values_of_round in rounds.items()
        for name, value in values_of_round.items()
        if number not in logged or f"rounds/{name}" not in names
    ]
    plain = metrics.headline(rounds) | metrics.quality_metrics(entry)
    values += [Metric(name, rounded(value), now_ms, len(rounds)) for name, value in plain.items()]
    values += [
        Metric(f"per_prompt/{name}", rounded(value), now_ms, index) for name, index, value in metrics.per_prompt(entry)
    ]
    return values


def rounded(value: float) -> float:
    """A value with the digits that MLflow is given."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
