"""What the report shows of the scaling grids: tables, numbers and sentences. One group of each kind, the largest."""

from pathlib import Path

import pandas as pd

from bench.analysis import parity
from bench.analysis.consistency import FLAG
from bench.analysis.lines import DEFAULTS, Line
from bench.analysis.noise import floor_of
from bench.analysis.runs import estimate_of, setting_of
from bench.analysis.scaling import AXES, PARTS, Scaling
from bench.common import stats
from bench.models import kinds
from bench.records.catalogue import paper_columns_with_units, unit_in_results
from bench.render import corners as render_corners
from bench.render import extrapolation as render_extrapolation
from bench.render import scaling as render_scaling
from bench.render import wording
from paper.results import NO_UNIT, band, entry
from paper.tables.latex import cell_text, escape, long_table, short
from paper.values import stands_out

COLUMNS = paper_columns_with_units((
    "latency/latency_ms", "latency/step_ms", "throughput/tokens_per_s", "memory/allocated_gib", "memory/resident_gib",
))  # fmt: skip
CARD = paper_columns_with_units(("energy/power_w", "compute/sm_clock_mhz"))  # of weights of other values
ABOUT = {  # what a table of the kind shows, before what all say
    "batch": "Throughput over the batch",
    "length": "Latency over the length of the answer",
    "prompt": "Latency over the length of the prompt",
    "corners": "LLaDA's latency over LLaMA's, and the steps at which time breaks even, over batch and length together",
    "attention": "Attention by fused kernels, and as plain products with a softmax",
    "engines": "Every engine and rung of the head",
    "values": "The model's own weights, and the same shapes with matrices of other values",
    "memory": "Peak memory over batch and length, in GiB",
    "frontier": "The largest batch that fits at each length, found by trying; each probe in a process of its own",
}
PART = (
    "Times are extrapolated where the table says so: LLaDA's first steps, or LLaMA's prompt and its first and last"
    " tokens, were run, and a typical forward stands for each of the others. Their intervals are widened by what"
    " extrapolating was off where calls were made both ways, at that place or at those around it."
)
EXTRAPOLATED = "Extrapolated:"  # how a sentence begins that says from what
MARK = "*"
MARKED = f"{MARK}: {FLAG}, since the peak of a run that asks for less, or for more, cannot be true beside it."
PEAK_KINDS = ("memory", "frontier")  # whose tables have no times
WITHOUT_RATE = ("engines",)  # whose calls have a few steps, to time one: their tokens a second say nothing
METRICS = ("latency_ms", "step_ms", "ttft_ms", "tokens_per_s", "allocated_gib", "resident_gib")  # in results.json
PLACES = {"b": "batch_size", "l": "gen_length", "p": "prompt_tokens"}  # letters of a place in results.json's names


def largest(scalings: list[Scaling]) -> dict[str, Scaling]:
    """Of each kind the group with the most runs."""
    ordered = sorted(scalings, key=lambda scaling: len(scaling.every))
    return {scaling.kind: scaling for scaling in ordered}


def write(scalings: dict[str, Scaling], folder: Path) -> None:
    """A table of every kind; the file of one without data is empty."""
    for kind in AXES:
        scaling = scalings.get(kind)
        about, lines = (caption(scaling), table(scaling)) if scaling else ("", pd.DataFrame())
        text = long_table(f"scaling_{kind}", about, lines)
        (folder / f"scaling_{kind}.tex").write_text(text, encoding="utf-8")


def caption(scaling: Scaling) -> str:
    """What a table shows, where it was measured, what was left out, and what the shortcut is worth."""
    has_parts = scaling.every[PARTS].notna().any(axis=None) and scaling.kind not in PEAK_KINDS
    title = wording.scaling_title(scaling).split(": ", 1)[1]
    label = wording.weights_label(scaling.every)
    parts = [
        f"{ABOUT[scaling.kind]}.",
        f"{wording.capitalised(escape(title))}, on {escape(wording.machine_of(scaling.every))}.",
        PART if has_parts else "",
        *map(escape, render_extrapolation.sentences(scaling)),
        f"({label.capitalize()}.)" if label else "",
        wording.left_out_sentence(scaling),
        MARKED if scaling.kind == "memory" and not contradicted(scaling.rows).empty else "",
    ]
    return " ".join(filter(None, parts))


