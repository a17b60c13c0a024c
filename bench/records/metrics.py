"""From records to metrics: how every tracked number is computed (bench/records/catalogue.py says what each means).

The value of a round is the median over its calls (latencies), or total tokens over total time (throughput). A cell has
the geometric mean over rounds, with an interval on the log scale. Later rounds time only the first prompts again: their
values are round 1's, times the ratio on the calls that both rounds timed (`stats.paired_ratio`).

A call that ran only some of its forwards (`steps_timed`, `tokens_timed`) is completed first (`whole_call`), by
`stats.extrapolated`. What cannot be told from the completed call is left out.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from bench.common import stats
from bench.common.units import GIB
from bench.models import kinds
from bench.records import agreement, served, utilisation
from bench.records.compute import compute_metrics
from bench.records.merge import CellRecords
from bench.records.not_scored import texts_not_scored
from bench.records.types import Call, Round, Scores
from bench.spec.cell import Cell

SHARES = ("accuracy", "empty_answers", "unmatched_answers")  # how the names of values that are right or wrong begin
LARGEST_NATS = 700.0  # a token; exp of more is beyond the largest number


def gaps(times_ms: list[float]) -> list[float]:
    """Differences between neighbours, one fewer than there are times."""
    return [later - earlier for earlier, later in itertools.pairwise(times_ms)]


def token_gaps(marks: dict[str, list[float]]) -> list[list[float]]:
    """Milliseconds between the marks of tokens, in stretches that are free of a jump (of a cache that was filled)."""
    tokens = marks["token"]
    jumps = marks.get("jump", [])
    if not jumps:
        return [gaps(tokens)]
    before_jump = [time for time in tokens if time <= jumps[0]]
    after_jump = [time for time in tokens if time > jumps[0]]
    return [gaps(before_jump), gaps([jumps[0], *after_jump])]


def whole_call(call: Call, cell: Cell) -> Call:
    """A call as it would have been with all its forwards; itself where it had them.

    What is missing takes as long as as many typical forwards. Its time on the device is dropped, since that is of the
    part that was run.
    """
    timed = cell.timed
    if not timed:
        return call
    marks = call.marks
    rows = len(call.kept)
    if kinds.has_steps(cell.model):
        forwards = cell.steps
        pause_ms = 0.0
        stretches = [gaps([0.0, *marks["step"]])]
        positions = call.positions * forwards // timed
    else:
        forwards = cell.gen_length
        pause_ms = marks["jump"][0] - max(time for time in marks["token"] if time <= marks["jump"][0])
        stretches = token_gaps(marks)
        positions = call.positions + rows * (forwards - timed)
    latency_ms = stats.extrapolated(call.latency_ms - pause_ms, stretches, forwards - timed)
    kept = [cell.gen_length] * rows
    whole = replace(call, latency_ms=latency_ms, nfe=forwards, positions=positions, kept=kept, device_ms=None)
    # Only forwards over the whole canvas are ever cut short (bench/spec/decoder_rules.py).
    return whole if call.nfe_full is None else replace(whole, nfe_full=forwards, committed=kept)


def calls_of(record: Round, cell: Cell) -> list[Call]:
    """A round's calls, completed where they were cut short, without what depends on the values of made-up weights; none
    where memory alone was asked and no clock counts."""
    if cell.peaks_only:
        return []
    calls = [whole_call(call, cell) for call in record.calls]
    if cell.random_seed is None:
        return calls
    # Which step commits output position 0 is an accident where weights are made up: no TTFT of it says anything.
    return [replace(call, first_step=None) for call in calls]


def call_latencies(call: Call, has_steps: bool) -> dict[str, float]:
    """Latencies of one call in milliseconds, under the names in `LATENCIES`; what does not apply is left out.

    has_steps: whether its model denoises in steps, rather than generating a token a forward.
    """
    latencies = {"latency": call.latency_ms}
    if call.counted is not None:
        return latencies | served.latencies(call)
    if call.device_ms is not None:
        latencies["device"] = call.device_ms
    latencies |= step_latencies(call) if has_steps else token_latencies(call)
    tokens = max(call.kept)
    if "ttft" in latencies and tokens > 1:
        latencies["tpot"] = (call.latency_ms - latencies["ttft"]) / (tokens - 1)
    return latencies


def step_latencies(call: Call) -> dict[str, float]:
    """Of a model that denoises in steps: TTFT, time to the first block, and time of a step."""
    steps = call.marks["step"]
    latencies = {}
    if call.first_step is not None:
        latencies["ttft"] = steps[call.first_step]
    if call.marks.get("block"):
        latencies["ttfb"] = call.marks["block"][0]
    return latencies | {"step": float(np.median(gaps([0.0, *steps])))}


def token_latencies(call: Call) -> dict[str, float]:
    """Of a model that generates a token a forward: TTFT, percentiles of the gaps between tokens, time of a forward."""
    tokens = call.marks["token"]
    latencies = {"ttft": tokens[0]}
    if len(tokens) > 1:
        latencies["step"] = latencies["itl_p50"] = stats.time_of_a_part(token_gaps(call.marks))
        if "jump" not in call.marks:  # the ends of a range say nothing of its tail
            latencies["itl_p95"] = float(np.percentile(gaps(tokens), 95))
    return latencies


# Of these the plain mean over rounds is typical, not the geometric one. What is left when one amount is taken from
# another may be below 0, and what is counted of a server under load may be 0. All else is above 0 by its nature.
MAY_BE_NEGATIVE = frozenset({"compute/host_overhead", "memory/residual_gib"})
MAY_BE_0 = frozenset({"load/failed_requests", "load/good_share", "load/good_per_s"})
LATENCIES = ("ttft", "ttfb", "tpot", "itl_p50", "itl_p95", "step", "latency", "device")


def timing_metrics(calls: list[Call], cell: Cell) -> dict[str, float]:
    """Latency and throughput of a set of calls."""
    latencies_of_calls = [call_latencies(call, kinds.has_steps(cell.model)) for call in calls]
    metrics = {}
    for name in LATENCIES:
        values = [latencies[name] for latencies in latencies_of_calls if name in latencies]
        if values:
            metrics[f"latency/{name}_ms"] = float(np.median(values))
    seconds = sum(call.latency_ms for call in calls) / 1e3
    canvas_tokens = sum(len(call.kept) for call in calls) * cell.gen_length
    metrics["throughput/tokens_per_s"] = sum(sum(call.kept) for call in calls) / seconds
    metrics["throughput/canvas_tokens_per_s"] = canvas_tokens / seconds
    return metrics


def scaled_metrics(of_round_1: dict[str, float], first: list[Call], now: list[Call], cell: Cell) -> dict[str, float]:
    """A later round's metrics on all prompts, from the calls that it timed again; empty if it timed none of them.

    of_round_1: round 1's metrics; first: round 1's calls; now: this round's calls.
    """
    has_steps = kinds.has_steps(cell.model)
    before = {tuple(call.prompts): call_latencies(call, has_steps) for call in first}
    pairs = [(call_latencies(call, has_steps), before.get(tuple(call.prompts), {})) for call in now]
    metrics = {}
    for name in LATENCIES:
        values = [(later[name], earlier[name]) for later, earlier in pairs if name in later and name in earlier]
        if values and f"latency/{name}_ms" in of_round_1:
            ratio = stats.paired_ratio(*zip(*values, strict=True))
            metrics[f"latency/{name}_ms"] = of_round_1[f"latency/{name}_ms"] * ratio
    if not metrics:
        return {}
    slower = metrics["latency/latency_ms"] / of_round_1["latency/latency_ms"]
    rates = ("throughput/tokens_per_s", "throughput/canvas_tokens_per_s")
    return metrics | {name: of_round_1[name] / slower for name in rates}


def card_metrics(record: Round) -> dict[str, float]:
    """What only a GPU's record has: energy, clock, memory as NVML sees it, and the share of time that no kernel ran."""
    metrics = {}
    if energy := record.energy:
        metrics["energy/j"] = energy.joules / energy.calls
        metrics["energy/j_per_token"] = energy.joules / energy.tokens
        metrics["energy/power_w"] = energy.joules / energy.seconds
    telemetry = record.nvml and record.nvml.telemetry
    if telemetry and telemetry.mean_sm_clock_mhz:
        metrics["compute/sm_clock_mhz"] = telemetry.mean_sm_clock_mhz
    if busy := record.busy:
        metrics["compute/host_overhead"] = 1 - busy.kernel_ms / busy.latency_ms
    if record.nvml and record.nvml.used_bytes is not None:
        metrics["memory/device_gib"] = record.nvml.used_bytes / GIB
        metrics["memory/residual_gib"] = record.nvml.foreign_bytes / GIB
    return metrics


