"""The sentinel: one cell that runs in a process of its own before and after the models of each round.

Its two runs in a round differ in nothing but time, so their ratio (A/A) shows what a ratio of two models shows
where there is no difference; its change from round to round is the drift of the machine. Both are of one engine: an
eager cell at batch 1 waits for the host's Python, a captured one for the device. So it runs on every engine that the
cells it watches run on (bench/runner/request.py).
"""

from dataclasses import replace

from bench.spec.cell import Cell, identity

GRID = "sentinel"
KIND = "sentinel"
TWINS = ("a", "b")


def twins(cell: Cell, watched: list[Cell]) -> list[Cell]:
    """The sentinel's two runs beside some cells. Other cells get their own: drift is that of a stretch of time."""
    watches = identity({"cells": sorted(other.cell_id for other in watched)})
    return [replace(cell, twin=twin, watches=watches) for twin in TWINS]
