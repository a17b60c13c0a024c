"""Figures of the scaling groups. What was extrapolated is hatched or has an open marker."""

from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from bench.analysis.scaling import LATENCY, PARTS, RATE, STEP, Line, Scaling, lines_of
from bench.models import kinds
from bench.render.scaling import lines_in_order, map_table
from bench.render.wording import MISSING, label_of_models, line_name
from paper.figures.style import COLORS, bars, doubling_axis, estimates, fit_to_values, plain_log

LABELS = {"batch_size": "batch", "gen_length": "tokens of the answer", "prompt_tokens": "tokens of the prompt"}
EXTRAPOLATED = "extrapolated from a part of the call"
ABOVE_LINES = 5  # where matplotlib draws what must not be hidden by lines and their markers
LATENCY_LABEL = "latency of one answer (ms)"
SPLIT = {  # column: what it is; predicted by bench/cost/peak_memory.py where the cost model is there
    "predicted/kv_cache_gib": "K and V (predicted)",
    "predicted/activations_gib": "activations (predicted)",
    "predicted/logits_gib": "logits (predicted)",
}
FORWARDS = {"token": "one token (ms)", "step": "one denoising step (ms)"}  # by what a model's adapter marks
THIN_BARS = {"elinewidth": 0.8}


def colors_of(scaling: Scaling) -> dict[Line, tuple]:
    """The model without steps has the first color, the other lines the next ones; attention is told by the line's
    style."""
    bare = {line: replace(line, attention=None) for line in lines_in_order(scaling)}
    palette = dict(zip(dict.fromkeys(bare.values()), sns.color_palette("colorblind"), strict=False))
    return {line: palette[base] for line, base in bare.items()}


def is_part(runs: pd.DataFrame) -> pd.Series:
    """Of which runs only a part of their calls was run."""
    return runs[PARTS].notna().any(axis=1)


def peak_words(scaling: Scaling) -> str:
    """ "peak allocated" or "peak resident": which peak of memory this machine has."""
    return "peak resident" if "resident" in scaling.peak else "peak allocated"


def rate_bars(axes: Axes, scaling: Scaling) -> None:
    """Tokens a second by batch, lines side by side."""
    lines = lines_of(scaling)
    places = sorted(scaling.rows[scaling.axis].unique())
    colors = colors_of(scaling)
    width = 0.8 / len(lines)
    for number, (line, runs) in enumerate(lines):
        rates = estimates(runs, RATE)
        at = [places.index(place) + width * (number - (len(lines) - 1) / 2) for place in runs[scaling.axis]]
        drawn = axes.bar(
            at, [e.value for e in rates], width, yerr=bars(rates), color=colors[line], label=line_name(line), capsize=2,
            error_kw=THIN_BARS,
        )  # fmt: skip
        for bar, part in zip(drawn, is_part(runs), strict=True):
            bar.set_hatch("///" if part else "")
            bar.set_edgecolor("white")
    axes.set_xticks(range(len(places)), [f"{place:.0f}" for place in places])
    axes.set_yscale("log")
    plain_log(axes.yaxis)
    axes.set_xlabel(LABELS[scaling.axis])
    axes.set_ylabel("tokens/s, summed over the batch")
    handles = axes.get_legend_handles_labels()[0]
    if is_part(scaling.rows).any():
        handles.append(Patch(facecolor="lightgray", edgecolor="white", hatch="///", label=EXTRAPOLATED))
    axes.legend(handles=handles, fontsize=8, loc="upper left")
    room_for_legend = 4 ** (1 + len(handles) / 4)
    axes.set_ylim(scaling.rows[RATE].min() / 2, scaling.rows[RATE].max() * room_for_legend)


def growth(axes: Axes, scaling: Scaling, metric: str, label: str) -> None:
    """A metric of each line along the axis, both logarithmic."""
    colors = colors_of(scaling)
    is_any_part = False
    for line, runs in lines_of(scaling):
        runs = runs[runs[metric].notna()] if metric in runs else runs.head(0)
        values = estimates(runs, metric)
        axes.errorbar(
            runs[scaling.axis].tolist(), [e.value for e in values], yerr=bars(values), color=colors[line],
            label=line_name(line), capsize=2, linestyle="--" if line.attention == "math" else "-", **THIN_BARS,
        )  # fmt: skip
        for (_, run), part in zip(runs.iterrows(), is_part(runs), strict=True):
            is_open = part and metric == LATENCY
            is_any_part |= is_open
            fill = "white" if is_open else None
            axes.plot(run[scaling.axis], run[metric], "o", color=colors[line], markerfacecolor=fill)
    doubling_axis(axes, sorted(scaling.rows[scaling.axis].unique()), LABELS[scaling.axis])
    axes.set_yscale("log")
    plain_log(axes.yaxis)
    axes.set_ylabel(label)
    fit_to_values(axes, scaling.rows[metric].tolist())
    handles = axes.get_legend_handles_labels()[0]
    if is_any_part:
        handles += axes.plot([], [], "o", color="gray", markerfacecolor="white", label=EXTRAPOLATED)
    axes.legend(handles=handles, fontsize=8)


