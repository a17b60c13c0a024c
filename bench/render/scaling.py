"""Scaling groups in the terminal: a table along the axis and what follows from it, in sentences."""

import pandas as pd

from bench.analysis import scaling as analysis_scaling
from bench.analysis.doubt import WIDEST, is_too_wide, rounds_for
from bench.analysis.lines import DEFAULTS
from bench.analysis.noise import floor_of
from bench.analysis.runs import with_steps
from bench.analysis.scaling import ALLOCATED, LATENCY, Edge, Line, Scaling
from bench.common.stats import Estimate
from bench.models import kinds
from bench.render import by_card, corners, extrapolation, noise, parity
from bench.render.comparison import MEASURES
from bench.render.doubt import NO_INTERVAL, equal_words, steps_interval, what_to_do
from bench.render.wording import (
    MISSING,
    differing_settings,
    format_value,
    interval,
    label_of_models,
    left_out_sentence,
    line_name,
    place_words,
    setting_text,
    weights_label,
    with_metrics,
    with_notes,
)
from bench.spec.cell import FRONTIER

# The settings that stand in a table where they differ, and what stands there for a run that has no such setting.
SETTINGS = {"engine": "", **DEFAULTS}
HEADINGS = {"batch_size": "batch", "gen_length": "tokens", "prompt_tokens": "prompt"}
CARD = (("energy/power_w", "W"), ("compute/sm_clock_mhz", "MHz"))  # what a card tells of itself under load


def lines(scaling: Scaling) -> list[str]:
    """Everything that a terminal shows of a group under its title."""
    tables = {"memory": map_lines, FRONTIER: edge_lines, "corners": corner_lines}
    label = weights_label(scaling.every).upper()
    parts = [label, *tables.get(scaling.kind, table_lines)(scaling), *sentences(scaling)]
    return [part for part in parts if part]


def corner_lines(scaling: Scaling) -> list[str]:
    """The table of batch and length together, and the runs behind it."""
    return [corners.table(scaling).to_string(index=False), table(scaling).to_string(index=False)]


def table_lines(scaling: Scaling) -> list[str]:
    """The table of a group whose runs are timed."""
    return [table(scaling).to_string(index=False)]


def table(scaling: Scaling) -> pd.DataFrame:
    """A line a run along the axis, failed ones in their places; a column that says nothing is left out."""
    runs = scaling.every
    result = pd.DataFrame(place_columns(scaling))
    result["model"] = runs["model"].tolist()
    result["steps"] = [format_value(value, 0) for value in pd.to_numeric(runs["steps"])]
    for name, default in SETTINGS.items():
        values = [setting_text(run, name, default) for _, run in runs.iterrows()]
        if len({value for value in values if value}) > 1:
            result[name] = [value or MISSING for value in values]
    result = with_metrics(result, runs, MEASURES)
    if scaling.ratios:
        reference = label_of_models(runs.head(0), with_steps=False)
        result[f"x {reference}'s tokens/s"] = [ratio_text(scaling.ratios.get(run_id)) for run_id in runs["run_id"]]
    return with_notes(result, runs)


def place_columns(scaling: Scaling) -> dict[str, list[str]]:
    """By heading: where each run stands on the group's axis, and in the group of corners on its second one."""
    axes = [scaling.axis, *(["gen_length"] if scaling.kind == "corners" else [])]
    return {HEADINGS[name]: [f"{value:.0f}" for value in scaling.every[name]] for name in axes}


def ratio_text(ratio: Estimate | None) -> str:
    """A ratio with its interval; of small ones three digits."""
    return MISSING if ratio is None else interval(ratio, 2 if ratio.value >= 0.1 else 3)


def map_lines(scaling: Scaling) -> list[str]:
    """Peak memory of each line over batch and length."""
    if scaling.peak is None and scaling.left_out.empty:
        return ["memory was not measured here"]
    peak = "peak allocated" if scaling.peak == ALLOCATED else "peak resident set, libraries included"
    result = []
    for line in lines_in_order(scaling):
        result += [f"{line_name(line)}: {peak}, GiB", map_table(scaling, line).to_string()]
    return result


def order_of_lines(line: Line) -> tuple[bool, str]:
    """Sorts lines: models without steps first, then by name."""
    return kinds.has_steps(line.model), line_name(line)


def lines_in_order(scaling: Scaling) -> list[Line]:
    """The lines of a group, also those of which every run failed."""
    return sorted(dict.fromkeys(scaling.every["line"]), key=order_of_lines)


