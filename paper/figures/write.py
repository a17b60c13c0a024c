"""Draws every figure for which there is data."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt

from bench.analysis.comparison import Comparison, main_of
from bench.analysis.decoder_places import Decoders
from bench.analysis.findings import Findings
from bench.analysis.scaling import Scaling
from bench.models import kinds
from bench.render import wording
from paper.figures import borrowed as borrowed_figures
from paper.figures import comparison as comparison_figures
from paper.figures import cost as cost_figures
from paper.figures import decoder_rates
from paper.figures import decoders as decoder_figures
from paper.figures import energy as energy_figures
from paper.figures import engines as engine_figures
from paper.figures import memory as memory_figures
from paper.figures import noise as noise_figures
from paper.figures import predictions as prediction_figures
from paper.figures import problems as problem_figures
from paper.figures import scaling as scaling_figures
from paper.figures import task_accuracy as task_accuracy_figures
from paper.figures.style import apply_theme, save, set_title
from paper.selection import Selection

Drawing = tuple[str, str, Callable[[], plt.Figure | None]]  # (name of the file, title, how it is drawn)


def write(selection: Selection, folder: Path) -> None:
    """Draw what there is data for."""
    write_drawings(comparison_drawings(selection.answers, selection.tasks, selection.on_engines), folder)
    write_drawings([("problems", "", partial(problem_figures.problems, selection.blocks))], folder)
    write_drawings(scaling_drawings(selection.scalings), folder)
    write_drawings(cost_drawings(selection.findings), folder)
    write_drawings(decoder_drawings(selection.findings.decoders), folder)
    write_drawings(trust_drawings(selection.findings), folder)
    borrowed = selection.findings.borrowed
    write_drawings([("borrowed", "", partial(borrowed_figures.borrowed_quality, borrowed))], folder)
    accuracies = selection.findings.task_accuracies
    drawings = task_accuracy_figures.FIGURES.items()
    write_drawings([(name, "", partial(draw, accuracies)) for name, draw in drawings], folder)


def comparison_drawings(answers: Comparison, tasks: Comparison, on_engines: Sequence[Comparison]) -> list[Drawing]:
    """The figures of the comparisons."""
    figures = comparison_figures.FIGURES | {
        "step_time": partial(comparison_figures.step_time, on_engines=on_engines),
        "energy": partial(energy_figures.energy, on_engines=on_engines),
    }
    return [
        (name, comparison_title(comparison), partial(draw, comparison))
        for group, comparison in ((figures, answers), (comparison_figures.TASK_FIGURES, tasks))
        for name, draw in group.items()
    ]


def comparison_title(comparison: Comparison) -> str:
    """How the answers of a comparison end, and what must be said of its weights."""
    parts = [wording.stop_words(comparison.every), wording.weights_label(comparison.every)]
    return "; ".join(filter(None, parts))


def scaling_drawings(scalings: dict[str, Scaling]) -> list[Drawing]:
    """The figures of the scaling groups, each with what its runs have in common in the title."""
    figures = scaling_figures.FIGURES | engine_figures.FIGURES | memory_figures.FIGURES
    return [
        (name, scaling_title(scalings[kind]), partial(draw, scalings[kind]))
        for name, (kind, draw) in figures.items()
        if kind in scalings
    ]


def scaling_title(scaling: Scaling) -> str:
    """What a group's runs have in common, where they ran, and what must be said of their weights."""
    place = f"{wording.scaling_title(scaling)}, on {wording.machine_of(scaling.every)}"
    return "; ".join(filter(None, [place, wording.weights_label(scaling.every)]))


def cost_drawings(findings: Findings) -> list[Drawing]:
    """The figures of the cost model."""
    pair = findings.pair
    label = wording.RANDOM_WEIGHTS if pair.has_random_weights else ""
    devices = [] if findings.costs.empty else findings.costs["device"].dropna().unique()
    models = f"{' and '.join(map(kinds.label_of, pair.models))} ({', '.join(filter(None, [pair.name, label]))})"
    return [
        ("roofline", "; ".join(filter(None, [*devices, label])), lambda: cost_figures.roofline(findings.costs)),
        ("surface", "", lambda: surface_figure(findings, models)),
    ]


def surface_figure(findings: Findings, models: str) -> plt.Figure | None:
    """The surface of break-evens; None where a model's shape is not known."""
    about = findings.surface()
    return about and cost_figures.surface(about, models, beside_surface(findings))


def trust_drawings(findings: Findings) -> list[Drawing]:
    """The figures of what the numbers are worth: the noise under them, and what had been predicted."""
    scores = [*findings.scores, *findings.decoder_scores]
    return [
        ("noise", noise_figures.title(findings.sentinels), partial(noise_figures.noise, findings.sentinels)),
        ("predictions", "", partial(prediction_figures.predictions, scores)),
    ]


def beside_surface(findings: Findings) -> str:
    """The break-even of the main comparison, which stands at no place of the surface; empty where it is not known."""
    comparison = main_of(findings.comparisons, "answers")
    if comparison is None or comparison.break_even_steps is None:
        return ""
    steps = wording.interval(comparison.break_even_steps, 0)
    return f"the sweep's own, at {wording.comparison_title(comparison)}: {steps} steps, measured"


def decoder_drawings(decoders: Decoders) -> list[Drawing]:
    """The figures of decoders."""
    label = wording.weights_label(decoders.every)
    figures = decoder_figures.FIGURES | decoder_rates.FIGURES
    return [(name, label, partial(draw, decoders)) for name, draw in figures.items()]


def write_drawings(drawings: list[Drawing], folder: Path) -> None:
    """Draw figures and write each, where there is data for it, as PDF and PNG."""
    apply_theme()
    folder.mkdir(parents=True, exist_ok=True)
    for name, title, draw in drawings:
        figure = draw()
        if figure is None:
            continue
        if title:
            set_title(figure, title)
        save(figure, folder, name)
