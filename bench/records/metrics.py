"""From records to metrics: the definitions of every number that is tracked (README, "Metrics").

A round's value is the median over its calls (latencies) or total tokens over total time (throughput).
Later rounds time only the first prompts again: their values are round 1's, times the ratio on the calls that
both timed (`stats.paired_ratio`).

A call that ran some of its forwards alone (`steps_timed`, `tokens_timed`) is completed first (`whole_call`), by
`stats.extrapolated`; what then still cannot be told from it is left out.
"""

import itertools
import math
from collections.abc import Iterable

import numpy as np

from bench.common import stats
from bench.records import utilisation
from bench.records.merge import CellRecords

GIB = 1 << 30


def gaps(times: list[float]) -> list[float]:
    return [b - a for a, b in itertools.pairwise(times)]


def token_gaps(marks: dict[str, list[float]]) -> list[list[float]]:
    """Times between LLaMA's tokens, in the stretches that are free of a jump."""
    tokens, jumps = marks["token"], marks.get("jump", [])
    if not jumps:
        return [gaps(tokens)]
    return [gaps([t for t in tokens if t <= jumps[0]]), gaps([jumps[0], *(t for t in tokens if t > jumps[0])])]


def timed_forwards(cell: dict) -> int | None:
    """Forwards that stand for all of a call's; None where all were run."""
    return cell.get("steps_timed") or cell.get("tokens_timed")


def whole_call(call: dict, cell: dict) -> dict:
    """A call as it would have been with all its forwards; itself where it had them."""
    timed, marks, rows = timed_forwards(cell), call["marks"], len(call["kept"])
    if not timed:
        return call
    if "steps" in cell:
        whole, pause, stretches = cell["steps"], 0.0, [gaps([0.0, *marks["step"]])]
        positions = call["positions"] * whole // timed
    else:
        whole, stretches = cell["gen_length"], token_gaps(marks)
        pause = marks["jump"][0] - max(t for t in marks["token"] if t <= marks["jump"][0])
        positions = call["positions"] + rows * (whole - timed)
    latency = stats.extrapolated(call["latency_ms"] - pause, stretches, whole - timed)
    known = {name: value for name, value in call.items() if name != "device_ms"}  # which is that of the part
    return known | {"latency_ms": latency, "nfe": whole, "positions": positions, "kept": [cell["gen_length"]] * rows}


def calls_of(record: dict, cell: dict) -> list[dict]:
    """A round's calls, completed where they were cut short; none where no clock is to be believed."""
    if cell.get("peaks_only"):
        return []
    return [whole_call(call, cell) for call in record["calls"]]


def call_latencies(call: dict, diffusion: bool) -> dict[str, float]:
    """Latencies of one call in milliseconds; what does not apply is left out."""
    marks, latency = call["marks"], call["latency_ms"]
    found = {"latency": latency}
    if "device_ms" in call:
        found["device"] = call["device_ms"]
    if diffusion:
        steps = marks["step"]
        if call["first_step"] is not None:
            found["ttft"] = steps[call["first_step"]]
        if marks.get("block"):
            found["ttfb"] = marks["block"][0]
        found["step"] = float(np.median(gaps([0.0, *steps])))
    else:
        found["ttft"] = marks["token"][0]
        if len(marks["token"]) > 1:
            found["step"] = found["itl_p50"] = stats.time_of_a_part(token_gaps(marks))
            if "jump" not in marks:  # the ends of a range say nothing of its tail
                found["itl_p95"] = float(np.percentile(gaps(marks["token"]), 95))
    tokens = max(call["kept"])
    if "ttft" in found and tokens > 1:
        found["tpot"] = (latency - found["ttft"]) / (tokens - 1)
    return found


LATENCIES = ("ttft", "ttfb", "tpot", "itl_p50", "itl_p95", "step", "latency", "device")


def timing_metrics(calls: list[dict], cell: dict) -> dict[str, float]:
    """Latency and throughput of a set of calls."""
    per_call = [call_latencies(call, "steps" in cell) for call in calls]
    found = {}
    for name in LATENCIES:
        values = [latencies[name] for latencies in per_call if name in latencies]
        if values:
            found[f"latency/{name}_ms"] = float(np.median(values))
    seconds = sum(call["latency_ms"] for call in calls) / 1e3
    found["throughput/tokens_per_s"] = sum(sum(call["kept"]) for call in calls) / seconds
    canvas = sum(len(call["kept"]) for call in calls) * cell["gen_length"]
    found["throughput/canvas_tokens_per_s"] = canvas / seconds
    return found


def scaled_metrics(all_first: dict[str, float], first: list[dict], now: list[dict], cell: dict) -> dict[str, float]:
    """A later round's metrics on all prompts, from the calls that it timed again.

    all_first: round 1's metrics; first: round 1's calls; now: this round's.
    """
    before = {tuple(call["prompts"]): call_latencies(call, "steps" in cell) for call in first}
    pairs = [(call_latencies(call, "steps" in cell), before.get(tuple(call["prompts"]), {})) for call in now]
    found = {}
    for name in LATENCIES:
        both = [(mine[name], theirs[name]) for mine, theirs in pairs if name in mine and name in theirs]
        if both and f"latency/{name}_ms" in all_first:
            found[f"latency/{name}_ms"] = all_first[f"latency/{name}_ms"] * stats.paired_ratio(*zip(*both, strict=True))
    if not found:
        return {}  # no call in common
    slower = found["latency/latency_ms"] / all_first["latency/latency_ms"]
    rates = ("throughput/tokens_per_s", "throughput/canvas_tokens_per_s")
    return found | {name: all_first[name] / slower for name in rates}


