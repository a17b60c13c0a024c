"""Scaling groups in the terminal: a table along the axis and what follows from it, in sentences."""

import pandas as pd

from bench.analysis import scaling
from bench.analysis.comparison import MEASURES, text_of
from bench.analysis.scaling import WORDS, Scaling
from bench.common.stats import Estimate

# Shown where they differ, and what None stands for.
SETTINGS = {"engine": "", "head": "official", "attention": "fused", "fill": "own"}
HEADINGS = {"batch_size": "batch", "gen_length": "tokens", "prompt_tokens": "prompt"}
MISSING = "-"


def lines(found: Scaling) -> list[str]:
    """Everything that a terminal shows of a group under its title."""
    tables = {"memory": map_lines, "frontier": edge_lines}
    parts = [found.label.upper(), *tables.get(found.kind, table_lines)(found), *sentences(found)]
    return [part for part in parts if part]


def table_lines(found: Scaling) -> list[str]:
    return [table(found).to_string(index=False)]


def table(found: Scaling) -> pd.DataFrame:
    """A line a run along the axis, failed ones in their places; a column that says nothing is left out."""
    from bench.render.wording import (
        format_value,
        note,  # which prints these lines
    )

    runs = found.every
    shown = pd.DataFrame({HEADINGS[found.axis]: [f"{value:.0f}" for value in runs[found.axis]]})
    shown["model"] = runs["model"].tolist()
    shown["steps"] = [format_value(value, 0) for value in pd.to_numeric(runs["steps"])]
    for name, default in SETTINGS.items():
        of_llada = [value if model == "llada" or name != "head" else None for value, model in
                    zip([text_of(v, default) for v in runs[name]], runs["model"], strict=True)]  # fmt: skip
        if len({value for value in of_llada if value}) > 1:
            shown[name] = [value or MISSING for value in of_llada]
    for metric, (heading, digits) in MEASURES.items():
        if metric in runs and runs[metric].notna().any():
            shown[heading] = [format_value(value, digits) for value in runs[metric]]
    ratios = [scaling.ratio(found, run) for _, run in runs.iterrows()]
    if any(ratios):
        shown["x LLaMA's tokens/s"] = [ratio_text(ratio) for ratio in ratios]
    notes = [note(run) for _, run in runs.iterrows()]
    return shown.assign(note=notes) if any(notes) else shown


def at(found: Scaling, place: float) -> str:
    """ "batch 4": a place on the axis."""
    return WORDS[found.axis].format(place)


def ratio_text(ratio: Estimate | None) -> str:
    from bench.render.wording import interval

    return MISSING if ratio is None else interval(ratio, 2 if ratio.value >= 0.1 else 3)


def map_lines(found: Scaling) -> list[str]:
    """Peak memory of each line over batch and length."""
    if found.peak is None and found.left_out.empty:
        return ["memory was not measured here"]
    what = "peak allocated" if found.peak == "memory/allocated_gib" else "peak resident set, libraries included"
    result = []
    for name in names(found):
        result += [f"{name}: {what}, GiB", map_table(found, name).to_string()]
    return result


def names(found: Scaling) -> list[str]:
    """Lines of a group with failed ones, LLaMA first."""
    every = found.every
    return sorted(dict.fromkeys(every["name"]), key=lambda name: (not name.startswith("LLaMA"), name))


def map_table(found: Scaling, name: str) -> pd.DataFrame:
    """GiB as text, batches down and lengths across; the outcome where a cell failed."""
    values, failed, runs = {}, scaling.failures(found, name), found.every[found.every["name"] == name]
    for _, run in runs.iterrows():
        place = run["batch_size"], run["gen_length"]
        known = found.peak and pd.notna(run.get(found.peak))
        values[place] = f"{run[found.peak]:.2f}" if known else failed.get(place, MISSING)
    batches, lengths = (sorted(set(axis)) for axis in zip(*values, strict=True))
    rows = [[values.get((batch, length), MISSING) for length in lengths] for batch in batches]
    return pd.DataFrame(
        rows, index=[f"batch {b:.0f}" for b in batches], columns=[f"{length:.0f} tokens" for length in lengths]
    )


def edge_lines(found: Scaling) -> list[str]:
    """The largest batches that fit."""
    return [edge_table(found).to_string(index=False)]


