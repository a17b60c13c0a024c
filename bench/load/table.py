"""What `make load` prints: a row for each number of requests at once."""

from __future__ import annotations

from collections.abc import Sequence

from bench.records import catalogue
from bench.records.load import NAMESPACE, LoadRun

COLUMNS = (
    "requests_per_s", "tokens_per_s", "answer_tokens", "ttft_p50_ms", "ttft_p95_ms", "ttft_p99_ms", "gap_p50_ms",
    "gap_p95_ms", "gap_p99_ms", "latency_p50_ms", "good_per_s", "good_share", "failed_requests",
)  # fmt: skip


def lines(found: Sequence[LoadRun]) -> list[str]:
    """Everything that a terminal shows of loads of one server."""
    if not found:
        return []
    load = found[0].cell
    head = (
        f"{load.model} at {load.server} ({load.endpoint}), {load.prompts} prompts of pair {load.pair}, up to"
        f" {load.gen_length} tokens, greedy, {found[0].generator}; good: first token within {load.ttft_limit_s:g} s and"
        f" {load.gap_limit_ms:g} ms a token after it"
    )
    metrics = [catalogue.of(f"{NAMESPACE}{name}") for name in COLUMNS]
    rows = [["at once", "requests", *(metric.heading for metric in metrics)]]
    for run in found:
        values = [run.values.get(name) for name in COLUMNS]
        shown = ["-" if v is None else f"{v:.{m.digits}f}" for v, m in zip(values, metrics, strict=True)]
        rows.append([str(run.cell.concurrency), str(run.cell.requests), *shown])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [head, *("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)]