def break_even_panel(axes: Axes, scaling: Scaling) -> None:
    """The steps at which both models take equally long, along the axis."""
    runs = [run for run, _ in scaling.break_evens]
    steps = [estimate for _, estimate in scaling.break_evens]
    places = [run[scaling.axis] for run in runs]
    axes.errorbar(
        places, [e.value for e in steps], yerr=bars(steps), fmt="o-", color="black", capsize=2,
        label="time breaks even", **THIN_BARS,
    )  # fmt: skip
    open_places = [(run[scaling.axis], e.value) for run, e in scaling.break_evens if scaling.is_extrapolated(run)]
    if open_places:
        style = {"color": "black", "markerfacecolor": "white", "label": EXTRAPOLATED, "zorder": ABOVE_LINES}
        axes.plot(*zip(*open_places, strict=True), "o", **style)
    if scaling.axis == "gen_length":
        axes.plot(places, places, ":", color="gray", label="one step a token")
    else:
        axes.axhline(runs[0]["gen_length"], color="gray", linestyle=":", label="one step a token")
    doubling_axis(axes, places, LABELS[scaling.axis])
    axes.set_yscale("log")
    plain_log(axes.yaxis)
    diffusion = label_of_models(scaling.rows.head(0), with_steps=True)
    reference = label_of_models(scaling.rows.head(0), with_steps=False)
    axes.set_ylabel(f"{diffusion}'s steps at {reference}'s latency")
    fit_to_values(axes, [e.value for e in steps] + [run["gen_length"] for run in runs])
    axes.legend(fontsize=8)


def along_axis(scaling: Scaling) -> plt.Figure | None:
    """Throughput bars (batch) or latency lines (length, prompt), and where time breaks even."""
    if RATE not in scaling.rows or scaling.rows.empty:
        return None
    if not scaling.break_evens:
        figure, left = plt.subplots(figsize=(6, 3.8))
    else:
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), width_ratios=(3, 2))
        break_even_panel(right, scaling)
    if scaling.kind == "batch":
        rate_bars(left, scaling)
    else:
        growth(left, scaling, LATENCY, LATENCY_LABEL)
    return figure


def attention(scaling: Scaling) -> plt.Figure | None:
    """Peak memory and latency over the length, by attention."""
    if scaling.peak is None:
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
    growth(left, scaling, scaling.peak, f"{peak_words(scaling)} (GiB)")
    growth(right, scaling, LATENCY, LATENCY_LABEL)
    right.get_legend().remove()
    return figure


def engines(scaling: Scaling) -> plt.Figure | None:
    """A forward on every engine and rung, from the slowest to the fastest, a panel a model: their scales differ."""
    if STEP not in scaling.rows or scaling.rows.empty:
        return None
    models = sorted(scaling.rows["model"].unique(), key=kinds.has_steps)
    by_model = [scaling.rows[scaling.rows["model"] == model].sort_values(STEP) for model in models]
    sizes = [len(runs) for runs in by_model]
    height = 0.9 * len(models) + 0.35 * sum(sizes)
    figure, panels = plt.subplots(len(models), figsize=(7, height), squeeze=False, height_ratios=sizes)
    several_batches = scaling.rows["batch_size"].nunique() > 1
    for axes, runs in zip(panels[:, 0], by_model, strict=True):
        engine_panel(axes, runs, several_batches)
    return figure


