"""How far a cell's numbers can be trusted: was the card ours alone, and what else a reader must know of them.

Reads records alone; bench/measure/README.md has the rules.
"""

import statistics
from collections.abc import Iterable

from bench.common import stats
from bench.models import kinds
from bench.records import metrics, served
from bench.records.machine import NvmlReport
from bench.records.merge import CellRecords
from bench.records.types import Call, Round
from bench.spec.cell import Cell

VERDICTS = ("exclusive", "consistent", "unknown", "violated")  # worst last
PRINTED = ("exclusive", "consistent")  # a table of GPU results is made of runs with these verdicts
# Bytes by which rounds may differ; more is a tenant that came while the context was opened, or in a warm-up. An empty
# context takes as much in every process. Kernels are loaded into it as cells come to need them: up to 80 MiB were seen
# on an H100.
SPREAD_BYTES = {"opened_bytes": 64 << 20, "context_bytes": 160 << 20}
COLD = 1.05  # the first timed call over the median of its peers, above which it was a cold start
PEER_SHAPES = 0.1  # peers of the first call have forwards of as many rows as it, within this share
FEWEST_PEERS = 3  # with fewer nothing is said of a cold start
RESIDUAL_SHARE = 0.02  # of the memory in use, above which memory that is not accounted for is flagged
DRIFT = 0.03  # of the sentinel between rounds, above which a study is flagged


def verdict(entry: CellRecords) -> tuple[str, str]:
    """(verdict, why not better) over a cell's rounds: the worst counts. On a CPU nothing vouches: `unknown`."""
    verdicts = round_verdicts(entry).values()
    reasons = {reason for _, reasons in verdicts for reason in reasons}
    return max((word for word, _ in verdicts), key=VERDICTS.index), "; ".join(sorted(reasons))


def round_verdicts(entry: CellRecords) -> dict[int, tuple[str, list[str]]]:
    """(verdict, why not better) of each round: what was seen in it, and memory that good rounds did not need."""
    verdicts = {}
    for number, record in entry.rounds.items():
        report = record.nvml or NvmlReport()
        word = record.environment.verdict
        reasons = report.reasons
        for name, limit in SPREAD_BYTES.items():
            more = (getattr(report, name) or 0) - least_of(entry, name, record.environment.machine)
            if word in PRINTED and more > limit:
                word = "violated"
                reasons = [*reasons, f"{more >> 20} MiB more beside our tensors than in another round"]
        verdicts[number] = (word, reasons)
    return verdicts


def least_of(entry: CellRecords, name: str, machine: str) -> int:
    """The least bytes of a kind over the rounds of one machine in which nothing else was seen; 0 if none tells."""
    rounds = [record for record in entry.rounds.values() if record.environment.machine == machine]
    reports = [record.nvml for record in rounds if record.environment.verdict in PRINTED and record.nvml]
    amounts = [getattr(report, name) for report in reports]
    return min((amount for amount in amounts if amount is not None), default=0)


def flags(entry: CellRecords) -> list[str]:
    """What a table says beside a cell's numbers, in the words that it uses."""
    good = list(entry.good_rounds.values())
    reports = [record.nvml for record in good if record.nvml]
    calls_of_rounds = [metrics.calls_of(record, entry.cell) for record in good]
    counted = [call.counted for calls in calls_of_rounds for call in calls if call.counted]
    checks = {
        "two modes": has_two_modes(entry, calls_of_rounds),
        "cold start": is_cold(calls_of_rounds, entry.cell),
        "over its ceiling": metrics.is_over_ceiling(entry),
        "throttled": any(report.telemetry and report.telemetry.throttled for report in reports),
        "memory": any(is_residual_large(report) for report in reports),
        "several machines": spans_machines(good),
        "two counts": entry.cell.stop == "eos" and any(map(served.counts_differ, counted)),
        "other prompts": any(map(served.prompts_differ, counted)),
    }
    return [name for name, raised in checks.items() if raised]


def spans_machines(rounds: Iterable[Round]) -> bool:
    """Whether rounds were made on several machines: they have no common mean."""
    return len({record.environment.machine for record in rounds}) > 1


def has_two_modes(entry: CellRecords, calls_of_rounds: list[list[Call]]) -> bool:
    """Whether the rounds' latencies, or the steps of one round's calls, fall into two clusters."""
    name = "latency/latency_ms"
    latencies = [values[name] for values in metrics.round_metrics(entry).values() if name in values]
    step_times = [peers(calls, entry.cell) for calls in calls_of_rounds]
    return any(map(stats.has_two_modes, [latencies, *step_times]))


def peers(calls: list[Call], cell: Cell) -> list[float]:
    """Milliseconds of a step in the first call and in the others of about its shape, in their order."""
    has_steps = kinds.has_steps(cell.model)
    sized = []  # (rows of a forward, milliseconds of it)
    for call in calls:
        rows = call.positions / call.nfe if has_steps else 1.0  # a decode step has one row
        latencies = metrics.call_latencies(call, has_steps)
        if "step" in latencies:
            sized.append((rows, latencies["step"]))
    return [step_ms for rows, step_ms in sized if abs(rows / sized[0][0] - 1) <= PEER_SHAPES]


def is_cold(calls_of_rounds: list[list[Call]], cell: Cell) -> bool:
    """Whether the first timed call was slower than others of its shapes: too little warm-up.

    It must be so in every round that timed enough of them; later rounds time few.
    """
    step_times = [peers(calls, cell) for calls in calls_of_rounds]
    judged = [steps_ms for steps_ms in step_times if len(steps_ms) > FEWEST_PEERS]
    return bool(judged) and all(first > COLD * statistics.median(others) for first, *others in judged)


def is_residual_large(report: NvmlReport) -> bool:
    """Whether NVML counts more or less memory than we can account for; False where it could not be read."""
    if report.used_bytes is None:
        return False
    return abs(report.foreign_bytes) > RESIDUAL_SHARE * report.used_bytes
