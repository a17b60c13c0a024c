"""What the same cell gives twice on this machine: ratio, drift, verdict and energy of the sentinel."""

from __future__ import annotations

import argparse
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
from bench.spec import sentinel
from bench.spec.work import Work
from bench.store.sink import Sink


def sentinel_work(args: argparse.Namespace) -> Work:
    """One sentinel's twins and nothing else: of a work folder with one of each engine the eager one's."""
    command = ["--cells", str(args.cells), "--record", "-"] if args.cells else [sentinel.GRID, "--device", args.device]
    work, _ = request.resolve(request.parse([*command, "--rounds", str(args.rounds)]))
    if not (twins := [cell for cell in work.cells if cell.twin]):
        raise BadInput(f"{args.cells}: the work folder holds no sentinel; export a grid that has one")
    cells = tuple(cell for cell in twins if cell.engine == twins[0].engine)
    return replace(work, rounds=args.rounds, seed=0, cells=cells)


def sentinels(work: Work, gpu: str | None) -> list[Finding]:
    """The sentinel twice a round in processes of its own: noise floor, drift, verdict and energy of this machine."""
    with tempfile.TemporaryDirectory() as place:
        folder, sink = Path(place), Sink("selfcheck", Path(place) / "records.jsonl")
        work.save(folder)
        run(work, folder, sink, gpu)
        known = sink.known()
    first, second = (good_rounds(known[cell.cell_id]) for cell in work.cells)
    name = "latency/latency_ms"
    pairs = [(first[r][name], second[r][name]) for r in first if r in second]
    ratio = stats.ratio_over_rounds(*zip(*pairs, strict=True))
    moved = stats.drift_of_twins(pairs)
    bounds = "" if ratio.low is None else f" [{ratio.low:.3f}, {ratio.high:.3f}]"
    found = [Finding("noise floor", f"the same cell twice in a round: {ratio.value:.3f}{bounds}, {len(pairs)} rounds")]
    if moved is not None:
        over = f", more than {trust.DRIFT:.0%}: studies here are flagged" if moved > trust.DRIFT else ""
        found.append(Finding("drift", f"{moved:.1%} between rounds{over}"))
    return [*found, *card_findings([known[cell.cell_id] for cell in work.cells], first)]


def good_rounds(entry: CellRecords) -> dict[int, dict[str, float]]:
    """The sentinel's metrics by round. Raises BadInput if it failed: nothing can be measured here then."""
    if entry.failed:
        raise BadInput(f"the sentinel failed: {entry.failed.outcome}: {entry.failed.message}")
    return metrics.round_metrics(entry)


def card_findings(entries: list[CellRecords], rounds: dict[int, dict[str, float]]) -> list[Finding]:
    """What NVML said during the sentinels."""
    verdict, reason = max((trust.verdict(entry) for entry in entries), key=lambda found: trust.VERDICTS.index(found[0]))
    reason = reason or ("nothing vouches for a CPU" if verdict == "unknown" else "no sign of anybody else")
    found = [Finding("exclusivity", f"{verdict}: {reason}")]
    values = next(iter(rounds.values()))
    if "energy/power_w" in values:
        text = f"counter answers: {values['energy/power_w']:.0f} W, {values['energy/j_per_token']:.3f} J a token"
        return [*found, Finding("energy", text)]
    return [*found, Finding("energy", "no counter here: energy is not measured")]
