"""How far a cell's numbers can be trusted: was the card ours alone, and what else a reader must know of them.

Reads records alone; the README's "Measuring" has the rules.
"""

import statistics

from bench.common import stats
from bench.records import metrics
from bench.records.merge import CellRecords

VERDICTS = ("exclusive", "consistent", "unknown", "violated")  # worst last
PRINTED = ("exclusive", "consistent")  # of these a table of GPU results is made
# Between rounds; more is a tenant that came while the context was opened, or in a warm-up. An empty context takes as
# much in every process; kernels are loaded into it as cells come to need them, up to 80 MiB were seen on an H100.
SPREAD_BYTES = {"opened_bytes": 64 << 20, "context_bytes": 160 << 20}
COLD = 1.05  # first timed call over its peers
PEER_SHAPES = 0.1  # calls whose forwards are as long as the first one's, within this share
FEWEST_PEERS = 3
RESIDUAL_SHARE = 0.02
DRIFT = 0.03  # of the sentinel between rounds


def verdict(entry: CellRecords) -> tuple[str, str]:
    """(verdict, why not better) over a cell's rounds: the worst counts. On a CPU nothing vouches: `unknown`."""
    found = round_verdicts(entry).values()
    reasons = {reason for _, reasons in found for reason in reasons}
    return max((word for word, _ in found), key=VERDICTS.index), "; ".join(sorted(reasons))


def round_verdicts(entry: CellRecords) -> dict[int, tuple[str, list[str]]]:
    """(verdict, why not better) of each round: what was seen in it, and memory that good rounds did not need."""
    found = {}
    for number, record in entry.rounds.items():
        look, word = record.get("nvml", {}), record["environment"]["verdict"]
        reasons = look.get("signs", []) + look.get("doubts", [])
        for name, limit in SPREAD_BYTES.items():
            more = look.get(name, 0) - least_of(entry, name, machine_of(record))
            if word in PRINTED and more > limit:
                word, reasons = (
                    "violated",
                    [*reasons, f"{more >> 20} MiB more beside our tensors than in another round"],
                )
        found[number] = (word, reasons)
    return found


def least_of(entry: CellRecords, name: str, machine: str) -> int:
    """The least bytes of a kind over the rounds of one machine in which nothing else was seen."""
    there = [record for record in entry.rounds.values() if machine_of(record) == machine]
    looks = [record["nvml"] for record in there if record["environment"]["verdict"] in PRINTED and "nvml" in record]
    return min((look[name] for look in looks if name in look), default=0)


def flags(entry: CellRecords) -> list[str]:
    """What a table says beside a cell's numbers, in the words that it uses."""
    good = [record for record in entry.rounds.values() if record["outcome"] == "ok"]
    checks = {
        "two modes": two_modes(entry, good),
        "cold start": is_cold([metrics.calls_of(record, entry.cell) for record in good], entry.cell),
        "over its ceiling": metrics.is_over_ceiling(entry),
        "throttled": any(r.get("nvml", {}).get("telemetry", {}).get("throttled") for r in good),
        "memory": any(is_residual_large(r["nvml"]) for r in good if "used_bytes" in r.get("nvml", {})),
        "two machines": len({machine_of(record) for record in good}) > 1,
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


def is_cold(rounds: list[list[dict]], cell: dict) -> bool:
    """Whether the first timed call was slower than others of its shapes: too little warm-up.

    It must be so in every round that timed enough of them; later rounds time few.
    """
    judged = [steps for calls in rounds if len(steps := peers(calls, cell)) > FEWEST_PEERS]
    return bool(judged) and all(first > COLD * statistics.median(others) for first, *others in judged)


def machine_of(record: dict) -> str:
    """Where a record was made: rounds of two machines have no common mean. A card may change its container."""
    place = record["environment"]
    return place.get("card", {}).get("uuid") or f"{place.get('host')} {place.get('device')}"


def is_residual_large(look: dict) -> bool:
    """Whether NVML counts more or less memory than we can account for."""
    return abs(look["foreign_bytes"]) > RESIDUAL_SHARE * look["used_bytes"]
