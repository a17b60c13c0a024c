"""What the report shows of the scaling grids: tables, numbers and sentences. One group of each kind, the largest."""

from pathlib import Path

import pandas as pd

from bench.analysis import scaling as analysis_scaling
from bench.analysis.comparison import estimate_of, text_of
from bench.analysis.scaling import AXES, PARTS, Scaling, beside_own, break_evens, edges, shortcuts
from bench.common import stats
from bench.render import scaling, wording
from paper.tables.latex import cell_text, escape, latex, short

COLUMNS = {  # metric: (heading, digits)
    "latency/latency_ms": ("latency ms", 1),
    "latency/step_ms": ("step ms", 2),
    "throughput/tokens_per_s": ("tokens/s", 1),
    "memory/allocated_gib": ("allocated GiB", 2),
    "memory/resident_gib": ("resident GiB", 2),
}
CARD = {"energy/power_w": ("power W", 0), "compute/sm_clock_mhz": ("clock MHz", 0)}
ABOUT = {  # what a table of the kind shows, before what all say
    "batch": "Throughput over the batch",
    "length": "Latency over the length of the answer",
    "prompt": "Latency over the length of the prompt",
    "attention": "Attention by fused kernels, and as plain products with a softmax",
    "engines": "Every engine and rung of the head",
    "values": "The model's own weights, and the same shapes with matrices of other values",
    "memory": "Peak memory over batch and length, in GiB",
    "frontier": "The largest batch that fits at each length, found by trying; each probe in a process of its own",
}
PART = (
    "Times are extrapolated from what the column \\emph{timed} says: LLaDA's first steps, or LLaMA's prompt and its"
    " first and last tokens, were run, and a typical forward stands for each of the others."
)
METRICS = ("latency_ms", "step_ms", "ttft_ms", "tokens_per_s", "allocated_gib", "resident_gib")


def largest(found: list[Scaling]) -> dict[str, Scaling]:
    """Of each kind the group with the most runs."""
    ordered = sorted(found, key=lambda group: len(group.every))
    return {group.kind: group for group in ordered}


def write(found: dict[str, Scaling], folder: Path) -> None:
    """A table of every kind; one that has no data says so."""
    for kind in AXES:
        group = found.get(kind)
        text = latex(f"scaling_{kind}", caption(group), table(group)) if group else missing(kind)
        (folder / f"scaling_{kind}.tex").write_text(text)


def missing(kind: str) -> str:
    return latex(f"scaling_{kind}", "", pd.DataFrame())


def caption(found: Scaling) -> str:
    """What a table shows, where it was measured, what was left out, and what the shortcut is worth."""
    part = PART if found.every[PARTS].notna().any(axis=None) and found.kind not in PEAK_KINDS else ""
    label = f"({found.label.capitalize()}.)" if found.label else ""
    words = [
        f"{ABOUT[found.kind]}.", f"{upper(escape(found.title.split(': ', 1)[1]))}, on {escape(found.machine)}.",
        part, *map(escape, scaling.shortcut_sentences(found)), label, wording.left_out_sentence(found),
    ]  # fmt: skip
    return " ".join(filter(None, words))


PEAK_KINDS = ("memory", "frontier")


def table(found: Scaling) -> pd.DataFrame:
    if found.kind == "frontier":
        return scaling.edge_table(found).set_index("line").map(escape).rename_axis(None)
    if found.kind == "memory":
        return memory_table(found)
    return run_table(found)


def memory_table(found: Scaling) -> pd.DataFrame:
    """A row a line and batch, a column a length."""
    parts = {name: scaling.map_table(found, name) for name in scaling.names(found)}
    whole = pd.concat({escape(name): part for name, part in parts.items()}).fillna(scaling.MISSING)
    return whole.set_axis([f"{name}, {batch}" for name, batch in whole.index])


