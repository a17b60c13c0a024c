"""MLflow: one run is one cell, and records are the source of everything in it.

Logging is idempotent: a run carries a digest of the records that it shows, and nothing happens while that is current.
"""

import hashlib
import json
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from bench.common.dtypes import EIGHT_BITS
from bench.diffusion import choices
from bench.records import metrics, trust, utilisation
from bench.records.merge import CellRecords
from bench.records.settings import Agreement, HumanReferences, Likelihood, Load, Settings
from bench.records.types import Round
from bench.spec.cell import CHECKED, ENDS, STOPS, Cell
from bench.store import mlflow_experiment, run_note, shown_scores, text_size
from bench.store.generations import generations
from bench.store.mlflow_package import Metric, MlflowClient, Param, Run, RunTag

SIGNIFICANT_DIGITS = 6  # of every value
RULES = 11  # of what a run shows of its records; another number logs every run anew
UNFINISHED = "unfinished"  # the digest of a run while it is brought up to date
SHORT_ID = 6  # hex digits of an id, in a name
# Settings of a cell that are no parameters: the first three are tags, the rest places on this machine and the order.
NOT_PARAMS = ("pair", "kind", "device", "weights", "tokenizer", "time_limit_s", "first", "former_revision",
              "identity_version")  # fmt: skip
# What a run's tags say of the card, of the report that NVML's watch made.
CARD_TAGS = ("telemetry", "sampler_cpu_s", "lists_hidden")


