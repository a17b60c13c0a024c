"""What must never change without being meant: which cells the shipped grids span, and what an exported folder means.

tests/golden/cell_ids.json and tests/golden/old_work were written by the code of commit cc70d9f9de85. A cell_id names a
measurement on record; a cell whose id changes is measured again, and is never compared with its own earlier rounds.
The sentinels of LLaMA came later, behind the others, and so did the grids `ends`, `problems`, `batch-few`, `batch-8`,
`memory-few` and `decoders-few` and the pair 8b-illada-shapes; the grid `decoders` was made anew before anybody had
published a run of it. All ids of the pocket pair are new since it was trained on word problems as well: a cell's id
counts the weights.
"""

import json
from pathlib import Path

import pytest

from bench.common import paths
from bench.runner.request import Request, resolve
from bench.spec.work import Work
from tests.conftest import GOLDEN

CELL_IDS: dict[str, dict[str, str]] = json.loads((GOLDEN / "cell_ids.json").read_text())  # by pair and grid
OLD_WORK = GOLDEN / "old_work"  # two cells of LLaDA and one of LLaMA, with the first 3 of 180 prompts
OLD_IDS = {"0b89704ca9c4", "8deed4bba9fc", "ca4f04a4a524"}  # theirs, with the pocket pair's former weights


@pytest.mark.parametrize(("pair", "grid"), [(pair, grid) for pair, grids in CELL_IDS.items() for grid in grids])
def test_a_shipped_grid_spans_the_same_cells_in_the_same_order(pair, grid):
    asked = Request(grids=(grid,), pair=pair, device="cpu", export=Path("nowhere"))
    work, _ = resolve(asked)
    assert [cell.cell_id for cell in work.cells] == CELL_IDS[pair][grid].split()


def test_every_shipped_grid_is_pinned():
    shipped = {file.stem for file in Path("configs/grids").glob("*.yaml")}
    assert set(CELL_IDS["pocket"]) == shipped
    for pair in ("8b-shapes", "8b-illada-shapes"):
        assert set(CELL_IDS[pair]) == shipped - {
            "tasks",
            "problems",
            "decoders-tasks",
        }  # made-up weights solve no tasks


@pytest.mark.parametrize("pair", CELL_IDS)
@pytest.mark.parametrize("grid", ["batch", "memory"])
def test_what_a_study_has_of_a_grid_are_cells_of_that_grid(pair, grid):
    few, whole = (
        {
            cell.cell_id
            for cell in resolve(Request(grids=(name,), pair=pair, device="cpu", export=Path("nowhere")))[0].cells
            if cell.kind == grid
        }
        for name in (f"{grid}-few", grid)
    )
    assert few < whole


def test_a_folder_that_older_code_exported_still_loads():
    work = Work.load(OLD_WORK)
    assert (work.study, work.rounds, work.seed) == ("pocket", 3, 0)
    assert (work.git, work.code) == ("cc70d9f9de85", "0cafd44ad61eb515")
    assert {cell.cell_id for cell in work.cells} == OLD_IDS
    for cell in work.cells:
        prompt = work.prompts_of(cell)[0]
        assert (prompt.text, prompt.reference) == ("Copy: z j x f d", "z j x f d")
        assert len(prompt.ids[cell.model]) > 0


def test_cells_that_state_the_ids_of_their_prompts_are_pinned_too(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    asked = tmp_path / "asked.jsonl"
    asked.write_text('{"prompt": "What is it?", "reference": "It is this."}\n{"prompt": "Why?"}\n')
    request = Request(
        grids=("baseline", "sweep"), pair="pocket", prompts_file=str(asked), judge="none", device="cpu",
        overrides={"steps": [16]}, export=Path("nowhere"),
    )  # fmt: skip
    work, _ = resolve(request)
    stated = {cell.model: cell for cell in work.cells if cell.prompt_ids}
    assert {model: cell.prompt_ids for model, cell in stated.items()} == dict.fromkeys(stated, "61aa5429e09f")
    assert {model: cell.cell_id for model, cell in stated.items()} == {"llama": "efe68c8b52fd", "llada": "a049887658db"}
