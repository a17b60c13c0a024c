"""The page's figures and tables of what others have published: borrowed accuracies, and the ledger of claims."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.colors import to_hex

from bench.analysis.borrowed import Borrowed, Point, TaskQuality, Way
from bench.analysis.ledger import Entry, LedgerLine
from bench.analysis.time_at import scaled
from bench.models import kinds
from bench.render import borrowed as render_borrowed
from bench.render import ledger as render_ledger
from bench.render import wording
from bench.render.wording import MISSING
from paper.figures.borrowed import MARKERS, NAMES
from paper.figures.style import COLORS
from paper.page import charts
from paper.page.charts import (
    GREY,
    OPEN,
    PALETTE,
    SYMBOL_OF,
    Figure,
    Look,
    Panel,
    axis,
    line,
    log_axis,
    points_in_rows,
    wrapped,
)
from paper.page.tables import Table
from paper.selection import Selection
from paper.tables.borrowed import in_points
from paper.tables.ledger import counted_alike

PERCENT = 100
AS_GOOD, OVER = "as good", "over LLaMA"  # headings
REFERENCE = "D"  # LLaMA's marker in the paper's figure
MARGIN_PERCENT = 2  # of accuracy, that an axis goes beyond its intervals
CAPTION = (
    "Shaded: not worse than LLaMA by more than the margin. Filled markers: the time was measured; open ones: it was"
    " interpolated or extrapolated. Of decoders with a cache, and of weights that were distilled for them, the time is"
    " that of as many whole forwards."
)
LOOKS = {  # of a number beside a claim, by the side on which it is shown to lie
    "above": ("ours is shown to lie above theirs", Look(PALETTE[0], "triangle-up")),
    "below": ("ours is shown to lie below theirs", Look(PALETTE[1], "triangle-down")),
    "": ("no deviation is shown", Look(GREY, "circle")),
}
ROW_PX = 32


def figures(selection: Selection) -> list[Figure]:
    """Every figure for which there is data."""
    return [*borrowed_figure(selection.findings.borrowed), *ledger_figure(selection.ledger)]


def tables(selection: Selection) -> list[Table]:
    """Every table for which there is data."""
    return [*borrowed_table(selection.findings.borrowed), *ledger_tables(selection.ledger)]


def borrowed_figure(borrowed: Borrowed | None) -> list[Figure]:
    """Accuracy over latency, LLaMA's latency being 1, a panel a task."""
    tasks = [task for task in borrowed.tasks if any(point.timed for point in task.points)] if borrowed else []
    if not tasks:
        return []
    caption = f"{render_borrowed.TITLE}. {CAPTION}"
    return [Figure("borrowed", "Accuracy as published against latency as measured", caption, list(map(panel, tasks)))]


def panel(task: TaskQuality) -> Panel:
    """A task's points, and what is not worse than LLaMA by more than the margin."""
    timed = [point for point in task.points if point.timed]
    groups = {way: [point for point in timed if point.way == way] for way in MARKERS}
    traces = [of_way(task, way, points) for way, points in groups.items() if points]
    shapes = []
    if task.reference is not None:
        traces.append(reference(task, task.reference))
        shapes.append(charts.band(PERCENT * (task.reference.accuracy.value - task.margin), PERCENT))
    shown = [point.accuracy for point in (*timed, task.reference) if point]
    ends = [min(share.low for share in shown), max(share.high for share in shown)]
    y = axis(
        f"accuracy, {'measured here' if task.is_own else 'published'} (%)",
        range=[PERCENT * ends[0] - MARGIN_PERCENT, PERCENT * ends[1] + MARGIN_PERCENT],
    )
    x = log_axis("latency over LLaMA's", [1, *(point.timed.ratio.value for point in timed)])
    return Panel(f"{task.label} ({task.items:,} items)", traces, x, y, shapes=shapes)