def run_table(found: Scaling) -> pd.DataFrame:
    """A row a run along the axis, with intervals; failed runs stand there with their reason."""
    runs = found.every
    columns = {scaling.HEADINGS[found.axis]: [f"{value:.0f}" for value in runs[found.axis]]}
    for metric, (heading, digits) in COLUMNS.items():
        estimates = [estimate_of(run, metric) for _, run in runs.iterrows()]
        if any(estimates):
            peaks = metric.startswith("memory/")  # they hardly vary
            columns[heading] = [cell_text(e and stats.Estimate(e.value) if peaks else e, digits) for e in estimates]
    ratios = [analysis_scaling.ratio(found, run) for _, run in runs.iterrows()]
    if any(ratios):
        columns["of LLaMA's tokens/s"] = [cell_text(ratio, 3) for ratio in ratios]
    if others := {run["run_id"]: ratio for run, ratio in beside_own(found)}:
        columns["step over own"] = [cell_text(others.get(run_id), 3) for run_id in runs["run_id"]]
    for metric, (heading, digits) in CARD.items() if found.kind == "values" else ():
        if metric in runs and runs[metric].notna().any():
            columns[heading] = [cell_text(estimate_of(run, metric), digits) for _, run in runs.iterrows()]
    if runs[PARTS].notna().any(axis=None):
        columns["timed"] = [wording.part_words(run).removeprefix("extrapolated from ") or "all" for _, run in
                            runs.iterrows()]  # fmt: skip
    notes = [escape(wording.note(run.drop(PARTS))) for _, run in runs.iterrows()]
    if any(notes):
        columns["note"] = [f"{{\\scriptsize {note}}}" if note else "" for note in notes]
    return pd.DataFrame(columns).set_axis(list(map(escape, runs["name"])), axis=0)


def sentences(found: dict[str, Scaling]) -> list[str]:
    """What the groups say, each under what its runs have in common; then the noise, once for each engine."""
    said = {kind: " ".join(filter(None, scaling.sentences(group, with_noise=False))) for kind, group in
            found.items()}  # fmt: skip
    noises = [found[kind].noise for kind in AXES if said.get(kind) and found[kind].noise]
    by_engine = {noise.none_ran or noise.engine: wording.noise_sentence(noise) for noise in reversed(noises)}
    shown = [f"{upper(found[kind].title)}. {said[kind]}" for kind in AXES if said.get(kind)]
    return [*shown, *(by_engine[engine] for engine in sorted(by_engine))]


def upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def numbers(found: dict[str, Scaling]) -> dict[str, tuple[stats.Estimate, str, list[str]]]:
    """(value, metric, runs) of everything, by name: `KIND.LINE.PLACE.METRIC`."""
    result = {}
    for group in found.values():
        for _, run in group.rows.iterrows():
            for metric in (column for column in run.index if column.split("/")[-1] in METRICS):
                if not metric.startswith("rounds/") and (estimate := estimate_of(run, metric)):
                    result[f"{name_of(group, run)}.{short(metric)}"] = estimate, metric, [run["run_id"]]
            for metric in CARD if group.kind == "values" else ():
                if estimate := estimate_of(run, metric):
                    result[f"{name_of(group, run)}.{short(metric)}"] = estimate, metric, [run["run_id"]]
            if ratio := analysis_scaling.ratio(group, run):
                result[f"{name_of(group, run)}.throughput_ratio"] = ratio, "1", [run["run_id"]]
        for run, ratio in beside_own(group):
            result[f"{name_of(group, run)}.step_over_own"] = ratio, "1", [run["run_id"]]
        for run, steps in break_evens(group):
            where = name_of(group, run.drop("steps"))
            result[f"{where}.break_even_steps"] = steps, "steps", [run["run_id"]]
        for edge in edges(group) if group.kind == "frontier" else []:
            if edge.fits:
                line = edge.name.lower().replace(", ", ".").replace(" ", "-")
                result[f"frontier.{line}.l{edge.gen_length}.largest_batch"] = stats.Estimate(edge.fits), "1", []
        for check in shortcuts(group):
            if check.latency:
                name = f"{group.kind}.shortcut.{check.model.lower()}.latency_ratio"
                result[name] = check.latency, "1", group.parts["run_id"].tolist()
    return result


def name_of(found: Scaling, run: pd.Series) -> str:
    """ "batch.llada.16.lean.captured.b8.l64.p32": what a run is, and where it stands."""
    parts = [found.kind, run["model"]]
    if run["model"] == "llada":
        parts += [f"{run['steps']:.0f}"] if "steps" in run else []
        parts.append(text_of(run["head"], "official"))
    parts += [run["engine"], *(run[name] for name in ("attention", "fill") if text_of(run[name], ""))]
    places = {"b": "batch_size", "l": "gen_length", "p": "prompt_tokens"}
    return ".".join(parts + [f"{letter}{run[name]:.0f}" for letter, name in places.items() if pd.notna(run[name])])
