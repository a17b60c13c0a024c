"""Figures of memory: the peak over batch and length, what it is made of, and the largest batch that fits.

A cell that ran out of memory is black and says so: that is a result. One that nobody ran is blank with a dot: that is
none. One that failed otherwise is hatched, with its outcome.
"""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from bench.analysis.scaling import Line, Scaling
from bench.render.scaling import lines_in_order, map_table
from bench.render.wording import MISSING, line_name
from paper.figures.labels import label_points
from paper.figures.scaling import LABELS, peak_words, styles_of
from paper.figures.style import (
    COLUMN,
    LETTERS,
    PAGE,
    PALETTE,
    SMALL,
    handles_of_axes,
    legend_below,
    plain_log,
)

OUT_OF_MEMORY = "oom"
PER_ROW = 4  # maps side by side
FACES = {  # how a place without a number is drawn, by why it has none
    OUT_OF_MEMORY: {"facecolor": "black", "edgecolor": "white"},
    MISSING: {"facecolor": "white", "edgecolor": "0.8", "linestyle": ":"},
}
FAILED = {"facecolor": "0.9", "edgecolor": "0.5", "hatch": "////"}
WORDS = {OUT_OF_MEMORY: "ran out of memory", MISSING: "not measured"}
SPLIT = {  # column: what it is; predicted by bench/cost/peak_memory.py where the cost model is there
    "predicted/kv_cache_gib": "K and V (predicted)",
    "predicted/activations_gib": "activations (predicted)",
    "predicted/logits_gib": "logits (predicted)",
}
SPLIT_HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\")
BAR_INCHES = 0.17  # of a bar with its gap
LONGEST_BESIDE_ANOTHER = 40  # letters of a name in a legend of two columns


