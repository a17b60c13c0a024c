"""Figures of the scaling groups, each as PDF and PNG. What was extrapolated is hatched or has an open marker."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from bench.analysis import scaling
from bench.analysis.scaling import LATENCY, PARTS, RATE, Scaling
from bench.render import scaling as render_scaling
from bench.render.scaling import MISSING, map_table
from paper.figures.style import bars, doubling_axis, estimates, plain_log

LABELS = {"batch_size": "batch", "gen_length": "tokens of the answer", "prompt_tokens": "tokens of the prompt"}
EXTRAPOLATED = "extrapolated from a part of the call"
SPLIT = {  # column: what it is; predicted by bench/cost/peak_memory.py where the cost model is there
    "predicted/kv_cache_gib": "K and V (predicted)",
    "predicted/activations_gib": "activations (predicted)",
    "predicted/logits_gib": "logits (predicted)",
}


def colors_of(found: Scaling) -> dict[str, tuple]:
    """LLaMA has the first color of every figure, LLaDA's lines the others; attention is told by the line's style."""
    bare = {name: ", ".join(part for part in name.split(", ") if "attention" not in part) for name in
            render_scaling.names(found)}  # fmt: skip
    palette = dict(zip(dict.fromkeys(bare.values()), sns.color_palette("colorblind"), strict=False))
    return {name: palette[base] for name, base in bare.items()}


def is_part(runs: pd.DataFrame) -> pd.Series:
    return runs[PARTS].notna().any(axis=1)


def rate_bars(axes: Axes, found: Scaling) -> None:
    """Tokens a second by batch, lines side by side."""
    lines, places = scaling.lines_of(found), sorted(found.rows[found.axis].unique())
    width, colors = 0.8 / len(lines), colors_of(found)
    for number, (name, runs) in enumerate(lines):
        known = estimates(runs, RATE)
        at = [places.index(place) + width * (number - (len(lines) - 1) / 2) for place in runs[found.axis]]
        drawn = axes.bar(at, [e.value for e in known], width, yerr=bars(known), color=colors[name], label=name,
                         capsize=2, error_kw={"elinewidth": 0.8})  # fmt: skip
        for bar, part in zip(drawn, is_part(runs), strict=True):
            bar.set_hatch("///" if part else "")
            bar.set_edgecolor("white")
    axes.set_xticks(range(len(places)), [f"{place:.0f}" for place in places])
    axes.set_yscale("log")
    plain_log(axes.yaxis)
    axes.set_xlabel(LABELS[found.axis])
    axes.set_ylabel("tokens/s, summed over the batch")
    handles = axes.get_legend_handles_labels()[0]
    if is_part(found.rows).any():
        handles.append(Patch(facecolor="lightgray", edgecolor="white", hatch="///", label=EXTRAPOLATED))
    axes.legend(handles=handles, fontsize=8, loc="upper left")
    least, most = found.rows[RATE].min(), found.rows[RATE].max()
    axes.set_ylim(least / 2, most * 4 ** (1 + len(handles) / 4))  # room for the legend


def growth(axes: Axes, found: Scaling, metric: str, label: str) -> None:
    """A metric of each line along the axis, both logarithmic."""
    colors, any_part = colors_of(found), False
    for name, runs in scaling.lines_of(found):
        runs = runs[runs[metric].notna()] if metric in runs else runs.head(0)
        known, places = estimates(runs, metric), runs[found.axis].tolist()
        style = "--" if "math" in name else "-"
        axes.errorbar(places, [e.value for e in known], yerr=bars(known), color=colors[name], label=name, capsize=2,
                      elinewidth=0.8, linestyle=style)  # fmt: skip
        for (_, run), part in zip(runs.iterrows(), is_part(runs), strict=True):
            part = part and metric == LATENCY
            any_part |= part
            axes.plot(run[found.axis], run[metric], "o", color=colors[name], markerfacecolor="white" if part else None)
    places = sorted(found.rows[found.axis].unique())
    doubling_axis(axes, places, LABELS[found.axis])
    axes.set_yscale("log")
    plain_log(axes.yaxis)
    axes.set_ylabel(label)
    near(axes, found.rows[metric].tolist())
    handles = axes.get_legend_handles_labels()[0]
    if any_part:
        handles += axes.plot([], [], "o", color="gray", markerfacecolor="white", label=EXTRAPOLATED)
    axes.legend(handles=handles, fontsize=8)


def break_even_panel(axes: Axes, found: Scaling) -> None:
    """The steps at which LLaDA takes as long as LLaMA, along the axis."""
    known = scaling.break_evens(found)
    places = [run[found.axis] for run, _ in known]
    evens = [even for _, even in known]
    axes.errorbar(places, [even.value for even in evens], yerr=bars(evens), fmt="o-", color="black", capsize=2,
                  elinewidth=0.8, label="time breaks even")  # fmt: skip
    if found.axis == "gen_length":
        axes.plot(places, places, ":", color="gray", label="one step a token")
    elif known:
        axes.axhline(known[0][0]["gen_length"], color="gray", linestyle=":", label="one step a token")
    doubling_axis(axes, places, LABELS[found.axis])
    axes.set_yscale("log")
    plain_log(axes.yaxis)
    axes.set_ylabel("LLaDA's steps at LLaMA's latency")
    near(axes, [even.value for even in evens] + [run["gen_length"] for run, _ in known])
    axes.legend(fontsize=8)


def near(axes: Axes, values: list[float]) -> None:
    """A logarithmic axis that shows the values, and of intervals that few rounds make endless only their beginning."""
    known = [value for value in values if value == value]
    if known:
        axes.set_ylim(min(known) / 1.6, max(known) * 1.6)


def along_axis(found: Scaling) -> plt.Figure | None:
    """Throughput bars (batch) or latency lines (length, prompt), and where time breaks even."""
    if RATE not in found.rows or found.rows.empty:
        return None
    if not scaling.break_evens(found):
        figure, left = plt.subplots(figsize=(6, 3.8))
    else:
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), width_ratios=(3, 2))
        break_even_panel(right, found)
    if found.kind == "batch":
        rate_bars(left, found)
    else:
        growth(left, found, LATENCY, "latency of one answer (ms)")
    return figure


def attention(found: Scaling) -> plt.Figure | None:
    """Peak memory and latency over the length, by attention."""
    if found.peak is None:
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
    growth(left, found, found.peak, "peak resident (GiB)" if "resident" in found.peak else "peak allocated (GiB)")
    growth(right, found, LATENCY, "latency of one answer (ms)")
    right.get_legend().remove()
    return figure


def engines(found: Scaling) -> plt.Figure | None:
    """A forward on every engine and rung, from the slowest to the fastest, a panel a model: their scales differ."""
    if "latency/step_ms" not in found.rows or found.rows.empty:
        return None
    models = [(model, runs) for model, runs in found.rows.groupby("model", sort=False)]
    models.sort(key=lambda pair: pair[0] != "llama")
    sizes = [len(runs) for _, runs in models]
    figure, panels = plt.subplots(len(models), figsize=(7, 0.9 * len(models) + 0.35 * sum(sizes)), squeeze=False,
                                  height_ratios=sizes)  # fmt: skip
    for axes, (model, runs) in zip(panels[:, 0], models, strict=True):
        runs = runs.sort_values("latency/step_ms")
        several = found.rows["batch_size"].nunique() > 1
        labels = [f"{run['name']}{f', batch {run.batch_size:.0f}' if several else ''}" for _, run in runs.iterrows()]
        known, color = estimates(runs, "latency/step_ms"), sns.color_palette("colorblind")[model == "llada"]
        axes.barh(labels, [e.value for e in known], xerr=bars(known), color=color, capsize=2,
                  error_kw={"elinewidth": 0.8})  # fmt: skip
        ends = [e.value if e.high is None else e.high for e in known]
        for place, (e, end) in enumerate(zip(known, ends, strict=True)):
            axes.annotate(f"{e.value:.3g}", (end, place), xytext=(4, 0), textcoords="offset points", va="center",
                          fontsize=8)  # fmt: skip
        axes.set_xlim(0, 1.12 * max(ends))
        axes.set_xlabel("one token (ms)" if model == "llama" else "one denoising step (ms)")
    return figure


def memory_map(found: Scaling) -> plt.Figure | None:
    """Peak memory over batch and length, a panel a line on one color scale; failed cells hatched, with the reason."""
    names = render_scaling.names(found)
    if found.peak is None or not names:
        return None
    figure, grid = plt.subplots(1, len(names), figsize=(1.2 + 3 * len(names), 3), squeeze=False, layout="constrained")
    most, maps = found.rows[found.peak].max(), {name: map_table(found, name) for name in names}
    largest_first = sorted(maps.values(), key=lambda part: -part.size)  # whose places come in order
    rows, columns = (list(dict.fromkeys(label for part in largest_first for label in getattr(part, axis)))
                     for axis in ("index", "columns"))  # fmt: skip
    for axes, name in zip(grid[0], names, strict=True):
        words = maps[name].reindex(index=rows, columns=columns, fill_value=MISSING)
        values = words.apply(pd.to_numeric, errors="coerce")
        shown = words.where(words != MISSING, "not\nmeasured")
        sns.heatmap(values, ax=axes, vmin=0, vmax=most, cmap="crest", annot=shown, fmt="", cbar=False,
                    linewidths=0.5)  # fmt: skip
        axes.patch.set(facecolor="lightgray", hatch="xx", edgecolor="white")  # shows where there is no number
        for text in axes.texts:
            if not text.get_text().replace(".", "").isdecimal():
                text.set(color="black", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})
        axes.set(title=name, xlabel="", ylabel="")
        axes.set_xticklabels([f"{label.removesuffix(' tokens')}" for label in words.columns], rotation=0)
        axes.set_xlabel("tokens of the answer")
        axes.tick_params(axis="y", rotation=0)
    what = "peak resident" if "resident" in found.peak else "peak allocated"
    figure.colorbar(grid[0][0].collections[0], ax=grid[0], label=f"{what} (GiB)")
    return figure


def memory_split(found: Scaling) -> plt.Figure | None:
    """What the peak is made of at the largest batch: the weights, and the rest as far as it is known."""
    if found.peak is None:
        return None
    runs = found.rows[found.rows["batch_size"] == found.rows["batch_size"].max()]
    places = {name: place for place, name in enumerate(render_scaling.names(found))}
    runs = runs.sort_values(["name", "gen_length"], key=lambda c: c.map(places) if c.name == "name" else c)
    figure, axes = plt.subplots(figsize=(7.5, 0.9 + 0.36 * len(runs)))
    labels = [f"{run['name']}, {run['gen_length']:.0f} tokens" for _, run in runs.iterrows()]
    parts = {"weights": runs["memory/weights_gib"]}
    parts |= {words: runs[column] for column, words in SPLIT.items() if column in runs and runs[column].notna().any()}
    rest = (runs[found.peak] - sum(parts.values())).clip(lower=0)
    beside = "interpreter and libraries, " if "resident" in found.peak else ""
    parts[f"{beside}K and V, activations, logits" if len(parts) == 1 else f"{beside}not explained"] = rest
    left = pd.Series(0.0, index=runs.index)
    for (words, values), color in zip(parts.items(), sns.color_palette("colorblind", len(parts)), strict=True):
        axes.barh(labels, values, left=left, color=color, label=words)
        left = left + values.fillna(0)
    axes.invert_yaxis()
    axes.set_xlabel(f"peak {'resident' if 'resident' in found.peak else 'allocated'} at batch"
                    f" {runs['batch_size'].iloc[0]:.0f} (GiB)")  # fmt: skip
    axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def frontier(found: Scaling) -> plt.Figure | None:
    """The largest batch that fits, by length."""
    edges = [edge for edge in scaling.edges(found) if edge.fits]
    if not edges:
        return None
    figure, axes = plt.subplots(figsize=(6, 3.8))
    for line, (name, color) in enumerate(colors_of(found).items()):
        mine = [edge for edge in edges if edge.name == name]
        axes.plot([e.gen_length for e in mine], [e.fits for e in mine], "o-", color=color, label=name)
        place = (5, 4 if line else -11)  # the first line's labels under it: lines can meet
        for edge in mine:
            axes.annotate(f"{edge.fits}{'' if edge.is_found else ' or more'}", (edge.gen_length, edge.fits),
                          xytext=place, textcoords="offset points", fontsize=8, color=color)  # fmt: skip
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