def is_over_ceiling(entry: CellRecords) -> bool:
    """Whether a round claims to do more than its device can: the ceiling or the model of cost is wrong."""
    rounds = entry.good_rounds.values()
    shares = [utilisation.shares(record, calls_of(record, entry.cell), entry) for record in rounds]
    return any(share > 1 for shares_of_round in shares for share in shares_of_round.values())


def round_metrics(entry: CellRecords) -> dict[int, dict[str, float]]:
    """The metrics of each good round, by round number. Values that are not finite are left out.

    Round 1 runs all prompts, and later ones may run a few. Where it is not there (cells that joined a study later, on
    another card), the first one that is says what the cost model predicts.
    """
    good = entry.good_rounds
    first = min(good, default=1)
    rounds: dict[int, dict[str, float]] = {}
    for number, record in good.items():
        calls = calls_of(record, entry.cell)
        if not calls:
            metrics = {}
        elif number != 1 and 1 in rounds:
            metrics = scaled_metrics(rounds[1], calls_of(good[1], entry.cell), calls, entry.cell)
        else:
            metrics = timing_metrics(calls, entry.cell) | compute_metrics(calls, entry.cell)
        metrics |= utilisation.metrics_of(record, calls, entry, number == first)
        metrics |= {f"memory/{name}_gib": value for name, value in record.memory_gib.to_json().items()}
        metrics |= card_metrics(record)
        preparation = {"compute/compile_s": record.compile_s, "compute/capture_s": record.capture_s}
        metrics |= {name: value for name, value in preparation.items() if value is not None}
        rounds[number] = {name: value for name, value in metrics.items() if math.isfinite(value)}
    return rounds


