"""What the report shows of decoders: a table for each place, interaction, area under accuracy, and the cost model."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from bench.analysis import aup
from bench.analysis.aup import areas_of
from bench.analysis.decoder_cost import Beside, beside_of, summary_of
from bench.analysis.decoder_gains import interactions_of
from bench.analysis.decoder_places import Decoders, Line, Place
from bench.analysis.ends import CANVAS_RATE, mean_kept
from bench.analysis.runs import estimate_of
from bench.common import stats
from bench.records.catalogue import paper_columns_with_units
from bench.render import decoder_words, wording
from bench.render import decoders as render
from bench.render.comparison import METRIC_NAMES
from paper.tables.latex import cell_text, escape, long_table
from paper.tables.row_names import precision_sentence, with_precision

CONTINUED = "As in the table above, at another place."
MEASURED = paper_columns_with_units((
    "compute/nfe_full", "compute/nfe_partial", "compute/rows", "compute/tokens_per_forward", "latency/latency_ms",
    "throughput/tokens_per_s",
))  # fmt: skip
HEADINGS = {"all": "difference", "one_answer": "one answer", "many_answers": "many answers"}
DECODERS = (
    "Decoders against vanilla, the authors' fixed schedule at a step a token. Speedup: vanilla's time of an answer over"
    " the decoder's, paired by round; beside it the same over LLaMA. Difference: of quality to vanilla's, paired by"
    " prompt, with a bootstrap interval over prompts. Within: whether the data show (95\\,\\%, one-sided) that quality"
    " is worse by at most the margin that the pair declares; of tasks on all, on those with one right answer, and on"
    " those with many, whose positions depend on each other."
)
WORK = (
    "The work and the time of decoders. Full: forwards of a call over the whole canvas; partial: those that took some"
    " keys and values from a cache; rows: pushed through the model in a call; kept: tokens up to the end token."
)
INTERACTION = (
    "Whether sampler and cache multiply: the speedup of both over the product of the speedups that each has alone, the"
    " cache with vanilla's sampler. 1: they multiply; below 1: one takes away what the other could save."
)
AUP = (
    f"AUP, area under accuracy (\\%) over tokens a forward (TPF), of each sampler over its settings:"
    f" $\\mathrm{{TPF}}_1 y_1 + \\sum_i (\\mathrm{{TPF}}_i - \\mathrm{{TPF}}_{{i-1}})(y_i W(y_i) + y_{{i-1}}"
    f" W(y_{{i-1}}))/2$ with $W(y) = \\min(e^{{-{aup.ALPHA:g}(1 - y/y_{{max}})}}, 1)$ \\citep{{d3llm}}; points more"
    f" than {aup.MOST_LOST:g} below a curve's first do not count. As published, $y_{{max}}$ is the best of all methods,"
    " so that a rival who enters moves the others. Here it is vanilla's own accuracy at a step a token in this study,"
    " and a rival moves nothing."
)
COUNTS = (
    "Forwards and rows of a call that follow from the settings alone, where a sampler's steps are known beforehand,"
    " beside those that were counted, which they must equal; and the time of the former at the measured ceilings of"
    " this device."
)
COST = (
    "The cost model's time of the forwards that were counted, at the measured ceilings of this device, beside the time"
    " that was measured; ratio: measured over predicted. GFLOP and GB of a call by the model."
)


def write(decoders: Decoders, folder: Path) -> None:
    """Write the tables to `folder`; an empty file where nothing was measured."""
    folder.mkdir(parents=True, exist_ok=True)
    places = decoders.places
    parts = []
    for number, place in enumerate(places):
        text = DECODERS if number == 0 else CONTINUED
        parts.append(long_table(f"decoders{number or ''}", caption(place, text), table(place)))
    for number, place in enumerate(places):
        text = WORK if number == 0 else CONTINUED
        parts.append(long_table(f"decoders_work{number or ''}", caption(place, text), work_table(place)))
    parts += small(
        "decoders_interaction", INTERACTION, places, lambda place: render.interaction_table(interactions_of(place))
    )
    parts += small("decoders_aup", AUP, places, lambda place: render.aup_table(areas_of(place)))
    parts += cost_tables(beside_of(places))
    (folder / "decoders.tex").write_text("\n".join(filter(None, parts)), encoding="utf-8")


def cost_tables(rows: Sequence[Beside]) -> list[str]:
    """Counts that follow from the settings, and times of the forwards that were counted; each where there are any."""
    summary = summary_of(rows)
    planned, timed = [row for row in rows if row.is_planned], [row for row in rows if row.counted_ms is not None]
    counts = f"{COUNTS} {escape(render.counts_words(summary))}{precision_sentence(precisions_of(planned))}"
    times = f"{COST} {escape(render.time_words(summary))}{precision_sentence(precisions_of(timed))}"
    return [
        long_table("decoders_counts", counts, lines_of(planned, counts_line)),
        long_table("decoders_cost", times, lines_of(timed, cost_line)),
    ]


def small(name: str, text: str, places: Sequence[Place], made: Callable[[Place], pd.DataFrame]) -> list[str]:
    """A table of each place as in the terminal, whose first column names its lines; none where it is empty. The first
    has the whole text in its caption."""
    parts: list[str] = []
    for place in places:
        shown = made(place)
        if not shown.empty:
            escaped = shown.map(escape).set_index(shown.columns[0]).rename_axis(None)
            escaped.columns = [escape(column) for column in escaped.columns]
            about = caption(place, CONTINUED if parts else text)
            parts.append(long_table(f"{name}{len(parts) or ''}", about, escaped))
    return parts


def caption(place: Place, text: str) -> str:
    """What a table shows of a place, where it was measured, and what was left out."""
    label = wording.weights_label(place.every)
    title = escape(wording.capitalised(decoder_words.place_words(place)))
    parts = [
        text, f"{title}, on {escape(wording.machine_of(place.every))}.", f"({label.capitalize()}.)" if label else "",
        wording.left_out_sentence(place),
    ]  # fmt: skip
    return " ".join(filter(None, parts))


def table(place: Place) -> pd.DataFrame:
    """Speed and quality, a line a run: the autoregressive model's first, then vanilla and the other decoders, and
    those that are left out."""
    lines = render.every_line(place)
    columns = steps_column(lines)
    columns["speedup"] = [cell_text(line.speedup, 2) for line in lines]
    columns["over LLaMA"] = [cell_text(line.speed_over_autoregressive, 2) for line in lines]
    columns |= quality_columns(place, lines)
    columns["note"] = [escape(wording.note(line.run)) for line in lines]
    return filled(columns, place, lines)


def work_table(place: Place) -> pd.DataFrame:
    """What each run of a place did and took."""
    lines = render.own_lines(place)
    columns = steps_column(lines)
    for metric, (heading, digits) in MEASURED.items():
        columns[heading] = [cell_text(plain_value(line.run, metric), digits) for line in lines]
    if any(pd.notna(line.run.get(CANVAS_RATE)) for line in lines):
        columns["kept"] = [f"{mean_kept(line.run):.1f}" for line in lines]
    return filled(columns, place, lines)


def steps_column(lines: Sequence[Line]) -> dict[str, list[str]]:
    """The steps of some runs; of a sampler that does not know them beforehand the most."""
    return {"steps": [wording.format_value(pd.to_numeric(line.run["steps"]), 0) for line in lines]}


def filled(columns: dict[str, list[str]], place: Place, lines: Sequence[Line]) -> pd.DataFrame:
    """A table of some lines without the columns that have nothing."""
    shown = pd.DataFrame(columns, index=[escape(render.line_name(place, line)) for line in lines])
    empty = [name for name in shown if set(shown[name]) <= {"--", "-", ""}]
    return shown.drop(columns=empty)


def plain_value(run: pd.Series, metric: str) -> stats.Estimate | None:
    """A metric without its interval, which stands in results.json."""
    estimate = estimate_of(run, metric)
    return estimate and stats.Estimate(estimate.value)


def quality_columns(place: Place, lines: Sequence[Line]) -> dict[str, list[str]]:
    """Quality, its difference to vanilla's by part of the prompts, and on which parts it is within the margin."""
    if not place.metric:
        return {}
    result = {METRIC_NAMES[place.metric]: [escape(render.value_text(line.qualities.get("all"))) for line in lines]}
    for part in place.parts:
        qualities = [line.qualities.get(part) for line in lines]
        result[HEADINGS[part]] = [cell_text(quality and quality.difference, decoder_words.QUALITY_DIGITS)
                                  for quality in qualities]  # fmt: skip
    result[f"within {place.margin:g}"] = [escape(render.within_text(place, line)) for line in lines]
    return result


