"""Engines in grids: a model runs on those that it has; what no model has, and what an engine cannot do, is refused."""

from pathlib import Path

import pytest
import yaml

from bench.adapters import registry
from bench.common.errors import BadInput
from bench.models import engines, kinds
from bench.models.checkpoint import read
from bench.runner.request import Request, parse, resolve
from bench.spec import grid
from tests.support.refusals import refusal

OWN_CALL = "LLaDA has no engine generate (it has: eager, captured); LLaDA as its authors run it is engine: eager with"


def cells_of(*grids: str, **overrides) -> list[tuple[str, str]]:
    """(model, engine) of the cells of shipped grids, without the sentinels."""
    asked = Request(grids=grids, pair="pocket", device="cpu", overrides=overrides, export=Path("nowhere"))
    work, _ = resolve(asked)
    return [(cell.model, cell.engine) for cell in work.cells if not cell.twin]


def test_a_model_makes_cells_on_the_engines_that_it_has():
    both = cells_of("smoke", prompts=2, engine=["eager", "generate", "generate-static"])
    assert sorted(both) == [("llada", "eager"), ("llama", "eager"), ("llama", "generate"), ("llama", "generate-static")]


def test_grids_share_the_engines_of_a_command_line():
    asked = cells_of("baseline", "sweep", prompts=2, engine=["eager", "generate"], steps=[4])
    assert sorted(asked) == [("llada", "eager"), ("llama", "eager"), ("llama", "generate")]


@pytest.mark.parametrize(
    ("grids", "asked", "named"),
    [
        (("sweep",), ["generate"], "sweep"),
        (("sweep",), ["eager", "generate"], "sweep"),  # a rung that no cell would have
        (("baseline", "sweep"), ["generate"], "sweep"),  # a sweep without cells
    ],
)
def test_an_engine_that_no_model_of_a_grid_has_is_refused(grids, asked, named):
    assert refusal(lambda: cells_of(*grids, engine=asked)).startswith(f"{named}: {OWN_CALL} head: official")


@pytest.mark.parametrize("engine", ["generate", "generate-static"])
def test_a_part_of_a_call_is_refused_when_the_grid_is_read(engine, tmp_path):
    file = tmp_path / "parts.yaml"
    said = {"kind": "mine", "model": "llama", "stop": "length", "prompt_tokens": 8, "tokens_timed": 8}
    file.write_text(yaml.safe_dump(said | {"engine": ["eager", engine]}))
    said = refusal(grid.read_grid, str(file), {})
    assert f"{file}: tokens_timed: engine {engine} makes every token of a call; leave one of them out" in said
    assert "tokens_timed: engine" in refusal(grid.read_grid, "batch", {"engine": [engine]}, "8b-shapes")


@pytest.mark.parametrize("engine", ["captured", "generate", "generate-static"])
def test_attention_by_plain_products_is_refused_on_every_engine_but_eager(engine):
    assert "attention math is compared on" in refusal(
        lambda: cells_of("attention", engine=[engine], model="llama", tokens_timed=None)
    )


def test_prompts_of_different_lengths_are_for_all_engines_but_the_captured_one():
    assert len(cells_of("baseline", prompts=2, engine=["generate", "generate-static"])) == 2
    assert "replays one shape" in refusal(lambda: cells_of("baseline", engine=["captured"], prompts=8))


def test_the_sentinel_of_a_model_runs_on_the_engines_that_it_has():
    work, _ = resolve(parse(["baseline", "--prompts", "2", "--device", "cpu", "--engine", "eager generate"]))
    twins = [(cell.model, cell.engine) for cell in work.cells if cell.twin == "a"]
    assert twins == [("llada", "eager"), ("llama", "eager"), ("llama", "generate")]


def test_a_checkpoint_refuses_an_engine_that_its_kind_lacks():
    """Work folders that were written by hand come by here, and not by a grid."""
    llada = read("bench/pocket/llada")
    with pytest.raises(BadInput, match=r"bench/pocket/llada: LLaDA has no engine generate \(it has: eager, captured\)"):
        llada.check_engine("generate")
    assert not llada.is_computed_by("generate-static")
    assert read("bench/pocket/llama").is_computed_by("generate-static")


def test_what_a_kind_states_is_what_there_is():
    assert tuple(engines.ENGINES) == engines.NAMES
    assert set(registry.ADAPTERS) == set(kinds.KINDS)
    assert all(set(kind.engines) <= set(engines.NAMES) for kind in kinds.KINDS.values())


@pytest.mark.parametrize("engine", ["generate", "generate-static"])
def test_a_call_that_ends_by_itself_is_not_told_where(engine):
    said = refusal(grid.read_grid, "ends", {"engine": [engine]}, "8b-shapes")
    assert f"stop: engine {engine} does not end answers by references; leave one of them out" in said
