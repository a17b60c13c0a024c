"""The sentinel's cells: on which engines it runs, in which order, under which names."""

import pytest

from bench.checks import noise_floor
from bench.runner import loop, order, plan, request
from bench.spec import sentinel
from bench.spec.work import Work
from bench.store import mlflow_log
from tests.conftest import make_cell

WATCHED = (make_cell("llada"), make_cell("llama", engine="captured", prompt_tokens=4))
BOTH = tuple(
    twin
    for engine in ("eager", "captured")
    for twin in sentinel.twins(make_cell("llada", engine=engine, kind="sentinel"), list(WATCHED))
)


def resolved(*arguments: str) -> Work:
    work, _ = request.resolve(request.parse([*arguments, "--device", "cpu", "--rounds", "2"]))
    return work


@pytest.mark.parametrize(
    ("arguments", "engines"),
    [
        (("sweep", "--prompts", "2"), ["eager"]),
        (("batch",), ["captured"]),
        (("--also", "batch", "attention"), ["eager", "captured"]),
        (("batch", "smoke", "--engine", "eager"), ["eager"]),
        (("sentinel",), ["eager"]),
        (("smoke",), []),  # it wants none
    ],
)
def test_it_runs_on_the_engines_of_the_cells_that_it_watches(arguments, engines):
    work = resolved(*arguments)
    twins = [cell for cell in work.cells if cell.twin]
    assert [(cell.engine, cell.twin) for cell in twins] == [(engine, twin) for engine in engines for twin in "ab"]
    assert len({cell.watches for cell in twins}) <= 1
    for cell in twins:
        assert {len(prompt.ids["llada"]) for prompt in work.prompts_of(cell)} == {cell.prompt_tokens}


def test_both_engines_share_its_processes_and_come_in_the_same_order_before_and_after():
    orders = set()
    for seed in range(20):
        processes = order.rounds_to_do(Work("s", 1, seed, (*WATCHED, *BOTH), {}), {})
        (before, *models, after) = [cells for _, cells in processes]
        assert len(models) == 2
        assert ({cell.twin for cell in before}, {cell.twin for cell in after}) == ({"a"}, {"b"})
        assert [cell.engine for cell in before] == [cell.engine for cell in after]
        orders.add(tuple(cell.engine for cell in before))
    assert len(orders) == 2


def test_names_tell_the_engines_apart():
    names = ["sentinel a", "sentinel b", "sentinel a, captured", "sentinel b, captured"]
    places = ["before", "after", "before, captured", "after, captured"]
    assert [cell.label for cell in BOTH] == [f"noise check, {place}" for place in places]
    beside = f", beside cells {BOTH[0].watches[: mlflow_log.SHORT_ID]}"
    assert [mlflow_log.run_name(cell) for cell in BOTH] == [name + beside for name in names]
    assert len({cell.cell_id for cell in BOTH}) == 4


def test_a_plan_tells_them_apart(tmp_path, capsys):
    work = resolved("--also", "batch", "attention")
    plan.print_plan(work, loop.Sink("s", tmp_path / "out.jsonl"))
    printed = capsys.readouterr().out
    assert all(f" llada {name} " in printed for name in ("before", "after", "before captured", "after captured"))


@pytest.mark.parametrize(("cells", "engine"), [(BOTH, "eager"), (BOTH[2:], "captured")])
def test_selfcheck_takes_one_sentinel_of_a_work_folder_the_eager_one_if_there_is_one(tmp_path, cells, engine):
    Work("s", 2, 0, (*WATCHED, *cells), {"h": ()}).save(tmp_path)
    work = noise_floor.sentinel_work("cpu", 3, tmp_path)
    assert [(cell.engine, cell.twin) for cell in work.cells] == [(engine, "a"), (engine, "b")]