def digest(entry: CellRecords) -> str:
    """Sixteen hex digits that name the records that a run shows, and the rules by which it does."""
    rounds = {number: record.to_json() for number, record in entry.rounds.items()}
    scores = {scorer: record.to_json() for scorer, record in entry.scores.items()}
    ceilings = entry.ceilings and entry.ceilings.to_json()
    loads = [load.to_json() for load in entry.loads.values()]
    text = json.dumps([RULES, rounds, scores, ceilings, *loads], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def best_first(runs: Iterable[Run], current: str) -> list[Run]:
    """The runs of a cell, which should be one: first the one that shows the records as they are, then by age.

    current: the digest of the cell's records.
    """
    by_age = sorted(runs, key=lambda run: run.info.start_time, reverse=True)
    return sorted(by_age, key=lambda run: run.data.tags.get("digest") != current)


def names_of_rounds(entry: CellRecords) -> dict[str, int]:
    """The number of each good round, by a name that says which measurement it was: by which rules, and when."""
    rounds = entry.good_rounds | entry.loads
    return {f"{RULES}:{number}:{record.started_s}": number for number, record in rounds.items()}


@dataclass(frozen=True)
class Destination:
    """Where a study is logged."""

    mlflow: MlflowClient
    experiment_id: str
    study: str


def log_cell(where: Destination, cell_id: str, entry: CellRecords, runs: Iterable[Run], names: Collection[str]) -> str:
    """Bring one cell's run up to its records: created if new, untouched if current. Returns the run's name.

    runs: those that the cell has there; only one of several stays. names: of the other cells' runs.
    """
    mlflow = where.mlflow
    current = digest(entry)
    run, *others = best_first(runs, current) or [None]
    for other in others:
        mlflow.delete_run(other.info.run_id)
    if run and run.data.tags.get("digest") == current:
        return run.info.run_name
    rounds = names_of_rounds(entry)
    logged = set(run.data.tags.get("rounds_logged", "").split()) if run else set()
    if run and must_be_made_anew(run, logged - set(rounds), entry):
        mlflow.delete_run(run.info.run_id)
        run = None
        logged = set()
    if run is None:
        run = create_run(where, cell_id, entry, names)
    else:
        mlflow.set_tag(run.info.run_id, "digest", UNFINISHED)
    run_id = run.info.run_id
    values = metrics_of(entry, {rounds[name] for name in logged}, run.data.metrics)
    log(mlflow, run, values, tags_of(where.study, cell_id, entry) | {"rounds_logged": " ".join(rounds)}, entry)
    terminate(mlflow, run_id, entry)
    mlflow.set_tag(run_id, "digest", current)  # last: an interrupted update is done again
    return run.info.run_name


def must_be_made_anew(run: Run, rounds_gone: Collection[str], entry: CellRecords) -> bool:
    """Whether a run has values that must go: MLflow takes none back. rounds_gone: those that it shows and that do not
    count any more, since they were measured again.

    An update that was interrupted may have left values that a second try would log once more.
    """
    is_interrupted = run.data.tags.get("digest", UNFINISHED) == UNFINISHED and bool(run.data.metrics)
    return is_interrupted or bool(rounds_gone) or shown_scores.are_stale(run.data.metrics, entry)


def log(mlflow: MlflowClient, run: Run, values: list[Metric], tags: dict[str, str], entry: CellRecords) -> None:
    """Give a run these values and tags, its parameters if it has none yet, and the texts that it generated if it lacks
    them. A server is asked as seldom as can be: the client cuts what is too long for one call."""
    run_id = run.info.run_id
    if "generations" not in run.data.tags and (text := generations(entry)):
        mlflow.log_text(run_id, text, "generations.jsonl")
        tags["generations"] = "generations.jsonl"
    there = run.data.tags.get(mlflow_experiment.NOTE_TAG, "")
    if not there or mlflow_experiment.is_ours(there):  # what a user has written stays
        tags[mlflow_experiment.NOTE_TAG] = mlflow_experiment.signed(run_note.note(entry, run.info.run_name))
    params = params_of(entry.cell) if not run.data.params else []
    mlflow.log_batch(run_id, values, params, [RunTag(name, value) for name, value in tags.items()])


def create_run(where: Destination, cell_id: str, entry: CellRecords, names: Collection[str]) -> Run:
    """A new run that bears the cell's id from the first moment, so that an interrupted update finds it."""
    began = [record.started_s for record in (*entry.rounds.values(), *entry.loads.values())]
    started_s = min(began, default=time.time())
    name = unused_name(entry.cell, cell_id, names)
    tags = {"cell_id": cell_id}
    return where.mlflow.create_run(where.experiment_id, int(1e3 * started_s), tags, run_name=name)


def params_of(cell: Settings) -> list[Param]:
    """The settings of a cell that say what was measured."""
    return [Param(name, str(value)) for name, value in cell.settings().items() if name not in NOT_PARAMS]


def terminate(mlflow: MlflowClient, run_id: str, entry: CellRecords) -> None:
    """End a run whose cell failed or has all its rounds; one that has more to come stays running."""
    planned = max((record.rounds_planned for record in entry.rounds.values()), default=0)
    is_complete = set(entry.rounds) >= set(range(1, 1 + planned))
    if not entry.failed and not is_complete:
        return
    ended = [record.ended_s for record in (*entry.rounds.values(), *entry.loads.values())]
    ended_s = max(ended, default=time.time())
    mlflow.set_terminated(run_id, "FAILED" if entry.failed else "FINISHED", end_time=int(1e3 * ended_s))


def run_name(cell: Settings) -> str:
    """What the list of runs shows: `llada 16 steps, 128 tokens`, and whatever else is not as in most cells."""
    if isinstance(cell, HumanReferences):
        return "human reference"
    if isinstance(cell, Likelihood):
        return f"{cell.model} likelihood of {cell.text}"
    if isinstance(cell, Agreement):
        other = choices.label(vars(cell)) or cell.dtype
        return f"{cell.model} {other} against {cell.against}, {cell.source}"
    if isinstance(cell, Load):
        return f"load on {cell.model}, {cell.concurrency} at once"
    engine = "" if cell.engine == "eager" else cell.engine
    if cell.kind == "sentinel":
        beside = f"beside cells {cell.watches[:SHORT_ID]}" if cell.watches else ""
        return ", ".join(filter(None, (f"sentinel {cell.twin}, {cell.model}", engine, beside)))
    steps = "" if cell.steps is None else f" {cell.steps} steps"
    what = cell.kind if cell.kind in CHECKED else f"{cell.gen_length} tokens"
    if cell.task:
        what = f"{cell.task}, template {cell.template}"
    return ", ".join(filter(None, (f"{cell.model}{steps}", what, *unusual_settings(cell), engine)))


def unusual_settings(cell: Cell) -> Iterator[str]:
    """In words, the settings of a cell that most cells do not have."""
    if cell.kind == ENDS:
        yield STOPS[cell.stop]
    words = {
        "batch_size": "batch {}", "prompt_tokens": "prompts of {}", "head": "{} head", "attention": "{} attention",
        "fill": "{} weights", "limit_gib": "within {:g} GiB", "timed": "{} timed", "temperature": "temperature {:g}",
    }  # fmt: skip
    for name, text in words.items():
        value = getattr(cell, name)
        if value and (name, value) != ("batch_size", 1):
            yield text.format(value)
    if cell.dtype in EIGHT_BITS:
        yield cell.dtype


def unused_name(cell: Settings, cell_id: str, names: Collection[str]) -> str:
    """A cell's name in the list of runs, told apart from those that other cells have: by its grid, else by its id."""
    name = run_name(cell)
    candidates = (name, f"{name} ({cell.kind})", f"{name} ({cell_id[:SHORT_ID]})", f"{name} ({cell_id})")
    return next(candidate for candidate in candidates if candidate not in names)


def tags_of(study: str, cell_id: str, entry: CellRecords) -> dict[str, str]:
    """The tags of the contract and where the run came from."""
    head = {"study": study, "kind": entry.cell.kind, "pair": entry.cell.pair, "cell_id": cell_id}
    head |= shown_scores.tags(entry)
    if not entry.rounds:
        return head | {"outcome": "ok"} | shown_scores.place_tags(entry) | load_tags(entry)
    rounds = sorted(entry.rounds.items())
    last = list(entry.rounds.values())[-1]
    decisive = entry.failed or last  # the round whose outcome the run has
    verdict, reason = trust.verdict(entry)
    return head | {
        "outcome": decisive.outcome,
        "message": decisive.message,
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


def load_tags(entry: CellRecords) -> dict[str, str]:
    """What loaded a server, and by which code; of all rounds."""
    if not entry.loads:
        return {}
    loads = entry.loads.values()
    return {name: " ".join(sorted({getattr(load, name) for load in loads})) for name in ("generator", "git")}


def machine_tags(record: Round) -> dict[str, str]:
    """`env.NAME`: what a round's environment was. `card.NAME`: what NVML read of the card meanwhile.
    `place.NAME`: host, card and neighbours, where rounds were spread over several cards."""
    environment = {
        name: value for name, value in record.environment.to_json().items() if name not in ("verdict", "device")
    }
    report = record.nvml.to_json() if record.nvml else {}
    card = {name: value for name, value in report.items() if name in CARD_TAGS}
    return {
        **{f"env.{name}": str(value) for name, value in flat(environment)},
        **{f"card.{name}": str(value) for name, value in flat(card)},
        **{f"place.{name}": str(value) for name, value in flat(record.place.to_json() if record.place else {})},
    }


def flat(values: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested values under dotted names."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def metrics_of(entry: CellRecords, logged: set[int], there: dict[str, float]) -> list[Metric]:
    """All values to log: each new round at its number, headlines and quality at the denoising steps, prompts at theirs.

    The number at which a value is logged is the axis of MLflow's charts (`place_of`). A model without steps is at 0.

    logged: rounds that the run has. there: its last values; a metric that came later (ceilings measured last) is new,
    and a plain one that has not changed is not logged again.
    """
    rounds = text_size.with_text_rates(entry, metrics.round_metrics(entry))
    rounds |= {number: load.metrics() for number, load in entry.loads.items()}
    now_ms = int(1e3 * time.time())
    values = [
        Metric(f"rounds/{name}", rounded(value), now_ms, number)
        for number, values_of_round in rounds.items()
        for name, value in values_of_round.items()
        if number not in logged or f"rounds/{name}" not in there
    ]
    plain = metrics.headline(rounds) | metrics.quality_metrics(entry)
    values += [
        Metric(name, rounded(value), now_ms, place_of(entry.cell))
        for name, value in plain.items()
        if rounded(value) != there.get(name)
    ]
    values += [
        Metric(f"per_prompt/{name}", rounded(value), now_ms, index) for name, index, value in metrics.per_prompt(entry)
    ]
    return values


def place_of(cell: Settings) -> int:
    """The number at which a cell's plain metrics stand in charts: its denoising steps, or requests at once."""
    if isinstance(cell, Load):
        return cell.concurrency
    return cell.steps or 0 if isinstance(cell, Cell) else 0


def rounded(value: float) -> float:
    """A value with the digits that MLflow is given."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
