"""What the cost model predicts for the second of two devices, beside what two studies measured there."""

import statistics
from collections.abc import Sequence

from bench.analysis.comparison import LATENCY
from bench.analysis.two_studies import Pair, TwoStudies
from bench.models import kinds
from bench.render import wording

HEADING = "predicted"  # of a column


def lines(two: TwoStudies) -> list[str]:
    """The ratio of latencies that is predicted, by model, and what was measured over that; nothing without one."""
    found = [(pair, pair.predicted_ratio) for pair in two.pairs if pair.predicted_ratio and pair.change(LATENCY)]
    if not found:
        return []
    off = [(pair, pair.change(LATENCY).ratio.value / ratio) for pair, ratio in found]
    return [f"  predicted (floors at each device's ceilings): {medians(found)}; measured over that: {medians(off)}"]


def medians(values: Sequence[tuple[Pair, float]], digits: int = 2) -> str:
    """ "LLaMA 0.71 (0.70 to 0.75), LLaDA 0.94 (0.87 to 1.00)": median and range of a value of some cells, by model."""
    parts = []
    for model in dict.fromkeys(pair.match.before["model"] for pair, _ in values):
        own = [value for pair, value in values if pair.match.before["model"] == model]
        span = f" ({min(own):.{digits}f} to {max(own):.{digits}f})" if len(own) > 1 else ""
        parts.append(f"{kinds.label_of(model)} {statistics.median(own):.{digits}f}{span}")
    return ", ".join(parts)


def column_behind(metric: str, pairs: Sequence[Pair], missing: str = wording.MISSING) -> dict[str, list[str]]:
    """What stands behind a metric's column in a table of cells: behind the latency the ratio that is predicted, by
    heading; nothing where it is predicted of none of the cells. missing: stands where it is not predicted of a cell."""
    ratios = [pair.predicted_ratio for pair in pairs] if metric == LATENCY else []
    return {HEADING: [f"{ratio:.2f}" if ratio else missing for ratio in ratios]} if any(ratios) else {}