def map_table(scaling: Scaling, line: Line) -> pd.DataFrame:
    """GiB as text, batches down and lengths across; the outcome where a cell failed."""
    failed = analysis_scaling.failures(scaling, line)
    values = {}
    for _, run in scaling.every[scaling.every["line"] == line].iterrows():
        place = run["batch_size"], run["gen_length"]
        is_measured = scaling.peak and pd.notna(run.get(scaling.peak))
        values[place] = f"{run[scaling.peak]:.2f}" if is_measured else failed.get(place, MISSING)
    batches, lengths = (sorted(set(axis)) for axis in zip(*values, strict=True))
    rows = [[values.get((batch, length), MISSING) for length in lengths] for batch in batches]
    return pd.DataFrame(
        rows,
        index=[f"batch {batch:.0f}" for batch in batches],
        columns=[f"{length:.0f} tokens" for length in lengths],
    )


def edge_lines(scaling: Scaling) -> list[str]:
    """The table of a frontier."""
    return [edge_table(scaling).to_string(index=False)]


def edge_table(scaling: Scaling) -> pd.DataFrame:
    """The largest batches that fit, a line for each line and length."""
    edges = sorted(scaling.edges, key=lambda edge: (*order_of_lines(edge.line), edge.gen_length))
    columns = {
        "line": [line_name(edge.line) for edge in edges],
        "tokens": [str(edge.gen_length) for edge in edges],
        "largest batch that fits": [batch_text(edge.fits, "none seen") for edge in edges],
        "its peak GiB": [gib_text(edge.peak_gib) for edge in edges],
    }
    if any(edge.reserved_gib for edge in edges):
        columns["reserved then"] = [gib_text(edge.reserved_gib) for edge in edges]
    columns["smallest that does not"] = [batch_text(edge.fails, "none tried") for edge in edges]
    if not all(edge.is_found for edge in edges):
        columns["note"] = [edge_note(edge) for edge in edges]
    return pd.DataFrame(columns)


def edge_sentences(scaling: Scaling) -> list[str]:
    """ "Largest batch that fits, 2,048 tokens: LLaMA, eager 32; LLaDA, lean head, eager 27.", a length a line."""
    by_length: dict[int, list[str]] = {}
    for edge in sorted(scaling.edges, key=lambda edge: (edge.gen_length, *order_of_lines(edge.line))):
        by_length.setdefault(edge.gen_length, []).append(f"{line_name(edge.line)} {largest_text(edge)}")
    return [f"Largest batch that fits, {length:,} tokens: {'; '.join(parts)}." for length, parts in by_length.items()]


def largest_text(edge: Edge) -> str:
    """The largest batch of an edge in words, also where the search is not at its end."""
    if edge.is_found:
        return f"{edge.fits:,}" if edge.fits else "none"
    if edge.fits:
        return f"at least {edge.fits:,}"
    return f"less than {edge.fails:,}" if edge.fails else "not known"


def edge_note(edge: Edge) -> str:
    """Whether the largest batch may not be the largest yet."""
    return "" if edge.is_found else "search not at its end"


def gib_text(gib: float | None) -> str:
    """GiB, a dash where they are missing."""
    return MISSING if gib is None else f"{gib:.2f}"


def batch_text(batch: int | None, missing: str) -> str:
    """A batch; what stands in its place where there is none."""
    return missing if batch is None else str(batch)


def sentences(scaling: Scaling, with_noise: bool = True) -> list[str]:
    """What a group says in words; nothing where it says nothing."""
    if scaling.kind == FRONTIER:  # its failures are no loss: out of memory is what was looked for
        return []
    outcome = outcome_sentences(scaling)
    floors = noise.sentences(scaling.noise) if with_noise and outcome and scaling.noise else []
    return [*outcome, *extrapolation.sentences(scaling), *floors, left_out_sentence(scaling)]


def outcome_sentences(scaling: Scaling) -> list[str]:
    """How the two models compare along the axis, or where their frontiers end; nothing where no time was taken."""
    if scaling.kind == FRONTIER:
        return edge_sentences(scaling)
    # A call of the engines' grid has a few steps, to time one: its tokens a second say nothing.
    rates = ratio_sentences(scaling) if scaling.kind != "engines" else []
    break_evens = [*break_even_sentences(scaling), *by_card.scaling_sentences(scaling), *advice_sentences(scaling)]
    return [*rates, *break_evens, *parity.scaling_sentences(scaling), *value_sentences(scaling)]