def table(scaling: Scaling) -> pd.DataFrame:
    """The table of a group, by its kind."""
    if scaling.kind == "frontier":
        return render_scaling.edge_table(scaling).set_index("line").map(escape).rename_axis(None)
    if scaling.kind == "memory":
        return memory_table(scaling)
    if scaling.kind == "corners":
        lines = render_corners.table(scaling).map(lambda cell: escape(str(cell)))
        return lines.set_index("batch").rename("batch {}".format).rename_axis(None)
    return run_table(scaling)


def memory_table(scaling: Scaling) -> pd.DataFrame:
    """A row a line and batch, a column a length."""
    lines = render_scaling.lines_in_order(scaling)
    parts = {escape(wording.line_name(line)): marked_map(scaling, line) for line in lines}
    whole = pd.concat(parts).fillna(wording.MISSING)
    return whole.set_axis([f"{name}, {batch}" for name, batch in whole.index])


def marked_map(scaling: Scaling, line: Line) -> pd.DataFrame:
    """A line's peaks, with a mark at those that another run contradicts."""
    peaks = render_scaling.map_table(scaling, line)
    for _, run in contradicted(scaling.rows[scaling.rows["line"] == line]).iterrows():
        peaks.loc[f"batch {run['batch_size']:.0f}", f"{run['gen_length']:.0f} tokens"] += MARK
    return peaks


def contradicted(runs: pd.DataFrame) -> pd.DataFrame:
    """Of some runs those whose peak is flagged."""
    return runs[runs["flags"].fillna("").str.contains(FLAG, regex=False)] if "flags" in runs else runs.head(0)


def run_table(scaling: Scaling) -> pd.DataFrame:
    """A row a run along the axis, with intervals; failed runs stand there with their reason."""
    runs = scaling.every
    columns = {render_scaling.HEADINGS[scaling.axis]: [f"{value:.0f}" for value in runs[scaling.axis]]}
    says_rate = scaling.kind not in WITHOUT_RATE
    for metric, (heading, digits) in COLUMNS.items():
        if metric.startswith("throughput/") and not says_rate:
            continue
        estimates = [estimate_of(run, metric) for _, run in runs.iterrows()]
        if metric.startswith("memory/"):  # peaks hardly vary: they stand without their intervals
            estimates = [estimate and stats.Estimate(estimate.value) for estimate in estimates]
        if any(estimates):
            columns[heading] = [cell_text(estimate, digits) for estimate in estimates]
    if scaling.ratios and says_rate:
        reference = wording.label_of_models(runs.head(0), with_steps=False)
        floor = floor_of(scaling.noise)
        columns[f"of {reference}'s tokens/s"] = [ratio_text(scaling, run_id, floor) for run_id in runs["run_id"]]
    if over_own := {run["run_id"]: ratio for run, ratio in scaling.beside_own}:
        columns["step over own"] = [cell_text(over_own.get(run_id), 3) for run_id in runs["run_id"]]
    for metric, (heading, digits) in CARD.items() if scaling.kind == "values" else ():
        if metric in runs and runs[metric].notna().any():
            columns[heading] = [cell_text(estimate_of(run, metric), digits) for _, run in runs.iterrows()]
    notes = [escape(wording.note(run)) for _, run in runs.iterrows()]
    if any(notes):
        columns["note"] = notes
    return pd.DataFrame(columns).set_axis([escape(wording.line_name(line)) for line in runs["line"]], axis=0)


def ratio_text(scaling: Scaling, run_id: str, floor: stats.Estimate | None) -> str:
    """A run's ratio to the model without steps, bold where noise alone cannot make it."""
    ratio = scaling.ratios.get(run_id)
    return cell_text(ratio, 3, ratio is not None and stands_out(ratio, floor))


