"""The page's figures of decoders: quality over latency, lost against speed won, and over tokens a forward."""

import math
from collections.abc import Callable, Sequence
from functools import partial

from matplotlib.colors import to_hex

from bench.analysis.aup import PERCENT, areas_of
from bench.analysis.comparison import LATENCY, RATE
from bench.analysis.decoder_gains import Curve, curves_of
from bench.analysis.decoder_places import Decoders, Line, Place
from bench.analysis.decoders import cache_label, family_of, sampler_of, settings_of
from bench.analysis.runs import estimate_of
from bench.common.stats import Estimate
from bench.diffusion.choices import CACHES, SAMPLERS
from bench.models import kinds
from bench.render import decoder_words, wording
from bench.render import decoders as render
from bench.render.comparison import METRIC_NAMES
from paper.decoder_selection import caches_of, main_places, prompt_of, rated_places
from paper.figures.decoders import LATENCY_LABEL, PARTS, SAMPLER_COLORS, tpf_of
from paper.page import charts
from paper.page.charts import DASHES, GREY, SYMBOLS, Figure, Look, Panel, axis, level, line, log_axis, look, words

Value = Callable[[Line], Estimate | None]  # of a decoder; None where it was not measured
FILLS = ("", "-open", "-dot", "-open-dot", "-open")  # of a cache's markers


def figures(decoders: Decoders) -> list[Figure]:
    """Every figure for which there is data."""
    places, rated = main_places(decoders), rated_places(decoders)
    panels_of_rates = partial(rate_panels, caches=caches_of(rated))
    drawn = [
        figure("decoders_pareto", "Quality over latency, by decoder", places, pareto_panels),
        figure("decoders_lost", "Quality lost against speed won", places, lost_panels),
        figure("decoders_parallelism", "Accuracy over tokens a forward", places, parallelism_panels),
        figure("decoders_rate", "Tokens a second over tokens a forward", rated, panels_of_rates),
    ]
    return [figure for figure in drawn if figure.panels]


def figure(name: str, title: str, places: Sequence[Place], panels_of: Callable[[Place], list[Panel]]) -> Figure:
    """The panels of some places under one title."""
    texts = dict.fromkeys(
        f"{decoder_words.place_words(place)}, on {wording.machine_of(place.every)}" for place in places
    )
    caption = f"{wording.capitalised('; '.join(texts))}." if len(texts) < 4 else f"{len(texts)} places."
    label = wording.weights_label(places[0].every) if places else ""
    panels = [panel for place in places for panel in panels_of(place)]
    return Figure(name, title, f"{caption}{f' ({label.capitalize()}.)' if label else ''}", panels)


def style_of(run_line: Line) -> Look:
    """A sampler has a color and a marker, a cache a dash and the filling of the marker."""
    sampler, cache = sampler_of(run_line.run), str(settings_of(run_line.run).get("cache") or "none")
    number = list(CACHES).index(cache)
    symbol = SYMBOLS[list(SAMPLERS).index(sampler)] + FILLS[number % len(FILLS)]
    return Look(to_hex(SAMPLER_COLORS[sampler]), symbol, DASHES[number % len(DASHES)])


def hover_of(place: Place, run_line: Line) -> str:
    """A decoder with its speed and quality."""
    parts = [
        f"<b>{render.line_name(place, run_line)}</b>",
        f"latency: {words(estimate_of(run_line.run, LATENCY), 'ms')}",
    ]
    if run_line.speedup is not None:
        parts.append(f"{words(run_line.speedup)} times vanilla's speed")
    for quality in run_line.qualities.values():
        of = f", {quality.prompts}" if quality.prompts else ""
        parts.append(
            f"{METRIC_NAMES[quality.metric]}{of}: {quality.value:.3f} ({words(quality.difference)} to vanilla's)"
        )
    return "<br>".join(parts)


def curves(place: Place, x: Value, y: Value, key: Callable = family_of, look_of: Callable | None = None) -> list[dict]:
    """A line for each sampler and cache over its settings, in the order of x.

    look_of: a curve's name -> how it is drawn; without it by its sampler and cache.
    """
    traces = []
    for curve in curves_of(place, key):
        points = [(x(one), y(one), one) for one in curve.lines]
        points = sorted((point for point in points if all(map(is_known, point[:2]))), key=lambda point: point[0].value)
        if points:
            style = look_of(curve.name) if look_of else style_of(points[0][2])
            hovers = [hover_of(place, one) for *_, one in points]
            xs, ys = [point[0].value for point in points], [Estimate(point[1].value) for point in points]
            trace = line(name_of(curve), xs, ys, style, hovers)
            group = "" if look_of else sampler_of(points[0][2].run)
            traces.append(trace | ({"legendgroup": group, "showlegend": False} if group else {}))
    return traces