def of_way(task: TaskQuality, way: Way, points: Sequence[Point]) -> dict:
    """LLaDA's points of one way to decode; those with a measured time first, whose marker stands in the legend."""
    points = sorted(points, key=lambda point: point.timed.how != "measured")
    ratios = [point.timed.ratio for point in points]
    symbol = SYMBOL_OF[MARKERS[way]]
    look = Look(to_hex(COLORS[points[0].kind]), symbol)
    shares = [scaled(point.accuracy, PERCENT) for point in points]
    hovers = [hover_of(task, point) for point in points]
    trace = line(
        NAMES[way], charts.numbers(ratios), shares, look, hovers, mode="markers", error_x=charts.bounds(ratios)
    )
    trace["marker"]["symbol"] = [symbol if point.timed.how == "measured" else f"{symbol}{OPEN}" for point in points]
    return trace


def reference(task: TaskQuality, point: Point) -> dict:
    """LLaMA's highest accuracy, at its own latency."""
    look = Look(to_hex(COLORS[point.kind]), SYMBOL_OF[REFERENCE])
    share = scaled(point.accuracy, PERCENT)
    return line(kinds.label_of(point.kind), [1], [share], look, [hover_of(task, point)], mode="markers")


def hover_of(task: TaskQuality, point: Point) -> str:
    """An accuracy with where it stands, and the time beside it."""
    parts = [f"<b>{name_of(point)}</b> ({point.source})", f"{task.label}: {render_borrowed.percent(point.accuracy)}"]
    if point.difference is not None:
        difference = wording.interval(in_points(point.difference), 1)
        parts.append(f"less LLaMA's: {difference} points ({within_words(task, point)})")
    if point.forwards is not None:
        parts.append(f"{render_borrowed.count(point.forwards)} forwards over {point.gen_length} tokens")
    if point.way in render_borrowed.BY_WAY:
        parts.append(wrapped(f"{render_borrowed.BY_WAY[point.way]}:"))
    if point.timed is not None:
        instead = render_borrowed.INSTEAD if point.way in render_borrowed.BY_WAY else ""
        parts.append(wrapped(render_borrowed.ratio_words(point.timed, instead)))
    return "<br>".join(parts)


def name_of(point: Point) -> str:
    """ "LLaDA-8B-Instruct, threshold .9": whose accuracy it is, and by which decoder."""
    return ", ".join(filter(None, [point.model, render_borrowed.decoder_of(point)]))


def within_words(task: TaskQuality, point: Point) -> str:
    """Whether a point is as good as LLaMA, by the data or by its value alone."""
    margin = f"within {PERCENT * task.margin:g}"
    if task.is_shown(point):
        return f"shown to be {margin}"
    return f"{margin} by its value alone" if task.is_within(point) else f"not {margin}"


def by_value(task: TaskQuality, point: Point) -> str:
    """Whether the value alone of a point that is not shown to be as good is within the margin."""
    return "by its value" if task.is_within(point) else "no"


def borrowed_table(borrowed: Borrowed | None) -> list[Table]:
    """A line for each accuracy of each task, LLaMA's highest first."""
    if borrowed is None:
        return []
    rows = [
        borrowed_row(task, point) for task in borrowed.tasks for point in filter(None, (task.reference, *task.points))
    ]
    caption = " ".join(render_borrowed.about(borrowed))
    margin = f"{PERCENT * borrowed.margin:g} points"
    means = {
        AS_GOOD: f"whether the data, or the value alone, say that it is worse than LLaMA by at most {margin}",
        OVER: "latency over LLaMA's, of as many whole forwards over as many tokens",
    }
    return [Table("borrowed", render_borrowed.TITLE, caption, pd.DataFrame(rows), means)]


def borrowed_row(task: TaskQuality, point: Point) -> dict[str, str]:
    """An accuracy with its setting, what it differs by, and the time beside it."""
    timed, difference, has_steps = point.timed, point.difference, point.forwards is not None
    shots = str(point.setting.shots).replace("not stated", MISSING) if point.setting else MISSING
    return {
        "task": task.label,
        "model, decoder": name_of(point),
        "source": point.source,
        "forwards": render_borrowed.count(point.forwards) if has_steps else MISSING,
        "tokens": str(point.gen_length) if has_steps else MISSING,
        "accuracy %": wording.interval(scaled(point.accuracy, PERCENT), 1),
        "less LLaMA's": MISSING if difference is None else wording.interval(in_points(difference), 1),
        AS_GOOD: MISSING if difference is None else "shown" if task.is_shown(point) else by_value(task, point),
        OVER: MISSING if timed is None else wording.interval(timed.ratio, 2),
        "time": MISSING if timed is None else timed.how,
        "how": point.way if has_steps else MISSING,
        "block": str(point.block_length or MISSING),
        "shots": shots,
    }