def extrapolations(scalings: dict[str, Scaling]) -> dict[str, str]:
    """What the caption of a figure says of the times in it, by `extrapolated_KIND`; how far they were off stands with
    the tables."""
    said = {}
    for kind, scaling in scalings.items():
        texts = [text for text in render_extrapolation.sentences(scaling) if text.startswith(EXTRAPOLATED)]
        said[f"extrapolated_{kind}"] = " ".join(texts) or "Every call was made whole."
    return said


def numbers(scalings: dict[str, Scaling]) -> dict[str, dict]:
    """Everything that the groups say, as results.json has it, by name: `KIND.LINE.PLACE.METRIC`."""
    result = {}
    for scaling in scalings.values():
        result |= measured_numbers(scaling) | derived_numbers(scaling)
    return result


def measured_numbers(scaling: Scaling) -> dict[str, dict]:
    """What was measured of each run of a group."""
    metrics = [column for column in scaling.rows if column.split("/")[-1] in METRICS]
    metrics += CARD if scaling.kind == "values" else ()
    result = {}
    for _, run in scaling.rows.iterrows():
        for metric in metrics:
            if estimate := estimate_of(run, metric):
                name = f"{name_of(scaling, run)}.{short(metric)}"
                result[name] = entry(estimate, unit_in_results(metric), [run["run_id"]])
    return result


def derived_numbers(scaling: Scaling) -> dict[str, dict]:
    """Ratios, break-evens, largest batches and what the shortcut is worth."""
    result = {}
    for _, run in scaling.rows.iterrows():
        if ratio := scaling.ratios.get(run["run_id"]):
            result[f"{name_of(scaling, run)}.throughput_ratio"] = entry(ratio, NO_UNIT, [run["run_id"]])
    for run, ratio in scaling.beside_own:
        result[f"{name_of(scaling, run)}.step_over_own"] = entry(ratio, NO_UNIT, [run["run_id"]])
    for run, steps in scaling.break_evens:
        name = f"{name_of(scaling, run.drop('steps'))}.break_even_steps"
        result[name] = entry(steps, NO_UNIT, [run["run_id"]])
    for run, at_parity in parity.of_scaling(scaling):
        name = f"{name_of(scaling, run.drop('steps'))}.break_even_steps_at_equal_distance"
        result[name] = entry(band(at_parity), NO_UNIT, [run["run_id"]])
    for edge in scaling.edges if scaling.kind == "frontier" else ():
        if edge.fits:
            line = wording.line_name(edge.line).lower().replace(", ", ".").replace(" ", "-")
            name = f"frontier.{line}.l{edge.gen_length}.largest_batch"
            result[name] = entry(stats.Estimate(edge.fits), NO_UNIT, [])
    return result | shortcut_numbers(scaling)


def shortcut_numbers(scaling: Scaling) -> dict[str, dict]:
    """Part over whole of the calls that were made both ways; where there are several of a model, with what each is."""
    timed = [shortcut for shortcut in scaling.shortcuts if shortcut.latency]
    models = [shortcut.model for shortcut in timed]
    result = {}
    for shortcut in timed:
        name = f"{scaling.kind}.shortcut.{shortcut.model}"
        if models.count(shortcut.model) > 1:
            run = scaling.parts[scaling.parts["run_id"] == shortcut.runs[0]].iloc[0]
            name += name_of(scaling, run).removeprefix(f"{scaling.kind}.{shortcut.model}")
        result[f"{name}.latency_ratio"] = entry(shortcut.latency, NO_UNIT, list(shortcut.runs))
    return result


def name_of(scaling: Scaling, run: pd.Series) -> str:
    """ "batch.llada.16.lean.captured.b8.l64.p32": what a run is, and where it stands."""
    parts = [scaling.kind, run["model"]]
    if kinds.has_steps(run["model"]):
        parts += [f"{run['steps']:.0f}"] if "steps" in run else []
        parts.append(setting_of(run, "head", DEFAULTS["head"]))
    parts += [run["engine"], *(run[name] for name in ("attention", "fill") if setting_of(run, name, ""))]
    places = [f"{letter}{run[column]:.0f}" for letter, column in PLACES.items() if pd.notna(run[column])]
    return ".".join(parts + places)
