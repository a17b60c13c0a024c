"""The sentinel: one cell that runs in a process of its own before and after the models of each round.

Its two runs in a round differ in nothing but time. So their ratio (A/A) is what a comparison of two models shows where
there is no difference, and how it changes from round to round is the drift of the machine. Both numbers belong to one
engine: an eager cell at batch 1 waits for the host's Python, a captured cell waits for the device. They belong to one
model as well: a captured LLaMA can move by percents from process to process where LLaDA stands still. So a sentinel of
each model runs on every engine that the cells it watches run on (bench/runner/request.py).
"""

from dataclasses import replace

from bench.spec.cell import Cell, identity

GRID = "sentinel"  # configs/grids/sentinel.yaml
KIND = "sentinel"  # of its cells
TWINS = ("a", "b")  # the run before the models of a round, and the run after them


def twins(cell: Cell, watched: list[Cell]) -> list[Cell]:
    """The sentinel's two runs beside some cells. Other cells get their own: drift is that of a stretch of time."""
    watches = identity({"cells": sorted(cell.cell_id for cell in watched)})
    return [replace(cell, twin=twin, watches=watches) for twin in TWINS]
