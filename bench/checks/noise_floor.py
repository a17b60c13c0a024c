"""What does the same cell give twice on this machine? Ratio, drift, verdict and energy of the sentinel.

The sentinel is one small cell whose two twins differ in nothing. Each round measures both in processes of their own, so
their ratio is the machine's noise, and the change from round to round its drift.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from bench.checks.finding import Finding
from bench.common import stats
from bench.common.errors import BadInput
from bench.records import metrics, trust
from bench.records.merge import CellRecords
from bench.runner import request
from bench.runner.loop import run
from bench.runner.request import Request
from bench.spec import sentinel
from bench.spec.work import Work
from bench.store.sink import Sink

LATENCY = "latency/latency_ms"  # the metric that is compared
RoundMetrics = dict[int, dict[str, float]]  # by round: value by the metric's name


def sentinel_work(device: str, rounds: int, folder: Path | None = None) -> Work:
    """The twins of one sentinel and nothing else.

    device: auto, cpu or cuda. folder: a work folder in place of the shipped grid; where it holds several
    sentinels, the first is taken, which is an eager one where there is any. Raises BadInput if it holds none.
    """
    work, _ = request.resolve(Request(grids=(sentinel.GRID,), cells=folder, device=device, rounds=rounds))
    if not (twins := [cell for cell in work.cells if cell.twin]):
        raise BadInput(f"{folder}: the work folder holds no sentinel; export a grid that has one")
    chosen = twins[0].engine, twins[0].model
    cells = tuple(cell for cell in twins if (cell.engine, cell.model) == chosen)
    return replace(work, rounds=rounds, seed=0, cells=cells)


def check(work: Work, gpu: str | None) -> list[Finding]:
    """Run the twins of `sentinel_work` and say what they show. gpu: UUID of the card, None on a CPU."""
    entries = run_twins(work, gpu)
    first, second = (good_rounds(entry) for entry in entries)
    pairs = [(first[number][LATENCY], second[number][LATENCY]) for number in first if number in second]
    return [*noise_findings(pairs), *card_findings(entries, first)]


def run_twins(work: Work, gpu: str | None) -> list[CellRecords]:
    """The records of each twin, all rounds measured in processes of their own."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sink = Sink("selfcheck", folder / "records.jsonl")
        work.save(folder)
        run(work, folder, sink, gpu)
        records = sink.known()
    return [records[cell.cell_id] for cell in work.cells]


def good_rounds(entry: CellRecords) -> RoundMetrics:
    """The sentinel's metrics by round. Raises BadInput if it failed: nothing can be measured here then."""
    if entry.failed:
        raise BadInput(f"the sentinel failed: {entry.failed.outcome}: {entry.failed.message}")
    return metrics.round_metrics(entry)


def noise_findings(pairs: list[tuple[float, float]]) -> list[Finding]:
    """Ratio and drift of the twins' latencies; pairs: (first twin, second twin) of each round, in ms."""
    ratio = stats.ratio_over_rounds(*zip(*pairs, strict=True))
    text = f"the same cell twice in a round: {ratio.text(3)}, {len(pairs)} rounds"
    findings = [Finding("noise floor", text)]
    drift = stats.drift_of_twins(pairs)
    if drift is not None:
        warning = f", more than {trust.DRIFT:.0%}: studies here are flagged" if drift > trust.DRIFT else ""
        findings.append(Finding("drift", f"{drift:.1%} between rounds{warning}"))
    return findings


def card_findings(entries: list[CellRecords], rounds: RoundMetrics) -> list[Finding]:
    """What NVML said of the card while the sentinels ran: the worst verdict with its reason, and the energy counter."""
    verdicts = [trust.verdict(entry) for entry in entries]
    verdict, reason = max(verdicts, key=lambda pair: trust.VERDICTS.index(pair[0]))
    if not reason:
        reason = "nothing vouches for a CPU" if verdict == "unknown" else "no sign of anybody else"
    values = next(iter(rounds.values()))
    energy = "no counter here: energy is not measured"
    if "energy/power_w" in values:
        energy = f"counter answers: {values['energy/power_w']:.0f} W, {values['energy/j_per_token']:.3f} J a token"
    return [Finding("exclusivity", f"{verdict}: {reason}"), Finding("energy", energy)]
