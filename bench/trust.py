"""How far a cell's numbers can be trusted: was the card ours alone, and what else a reader must know of them.

Reads records alone; the README's "Measuring" has the rules.
"""

import statistics

from bench import metrics, stats
from bench.records import CellRecords

VERDICTS = ("exclusive", "consistent", "unknown", "violated")  # worst last
PRINTED = ("exclusive", "consistent")  # of these a table of GPU results is made
CONTEXT_SPREAD_BYTES = 64 << 20  # between rounds; more is a tenant that came during a warm-up
COLD = 1.05  # first timed call over its peers
PEER_SHAPES = 0.1  # calls whose forwards are as long as the first one's, within this share
FEWEST_PEERS = 3
RESIDUAL_SHARE = 0.02
DRIFT = 0.03  # of the sentinel between rounds


def verdict(entry: CellRecords) -> tuple[str, str]:
    """(verdict, why not better) over a cell's rounds: the worst counts. On a CPU nothing vouches: `unknown`."""
    found = max((r["environment"]["verdict"] for r in entry.rounds.values()), key=VERDICTS.index)
    looks = [record["nvml"] for record in entry.rounds.values() if "nvml" in record]
    reasons = {reason for look in looks for reason in (*look["signs"], *look["doubts"])}
    contexts = [look["context_bytes"] for look in looks if "context_bytes" in look]
    if contexts and max(contexts) - min(contexts) > CONTEXT_SPREAD_BYTES:
        found = "violated"
        reasons.add(f"memory beside our tensors differs by {(max(contexts) - min(contexts)) >> 20} MiB between rounds")
    return found, "; ".join(sorted(reasons))


def flags(entry: CellRecords) -> list[str]:
    """What a table says beside a cell's numbers, in the words that it uses."""
    good = [record for record in entry.rounds.values() if record["outcome"] == "ok"]
    checks = {
        "two modes": two_modes(entry, good),
        "cold start": bool(good) and all(is_cold(metrics.calls_of(record, entry.cell), entry.cell) for record in good),
        "over its ceiling": metrics.is_over_ceiling(entry),
        "throttled": any(r.get("nvml", {}).get("telemetry", {}).get("throttled") for r in good),
        "memory": any(is_residual_large(r["nvml"]) for r in good if "used_bytes" in r.get("nvml", {})),
    }
    return [name for name, raised in checks.items() if raised]


def two_modes(entry: CellRecords, good: list[dict]) -> bool:
    """Whether the rounds' latencies, or the steps of one round's calls, fall into two clusters."""
    latency, rounds = "latency/latency_ms", metrics.round_metrics(entry).values()
    calls = [peers(metrics.calls_of(record, entry.cell), entry.cell) for record in good]
    return any(map(stats.has_two_modes, [[values[latency] for values in rounds if latency in values], *calls]))


def peers(calls: list[dict], cell: dict) -> list[float]:
    """Milliseconds of a step in the first call and in the others of about its shape, in their order."""
    diffusion, found = "steps" in cell, []
    for call in calls:
        size = call["positions"] / call["nfe"] if diffusion else 1.0  # rows of a forward; a decode step has one
        times = metrics.call_latencies(call, diffusion)
        if "step" in times:
            found.append((size, times["step"]))
    return [step for size, step in found if abs(size / found[0][0] - 1) <= PEER_SHAPES]


def is_cold(calls: list[dict], cell: dict) -> bool:
    """Whether a round's first timed call was slower than its others of the same shapes: too little warm-up."""
    first, *others = peers(calls, cell) or [0.0]
    return len(others) >= FEWEST_PEERS and first > COLD * statistics.median(others)


def is_residual_large(look: dict) -> bool:
    """Whether NVML counts more or less memory than we can account for."""
    return abs(look["foreign_bytes"]) > RESIDUAL_SHARE * look["used_bytes"]
