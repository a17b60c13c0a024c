"""What `make load` prints: a row for each number of requests at once, and intervals where there are several rounds."""

from __future__ import annotations

from collections.abc import Sequence

from bench.common.stats import Estimate
from bench.records import catalogue, metrics
from bench.records.load import NAMESPACE, LoadRun

COLUMNS = (
    "requests_per_s", "tokens_per_s", "answer_tokens", "ttft_p50_ms", "ttft_p95_ms", "ttft_p99_ms", "gap_p50_ms",
    "gap_p95_ms", "gap_p99_ms", "latency_p50_ms", "good_per_s", "good_share", "failed_requests",
)  # fmt: skip
WITH_INTERVALS = ("requests_per_s", "tokens_per_s", "ttft_p50_ms", "gap_p50_ms", "latency_p50_ms", "good_per_s")


def lines(runs: Sequence[LoadRun]) -> list[str]:
    """Everything that a terminal shows of loads of one server."""
    if not runs:
        return []
    load = runs[0].cell
    head = (
        f"{load.model} at {load.server} ({load.endpoint}), {load.prompts} prompts of pair {load.pair}, up to"
        f" {load.gen_length} tokens, greedy, {runs[0].generator}; good: first token within {load.ttft_limit_s:g} s and"
        f" {load.gap_limit_ms:g} ms a token after it"
    )
    by_load: dict[str, list[LoadRun]] = {}
    for run in runs:
        by_load.setdefault(run.cell_id, []).append(run)
    result = [head, *table(by_load, COLUMNS, is_with_interval=False)]
    if max(map(len, by_load.values())) > 1:
        result += ["95 % intervals over the rounds", *table(by_load, WITH_INTERVALS, is_with_interval=True)]
    return result


def table(by_load: dict[str, list[LoadRun]], columns: Sequence[str], is_with_interval: bool) -> list[str]:
    """The typical value over the rounds of each load in these columns, under their headings."""
    about = [catalogue.of(f"{NAMESPACE}{name}") for name in columns]
    rows = [["at once", "requests", "rounds", *(metric.heading for metric in about)]]
    for runs in by_load.values():
        values = metrics.headline({run.number: run.metrics() for run in runs})
        cells = [estimate_of(values, metric.name, is_with_interval) for metric in about]
        words = ["-" if cell is None else cell.text(m.digits) for cell, m in zip(cells, about, strict=True)]
        rows.append([str(runs[0].cell.concurrency), str(runs[0].cell.requests), str(len(runs)), *words])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def estimate_of(values: dict[str, float], name: str, is_with_interval: bool) -> Estimate | None:
    """A metric of a headline; None where no round has it."""
    if name not in values:
        return None
    ends = (values.get(f"{name}_ci_low"), values.get(f"{name}_ci_high")) if is_with_interval else ()
    return Estimate(values[name], *ends)
