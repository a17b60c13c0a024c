"""The work folder: cells and the prompts they run on, all that a worker needs besides weights."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from bench.common.errors import BadInput
from bench.data.prompt import Prompt
from bench.spec.cell import Cell


@dataclass(frozen=True)
class Work:
    """Cells and the prompts they run on: all that a worker needs besides weights."""

    study: str
    rounds: int
    seed: int
    cells: tuple[Cell, ...]
    prompts: dict[str, tuple[Prompt, ...]]  # by prompt hash
    git: str = ""  # commit of the code that resolved it: a machine it is taken to may have no repository,
    code: str = ""  # or another name for the same code (provenance.code)

    def cell(self, cell_id: str) -> Cell:
        return next(cell for cell in self.cells if cell.cell_id == cell_id)

    @property
    def float_dtypes(self) -> tuple[str, ...]:
        """Of the cells that are compared; the sentinel's where there are no others."""
        compared = [cell for cell in self.cells if not cell.twin] or self.cells
        return tuple(sorted({cell.float_dtype for cell in compared}))

    def prompts_of(self, cell: Cell) -> tuple[Prompt, ...]:
        return self.prompts[cell.prompt_hash]

    def save(self, folder: Path) -> None:
        """Write cells.json and prompts.json."""
        folder.mkdir(parents=True, exist_ok=True)
        head = {"study": self.study, "rounds": self.rounds, "seed": self.seed, "git": self.git, "code": self.code}
        cells = [cell.settings() for cell in self.cells]
        (folder / "cells.json").write_text(json.dumps(head | {"cells": cells}, indent=1))
        sets = {name: [asdict(prompt) for prompt in prompts] for name, prompts in self.prompts.items()}
        (folder / "prompts.json").write_text(json.dumps(sets))

    @classmethod
    def load(cls, folder: Path) -> "Work":
        """Raises BadInput where there is none."""
        if not (folder / "cells.json").is_file():
            raise BadInput(f"{folder}: no work folder (cells.json is missing); make one with bench.run --export")
        head = json.loads((folder / "cells.json").read_text())
        known = {field.name for field in fields(Cell)}
        cells = tuple(Cell(**{k: v for k, v in cell.items() if k in known}) for cell in head["cells"])
        sets = json.loads((folder / "prompts.json").read_text())
        prompts = {name: tuple(Prompt(**prompt) for prompt in found) for name, found in sets.items()}
        origin = head.get("git", ""), head.get("code", "")
        return cls(head["study"], head["rounds"], head["seed"], cells, prompts, *origin)
