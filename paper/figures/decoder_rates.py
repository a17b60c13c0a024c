"""Tokens a second over tokens a forward, of decoders whose tokens a step are imposed."""

import math
from collections.abc import Sequence
from itertools import product

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.analysis.comparison import RATE
from bench.analysis.decoder_gains import curves_of
from bench.analysis.decoder_places import Decoders, Place
from bench.analysis.decoders import cache_label
from bench.analysis.runs import estimate_of
from bench.models import kinds
from paper.decoder_selection import caches_of, prompt_of, rated_places
from paper.figures.decoders import doublings, legend, panels, tpf_of, value_of
from paper.figures.style import COLORS, LINE_STYLES, PALETTE, plain_log


def rate(decoders: Decoders) -> plt.Figure | None:
    """Tokens a second over tokens a forward that were imposed: a line a cache, a panel a batch and prompt, and the
    autoregressive model beside it."""
    places = rated_places(decoders)
    if not places:
        return None
    batches = sorted({place.first["batch_size"] for place in places})
    prompts = sorted({prompt_of(place) for place in places})
    figure, all_axes = panels(len(batches) * len(prompts), rows=len(prompts))
    by_corner = {(prompt_of(place), place.first["batch_size"]): place for place in places}
    caches = caches_of(places)
    for axes, corner in zip(all_axes, product(prompts, batches), strict=True):
        if corner in by_corner:
            rate_panel(axes, by_corner[corner], caches)
        else:
            axes.set_axis_off()
    legend(figure, rate_handles(places, caches))
    return figure


def line_style(cache: str, caches: Sequence[str]) -> dict:
    """How a cache with its refresh is drawn among others."""
    number = caches.index(cache)
    colors = ["black", *PALETTE[1:]]
    return {"color": colors[number % len(colors)], "marker": "osD^vP*X"[number % 8],
            "linestyle": LINE_STYLES[number % len(LINE_STYLES)], "markersize": 4.5, "linewidth": 1.2}  # fmt: skip


def rate_panel(axes: Axes, place: Place, caches: Sequence[str]) -> None:
    """Tokens a second over tokens a forward at one place."""
    for curve in curves_of(place, cache_label):
        points = sorted((tpf_of(line), value_of(line, RATE)) for line in curve.lines)
        points = [point for point in points if not math.isnan(sum(point))]
        if points:
            axes.plot(*zip(*points, strict=True), **line_style(curve.name, caches))
    if place.autoregressive and (rate := estimate_of(place.autoregressive.run, RATE)):
        axes.axhline(rate.value, color=COLORS[place.autoregressive.run["model"]], linewidth=1.6, dashes=(6, 2))
    doublings(axes)
    axes.set_yscale("log")
    plain_log(axes.yaxis)
    axes.set_xlabel("tokens a forward")
    axes.set_ylabel("tokens/s, summed over the batch")
    prompt = f", prompts of {prompt_of(place):.0f}" if prompt_of(place) else ""
    axes.set_title(f"batch {place.first['batch_size']:.0f}{prompt}")


def rate_handles(places: Sequence[Place], caches: Sequence[str]) -> list[Line2D]:
    """What the legend says: a cache each, and the autoregressive model."""
    handles = [Line2D([], [], label=cache, **line_style(cache, caches)) for cache in caches]
    references = [place.autoregressive.run["model"] for place in places if place.autoregressive]
    labels = {"color": COLORS[references[0]], "label": kinds.label_of(references[0])} if references else {}
    return handles + ([Line2D([], [], linewidth=1.6, dashes=(6, 2), **labels)] if references else [])


FIGURES = {"decoders_rate": rate}