def names_of(rows: Sequence[Beside]) -> list[str]:
    """The decoder of each run, with its precision where that is not the usual one of these runs."""
    return with_precision([render.line_name(row.place, row.line) for row in rows], precisions_of(rows))


def precisions_of(rows: Sequence[Beside]) -> pd.DataFrame:
    """The precision of each run."""
    return pd.DataFrame({"dtype": [row.line.run["dtype"] for row in rows]}, dtype=object)


def place_of_row(row: Beside) -> dict[str, str]:
    """Where a run was measured: batch, prompt (where all have one length), tokens and block."""
    run = row.line.run
    names = ("batch_size", "prompt_tokens", "gen_length", "block_length")
    numbers = [pd.to_numeric(run[name]) for name in names]
    texts = ["-" if pd.isna(number) else f"{number:,.0f}" for number in numbers]
    return {"batch, prompt, tokens, block": ", ".join(texts)}


def lines_of(rows: Sequence[Beside], columns_of: Callable[[Beside], dict[str, str]]) -> pd.DataFrame:
    """A line a run, where it was measured and what is said of it; columns without anything are left out."""
    lines = [place_of_row(row) | columns_of(row) for row in rows]
    shown = pd.DataFrame(lines, index=[escape(name) for name in names_of(rows)])
    return shown.loc[:, (shown != "--").any()] if lines else shown


def counts_line(row: Beside) -> dict[str, str]:
    """What follows from the settings beside what was counted."""
    return {
        "forwards planned": text_of(row.planned.nfe, 1), "counted": text_of(row.counted.nfe, 1),
        "rows planned": text_of(row.planned.rows, 0), "rows counted": text_of(row.counted.rows, 0),
        "equal": "yes" if row.is_equal else "no", "predicted ms": text_of(row.planned_ms, 1),
        "measured ms": text_of(row.measured_ms, 1),
    }  # fmt: skip


def cost_line(row: Beside) -> dict[str, str]:
    """Time, FLOPs and bytes of the forwards that were counted, and the time that was measured."""
    return {
        "predicted ms": text_of(row.counted_ms, 1), "measured ms": text_of(row.measured_ms, 1),
        "ratio": text_of(row.ratio, 2), "GFLOP": text_of(row.gflop, 1), "GB": text_of(row.gbyte, 1),
    }  # fmt: skip


def text_of(value: float | None, digits: int) -> str:
    return "--" if value is None else f"{value:,.{digits}f}"
