"""The cost model in the report: predicted beside measured, cards, hypotheses, roofline and break-even surface."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench import cost, grid, hypotheses, predictions, scaling
from bench.comparison import text_of
from bench.predictions import Models
from bench.roofline import Ceilings
from paper.figures import COLORS
from paper.tables import escape, latex

BATCHES = [1, 2, 4, 8, 16, 32]
LENGTHS = [128, 256, 512, 1024, 2048]
PROMPT = 128
PAGE = 45  # rows of a table that fit on a page
NAMES = {"llama": "LLaMA", "llada": "LLaDA"}
MARKERS = "osD^vP*X<>"


@dataclass(frozen=True)
class Surface:
    """Break-even steps over batch (rows, largest first) and length (columns), and the places that were measured."""

    steps: pd.DataFrame
    measured: dict[tuple[int, int], float]
    prompt_tokens: int
    words: str  # whose ceilings


def ceilings_of(rows: pd.DataFrame) -> tuple[Ceilings, dict[str, float]] | None:
    """The ceilings that a study's runs were tracked with, and the host's seconds by model; None without ceilings."""
    if "ceiling.flops_per_s" not in rows or rows["ceiling.flops_per_s"].isna().all():
        return None
    known = rows[rows["ceiling.flops_per_s"].notna()]
    first = known.iloc[0]
    host = {model: float(runs["ceiling.host_s"].iloc[0]) for model, runs in known.groupby("model")}
    found = Ceilings(float(first["ceiling.flops_per_s"]), float(first["ceiling.bytes_per_s"]))
    return found, host


def surface_of(frame: pd.DataFrame, pair: grid.PairFile) -> Surface:
    """The pair's surface at the study's own ceilings, else at the published ones of an H100."""
    rows = cost.rows(frame)
    groups = [group for group in scaling.scalings(frame) if group.kind in hypotheses.TIMED]
    groups = [group for group in groups if (group.every["dtype"] == pair.dtype).all()]
    timed = pd.concat([group.rows for group in groups]) if groups else pd.DataFrame()
    prompt, engine, measured = PROMPT, "captured", {}
    if not timed.empty:
        batch_grid = next((g.rows for g in groups if g.kind == "batch" and not g.rows.empty), timed)
        prompt, engine = int(pd.to_numeric(batch_grid["prompt_tokens"]).iloc[0]), batch_grid["engine"].iloc[-1]
        here = timed[(pd.to_numeric(timed["prompt_tokens"]) == prompt) & (timed["engine"] == engine)]
        here = here[here["attention"].isna()]
        for batch, length in sorted(set(zip(here["batch_size"], here["gen_length"], strict=True))):
            steps = hypotheses.break_even(here, batch, length, "lean")
            if steps is not None:
                measured[int(batch), int(length)] = steps
    found = ceilings_of(rows[rows["engine"] == engine]) if not rows.empty else None
    ceilings, host = found or (predictions.devices()["H100"].ceilings, {})
    words = "this device's ceilings" if found else f"H100, {predictions.PUBLISHED}"
    on_cpu = not frame.empty and (frame.get("platform") == "cpu").any()
    models = Models.of(pair, "cpu" if on_cpu and found else "cuda", host)
    batches, lengths = (
        sorted({*known, *(place[i] for place in measured)}) for i, known in ((0, BATCHES), (1, LENGTHS))
    )
    return Surface(models.surface(ceilings, batches, lengths, prompt), measured, prompt, words)


def surface(found: Surface) -> plt.Figure:
    """A heatmap of break-even steps; where the study measured a place, its own number stands below in brackets."""
    steps = found.steps
    notes = [
        [
            f"{value:.3g}" + (f"\n[{found.measured[b, n]:.3g}]" if (b, n) in found.measured else "")
            for n, value in zip(steps.columns, row, strict=True)
        ]
        for b, row in zip(steps.index, steps.to_numpy(), strict=True)
    ]
    figure, axes = plt.subplots(figsize=(1.6 + 0.85 * len(steps.columns), 1.2 + 0.5 * len(steps)))
    sns.heatmap(
        steps, annot=np.array(notes), fmt="", cmap="viridis", norm=LogNorm(), ax=axes, annot_kws={"fontsize": 8},
        cbar_kws={"label": "steps at which time breaks even"}, linewidths=0.5,
    )  # fmt: skip
    for batch, length in found.measured:
        corner = list(steps.columns).index(length) + 0.04, list(steps.index).index(batch) + 0.06
        axes.add_patch(plt.Rectangle(corner, 0.92, 0.88, fill=False, edgecolor="crimson", linewidth=1.8))
    bar = axes.collections[0].colorbar.ax.yaxis
    bar.set_minor_locator(NullLocator())
    bar.set_major_locator(LogLocator(subs=(1, 2, 5)))
    bar.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("output tokens")
    axes.set_ylabel("batch")
    axes.tick_params(axis="y", rotation=0)
    title = f"at {found.words}" if "published" not in found.words else found.words
    framed = "; framed: [measured]" if found.measured else ""
    axes.set_title(f"{title}, prompts of {found.prompt_tokens}{framed}", fontsize=9)
    return figure


def roofline(rows: pd.DataFrame) -> plt.Figure | None:
    """Arithmetic done a second against arithmetic a byte, under the ceilings of the device; a marker a run."""
    found = ceilings_of(rows) if not rows.empty else None
    if found is None or rows["compute/mfu"].isna().all():
        return None
    top, slope = found[0].flops_per_s, found[0].bytes_per_s
    known = rows[rows["compute/mfu"].notna()]
    intensity = known["compute/gflop"] / known["compute/gbyte"]
    reached = known["compute/mfu"] * known["ceiling.flops_per_s"].astype(float) / 1e9
    figure, axes = plt.subplots(figsize=(6.4, 4))
    low, high = min(intensity.min(), top / slope) / 2, max(intensity.max(), top / slope) * 2
    axes.plot([low, top / slope, high], [low * slope / 1e9, top / 1e9, top / 1e9], color="black", linewidth=1.2)
    words = {"textcoords": "offset points", "fontsize": 8}
    axes.annotate(f"{slope / 1e9:,.4g} GB/s", (low, low * slope / 1e9), xytext=(14, 2), **words)
    axes.annotate(f"{top / 1e12:,.3g} TFLOP/s", (top / slope, top / 1e9), xytext=(6, 5), **words)
    kinds = dict(zip(sorted(known["kind"].unique()), itertools.cycle(MARKERS), strict=False))
    for (kind, model), runs in known.groupby(["kind", "model"]):
        axes.scatter(
            intensity[runs.index], reached[runs.index], color=COLORS[model], marker=kinds[kind], s=34,
            alpha=0.8, edgecolors="white", linewidths=0.5, label=f"{NAMES[model]}, {kind}", zorder=3,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(min(reached.min(), low * slope / 1e9) / 2, top / 1e9 * 2)
    axes.set_xlabel("FLOP a byte (cost model)")
    axes.set_ylabel("GFLOP/s reached")
    axes.legend(fontsize=7, loc="lower right", ncols=2)
    return figure


def digits(value: float) -> str:
    """Three digits, or all of a large number."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