def memory_map(scaling: Scaling) -> plt.Figure | None:
    """Peak memory over batch and length, a panel a line on one color scale."""
    lines = lines_in_order(scaling)
    if scaling.peak is None or not lines:
        return None
    maps = {line: map_table(scaling, line) for line in lines}
    largest_first = sorted(maps.values(), key=lambda part: -part.size)  # whose places come in order
    batches = list(dict.fromkeys(label for part in largest_first for label in part.index))
    lengths = list(dict.fromkeys(label for part in largest_first for label in part.columns))
    columns = min(PER_ROW, len(lines))
    rows = -(-len(lines) // columns)
    size = (min(PAGE, 1.2 + 1.6 * columns), rows * (0.75 + 0.26 * len(batches)) + 0.25)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    whole = {line: part.reindex(index=batches, columns=lengths, fill_value=MISSING) for line, part in maps.items()}
    for number, axes in enumerate(grid.flat):
        if number >= len(lines):
            axes.set_axis_off()
            continue
        memory_panel(axes, whole[lines[number]], scaling.rows[scaling.peak].max(), number % columns == 0)
        axes.set_title(title_of(lines[number]), fontsize=LETTERS)
    figure.colorbar(grid[0][0].collections[0], ax=grid, label=f"{peak_words(scaling)} (GiB)")
    legend_below(figure, handles_of_maps(list(whole.values())))
    return figure


def title_of(line: Line) -> str:
    """The name of a line above its map, the model above the settings."""
    return line_name(line).replace(", ", "\n", 1)


def memory_panel(axes: Axes, words: pd.DataFrame, most_gib: float, is_first: bool) -> None:
    """One line's map. words: GiB or the outcome as text, batches down and lengths across."""
    values = words.apply(pd.to_numeric, errors="coerce")
    sns.heatmap(
        values, ax=axes, vmin=0, vmax=most_gib, cmap="crest", annot=words.where(values.notna(), ""), fmt="", cbar=False,
        linewidths=0.5, annot_kws={"fontsize": SMALL},
    )  # fmt: skip
    for row, batch in enumerate(words.index):
        for column, length in enumerate(words.columns):
            if pd.isna(values.loc[batch, length]):
                empty_place(axes, column, row, words.loc[batch, length])
    axes.set_xticklabels([label.removesuffix(" tokens") for label in words.columns], rotation=0)
    batches = [label.removeprefix("batch ") for label in words.index]
    axes.set_yticklabels(batches if is_first else [""] * len(batches), rotation=0)
    axes.set(xlabel="answer (tokens)", ylabel="batch" if is_first else "")


def empty_place(axes: Axes, column: int, row: int, why: str) -> None:
    """A place of the map without a number: out of memory, failed otherwise, or never run."""
    axes.add_patch(Rectangle((column, row), 1, 1, **FACES.get(why, FAILED), linewidth=0.5))
    look = {"ha": "center", "va": "center", "fontsize": SMALL}
    if why == OUT_OF_MEMORY:
        axes.text(column + 0.5, row + 0.5, why.upper(), color="white", fontweight="bold", **look)
    elif why == MISSING:
        axes.text(column + 0.5, row + 0.5, "·", color="0.4", **look)
    else:
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axes.text(column + 0.5, row + 0.5, why, color="black", bbox=box, **look)


def handles_of_maps(maps: list[pd.DataFrame]) -> list[Patch]:
    """What the legend says of places without a number, those that there are."""
    there = {word for words in maps for word in words.to_numpy().ravel()}
    handles = [Patch(**FACES[why], label=words) for why, words in WORDS.items() if why in there]
    others = [word for word in there - set(WORDS) if not word.replace(".", "").isdecimal()]
    return handles + ([Patch(**FAILED, label="failed otherwise, or excluded")] if others else [])


def memory_split(scaling: Scaling) -> plt.Figure | None:
    """What the peak is made of at the largest batch, a panel a line: the weights, and the rest as far as the cost model
    explains it."""
    if scaling.peak is None:
        return None
    runs = scaling.rows[scaling.rows["batch_size"] == scaling.rows["batch_size"].max()].sort_values("gen_length")
    lines = [line for line in lines_in_order(scaling) if (runs["line"] == line).any()]
    counts = [int((runs["line"] == line).sum()) for line in lines]
    height = sum(BAR_INCHES * count + 0.22 for count in counts) + 1.0
    figure, grid = plt.subplots(len(lines), 1, figsize=(COLUMN, height), sharex=True, squeeze=False,
                                height_ratios=counts, layout="constrained")  # fmt: skip
    parts = parts_of_peak(scaling, runs)
    for axes, line in zip(grid[:, 0], lines, strict=True):
        split_panel(axes, runs[runs["line"] == line], parts)
        axes.set_title(line_name(line), fontsize=LETTERS, loc="left", pad=2)
    last = grid[-1, 0]
    last.set_xlim(0, 1.12 * runs[scaling.peak].max())
    last.set_xlabel(f"{peak_words(scaling)} at batch {runs['batch_size'].iloc[0]:.0f} (GiB)")
    figure.supylabel("length of the answer (tokens)", fontsize=LETTERS)
    is_short = max(map(len, parts)) <= LONGEST_BESIDE_ANOTHER
    legend_below(figure, handles_of_axes(grid[0, 0]), columns=2 if is_short else 1)
    return figure


def split_panel(axes: Axes, runs: pd.DataFrame, parts: dict[str, pd.Series]) -> None:
    """A bar a length, made of its parts, with the whole at its end."""
    names = [f"{length:.0f}" for length in runs["gen_length"]]
    left = pd.Series(0.0, index=runs.index)
    for number, (words, values) in enumerate(parts.items()):
        widths = values[runs.index].fillna(0)
        look = {"color": PALETTE[number], "hatch": SPLIT_HATCHES[number % len(SPLIT_HATCHES)], "edgecolor": "white"}
        axes.barh(names, widths, left=left, label=words, linewidth=0.3, **look)
        left = left + widths
    for place, end in enumerate(left):
        axes.annotate(
            f"{end:.1f}", (end, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=SMALL
        )
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")


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
    figure, axes = plt.subplots(figsize=(COLUMN, 2.6), layout="constrained")
    for line, style in styles_of(scaling).items():
        of_line = [edge for edge in edges if edge.line == line]
        axes.plot([e.gen_length for e in of_line], [e.fits for e in of_line], label=line_name(line), **style)
    lengths = sorted({edge.gen_length for edge in edges})
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.minorticks_off()
    axes.margins(x=0.15, y=0.12)
    axes.set_yscale("log")
    plain_log(axes.yaxis)
    axes.set_xlabel(LABELS["gen_length"])
    axes.set_ylabel("largest batch that fits")
    legend_below(figure, handles_of_axes(axes))
    colors = {line: style["color"] for line, style in styles_of(scaling).items()}
    for edge in sorted(edges, key=lambda edge: edge.fits):
        words = f"{edge.fits}{'' if edge.is_found else ' or more'}"
        label_points(axes, [(edge.gen_length, edge.fits, words)], color=colors[edge.line])
    return figure


FIGURES = {  # name: (kind, how it is drawn)
    "memory_map": ("memory", memory_map),
    "memory_split": ("memory", memory_split),
    "frontier": ("frontier", frontier),
}
