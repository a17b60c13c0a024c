"""How answers end and what that changes, in the terminal: a line a place, and the table of the runs."""

import pandas as pd

from bench.analysis.ends import Ends, Place, Regime
from bench.analysis.noise import floor_of
from bench.analysis.runs import are_served, lead
from bench.records.catalogue import columns
from bench.render import wording
from bench.render.doubt import equal_words, no_interval_words
from bench.render.wording import interval
from bench.spec.cell import STOPS

MEASURES = columns((
    "compute/nfe", "latency/latency_ms", "throughput/tokens_per_s", "throughput/text_bytes_per_s",
    "memory/allocated_gib", "memory/resident_gib",
))  # fmt: skip
TITLE = "How answers end: LLaDA's time over LLaMA's for as much kept text (above 1: LLaDA is slower)"


def lines(ends: Ends) -> list[str]:
    """What the regimes say at each place, forced length beside the others; empty where nothing was measured."""
    served = " LLaMA's is that of its server." if are_served(ends.every).any() else ""
    return [f"{TITLE}.{served}", *map(place_line, ends.places)] if ends.places else []


def common_words(runs: pd.DataFrame) -> str:
    """ "16 prompts, float32, eager engine": what runs that differ in their ends have in common."""
    values = {"dtype": "{}", "engine": "{} engine"}
    first = lead(runs)
    own = runs[~are_served(runs)]
    runs = runs if own.empty else own
    words = [text.format(first[name]) for name, text in values.items() if runs[name].nunique() == 1]
    prompts = wording.prompts_counted(first) if runs["prompts"].nunique() == 1 else ""
    return ", ".join(filter(None, [prompts, *words]))


def table_lines(ends: Ends) -> list[str]:
    """Everything that a terminal shows of the runs under a title."""
    runs = ends.every
    result = pd.DataFrame(
        {
            "batch": [f"{value:.0f}" for value in runs["batch_size"]],
            "tokens": [f"{value:.0f}" for value in runs["gen_length"]],
            "model": runs["model"].tolist(),
            "steps": [wording.format_value(value, 0) for value in pd.to_numeric(runs["steps"])],
            "answers end": [STOPS[stop] for stop in runs["stop"]],
        }
    )
    shown = wording.with_notes(wording.with_metrics(result, runs, MEASURES), runs)
    parts = [wording.weights_label(runs).upper(), shown.to_string(index=False), wording.left_out_sentence(ends)]
    return [part for part in parts if part]


def place_line(place: Place) -> str:
    """ "At batch 8, 256 tokens, ...: forced length 0.70 [0.69, 0.71]; answers as long as the references (...) 1.90"."""
    regimes = "; ".join(f"{regime_words(regime)} {ratio_words(place, regime)}" for regime in place.regimes)
    return f"  At {place_words(place)}: {regimes}."


def place_words(place: Place) -> str:
    """ "batch 8, 256 tokens, prompts of 128, LLaDA in 32 steps, bfloat16, captured engine, lean head"."""
    parts = [f"batch {place.batch_size}", f"{place.gen_length} tokens"]
    parts += [] if place.prompt_tokens is None else [f"prompts of {place.prompt_tokens}"]
    both = wording.engine_and_head(place.engine, [place.head])
    return ", ".join([*parts, f"LLaDA in {place.steps} steps", place.dtype, both])


def regime_words(regime: Regime) -> str:
    """The regime, and of those that end early by how much: what the answers have, and what a call of LLaMA paid."""
    name = STOPS[regime.stop]
    if regime.stop == "length":
        return name
    forwards = "" if regime.forwards is None else f"; a call of LLaMA has {regime.forwards:.1f} forwards"
    return f"{name} ({kept_words(regime)}{forwards})"


def kept_words(regime: Regime) -> str:
    """The distribution of the lengths, where it is stated; otherwise the means of both models."""
    if regime.lengths is None:
        unit = "" if regime.per_byte else ", compared by tokens"
        return f"on average {regime.kept[0]:.1f} tokens of LLaMA and {regime.kept[1]:.1f} of LLaDA{unit}"
    of = regime.lengths
    full = f", {of.full} of them of full length" if of.full else ""
    return f"median {of.median:.0f} tokens, quartiles {of.low:.0f} and {of.high:.0f}, of {of.answers} answers{full}"


def ratio_words(place: Place, regime: Regime) -> str:
    """The ratio with its interval, and that it may be noise alone."""
    doubt = equal_words(regime.ratio, regime.rounds, floor_of(place.noise), "which of the two is faster")
    return f"{interval(regime.ratio, 2)}{no_interval_words(regime.ratio)}{doubt}"
