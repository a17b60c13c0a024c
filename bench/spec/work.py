"""The work folder: cells and the prompts they run on, which is all that a worker needs beside weights.

It has two files, cells.json and prompts.json. A bare machine reads them with the standard library alone.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from bench.common import read
from bench.common.errors import BadInput
from bench.data.prompt import Prompt
from bench.spec.cell import Cell

CELLS = "cells.json"  # study, rounds, and the settings of every cell
PROMPTS = "prompts.json"  # prompts by the hash of their set


@dataclass(frozen=True)
class Work:
    """Cells, the prompts they run on, and how often and in which order they are to run."""

    study: str  # the MLflow experiment
    rounds: int  # how often each cell is measured, each time in a fresh process
    seed: int  # of the order of cells
    cells: tuple[Cell, ...]
    prompts: dict[str, tuple[Prompt, ...]]  # by prompt hash
    # Commit and hash (provenance.code) of the code that resolved it. A machine that it is taken to may have no
    # repository, or another name for the same code.
    git: str = ""
    code: str = ""

    def cell(self, cell_id: str) -> Cell:
        """The cell of this id."""
        return next(cell for cell in self.cells if cell.cell_id == cell_id)

    @property
    def device(self) -> str:
        """Where the models of ours run: cpu or cuda; where all are behind an address, the CPU that asks them."""
        return next((cell.device for cell in self.cells if not cell.server), "cpu")

    @property
    def product_dtypes(self) -> tuple[str, ...]:
        """The dtypes of products, sorted: of the cells that are compared, or of the sentinel where it is alone."""
        own = [cell for cell in self.cells if not cell.server]
        compared = [cell for cell in own if not cell.twin] or own
        return tuple(sorted({cell.product_dtype for cell in compared}))

    def prompts_of(self, cell: Cell) -> tuple[Prompt, ...]:
        """The longest prompt set that the cell's prompts are the first of."""
        return self.prompts[cell.prompt_hash]

    def save(self, folder: Path) -> None:
        """Write both files, and the folder where it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        head = {"study": self.study, "rounds": self.rounds, "seed": self.seed, "git": self.git, "code": self.code}
        cells = [cell.settings() for cell in self.cells]
        (folder / CELLS).write_text(json.dumps(head | {"cells": cells}, indent=1), encoding="utf-8")
        sets = {name: [asdict(prompt) for prompt in prompts] for name, prompts in self.prompts.items()}
        (folder / PROMPTS).write_text(json.dumps(sets), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Work":
        """The work in a folder. A folder that older code wrote loads too: fields that cells no longer have are dropped.

        Raises BadInput where there is none, or only a part of one.
        """
        for name in (CELLS, PROMPTS):
            if not (folder / name).is_file():
                raise BadInput(f"{folder}: no work folder ({name} is missing); make one with bench.run --export")
        head = read.json_object(folder / CELLS)
        sets = read.json_object(folder / PROMPTS)
        names = {field.name for field in fields(Cell)}
        try:
            cells = tuple(Cell(**{k: v for k, v in cell.items() if k in names}) for cell in head["cells"])
            prompts = {name: tuple(Prompt(**prompt) for prompt in prompt_set) for name, prompt_set in sets.items()}
            whole = head["study"], head["rounds"], head["seed"], cells, prompts
        except (LookupError, TypeError, AttributeError) as error:
            raise BadInput(f"{folder}: not a whole work folder ({error}); export it once more") from error
        return cls(*whole, head.get("git", ""), head.get("code", ""))
