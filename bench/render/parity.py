"""Break-evens at equal distance from both floors, in sentences."""

import math

from bench.analysis import parity as analysis_parity
from bench.analysis.comparison import Comparison
from bench.analysis.parity import Parity
from bench.analysis.scaling import Scaling
from bench.render.wording import label_of_models, places_words


def number(steps: float) -> str:
    """ "116", of few steps "9.5"."""
    if not math.isfinite(steps):
        return "unbounded"
    return f"{steps:.1f}" if steps < 10 else f"{steps:.0f}"


def words(parity: Parity, autoregressive: str, diffusion: str) -> str:
    """ "116 steps (band 88 to 116; LLaMA at 1.20 times its floor, LLaDA at 1.49)"."""
    low, high = map(number, parity.band)
    distances = (
        f"{autoregressive} at {parity.distances[0]:.2f} times its floor, {diffusion} at {parity.distances[1]:.2f}"
    )
    return f"{number(parity.steps)} steps (band {low} to {high}; {distances})"


def comparison_sentences(comparison: Comparison) -> list[str]:
    """The band of a comparison's break-even; empty where floors are not known."""
    parity = analysis_parity.of_comparison(comparison)
    if parity is None:
        return []
    names = (
        label_of_models(comparison.autoregressive, with_steps=False),
        label_of_models(comparison.diffusion, with_steps=True),
    )
    return [f"Engines: at equal distance from both floors time would break even at {words(parity, *names)}."]


def scaling_sentences(scaling: Scaling) -> list[str]:
    """The bands of a group's break-evens along its axis, in one sentence; empty where floors are not known."""
    names = [label_of_models(scaling.rows.head(0), with_steps=with_steps) for with_steps in (False, True)]
    pairs = analysis_parity.of_scaling(scaling)
    places = places_words(scaling, [run for run, _ in pairs])
    parts = []
    for (run, parity), place in zip(pairs, places, strict=True):
        extrapolated = " (extrapolated)" if scaling.is_extrapolated(run) else ""
        parts.append(f"{words(parity, *names)} at {place}{extrapolated}")
    return (
        [f"Engines: at equal distance from both floors time would break even at {'; '.join(parts)}."] if parts else []
    )
