"""Labels of points that cover neither each other nor, where there is room, what is drawn."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.path import Path
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from paper.figures.style import SMALL

DISTANCES = (4, 8, 13, 19)  # points between a point and its label
DIRECTIONS = ((1, -1), (1, 1), (-1, 1), (-1, -1), (0, -1), (0, 1), (1, 0), (-1, 0))  # right and below is tried first
ALIGNED = {-1: ("right", "top"), 0: ("center", "center"), 1: ("left", "bottom")}  # across and up
POINTS_AN_INCH = 72


def label_points(axes: Axes, labels: Sequence[tuple[float, float, str]], **style) -> list[Annotation]:
    """Write (x, y, text) beside its point, each where it covers no label and no marker, and if it can no line.

    To be called when all else of the figure is drawn and its axes have their limits.
    """
    axes.figure.draw_without_rendering()
    lines = list(lines_of(axes))
    taken = [*marker_boxes(axes), *(text.get_window_extent() for text in axes.texts)]
    notes = []
    for x, y, text in labels:
        note, box = best_note(axes, (x, y), text, taken, lines, style)
        taken.append(box)
        notes.append(note)
    return notes


def best_note(
    axes: Axes, place: tuple[float, float], text: str, taken: list[Bbox], lines: list[Path], style: dict
) -> tuple[Annotation, Bbox]:
    """The label at the place that costs least, and its box in pixels."""
    tried = []
    inside = axes.get_window_extent()
    for number, (distance, across, up) in enumerate((d, *direction) for d in DISTANCES for direction in DIRECTIONS):
        note = annotation(axes, place, text, (distance * across, distance * up), style)
        box = note.get_window_extent()
        note.remove()
        covered = sum(box.overlaps(other) for other in taken)
        crossed = any(line.intersects_bbox(box, filled=False) for line in lines)
        is_outside = not (inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1))
        tried.append((2 * covered + 2 * is_outside + crossed, number, (distance * across, distance * up), box))
        if not covered and not crossed and not is_outside:
            break
    _, _, offset, box = min(tried, key=lambda one: one[:2])
    return annotation(axes, place, text, offset, style), box


def annotation(
    axes: Axes, place: tuple[float, float], text: str, offset: tuple[float, float], style: dict
) -> Annotation:
    """A text at so many points from a place."""
    across, up = np.sign(offset)
    return axes.annotate(
        text, place, xytext=offset, textcoords="offset points", ha=ALIGNED[across][0], va=ALIGNED[up][1],
        **{"fontsize": SMALL} | style,
    )  # fmt: skip


def marker_boxes(axes: Axes) -> list[Bbox]:
    """The boxes of all markers, in pixels."""
    pixels = axes.figure.dpi / POINTS_AN_INCH
    marked = [line for line in axes.lines if line.get_marker() not in ("None", "none", "", None)]
    places = [
        (*axes.transData.transform(point), pixels * (line.get_markersize() / 2 + 1))
        for line in marked
        for point in line.get_xydata()
    ]
    return [Bbox.from_extents(x - r, y - r, x + r, y + r) for x, y, r in places if np.isfinite(x + y)]


def lines_of(axes: Axes) -> Iterator[Path]:
    """All lines and error bars of axes, in pixels."""
    for line in axes.lines:
        if line.get_linestyle() not in ("None", "none", "", " "):
            yield line.get_path().transformed(line.get_transform())
    for collection in axes.collections:
        if isinstance(collection, LineCollection):
            yield from (path.transformed(collection.get_transform()) for path in collection.get_paths())
