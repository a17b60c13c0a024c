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
    ("arguments", "models", "engines"),
    [
        (("sweep", "--prompts", "2"), ["llada"], ["eager"]),
        (("baseline", "--prompts", "2"), ["llada", "llama"], ["eager"]),
        (("baseline", "sweep", "--prompts", "2"), ["llada", "llama"], ["eager"]),
        (("batch",), ["llada", "llama"], ["captured"]),
        (("--also", "batch", "attention"), ["llada", "llama"], ["eager", "captured"]),
        (("batch", "smoke", "--engine", "eager"), ["llada", "llama"], ["eager"]),
        (("sentinel",), ["llada"], ["eager"]),
        (("smoke",), [], []),  # it wants none
    ],
)
def test_one_of_each_model_runs_on_the_engines_of_the_cells_that_it_watches(arguments, models, engines):
    work = resolved(*arguments)
    twins = [cell for cell in work.cells if cell.twin]
    expected = [(model, engine, twin) for model in models for engine in engines for twin in "ab"]
    assert [(cell.model, cell.engine, cell.twin) for cell in twins] == expected
    assert len({cell.watches for cell in twins}) <= 1
    for cell in twins:
        assert {len(prompt.ids[cell.model]) for prompt in work.prompts_of(cell)} == {cell.prompt_tokens}


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


def test_the_sentinels_of_two_models_run_in_processes_of_their_own_around_all_others():
    of_llama = sentinel.twins(make_cell("llama", kind="sentinel"), list(WATCHED))
    processes = order.rounds_to_do(Work("s", 2, 0, (*WATCHED, *BOTH, *of_llama), {}), {})
    for round_, models in ((1, ["llada", "llama"]), (2, ["llama", "llada"])):
        kinds = [
            ({cell.twin for cell in cells}, {cell.model for cell in cells}) for r, cells in processes if r == round_
        ]
        twins = [[({twin}, {model}) for model in models] for twin in "ab"]
        assert kinds == [*twins[0], *[({None}, {model}) for model in models], *twins[1]]


def test_names_tell_the_engines_and_models_apart():
    names = [f"sentinel {name}" for name in ("a, llada", "b, llada", "a, llada, captured", "b, llada, captured")]
    places = ["before", "after", "before, captured", "after, captured"]
    assert [cell.label for cell in BOTH] == [f"noise check of LLaDA, {place}" for place in places]
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
