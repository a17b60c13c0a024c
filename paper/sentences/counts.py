"""Numbers that the paper states beside those of the comparisons: how much was run, what is left out, what was as
predicted, how far both models are from their floors."""

from collections.abc import Sequence

import pandas as pd

from bench.analysis import edges, parity
from bench.analysis.comparison import Comparison
from bench.analysis.endpoints import Outcome
from bench.analysis.findings import Findings
from bench.analysis.hundred_steps import Latency
from bench.analysis.hypotheses import independent
from bench.common.stats import Estimate
from paper.decoder_numbers import slug
from paper.results import NO_UNIT, entry
from paper.sentences import outcome
from paper.values import Numbers

VIOLATED = "excluded, violated"  # how a reason begins: other programs used the card
STATES = {"met": "met", "not met": "not_met", "undecided": "undecided"}


def numbers(findings: Findings, compared: dict[str, Comparison]) -> Numbers:
    """Everything of this module by name. compared: the main comparisons by the prefix of their numbers."""
    result = cells(findings.runs) | predictions(findings) | hundred_steps(findings.hundred_steps)
    for found in findings.endpoints:
        result |= endpoint(found)
    if findings.falls:
        result["memory.contradicted_pairs"] = count(len(findings.falls))
    for prefix, comparison in compared.items():
        result |= distances(comparison, prefix) | percents(comparison, prefix)
    return result


def count(value: float, runs: list[str] | None = None) -> dict:
    """A number that was counted."""
    return entry(Estimate(float(value)), NO_UNIT, runs or [])


def cells(runs: pd.DataFrame) -> Numbers:
    """How many cells there are, how many count, and why the others do not.

    A try of the frontier that ran out of memory is a result, so it is counted by itself.
    """
    reasons = runs["reason"].astype(str)
    is_too_large = edges.too_large(runs)
    too_large = runs.loc[is_too_large, "run_id"].tolist()
    left_out = runs.loc[(reasons != "") & ~is_too_large, "run_id"].tolist()
    violated = runs.loc[reasons.str.startswith(VIOLATED), "run_id"].tolist()
    return {
        "cells.all": count(len(runs)),
        "cells.left_out": count(len(left_out), left_out),
        "cells.violated": count(len(violated), violated),
    } | ({"cells.too_large": count(len(too_large), too_large)} if too_large else {})


def hundred_steps(latencies: Sequence[Latency]) -> Numbers:
    """At how many places latency at 100 steps is higher, lower, or not told apart from LLaMA's."""
    sides = [outcome.side(latency) for latency in latencies]
    counts = {f"at_100_steps.{name}": count(sides.count(side)) for side, name in outcome.SIDES.items()}
    return {"at_100_steps.places": count(len(sides)), **counts} if sides else {}


def endpoint(found: Outcome) -> Numbers:
    """What was measured of a primary endpoint, and its p values."""
    name = name_of_endpoint(found)
    values = {"p": found.p, "adjusted": found.adjusted, "rounds": found.rounds, "cards": found.cards}
    numbers = {f"{name}.{key}": count(value) for key, value in values.items() if value is not None}
    return numbers | ({f"{name}.measured": entry(found.measured, NO_UNIT, [])} if found.measured else {})


def name_of_endpoint(found: Outcome) -> str:
    """ "endpoint.one-answer-128-tokens"."""
    return f"endpoint.{slug(found.name)}"


def predictions(findings: Findings) -> Numbers:
    """How many numbers were predicted and measured, and what became of them; claims about one number count once."""
    results = independent([*findings.scores, *findings.decoder_scores])
    states = [result.state for result in results if result.measured is not None]
    counts = {f"predictions.{name}": count(states.count(state)) for state, name in STATES.items()}
    return {"predictions.measured": count(len(states)), **counts} if states else {}


def percents(comparison: Comparison, prefix: str) -> Numbers:
    """Shares of other numbers in percent, as the text says them."""
    drifts = {
        f"{prefix}{n.model}.drift_percent": count(100 * n.drift, list(n.runs))
        for n in comparison.noise
        if n.drift is not None
    }
    runs = comparison.rows["run_id"].tolist() if comparison.has_both else []
    matches = {metric: match for metric, match in comparison.matches.items() if match is not None}
    names = {metric: f"{outcome.crossing(comparison, prefix, metric)}.p_reached_percent" for metric in matches}
    shares = {names[metric]: 100 * match.cross_over.p_reached for metric, match in matches.items()}
    return drifts | {name: count(share, runs) for name, share in shares.items()}


def distances(comparison: Comparison, prefix: str) -> Numbers:
    """Both models' time over their floors, and the band of the break-even."""
    found = parity.of_comparison(comparison) if comparison.has_both else None
    if found is None:
        return {}
    runs = comparison.rows["run_id"].tolist()
    values = {"llama.over_floor": found.distances[0], "llada.over_floor": found.distances[1],
              "band_low_steps": found.band[0], "band_high_steps": found.band[1]}  # fmt: skip
    return {f"{prefix}{name}": count(value, runs) for name, value in values.items()}
