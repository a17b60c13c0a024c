"""The noise of the machine: a sentinel's two runs in each round over one another, and how its level moved by round.

A ratio of the two models that lies inside the interval of such a ratio shows no difference.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.analysis.noise import EAGER, Pair, Sentinels
from bench.common import stats
from bench.common.plural import counted
from bench.models import kinds
from bench.models.engines import SERVER
from bench.records import trust
from paper.figures.style import COLORS, EQUAL, ERROR_BARS, LETTERS, MARKERS, PAGE, bars, legend_below

Kind = tuple[str, str]  # (model, engine) of a sentinel
ROW_INCHES = 0.33
SPREAD = 0.16  # rows by which the rounds of a kind stand above its interval


def noise(sentinels: Sentinels) -> plt.Figure | None:
    """A/A ratios by model and engine, and the level by round; None of a study in which no sentinel ended well."""
    by_kind = pairs_by_kind(sentinels.pairs)
    if not by_kind:
        return None
    height = max(2.5, 1.3 + ROW_INCHES * len(by_kind))
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, height), layout="constrained")
    handles = ratio_panel(left, by_kind)
    handles += level_panel(right, by_kind)
    legend_below(figure, handles)
    return figure


def title(sentinels: Sentinels) -> str:
    """Whose noise it is: that of a table is of the machines of its own runs alone. Nobody knows a server's machines."""
    machines = len({pair.machine for pair in sentinels.pairs if pair.engine != SERVER})
    server = "a server" if any(pair.engine == SERVER for pair in sentinels.pairs) else ""
    return f"all sentinels of the study, on {' and '.join(filter(None, [counted(machines, 'machine'), server]))}"


def pairs_by_kind(pairs: Sequence[Pair]) -> dict[Kind, list[Pair]]:
    """The sentinels' pairs by model and engine, models without steps first."""
    names = sorted({(pair.model, pair.engine) for pair in pairs}, key=lambda kind: (kinds.has_steps(kind[0]), kind))
    return {name: [pair for pair in pairs if (pair.model, pair.engine) == name] for name in names}


def look_of(kind: Kind) -> dict:
    """Color and marker of the model, open on the eager engine."""
    model, engine = kind
    face = {"markerfacecolor": "white"} if engine == EAGER else {}
    return {"color": COLORS[model], "marker": MARKERS[model]} | face


def words_of(kind: Kind) -> str:
    """ "LLaDA, captured": a kind of sentinel, as it stands in a legend."""
    return f"{kinds.label_of(kind[0])}, {kind[1]}"


def ratio_panel(axes: Axes, by_kind: dict[Kind, list[Pair]]) -> list[Artist]:
    """The ratio of a sentinel's runs: each round, and their mean with its interval below; what the legend says."""
    handles = []
    for row, (kind, pairs) in enumerate(by_kind.items()):
        ratios = [first / second for first, second in (pair.latencies_ms for pair in pairs)]
        axes.plot(ratios, [row - SPREAD] * len(ratios), linestyle="", label="a round", **look_of(kind))
        mean = stats.ratio_over_rounds(*zip(*(pair.latencies_ms for pair in pairs), strict=True))
        place = {"y": row + SPREAD, "xerr": bars([mean]), "fmt": "d", "color": "black", "label": "mean of the rounds"}
        handles.append(axes.errorbar(mean.value, **place, **ERROR_BARS))
    axes.axvline(1, **EQUAL)
    axes.set_yticks(range(len(by_kind)), [words_of(kind) for kind in by_kind], fontsize=LETTERS)
    axes.set_ylim(len(by_kind) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("latency, first run over second (A/A)")
    return handles[:1]


def level_panel(axes: Axes, by_kind: dict[Kind, list[Pair]]) -> list[Artist]:
    """The level of each round over the mean of its stretch (the same cells, prompts and machine); what the legend
    says."""
    rounds = set()
    for kind, pairs in by_kind.items():
        for stretch in stretches_of(pairs):
            levels = [(pair.latencies_ms[0] * pair.latencies_ms[1]) ** 0.5 for pair in stretch]
            mean = sum(levels) / len(levels)
            numbers = [pair.number for pair in stretch]
            rounds |= set(numbers)
            axes.plot(numbers, [level / mean for level in levels], **look_of(kind))
    axes.axhspan(1 - trust.DRIFT / 2, 1 + trust.DRIFT / 2, color="0.85", linewidth=0, zorder=0)
    axes.axhline(1, **EQUAL)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(min(rounds) - 0.5, max(rounds) + 0.5)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * (value - 1):+.3g}"))
    axes.set_xlabel("round")
    axes.set_ylabel("level against the mean (%)")
    handles = [Line2D([], [], label=words_of(kind), **look_of(kind)) for kind in by_kind]
    band = plt.Rectangle((0, 0), 1, 1, color="0.85", label=f"a drift of {trust.DRIFT:.0%}")
    return [*handles, band]


def stretches_of(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """The pairs of each stretch of each machine, in the order of their rounds."""
    by_stretch: dict[tuple, list[Pair]] = {}
    for pair in pairs:
        by_stretch.setdefault((pair.machine, *pair.stretch), []).append(pair)
    return [sorted(stretch, key=lambda pair: pair.number) for stretch in by_stretch.values()]