def ratio_sentences(scaling: Scaling) -> list[str]:
    """The throughput over that of the model without steps at both ends of the axis, a sentence a line."""
    reference = label_of_models(scaling.rows.head(0), with_steps=False)
    result = []
    for line, runs in analysis_scaling.lines_of(scaling):
        with_ratio = runs[runs["run_id"].isin(scaling.ratios)]
        if with_ratio[scaling.axis].nunique() > 1:
            ends = [end_text(scaling, run) for run in (with_ratio.iloc[0], with_ratio.iloc[-1])]
            result.append(f"Throughput: of {reference}'s tokens/s {line_name(line)} has {' and '.join(ends)}.")
    return result


def end_text(scaling: Scaling, run: pd.Series) -> str:
    """ "3.28 [3.18, 3.38] at batch 1": a run's throughput ratio and where it stands; that it may be noise alone."""
    ratio = scaling.ratios[run["run_id"]]
    doubt = equal_words(ratio, rounds_of(scaling, run), floor_of(scaling.noise), "which of the two gives more")
    extrapolated = " (extrapolated)" if scaling.is_extrapolated(run) else ""
    return f"{ratio_text(ratio)} at {place_words(scaling, run)}{extrapolated}{doubt}"


def rounds_of(scaling: Scaling, run: pd.Series) -> int:
    """In how many rounds a run was timed."""
    return len(scaling.histories.rounds([run["run_id"]], LATENCY))


def break_even_sentences(scaling: Scaling) -> list[str]:
    """The steps at which time breaks even, along the axis. Of a place without an interval it is said where others have
    such."""
    diffusion = with_steps(scaling.rows)
    stated = differing_settings([run for run, _ in scaling.break_evens], SETTINGS)
    by_setting: dict[str, list[str]] = {}
    floor = floor_of(scaling.noise)
    have_intervals = any(steps.low is not None for _, steps in scaling.break_evens)
    for (run, steps), setting in zip(scaling.break_evens, stated, strict=True):
        remarks = ["extrapolated"] if scaling.is_extrapolated(run) else []
        remarks += [NO_INTERVAL] if have_intervals and steps.low is None and steps.value >= 1 else []
        behind = f" ({'; '.join(remarks)})" if remarks else ""
        by_setting.setdefault(setting, []).append(f"{steps_text(steps, floor)} at {place_words(scaling, run)}{behind}")
    name = label_of_models(diffusion, with_steps=True)
    reference = label_of_models(scaling.rows.head(0), with_steps=False)
    return [
        f"Time: {setting + ': ' if setting else ''}{name} takes as long as {reference} with {', '.join(parts)}."
        for setting, parts in by_setting.items()
    ]


def steps_text(steps: Estimate, floor: Estimate | None) -> str:
    """ "9.5 [9.1, 9.9] steps", or that it is too noisy to say. floor: the sentinel's A/A, None where not known."""
    if steps.value < 1 and not is_too_wide(steps):
        return "under 1 step"
    words = steps_interval(steps)
    return (
        f"a number of steps that is too noisy to state ({words})" if is_too_wide(steps) or is_too_wide(floor) else words
    )


def advice_sentences(scaling: Scaling) -> list[str]:
    """What to do where a break-even is too noisy to say, in one sentence."""
    floor = floor_of(scaling.noise)
    numbers = [
        rounds_for(estimate, rounds_of(scaling, run), WIDEST)
        for run, steps in scaling.break_evens
        for estimate in (steps, floor)
        if is_too_wide(estimate)
    ]
    return [f"{what_to_do(numbers)}."] if numbers else []


def value_sentences(scaling: Scaling) -> list[str]:
    """What a step takes with weights of other values, over the model's own, and power and clock where a card tells."""
    parts = []
    for run, ratio in scaling.beside_own:
        own = scaling.rows[scaling.rows["fill"].isna()].iloc[0]
        card = [
            f"{own[metric]:.0f} to {run[metric]:.0f} {unit}"
            for metric, unit in CARD
            if metric in run and pd.notna(run[metric]) and pd.notna(own[metric])
        ]
        parts.append(f"{run['fill']} {ratio_text(ratio)}" + (f" ({', '.join(card)})" if card else ""))
    return [f"Values: a step takes, over the model's own weights, {'; '.join(parts)}."] if parts else []