TIMES = {  # metric: (heading, digits)
    "latency/latency_ms": ("latency ms", 1),
    "predicted/latency_ms": ("predicted", 1),
    "latency_ratio": ("ratio", 2),
    "latency/step_ms": ("step ms", 2),
    "predicted/step_ms": ("predicted", 2),
    "step_ratio": ("ratio", 2),
    "compute/mfu": ("MFU", 3),
    "compute/mbu": ("MBU", 3),
}
PEAKS = {
    "memory/allocated_gib": ("allocated GiB", 2),
    "predicted/allocated_gib": ("predicted", 2),
    "memory_ratio": ("ratio", 3),
}


def beside_model(rows: pd.DataFrame, columns: dict[str, tuple[str, int]]) -> pd.DataFrame:
    """A line a run that was measured and predicted: what it is, where it stands (batch, prompt, output tokens), the
    numbers. Where the same was run in part and whole, the whole run stands for both."""
    ratio = next(metric for metric in columns if metric.endswith("_ratio"))
    known = rows[rows[ratio].notna()] if not rows.empty else rows
    if known.empty:
        return pd.DataFrame()
    names = known.apply(what, axis=1) + known.apply(where, axis=1)
    known = known.assign(part=known.reindex(columns=["steps_timed", "tokens_timed"]).notna().any(axis=1), line=names)
    whole_first = known.sort_values("part", kind="stable").drop_duplicates("line")
    known = known[known.index.isin(whole_first.index)]
    lines = [[escape(where(run)), *(number(run[metric], digits) for metric, (_, digits) in columns.items())]
             for _, run in known.iterrows()]  # fmt: skip
    headings = ["batch, prompt, tokens", *(heading for heading, _ in columns.values())]
    return pd.DataFrame(lines, columns=headings, index=[escape(what(run)) for _, run in known.iterrows()])