def edge_table(found: Scaling) -> pd.DataFrame:
    edges = scaling.edges(found)
    reserved = [gib_words(edge.reserved_gib) for edge in edges]
    held = {"reserved then": reserved} if any(edge.reserved_gib for edge in edges) else {}
    notes = ["" if edge.is_found else "search not at its end" for edge in edges]
    return pd.DataFrame(
        {
            "line": [edge.name for edge in edges],
            "tokens": [str(edge.gen_length) for edge in edges],
            "largest batch that fits": [edge_words(edge.fits, "none seen") for edge in edges],
            "its peak GiB": [gib_words(edge.peak_gib) for edge in edges],
            **held,
            "smallest that does not": [edge_words(edge.fails, "none tried") for edge in edges],
            **({"note": notes} if any(notes) else {}),
        }
    )


def gib_words(gib: float | None) -> str:
    return MISSING if gib is None else f"{gib:.2f}"


def edge_words(batch: int | None, missing: str) -> str:
    return missing if batch is None else str(batch)


def sentences(found: Scaling, with_noise: bool = True) -> list[str]:
    """What a group says in words; nothing where it says nothing."""
    from bench.render.wording import left_out_sentence, noise_sentence

    if found.kind == "frontier":  # out of memory is what was looked for
        return []
    # a call of the engines' grid has a few steps, to time one: its tokens a second say nothing
    rates = ratio_sentences(found) if found.kind != "engines" else []
    ratios = [*rates, *break_even_sentences(found), *value_sentences(found)]
    noise = [noise_sentence(found.noise)] if with_noise and ratios and found.noise else []
    return [*ratios, *shortcut_sentences(found), *noise, left_out_sentence(found)]


def ratio_sentences(found: Scaling) -> list[str]:
    """LLaDA's throughput over LLaMA's at both ends of the axis, a sentence a line."""
    result = []
    for name, runs in scaling.lines_of(found):
        known = [(run[found.axis], scaling.ratio(found, run)) for _, run in runs.iterrows()]
        known = [(place, ratio) for place, ratio in known if ratio]
        if len({place for place, _ in known}) > 1:
            ends = [f"{ratio_text(ratio)} at {at(found, place)}" for place, ratio in (known[0], known[-1])]
            result.append(f"Throughput: of LLaMA's tokens/s {name} has {' and '.join(ends)}.")
    return result


def break_even_sentences(found: Scaling) -> list[str]:
    """The steps at which time breaks even, along the axis."""
    parts: dict[str, list[str]] = {}
    llada = found.rows[found.rows["model"] == "llada"]
    differing = [name for name in SETTINGS if llada[name].nunique(dropna=False) > 1]
    for run, even in scaling.break_evens(found):
        setting = ", ".join(text_of(run[name], SETTINGS[name]) for name in differing)
        steps = even.value
        words = "under 1 step" if steps < 1 else f"{steps:.1f} steps" if steps < 10 else f"{steps:.0f} steps"
        parts.setdefault(setting, []).append(f"{words} at {at(found, run[found.axis])}")
    return [
        f"Time: {setting + ': ' if setting else ''}LLaDA takes as long as LLaMA with {', '.join(words)}."
        for setting, words in parts.items()
    ]


def value_sentences(found: Scaling) -> list[str]:
    """What a step takes with weights of other values, over the model's own, and power and clock where a card tells."""
    parts = []
    for run, ratio in scaling.beside_own(found):
        own = found.rows[found.rows["fill"].isna()].iloc[0]
        card = [
            f"{own[metric]:.0f} to {run[metric]:.0f} {unit}"
            for metric, unit in (("energy/power_w", "W"), ("compute/sm_clock_mhz", "MHz"))
            if metric in run and pd.notna(run[metric]) and pd.notna(own[metric])
        ]
        parts.append(f"{run['fill']} {ratio_text(ratio)}" + (f" ({', '.join(card)})" if card else ""))
    return [f"Values: a step takes, over the model's own weights, {'; '.join(parts)}."] if parts else []


def shortcut_sentences(found: Scaling) -> list[str]:
    """What was extrapolated over what was run whole."""
    result = []
    for check in scaling.shortcuts(found):
        known = {"latency": check.latency, "peak memory": check.peak}
        shown = [f"{name} {ratio_text(value)}" for name, value in known.items() if value]
        if shown:
            result.append(f"Shortcut: {check.model} from {check.words} over all of them: {', '.join(shown)}.")
    return result
