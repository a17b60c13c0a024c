"""A value that no cell would depend on is refused: it would be dropped, and something else measured, without a word."""

import shutil

import pytest

from bench.common.errors import BadInput
from bench.runner import request
from tests.conftest import REPO

BASELINE, SWEEP, TASKS, BATCH = (
    f"{REPO}/configs/grids/{name}.yaml" for name in ("baseline", "sweep", "tasks", "batch")
)


def resolved(*arguments: str, device: str = "cpu"):
    return request.resolve(request.parse([*arguments, "--device", device]))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([BASELINE, "--steps", "4"], "STEPS"),
        ([BASELINE, "--block", "16"], "BLOCK"),
        ([BASELINE, "--head", "lean"], "HEAD"),
        ([BATCH, "--steps", "4"], "STEPS"),  # its steps grow with the length
        ([BATCH, "--prompts", "4"], "PROMPTS"),  # it has as many as its batches need
        (["--also", TASKS, "--gen", "64"], "GEN"),
        (["--also", TASKS, "--engine", "captured"], "ENGINE"),
        (["--also", TASKS, "--prompts-file", "mine.jsonl"], "PROMPTS_FILE=mine.jsonl"),
    ],
)
def test_what_no_cell_depends_on_is_refused_by_name(arguments, name):
    with pytest.raises(BadInput) as refused:
        resolved(*arguments)
    assert str(refused.value).startswith(f"{name}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "arguments",
    [
        [BASELINE, SWEEP, "--steps", "4", "--gen", "32", "--block", "16", "--prompts", "2", "--also", TASKS],
        ["--also", TASKS, "--temperature", "0.5"],
        [SWEEP, "--prompts", "2", "--head", "lean"],
    ],
)
def test_what_some_cell_depends_on_is_taken(arguments):
    work, _ = resolved(*arguments)
    assert work.cells


def test_cells_for_scores_alone_run_in_batches_and_nothing_beside_them():
    asked = (SWEEP, "--prompts", "4", "--batch", "2", "--export", "work")
    quick, _ = resolved(*asked, "--quality-only", "--also", TASKS, device="cuda")
    assert {(cell.kind, cell.batch_size, cell.calls_only) for cell in quick.cells} == {
        ("sweep", 2, True),
        ("tasks", 1, True),  # a further grid keeps its batch
    }
    usual, _ = resolved(*asked, device="cuda")
    assert {(cell.kind, cell.calls_only) for cell in usual.cells} == {("sweep", None), ("sentinel", None)}
    assert not {cell.cell_id for cell in quick.cells} & {cell.cell_id for cell in usual.cells}


def test_a_batch_that_no_grid_takes_is_refused():
    with pytest.raises(BadInput, match=r"^--batch: no cell of these grids depends on it; leave it out$"):
        resolved("--also", TASKS, "--batch", "4")


def test_on_a_processor_cells_for_scores_alone_are_the_usual_ones():
    quick, _ = resolved(SWEEP, "--prompts", "4", "--quality-only")
    usual, _ = resolved(SWEEP, "--prompts", "4")
    assert {cell.cell_id for cell in quick.cells} < {cell.cell_id for cell in usual.cells}


@pytest.fixture(params=["llama", "llada"])
def model(request, tmp_path):
    """(kind, directory) of a model of the user's."""
    shutil.copytree(REPO / "bench/pocket/tokenizer", tmp_path / "mine")
    shutil.copytree(REPO / "bench/pocket" / request.param, tmp_path / "mine", dirs_exist_ok=True)
    return request.param, str(tmp_path / "mine")


def test_a_model_of_a_kind_that_is_not_asked_for_is_refused_and_another_is_taken(model):
    kind, directory = model
    own, other = (BASELINE, SWEEP) if kind == "llama" else (SWEEP, BASELINE)
    work, _ = resolved(own, "--model", directory, "--prompts", "2")
    assert {cell.weights for cell in work.cells if not cell.twin} == {directory}
    with pytest.raises(BadInput, match=f"^MODEL={directory}: is a {kind}, of which no cell is asked for$"):
        resolved(other, "--model", directory)
