"""Memory, energy, engines and noise, in sentences."""

import pandas as pd

from bench.analysis import parity
from bench.analysis.comparison import Comparison
from bench.analysis.findings import Findings
from bench.analysis.noise import floor_of
from bench.analysis.runs import lead
from bench.analysis.scaling import PEAKS, Scaling
from bench.common.plural import listed
from bench.models import kinds
from bench.records import trust
from bench.render import wording
from bench.render.comparison import labels
from bench.render.doubt import no_interval_words
from paper.results import name_of
from paper.tables.latex import escape, short
from paper.values import Numbers, estimate, has, num, val, value_text

PEAK_WORDS = {
    "allocated_gib": "peak of allocated memory",
    "resident_gib": "peak of resident memory, libraries included,",
}


def peak(comparison: Comparison, prefix: str, numbers: Numbers) -> str:
    """Both models' peaks of one answer; empty where memory was not measured."""
    if not comparison.has_both:
        return ""
    run = comparison.diffusion.iloc[-1]
    for metric in map(short, PEAKS):
        pair = [f"{prefix}llama.{metric}", f"{prefix}{name_of(run)}.{metric}"]
        if has(numbers, *pair):
            llama, llada = (value_text(name, numbers[name]) for name in pair)
            more = numbers[pair[1]]["value"] > numbers[pair[0]]["value"]
            word = "as much, to three digits" if llama == llada else f"{'more' if more else 'less'} for LLaDA"
            place = f"batch {run['batch_size']:.0f} and {run['gen_length']:.0f} tokens"
            return (
                f"At {place} the {PEAK_WORDS[metric]} is {num(pair[1])} GiB for LLaDA and {num(pair[0])} GiB for LLaMA:"
                f" {word}."
            )
    return ""


def edges(scaling: Scaling | None, numbers: Numbers) -> str:
    """The largest batches that fit, by length and line; empty where no search was made."""
    if scaling is None:
        return ""
    by_length: dict[int, list[str]] = {}
    for edge in scaling.edges:
        name = edge_name(edge.line, edge.gen_length)
        if edge.fits and has(numbers, name):
            largest = f"{num(name)}{'' if edge.is_found else ' or more'}"
        else:
            largest = "none" if edge.is_found else "not known"
        by_length.setdefault(edge.gen_length, []).append(f"{largest} for {escape(wording.line_name(edge.line))}")
    parts = [f"with {length:,} tokens {listed(found)}" for length, found in sorted(by_length.items())]
    within = wording.limit_words(scaling.every["limit_gib"].iloc[0])
    allocator = escape(wording.allocator_words(scaling.every))
    what = filter(None, ["The largest batch that fits", within, allocator and f"(torch's {allocator})"])
    return f"{' '.join(what)} is, {'; '.join(parts)}." if parts else ""


def edge_name(line: object, gen_length: int) -> str:
    """The name of a largest batch in results.json."""
    words = wording.line_name(line).lower().replace(", ", ".").replace(" ", "-")
    return f"frontier.{words}.l{gen_length}.largest_batch"


def doubted_peaks(findings: Findings) -> str:
    """How many peaks contradict each other; empty where none do."""
    if not findings.falls:
        return ""
    pairs = "pair" if len(findings.falls) == 1 else "pairs"
    return (
        f"The peaks of {num('memory.contradicted_pairs')} {pairs} contradict each other, since the larger call seems to"
        " need less; both cells of a pair are marked in the tables and no sentence rests on them alone."
    )


def energy(comparison: Comparison, prefix: str) -> str:
    """At how many steps both models take as much energy, beside time's break-even; empty where it was not measured."""
    steps = comparison.energy_break_even_steps
    if steps is None:
        return ""
    llama, llada = labels(comparison)
    time = comparison.break_even_steps
    beside = ""
    if time is not None and time.low is not None and steps.low is not None:
        word = "below" if steps.high < time.low else "above" if steps.low > time.high else "not told apart from"
        beside = f", which is {word} the {val(f'{prefix}break_even_steps')} steps of time"
    return (
        f"An answer of {llama} takes {val(f'{prefix}llama.j')} J. {llada} takes as much at"
        f" {val(f'{prefix}energy_break_even_steps')} steps{beside}{no_interval_words(steps)}."
    )