def compute_metrics(calls: list[dict], cell: dict) -> dict[str, float]:
    """How much work the model did for what it gave; exact counts, so only round 1 is read.

    Committed tokens are those generated, post-EOS padding of the canvas included: each cost its share.
    """
    forwards = sum(call["nfe"] for call in calls)
    if "steps" in cell:
        committed_per_row = cell["gen_length"] * len(calls)
        committed = cell["gen_length"] * sum(len(call["kept"]) for call in calls)
    else:
        committed_per_row = sum(max(call["kept"]) for call in calls)
        committed = sum(max(call["kept"]) * len(call["kept"]) for call in calls)
    return {
        "compute/nfe": forwards / len(calls),
        "compute/tokens_per_forward": committed_per_row / forwards,
        "compute/positions_per_token": sum(call["positions"] for call in calls) / committed,
    }


def card_metrics(record: dict) -> dict[str, float]:
    """What only a GPU's record has: energy, memory as NVML sees it, and the time that no kernel ran."""
    found = {}
    if energy := record.get("energy"):
        found["energy/j"] = energy["joules"] / energy["calls"]
        found["energy/j_per_token"] = energy["joules"] / energy["tokens"]
        found["energy/power_w"] = energy["joules"] / energy["seconds"]
    if clock := record.get("nvml", {}).get("telemetry", {}).get("sm_clock_mhz"):
        found["compute/sm_clock_mhz"] = clock[1]  # of least, mean and most
    if busy := record.get("busy"):
        found["compute/host_overhead"] = 1 - busy["kernel_ms"] / busy["latency_ms"]
    if "used_bytes" in record.get("nvml", {}):
        found["memory/device_gib"] = record["nvml"]["used_bytes"] / GIB
        found["memory/residual_gib"] = record["nvml"]["foreign_bytes"] / GIB
    return found


def is_over_ceiling(entry: CellRecords) -> bool:
    """Whether a round claims to do more than its device can: the ceiling or the model of cost is wrong."""
    good = [record for record in entry.rounds.values() if record["outcome"] == "ok"]
    return any(share > 1 for r in good for share in utilisation.shares(r, calls_of(r, entry.cell), entry).values())


def round_metrics(entry: CellRecords) -> dict[int, dict[str, float]]:
    """The metrics of each good round, by round number."""
    good = {number: record for number, record in sorted(entry.rounds.items()) if record["outcome"] == "ok"}
    found = {}
    for number, record in good.items():
        calls = calls_of(record, entry.cell)
        if not calls:
            metrics = {}
        elif number != 1 and 1 in found:
            metrics = scaled_metrics(found[1], calls_of(good[1], entry.cell), calls, entry.cell)
        else:
            metrics = timing_metrics(calls, entry.cell) | compute_metrics(calls, entry.cell)
        metrics |= utilisation.metrics_of(record, calls, entry, number == 1)
        metrics |= {f"memory/{name}_gib": value for name, value in record["memory_gib"].items()}
        metrics |= card_metrics(record)
        metrics |= {f"compute/{name}": record[name] for name in ("compile_s", "capture_s") if name in record}
        found[number] = {name: value for name, value in metrics.items() if math.isfinite(value)}
    return found


def headline(rounds: dict[int, dict[str, float]]) -> dict[str, float]:
    """Mean over rounds under the plain name, its t interval under `_ci_low` and `_ci_high` from two rounds on."""
    found = {}
    for name in sorted({name for metrics in rounds.values() for name in metrics}):
        values = [metrics[name] for metrics in rounds.values() if name in metrics]
        found |= with_interval(name, stats.mean_over_rounds(values))
    return found


def quality_metrics(entry: CellRecords) -> dict[str, float]:
    """Quality over all prompts, with a bootstrap interval over prompts where it is a mean."""
    found = {}
    for scores in entry.scores.values():
        for name, values in scores["values"].items():
            known = [value for value in values if value is not None]
            if not known or not all(map(math.isfinite, known)):
                continue  # a mean over the rest would not be the prompts' mean
            share = name.startswith("accuracy")
            estimate = stats.proportion(int(sum(known)), len(known)) if share else stats.mean_over_prompts(known)
            found |= with_interval(f"quality/{name}", estimate)
        if sum(scores.get("tokens", [])):
            # One perplexity over all tokens: a mean of per-text perplexities would be ruled by the worst text.
            found["quality/judge_perplexity"] = math.exp(sum(scores["nats"]) / sum(scores["tokens"]))
        if scores.get("bytes"):
            found |= with_interval("quality/bits_per_byte", stats.bits_per_byte(scores["nats"], scores["bytes"]))
            found["quality/bits_per_byte_mc_error"] = stats.bits_per_byte_error(
                scores["standard_errors"], scores["bytes"]
            )
    return {name: value for name, value in found.items() if math.isfinite(value)}


def per_prompt(entry: CellRecords) -> Iterable[tuple[str, int, float]]:
    """(name, prompt index, value) of each per-prompt score."""
    for scores in entry.scores.values():
        for name, values in scores["values"].items():
            if name.startswith("accuracy_"):
                continue  # parts of `accuracy`
            for index, value in enumerate(values):
                if value is not None and math.isfinite(value):
                    yield name, index, value


def with_interval(name: str, estimate: stats.Estimate) -> dict[str, float]:
    found = {name: estimate.value}
    if estimate.low is not None:
        found |= {f"{name}_ci_low": estimate.low, f"{name}_ci_high": estimate.high}
    return found
