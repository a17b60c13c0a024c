"""The page's figures of how far a study can be trusted: predictions beside measurements, and the same cell twice."""

import math
from collections.abc import Sequence

from matplotlib.colors import to_hex

from bench.analysis.findings import Findings
from bench.analysis.hypotheses import Result, Score
from bench.analysis.noise import EAGER, Pair, Sentinels
from bench.common import stats
from bench.common.stats import Estimate
from bench.records import trust
from bench.render import wording
from bench.render.hypotheses import claim_text, short
from paper.figures.noise import pairs_by_kind, stretches_of, words_of
from paper.figures.noise import title as noise_title
from paper.figures.style import COLORS, MARKERS
from paper.page import charts
from paper.page.charts import (
    INK,
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
)

LOOKS = {  # of a claim by what became of it: told by color and by marker
    "met": ("as predicted", Look(PALETTE[2], "circle")),
    "not met": ("not as predicted", Look(PALETTE[3], "x")),
    "undecided": ("undecided", Look(PALETTE[1], "diamond-open")),
}
LEVELS = f" By round: the level of the machine; grey: a drift of {trust.DRIFT:.0%}."
MEAN = "diamond-tall"
PERCENT = 100
ROW_PX = 30


def figures(findings: Findings) -> list[Figure]:
    """Every figure for which there is data."""
    scores = [*findings.scores, *findings.decoder_scores]
    return [*predictions(scores, findings.study), *noise(findings.sentinels)]


def predictions(scores: Sequence[Score], study: str) -> list[Figure]:
    """Measured over predicted of every claim that has a number, a row each, with its tolerance as a grey bar."""
    numbered = [(f"{score.name}.{n}", result) for score in scores for n, result in enumerate(score.results, 1)]
    results = [(name, result) for name, result in numbered if result.log_error is not None]
    if not results:
        return []
    names = [name for name, _ in results]
    traces = []
    for state, (text, look) in LOOKS.items():
        rows = [(name, result) for name, result in results if result.state == state]
        if rows:
            errors = [ratio_of(result) for _, result in rows]
            hovers = [hover_of(result) for _, result in rows]
            traces.append(points_in_rows(text, [name for name, _ in rows], errors, look, hovers))
    shapes = [
        {"type": "line", "x0": 1 / result.claim.factor, "x1": result.claim.factor, "y0": name, "y1": name,
         "layer": "below", "line": {"color": "#d5d5d5", "width": 9}}
        for name, result in results
        if result.claim.value is not None
    ]  # fmt: skip
    x = log_axis("measured over predicted", [1 / 1.2, 1.2, *(value for trace in traces for value in trace["x"])])
    y = axis("claim", type="category", categoryorder="array", categoryarray=names[::-1])
    panel = Panel("", traces, x, y, shapes=shapes, height=130 + ROW_PX * len(names))
    caption = (
        f"Claims that were written down before they were measured, in study {study}. Grey: within what was stated."
    )
    return [Figure("predictions", "Predictions beside measurements", caption, [panel])]


def ratio_of(result: Result) -> Estimate:
    """Measured over predicted, from its logarithm."""
    error = result.log_error
    ends = (error.value, error.low, error.high)
    return Estimate(*(None if end is None else math.exp(end) for end in ends))


def hover_of(result: Result) -> str:
    """A claim with both numbers."""
    predicted = "" if result.claim.value is None else f"<br>predicted: {result.claim.value:.3g}"
    return f"<b>{claim_text(result.claim, result.engine)}</b>{predicted}<br>measured: {short(result.measured)}"


def noise(sentinels: Sentinels) -> list[Figure]:
    """The ratio of each sentinel's two runs, and how its level moved by round: what a ratio of two models must
    exceed."""
    if not sentinels.pairs:
        return []
    panels = [ratio_panel(pairs_by_kind(sentinels.pairs)), *level_panel(sentinels)]
    title = wording.capitalised(noise_title(sentinels))
    caption = f"A ratio of the two models that lies inside such an interval shows no difference. {title}."
    return [Figure("noise", "Noise: the same cell twice", f"{caption}{LEVELS if len(panels) > 1 else ''}", panels)]


def ratio_panel(by_kind: dict[tuple[str, str], list[Pair]]) -> Panel:
    """Of each kind of sentinel every round's ratio, and their mean with its interval."""
    traces = []
    for kind, pairs in by_kind.items():
        name = words_of(kind)
        ratios = [Estimate(pair.latencies_ms[0] / pair.latencies_ms[1]) for pair in pairs]
        hovers = [
            f"<b>{name}</b>, round {pair.number}<br>first run over second: {charts.words(ratio)}"
            for pair, ratio in zip(pairs, ratios, strict=True)
        ]
        small = {"color": look_of(kind).color, "symbol": look_of(kind).symbol, "size": 6, "opacity": 0.6}
        rounds = points_in_rows(
            name, [name] * len(pairs), ratios, look_of(kind), hovers, marker=small, showlegend=False
        )
        mean = stats.ratio_over_rounds(*zip(*(pair.latencies_ms for pair in pairs), strict=True))
        text = f"<b>{name}</b><br>mean of {len(pairs)} rounds: {charts.words(mean)}"
        traces += [
            rounds,
            points_in_rows("mean of the rounds", [name], [mean], Look(INK, MEAN), [text], showlegend=False),
        ]
    x = axis("latency, first run over second (A/A)")
    names = [words_of(kind) for kind in by_kind]
    y = axis("sentinel", type="category", categoryorder="array", categoryarray=names[::-1])
    height = max(300, 130 + ROW_PX * len(names))
    return Panel("Ratio of its two runs", traces, x, y, shapes=[charts.upright(1)], height=height)


def level_panel(sentinels: Sentinels) -> list[Panel]:
    """The level of each round over the mean of its stretch, by model and engine; none of a study of one round."""
    if len({pair.number for pair in sentinels.pairs}) < 2:
        return []
    traces = []
    for kind, pairs in pairs_by_kind(sentinels.pairs).items():
        for number, stretch in enumerate(stretches_of(pairs)):
            traces.append(level_line(kind, stretch) | {"legendgroup": words_of(kind), "showlegend": number == 0})
    rounds = sorted({pair.number for pair in sentinels.pairs})
    x = axis("round", tickvals=rounds)
    drift = charts.band(-PERCENT * trust.DRIFT / 2, PERCENT * trust.DRIFT / 2)
    return [Panel("Level by round", traces, x, axis("level against the mean (%)"), shapes=[drift], height=300)]


def level_line(kind: tuple[str, str], stretch: Sequence[Pair]) -> dict:
    """A stretch of one kind of sentinel: by how many percent each round lies from the mean of all."""
    levels = [math.sqrt(pair.latencies_ms[0] * pair.latencies_ms[1]) for pair in stretch]
    mean = sum(levels) / len(levels)
    apart = [Estimate(PERCENT * (level / mean - 1)) for level in levels]
    hovers = [
        f"<b>{words_of(kind)}</b>, round {pair.number}<br>{level:,.1f} ms, {value.value:+.2f} % from the mean"
        for pair, level, value in zip(stretch, levels, apart, strict=True)
    ]
    return line(words_of(kind), [pair.number for pair in stretch], apart, look_of(kind), hovers)


def look_of(kind: tuple[str, str]) -> Look:
    """Color and marker of a kind of sentinel, as in the paper: open on the eager engine, and dashed."""
    model, engine = kind
    is_eager = engine == EAGER
    symbol = f"{SYMBOL_OF[MARKERS[model]]}{OPEN if is_eager else ''}"
    return Look(to_hex(COLORS[model]), symbol, "dash" if is_eager else "solid")
