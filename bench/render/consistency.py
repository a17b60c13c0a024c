"""Peaks of memory that fall where the work grows, in sentences."""

from collections.abc import Set as AbstractSet

import pandas as pd

from bench.analysis.consistency import AXES, FLAG, Fall
from bench.analysis.lines import DEFAULTS
from bench.analysis.runs import setting_of
from bench.models import kinds
from bench.render.wording import PLACES, engine_and_head


def lines(falls: list[Fall], cell_ids: AbstractSet[str] | None = None) -> list[str]:
    """What cannot be, then a line for each fall; empty where there is none. cell_ids: falls of these cells alone."""
    shown = [fall for fall in falls if cell_ids is None or {cell_of(fall.smaller), cell_of(fall.larger)} & cell_ids]
    if not shown:
        return []
    count = f"{len(shown)} {'peak falls' if len(shown) == 1 else 'peaks fall'}"
    head = (
        f"MEMORY THAT CANNOT BE RIGHT: {count} where the work grows and all else is equal. One of the two numbers is"
        f" wrong, most likely by what ran before in the same process; tables flag both ({FLAG})."
    )
    return [head, *(f"  {sentence(fall)}" for fall in shown)]


def cell_of(run: pd.Series) -> str:
    """The id of a run's cell."""
    return str(run["cell_id"])


def sentence(fall: Fall) -> str:
    """ "LLaMA, captured engine, batch 1, 128 tokens: 15.718 GiB with prompts of 2048 (prompt, cell 6d3b...), below
    15.888 GiB with prompts of 1024 (prompt, cell 93ab...)." """
    small_gib, large_gib = fall.gib
    larger = f"{large_gib:.3f} GiB with {at(fall.larger, fall.axis)} ({name(fall.larger)})"
    smaller = f"{small_gib:.3f} GiB with {at(fall.smaller, fall.axis)} ({name(fall.smaller)})"
    return f"{shared(fall)}: {larger}, below {smaller}."


def shared(fall: Fall) -> str:
    """ "LLaDA, captured engine, lean head, batch 1, 128 tokens": what both runs are."""
    run = fall.larger
    heads = [setting_of(run, "head", DEFAULTS["head"])] if kinds.has_steps(run["model"]) else []
    settings = [f"{run[setting]} {setting}" for setting in ("attention", "fill") if setting_of(run, setting, "")]
    places = [at(run, axis) for axis in AXES if axis != fall.axis and pd.notna(run[axis])]
    both = engine_and_head(setting_of(run, "engine", "eager"), heads)
    return ", ".join([kinds.label_of(run["model"]), both, *settings, *places])


def at(run: pd.Series, axis: str) -> str:
    """ "batch 4": where a run stands on an axis."""
    return PLACES[axis].format(run[axis])


def name(run: pd.Series) -> str:
    """ "prompt, cell 0a1b2c3d4e5f": the grid and the cell of a run."""
    return f"{run['kind']}, cell {cell_of(run)}"