def engine_panel(axes: Axes, runs: pd.DataFrame, several_batches: bool) -> None:
    """The time of one model's forward, a bar a run."""
    model = runs["model"].iloc[0]
    names = [
        line_name(run["line"]) + (f", batch {run['batch_size']:.0f}" if several_batches else "")
        for _, run in runs.iterrows()
    ]
    times = estimates(runs, STEP)
    axes.barh(names, [e.value for e in times], xerr=bars(times), color=COLORS[model], capsize=2, error_kw=THIN_BARS)
    ends = [e.value if e.high is None else e.high for e in times]
    for place, (time, end) in enumerate(zip(times, ends, strict=True)):
        axes.annotate(
            f"{time.value:.3g}", (end, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_xlim(0, 1.12 * max(ends))
    axes.set_xlabel(FORWARDS[kinds.KINDS[model].mark])


def memory_map(scaling: Scaling) -> plt.Figure | None:
    """Peak memory over batch and length, a panel a line on one color scale; failed cells hatched, with the reason."""
    lines = lines_in_order(scaling)
    if scaling.peak is None or not lines:
        return None
    size = (1.2 + 3 * len(lines), 3)
    figure, grid = plt.subplots(1, len(lines), figsize=size, squeeze=False, layout="constrained")
    maps = {line: map_table(scaling, line) for line in lines}
    largest_first = sorted(maps.values(), key=lambda part: -part.size)  # whose places come in order
    batches = list(dict.fromkeys(label for part in largest_first for label in part.index))
    lengths = list(dict.fromkeys(label for part in largest_first for label in part.columns))
    for axes, line in zip(grid[0], lines, strict=True):
        words = maps[line].reindex(index=batches, columns=lengths, fill_value=MISSING)
        memory_panel(axes, words, scaling.rows[scaling.peak].max())
        axes.set_title(line_name(line))
    figure.colorbar(grid[0][0].collections[0], ax=grid[0], label=f"{peak_words(scaling)} (GiB)")
    return figure


def memory_panel(axes: Axes, words: pd.DataFrame, most_gib: float) -> None:
    """One line's map. words: GiB or the outcome as text, batches down and lengths across."""
    values = words.apply(pd.to_numeric, errors="coerce")
    notes = words.where(words != MISSING, "not\nmeasured")
    sns.heatmap(values, ax=axes, vmin=0, vmax=most_gib, cmap="crest", annot=notes, fmt="", cbar=False, linewidths=0.5)
    axes.patch.set(facecolor="lightgray", hatch="xx", edgecolor="white")  # to be seen where there is no number
    for text in axes.texts:
        if not text.get_text().replace(".", "").isdecimal():
            text.set(color="black", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})
    axes.set_xticklabels([label.removesuffix(" tokens") for label in words.columns], rotation=0)
    axes.set(xlabel="tokens of the answer", ylabel="")
    axes.tick_params(axis="y", rotation=0)


def memory_split(scaling: Scaling) -> plt.Figure | None:
    """What the peak is made of at the largest batch: the weights, and the rest as far as the cost model explains it."""
    if scaling.peak is None:
        return None
    runs = scaling.rows[scaling.rows["batch_size"] == scaling.rows["batch_size"].max()]
    places = {line: place for place, line in enumerate(lines_in_order(scaling))}
    runs = runs.sort_values(["line", "gen_length"], key=lambda c: c.map(places) if c.name == "line" else c)
    figure, axes = plt.subplots(figsize=(7.5, 0.9 + 0.36 * len(runs)))
    names = [f"{line_name(run['line'])}, {run['gen_length']:.0f} tokens" for _, run in runs.iterrows()]
    parts = parts_of_peak(scaling, runs)
    left = pd.Series(0.0, index=runs.index)
    for (words, values), color in zip(parts.items(), sns.color_palette("colorblind", len(parts)), strict=True):
        axes.barh(names, values, left=left, color=color, label=words)
        left = left + values.fillna(0)
    axes.invert_yaxis()
    axes.set_xlabel(f"{peak_words(scaling)} at batch {runs['batch_size'].iloc[0]:.0f} (GiB)")
    axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def parts_of_peak(scaling: Scaling, runs: pd.DataFrame) -> dict[str, pd.Series]:
    """GiB of each part of the runs' peaks, by what it is; the last one is what nothing explains."""
    parts = {"weights": runs["memory/weights_gib"]}
    for column, words in SPLIT.items():
        if column in runs and runs[column].notna().any():
            parts[words] = runs[column]
    rest = (runs[scaling.peak] - sum(parts.values())).clip(lower=0)
    beside = "interpreter and libraries, " if "resident" in scaling.peak else ""
    words = "K and V, activations, logits" if len(parts) == 1 else "not explained"
    return parts | {f"{beside}{words}": rest}


def frontier(scaling: Scaling) -> plt.Figure | None:
    """The largest batch that fits, by length."""
    edges = [edge for edge in scaling.edges if edge.fits]
    if not edges:
        return None
    figure, axes = plt.subplots(figsize=(6, 3.8))
    for number, (line, color) in enumerate(colors_of(scaling).items()):
        of_line = [edge for edge in edges if edge.line == line]
        axes.plot([e.gen_length for e in of_line], [e.fits for e in of_line], "o-", color=color, label=line_name(line))
        offset = (5, 4 if number else -11)  # the first line's labels stand under it: lines can meet
        for edge in of_line:
            axes.annotate(
                f"{edge.fits}{'' if edge.is_found else ' or more'}", (edge.gen_length, edge.fits), xytext=offset,
                textcoords="offset points", fontsize=8, color=color,
            )  # fmt: skip
    lengths = sorted({edge.gen_length for edge in edges})
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.minorticks_off()
    axes.set_yscale("log")
    plain_log(axes.yaxis)
    axes.set_xlabel(LABELS["gen_length"])
    axes.set_ylabel("largest batch that fits")
    axes.legend(fontsize=8)
    return figure


FIGURES = {  # name: (kind, how it is drawn)
    "batch": ("batch", along_axis),
    "length": ("length", along_axis),
    "prompt": ("prompt", along_axis),
    "attention": ("attention", attention),
    "engines": ("engines", engines),
    "memory_map": ("memory", memory_map),
    "memory_split": ("memory", memory_split),
    "frontier": ("frontier", frontier),
}