def engines(main: Comparison, others: tuple[Comparison, ...], numbers: Numbers) -> str:
    """Where time breaks even on each engine on which the same was measured; empty with one engine."""
    if not has(numbers, "break_even_steps"):
        return ""
    parts = []
    for comparison in others:
        name = f"{lead(comparison.every)['engine']}.break_even_steps"
        if has(numbers, name):
            parts.append(f"{val(name)} steps on the {both_words(comparison)}")
    if not parts:
        return ""
    return (
        f"For the same prompts and length time breaks even at {val('break_even_steps')} steps on the"
        f" {both_words(main)}, at {listed(parts)}: a break-even is one of two programs, not of two models alone."
    )


def both_words(comparison: Comparison) -> str:
    """ "captured engine, lean head"."""
    run = lead(comparison.every)
    return wording.engine_and_head(wording.engine_of(run), wording.heads_of(comparison.every))


def at_parity(comparison: Comparison, prefix: str) -> str:
    """Where time would break even if both engines were equally far from their floors; empty without floors."""
    found = parity.of_comparison(comparison)
    if found is None:
        return ""
    llama, llada = labels(comparison)
    return (
        f"{llama} runs at {num(f'{prefix}llama.over_floor')} times its floor and {llada} at"
        f" {num(f'{prefix}llada.over_floor')} times. At equal distance from both floors time would break even at"
        f" {num(f'{prefix}break_even_steps_at_equal_distance')} steps. What belongs to the models and not to the two"
        f" programs lies in the band {band(prefix)}."
    )


def band(prefix: str) -> str:
    """The band between the measured break-even and that at equal distance."""
    return f"from {num(f'{prefix}band_low_steps')} to {num(f'{prefix}band_high_steps')} steps"


def noise(comparison: Comparison, prefix: str) -> str:
    """What the same cell twice, and the same cell from round to round, say of the machine."""
    parts = []
    for found in comparison.noise:
        name = f"{kinds.label_of(found.model)} ({found.engine} engine)"
        if found.ratio is None:
            parts.append(f"the noise of {name} is not known")
            continue
        text = f"the sentinel of {name} differs from itself by a factor of {val(f'{prefix}{found.model}.aa_ratio')}"
        if found.drift is not None:
            word = "more" if found.drifted else "no more"
            text += (
                f" and moved between rounds by {num(f'{prefix}{found.model}.drift_percent')}\\,\\%, {word} than the"
                f" {100 * trust.DRIFT:g}\\,\\% that a table may leave unsaid"
            )
        parts.append(text)
    return (
        f"{wording.capitalised('; '.join(parts))}."
        if parts
        else "No noise check ran, so that no ratio is printed in bold."
    )


def spread(comparison: Comparison) -> bool:
    """Whether a floor of noise is known."""
    floor = floor_of(comparison.noise)
    return floor is not None and floor.low is not None


def baseline(comparison: Comparison, prefix: str, numbers: Numbers) -> str:
    """What LLaMA alone takes; empty where it was not measured."""
    if comparison.autoregressive.empty or not has(numbers, f"{prefix}llama.latency_ms"):
        return ""
    run: pd.Series = comparison.autoregressive.iloc[0]
    text = (
        f"LLaMA writes {run['gen_length']:.0f} tokens at batch {run['batch_size']:.0f} in"
        f" {val(f'{prefix}llama.latency_ms')} ms{wording.server_words(comparison.autoregressive)}."
    )
    if has(numbers, f"{prefix}llama.tokens_per_s"):
        text += f" That is {val(f'{prefix}llama.tokens_per_s')} kept tokens a second."
    if has(numbers, f"{prefix}llama.itl_p50_ms"):
        text += f" The median gap between two tokens is {val(f'{prefix}llama.itl_p50_ms')} ms."
    if has(numbers, f"{prefix}llama.over_floor"):
        over = estimate(numbers, f"{prefix}llama.over_floor").value
        text += f" By the cost model this is {num(f'{prefix}llama.over_floor')} times its floor on this device"
        text += ": near it." if over < NEAR else ": an engine that runs nearer to it would favour LLaMA."
    return text


NEAR = 1.5  # times its floor up to which a model is called near it
