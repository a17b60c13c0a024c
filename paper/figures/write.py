"""Draws every figure for which there is data."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import seaborn as sns

from bench.analysis.comparison import Comparison
from bench.analysis.scaling import Scaling
from paper.figures import comparison, scaling, style
from paper.figures.comparison import FIGURES, TASK_FIGURES
from paper.figures.style import TITLE_LETTERS


def write(
    found: Comparison, tasks: Comparison, scaled: dict[str, Scaling], folder: Path, beside: Sequence[Comparison] = ()
) -> list[str]:
    """Draw what there is data for; returns the names of the figures written. scaled: scaling groups by kind. beside:
    the first comparison on other engines."""
    sns.set_theme(style="whitegrid", context="paper")
    folder.mkdir(parents=True, exist_ok=True)
    with_others = FIGURES | {"step_time": lambda part: comparison.step_time(part, beside)}
    parts = [(name, draw, part) for figures, part in ((with_others, found), (TASK_FIGURES, tasks))
             for name, draw in figures.items()]  # fmt: skip
    parts += [(name, draw, scaled[kind]) for name, (kind, draw) in scaling.FIGURES.items() if kind in scaled]
    drawn = {}
    for name, draw, part in parts:
        figure = drawn[name] = draw(part)
        if figure is None:
            continue
        where = f"{part.title}, on {part.machine}" if isinstance(part, Scaling) else ""
        if head := "; ".join(filter(None, [where, part.label])):
            figure.suptitle(textwrap.fill(head, int(TITLE_LETTERS * figure.get_figwidth())), fontsize=9)
        if figure.get_layout_engine() is None:
            figure.tight_layout()
        style.save(figure, folder, name)
    return [name for name, figure in drawn.items() if figure is not None]