def legend(places: Sequence[Place], traces: Sequence[dict]) -> list[dict]:
    """The legend of curves that are told by sampler and cache: an entry each, since there are too many of both. A
    sampler's entry switches all of its curves on and off."""
    there = {trace["legendgroup"] for trace in traces if "legendgroup" in trace}
    used = [one for place in places for one in place.lines]
    keys = []
    for name in (name for name in SAMPLERS if name in there):
        style = next(style_of(one) for one in used if sampler_of(one.run) == name)
        style = Look(style.color, SYMBOLS[list(SAMPLERS).index(name)])
        keys.append(charts.key("fixed schedule" if name == "fixed" else name, style, name, "markers"))
    caches = {str(settings_of(one.run).get("cache") or "none") for one in used}
    for number, name in enumerate(CACHES):
        if name in caches:
            style = Look(GREY, SYMBOLS[0] + FILLS[number % len(FILLS)], DASHES[number % len(DASHES)])
            keys.append(charts.key("no cache" if name == "none" else f"{name} cache", style))
    return keys


def name_of(curve: Curve) -> str:
    return curve.name.replace("fixed", "fixed schedule", 1) if curve.name.startswith("fixed") else curve.name


def is_known(value: Estimate | None) -> bool:
    return value is not None and not math.isnan(value.value)


def of_metric(metric: str) -> Value:
    return lambda one: estimate_of(one.run, metric)


def of_quality(part: str, factor: float = 1.0) -> Value:
    return lambda one: Estimate(factor * one.qualities[part].value) if part in one.qualities else None


def of_difference(part: str) -> Value:
    return lambda one: one.qualities[part].difference if part in one.qualities else None


def forwards_of(one: Line) -> Estimate:
    return Estimate(tpf_of(one))


def reference(place: Place, x: Value, y: Value) -> list[dict]:
    """The autoregressive model of a place as a star."""
    one = place.autoregressive
    if one is None or not (is_known(x(one)) and is_known(y(one))):
        return []
    model = one.run["model"]
    style = charts.look_of_model(model)
    return [line(kinds.label_of(model), [x(one).value], [y(one)], style, [hover_of(place, one)], mode="markers")]


def xs_of(traces: list[dict]) -> list[float]:
    return [value for trace in traces for value in trace["x"]]


def pareto_panels(place: Place) -> list[Panel]:
    """Quality over latency."""
    x, y = of_metric(LATENCY), of_quality("all")
    traces = curves(place, x, y) + reference(place, x, y)
    return [
        Panel(
            what_of(place),
            traces + legend([place], traces),
            log_axis(LATENCY_LABEL, xs_of(traces)),
            axis(METRIC_NAMES[place.metric]),
            height=420,
        )
    ]


def what_of(place: Place) -> str:
    return "Tasks" if place.metric == "accuracy" else "Open-ended answers"


def lost_panels(place: Place) -> list[Panel]:
    """Quality lost against speed won, a panel each kind of tasks."""
    panels = []
    for part in (part for part in place.parts if place.metric != "accuracy" or part != "all"):
        traces = curves(place, lambda one: one.speedup, of_difference(part))
        shape, text = level(-place.margin, "declared margin")
        title = f"{METRIC_NAMES[place.metric]} less vanilla's"
        x = log_axis("times vanilla's speed", xs_of(traces))
        panels.append(
            Panel(
                wording.capitalised(PARTS[part]),
                traces + legend([place], traces),
                x,
                axis(title),
                shapes=[shape],
                notes=[text],
                height=420,
            )
        )
    return panels


def parallelism_panels(place: Place) -> list[Panel]:
    """Accuracy in percent over tokens a forward: the curves of which AUP is the area."""
    if not areas_of(place):
        return []
    panels = []
    for part in (part for part in place.parts if part != "all"):
        traces = curves(place, forwards_of, of_quality(part, PERCENT))
        shape, text = level(PERCENT * place.vanilla.qualities[part].value, "vanilla, a step a token")
        x = log_axis("tokens a forward (TPF)", xs_of(traces))
        y = axis("accuracy (%)", range=[0, 1.05 * PERCENT])
        panels.append(
            Panel(
                wording.capitalised(PARTS[part]),
                traces + legend([place], traces),
                x,
                y,
                shapes=[shape],
                notes=[text],
                height=420,
            )
        )
    return panels


def rate_panels(place: Place, caches: Sequence[str]) -> list[Panel]:
    """Tokens a second over tokens a forward that were imposed, a line a cache. caches: of all places of the figure."""
    traces = curves(place, forwards_of, of_metric(RATE), cache_label, lambda cache: look(caches.index(cache)))
    shapes, notes = [], []
    if place.autoregressive and (rate := estimate_of(place.autoregressive.run, RATE)):
        shape, text = level(rate.value, kinds.label_of(place.autoregressive.run["model"]))
        shapes, notes = [shape], [text | {"y": math.log10(rate.value)}]  # of a logarithmic axis
        ys = [rate.value]
    else:
        ys = []
    ys += [value for trace in traces for value in trace["y"]]
    prompt = f", prompts of {prompt_of(place):.0f}" if prompt_of(place) else ""
    title = f"Batch {place.first['batch_size']:.0f}{prompt}"
    x = log_axis("tokens a forward", xs_of(traces))
    return [Panel(title, traces, x, log_axis("tokens/s", ys), shapes=shapes, notes=notes)]