def headline(rounds: dict[int, dict[str, float]]) -> dict[str, float]:
    """The typical value of the rounds under the plain name, its t interval under `_ci_low` and `_ci_high` from two
    rounds on: the geometric mean, but the plain one of what may be 0 or below."""
    metrics = {}
    for name in sorted({name for values in rounds.values() for name in values}):
        values = [values_of_round[name] for values_of_round in rounds.values() if name in values_of_round]
        if name in MAY_BE_NEGATIVE or (name in MAY_BE_0 and min(values) > 0):
            estimate = stats.mean_over_rounds(values)
        elif min(values) > 0:
            estimate = stats.typical_over_rounds(values)
        else:  # a counter that did not move, say: no interval of it would mean anything
            estimate = stats.Estimate(float(np.mean(values)))
        metrics |= with_interval(name, estimate)
    return metrics


def quality_metrics(entry: CellRecords) -> dict[str, float]:
    """Quality over all prompts, with a bootstrap interval over prompts where it is a mean."""
    metrics = {}
    for scores in entry.scores_that_count.values():
        metrics |= mean_scores(scores) | likelihood_metrics(scores)
    if texts := texts_not_scored(entry):
        metrics["quality/not_scored"] = float(texts)
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def mean_scores(scores: Scores) -> dict[str, float]:
    """The mean of each of a scorer's values over the texts that have one; of right answers the share, with Wilson's
    interval. A metric of which a value is not finite is left out: a mean of the rest would not be the prompts' mean.
    """
    metrics = {}
    for name, values in scores.values.items():
        present = [value for value in values if value is not None]
        if not present or not all(map(math.isfinite, present)):
            continue
        if name.startswith(SHARES) and set(present) <= {0, 1}:
            estimate = stats.proportion(int(sum(present)), len(present))
        else:
            estimate = stats.mean_over_prompts(present)
        namespace = agreement.SCORER if scores.scorer == agreement.SCORER else "quality"
        metrics |= with_interval(f"{namespace}/{name}", estimate)
    return metrics


def likelihood_metrics(scores: Scores) -> dict[str, float]:
    """A judge's perplexity, or a contestant's bits per byte of held-out text; empty for other scorers."""
    metrics = {}
    if sum(scores.tokens or []):
        # One perplexity over all tokens: a mean of per-text perplexities would be ruled by the worst text.
        nats = sum(value for value in scores.nats if value is not None)
        nats_per_token = nats / sum(scores.tokens)
        metrics["quality/judge_perplexity"] = math.exp(nats_per_token) if nats_per_token < LARGEST_NATS else math.inf
    if scores.text_bytes:
        metrics |= with_interval("quality/bits_per_byte", stats.bits_per_byte(scores.nats, scores.text_bytes))
        error = stats.bits_per_byte_error(scores.standard_errors, scores.text_bytes)
        metrics["quality/bits_per_byte_mc_error"] = error
    return metrics


def per_prompt(entry: CellRecords) -> Iterable[tuple[str, int, float]]:
    """(name, prompt index, value) of each per-prompt score."""
    for scores in entry.scores_that_count.values():
        for name, values in scores.values.items():
            if name.startswith("accuracy_") or scores.scorer == agreement.SCORER:
                continue  # parts of `accuracy`, and what is no quality of an answer
            for index, value in enumerate(values):
                if value is not None and math.isfinite(value):
                    yield name, index, value


def with_interval(name: str, estimate: stats.Estimate) -> dict[str, float]:
    """An estimate as MLflow has it: the value under its name, and its bounds beside it where it has any."""
    if estimate.low is None:
        return {name: estimate.value}
    return {name: estimate.value, f"{name}_ci_low": estimate.low, f"{name}_ci_high": estimate.high}