def what(run: pd.Series) -> str:
    """ "length: LLaDA 32, lean, captured": kind, model and steps, and the settings that are not the default."""
    steps = f" {float(run['steps']):.0f}" if pd.notna(run["steps"]) else ""
    settings = [text_of(run.get(name), "") for name in ("head", "engine", "attention", "fill")]
    return ", ".join(filter(None, [f"{run['kind']}: {NAMES[run['model']]}{steps}", *settings]))


def where(run: pd.Series) -> str:
    """ "1, 128, 512": batch, prompt tokens, output tokens."""
    places = (run["batch_size"], run["prompt_tokens"], run["gen_length"])
    return ", ".join("-" if pd.isna(place) else f"{float(place):,.0f}" for place in places)


def number(value: float, places: int) -> str:
    return "--" if pd.isna(value) else f"{float(value):,.{places}f}"


def hypotheses_table(found: list[hypotheses.Score]) -> pd.DataFrame:
    """A line a claim: predicted, tolerance, measured, what became of it, and of its hypothesis."""
    lines = [
        {
            "claim": escape(part.claim.text),
            "predicted": digits(part.claim.value),
            "within": f"$\\times {part.claim.factor:g}$",
            "measured": "--" if part.measured is None else digits(part.measured),
            "met": {None: "--", True: "yes", False: "no"}[part.is_met],
            "hypothesis": score.verdict,
        }
        for score in found
        for part in score.results
    ]
    names = [score.name for score in found for _ in score.results]
    return pd.DataFrame(lines, index=names)


def write(frame: pd.DataFrame, pair: grid.PairFile, folder: Path) -> None:
    """The tables of the cost model to `folder`/tables, its figures to `folder`/figures."""
    rows, label = cost.rows(frame), "random weights, real shapes" if pair.llada.random_seed is not None else ""
    tables, figures = folder / "tables", folder / "figures"
    for place in (tables, figures):
        place.mkdir(parents=True, exist_ok=True)
    times, peaks = (beside_model(rows, columns) for columns in (TIMES, PEAKS))
    shapes = pair if label else grid.read_pair("8b-shapes")
    cards = predictions.table(Models.of(shapes), predictions.devices(), PROMPT)
    cards = cards.set_index("card").rename_axis(None).map(digits)
    for name, caption, table in (
        ("cost", COST, times),
        ("cost_memory", COST_MEMORY, peaks),
        ("predictions", CARDS, cards),
        ("hypotheses", HYPOTHESES, hypotheses_table(hypotheses.scores(frame, hypotheses.read()))),
    ):
        parts = [table.iloc[start : start + PAGE] for start in range(0, len(table), PAGE)] or [table]
        texts = [latex(f"{name}{i or ''}", caption if not i else "Continued.", part) for i, part in enumerate(parts)]
        (tables / f"{name}.tex").write_text("\n".join(texts))
    sns.set_theme(style="whitegrid", context="paper")
    for name, figure in (("roofline", roofline(rows)), ("surface", surface(surface_of(frame, pair)))):
        if figure is None:
            continue
        if label:
            figure.suptitle(label, fontsize=9)
        figure.tight_layout()
        for suffix in ("pdf", "png"):
            metadata = {} if suffix == "png" else {"CreationDate": None}
            figure.savefig(figures / f"{name}.{suffix}", dpi=150, metadata=metadata)
        plt.close(figure)


COST = (
    "The cost model's time beside what was measured. Predicted: each forward takes as long as its arithmetic or its"
    " bytes at this device's measured ceilings, whichever is longer, and what a host adds to a forward of a model too"
    " thin to compute; ratio: measured over predicted. MFU, MBU: FLOPs and bytes of the model a second, over"
    " the ceilings."
)
COST_MEMORY = "The cost model's peak memory, in closed form, beside the peak of torch's allocator."
CARDS = (
    "Predicted from published peaks, nothing measured: the 8B shapes in bfloat16, prompts of 128 tokens, lean head,"
    " captured engine. Largest batches: what the closed form fits into the card's memory."
)
HYPOTHESES = (
    "Hypotheses stated from the cost model before the 8B study ran (\\texttt{paper/hypotheses.yaml}); a claim is met if"
    " the measurement lies within its factor of the prediction; one that is not refutes its hypothesis."
)