def ledger_figure(lines: Sequence[LedgerLine]) -> list[Figure]:
    """Ours over theirs of every claim with a like number, a row each."""
    rows = {
        f"{line_.source}, {render_ledger.theirs_text(line_)}: {entry.about.label}": (line_, entry)
        for line_ in lines
        for entry in line_.entries
        if entry.deviation is not None
    }
    if not rows:
        return []
    traces = []
    for direction, (text, look) in LOOKS.items():
        own = {name: pair for name, pair in rows.items() if pair[1].direction == direction}
        if own:
            deviations = [entry.deviation for _, entry in own.values()]
            hovers = [ledger_hover(*pair) for pair in own.values()]
            traces.append(points_in_rows(text, list(own), deviations, look, hovers))
    x = log_axis("ours over theirs", [1, *(entry.deviation.value for _, entry in rows.values())])
    y = axis("claim: ours", type="category", categoryorder="array", categoryarray=list(rows)[::-1])
    chart = Panel("", traces, x, y, shapes=[charts.upright(1)], height=130 + ROW_PX * len(rows))
    caption = "Published claims beside what this study measured of them, each as its source counts it."
    return [Figure("ledger", "Published claims: ours over theirs", caption, [chart])]


def ledger_hover(line_: LedgerLine, entry: Entry) -> str:
    """A claim with both numbers, and what of ours is not as in it."""
    parts = [
        f"<b>{wrapped(f'{line_.source}: {line_.claim.text}')}</b>",
        f"ours, {entry.about.label}: {render_ledger.measured_text(entry, line_.claim.unit)}",
        f"over theirs: {render_ledger.deviation_text(entry)}",
    ]
    if entry.about.differs:
        parts.append(wrapped(f"not as in the claim: {entry.about.differs}"))
    return "<br>".join(parts)


def ledger_tables(lines: Sequence[LedgerLine]) -> list[Table]:
    """The claims with what stands beside each, and how each is counted."""
    if not lines:
        return []
    rows = [ledger_row(line_, entry) for line_ in lines for entry in line_.entries or (None,)]
    numbers = "Over theirs: ours over theirs where the two are like numbers. Without ours: nothing was run."
    counting = "By which rule each claim is counted, by its authors and here, and why ours may deviate."
    return [
        Table("ledger", "Ledger of published claims", numbers, pd.DataFrame(rows)),
        Table(
            "ledger_counting",
            "How published claims are counted",
            counting,
            pd.DataFrame(map(counting_row, counted_alike(lines))),
        ),
    ]


def ledger_row(line_: LedgerLine, entry: Entry | None) -> dict[str, str]:
    """A claim and one of our numbers beside it; None where the file names none."""
    measured = entry is not None and entry.measured is not None
    return {
        "source": line_.source,
        "claim": line_.claim.text,
        "ours is": entry.about.label if measured else MISSING,
        "theirs": render_ledger.theirs_text(line_) or MISSING,
        "ours": render_ledger.measured_text(entry, line_.claim.unit) if measured else MISSING,
        "over theirs": (render_ledger.deviation_text(entry) if measured else "") or MISSING,
        "card": line_.claim.card,
        "not as in the claim": (entry.about.differs if measured else "") or MISSING,
    }


def counting_row(group: Sequence[LedgerLine]) -> dict[str, str]:
    """How claims that are counted alike are counted, and the likely cause of what deviates."""
    first = group[0]
    elsewhere = [
        f"{line_.claim.elsewhere.text} ({line_.claim.elsewhere.page})" for line_ in group if line_.claim.elsewhere
    ]
    return {
        "source": f"{first.source}, {first.at.removeprefix('https://')}",
        "claims": "; ".join(line_.claim.text for line_ in group),
        "setting": first.claim.setting,
        "by its rule": first.claim.counted,
        "by ours": first.claim.restated,
        "not as in the claim": render_ledger.differences(group) or MISSING,
        "deviations": " ".join(render_ledger.causes(group)) or MISSING,
        "outside this study": " ".join(elsewhere) or MISSING,
    }
