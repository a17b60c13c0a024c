"""LLaDA over LLaMA over batch and length together, as a small table."""

import pandas as pd

from bench.analysis.corners import corners_of
from bench.analysis.scaling import Scaling
from bench.render.wording import MISSING, interval, label_of_models

WHOLE = "whole"  # said of a model's call where all its forwards were made


def table(scaling: Scaling) -> pd.DataFrame:
    """A line a place that both models were timed at; then the places at which a run failed, with the reason."""
    diffusion, autoregressive = (label_of_models(scaling.rows.head(0), with_steps=has) for has in (True, False))
    headings = ["batch", "tokens", "steps", f"{diffusion} over {autoregressive}", "breaks even at steps"]
    headings += [f"{autoregressive}'s time", f"{diffusion}'s time"]
    lines = []
    for corner in corners_of(scaling):
        place = [f"{corner.run[name]:.0f}" for name in ("batch_size", "gen_length", "steps")]
        digits = [
            0 if value >= 100 else 1 if value >= 10 else 2 for value in (corner.ratio.value, corner.break_even.value)
        ]
        numbers = [interval(corner.ratio, digits[0]), interval(corner.break_even, digits[1])]
        lines.append([*place, *numbers, *(basis(part) for part in corner.parts)])
    result = pd.DataFrame(lines, columns=headings)
    failures = [failure(run) for _, run in scaling.left_out.iterrows()]
    return pd.concat([result, pd.DataFrame(failures)]).fillna(MISSING) if failures else result


def basis(part: str) -> str:
    """ "extrapolated from 8 of 32 steps", or that the call was whole."""
    return f"extrapolated from {part}" if part else WHOLE


def failure(run: pd.Series) -> dict[str, str]:
    """A line for a run without numbers."""
    steps = MISSING if pd.isna(run["steps"]) else f"{run['steps']:.0f}"
    place = {"batch": f"{run['batch_size']:.0f}", "tokens": f"{run['gen_length']:.0f}", "steps": steps}
    return place | {"note": f"{run['model']} {run['reason']}"}
