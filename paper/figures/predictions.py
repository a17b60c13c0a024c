"""What was predicted beforehand beside what was measured: a line a claim, with its tolerance and its interval."""

import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

from bench.analysis.hypotheses import Result, Score
from bench.common.stats import Estimate
from bench.render.hypotheses import claim_text
from paper.figures.style import EQUAL, ERROR_BARS, PAGE, PALETTE, SMALL, bars, legend_below, plain_log

ROW_INCHES = 0.27
LETTERS_A_LINE = 62  # of a claim's text
LOOKS = {  # of a claim by what became of it: told by color and by marker
    "met": {"color": PALETTE[2], "marker": "o"},
    "undecided": {"color": "0.4", "marker": "D", "markerfacecolor": "white"},
    "not met": {"color": PALETTE[3], "marker": "X"},
}
TOLERANCE = {"color": "0.85", "linewidth": 8, "solid_capstyle": "butt", "zorder": 1}


def predictions(scores: Sequence[Score]) -> plt.Figure | None:
    """Measured over predicted of every claim that was measured; None where none was, or none states a number."""
    claims = [(score, result) for score in scores for result in score.results if result.log_error is not None]
    if not claims:
        return None
    figure, axes = plt.subplots(figsize=(PAGE, 0.9 + ROW_INCHES * len(claims)), layout="constrained")
    for row, (_, result) in enumerate(claims):
        factor = result.claim.factor
        axes.plot([1 / factor, factor], [row, row], **TOLERANCE)
        ratio = over_predicted(result)
        look = LOOKS[result.state] | {"linestyle": "", "zorder": 3}
        axes.errorbar([ratio.value], [row], xerr=bars([ratio]), **look, **ERROR_BARS)
        axes.annotate(f"{ratio.value:.2f}", (ratio.high or ratio.value, row), xytext=(4, 0), va="center",
                      textcoords="offset points", fontsize=SMALL)  # fmt: skip
    axes.axvline(1, **EQUAL)
    names = [f"{score.name}: {claim_text(result.claim, result.engine)}" for score, result in claims]
    axes.set_yticks(range(len(claims)), [textwrap.fill(name, LETTERS_A_LINE) for name in names], fontsize=SMALL)
    axes.set_ylim(len(claims) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xscale("log")
    limits(axes, [result for _, result in claims])
    axes.set_xlabel("measured over predicted")
    states = [state for state in LOOKS if any(result.state == state for _, result in claims)]
    handles = [Line2D([], [], linestyle="", label=state, **LOOKS[state]) for state in states]
    legend_below(figure, [*handles, Line2D([], [], label="tolerance stated beforehand", **TOLERANCE)])
    return figure


def over_predicted(result: Result) -> Estimate:
    """What was measured of a claim over what it says, with its interval."""
    measured = result.measured
    ends = (measured.value, measured.low, measured.high)
    return Estimate(*(None if end is None else end / result.claim.value for end in ends))


def limits(axes: plt.Axes, results: Sequence[Result]) -> None:
    """Room for all tolerances and intervals, and the number behind the last."""
    ratios = [over_predicted(result) for result in results]
    ends = [end for ratio in ratios for end in (ratio.value, ratio.low, ratio.high) if end]
    factors = [result.claim.factor for result in results]
    axes.set_xlim(min([*ends, 1 / max(factors)]) / 1.1, 1.25 * max([*ends, *factors]))
    plain_log(axes.xaxis)
