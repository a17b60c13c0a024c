"""A grid's further products (`also`): what they take over, what is refused, and that the shipped ones hold."""

from pathlib import Path

import pytest

from bench.diffusion.choices import CACHES, SAMPLERS
from bench.runner.request import Request, resolve
from bench.spec import products
from tests.spec.test_decoder_rules import stated
from tests.spec.test_grid import grid_file, pair_file  # noqa: F401 (a fixture)
from tests.support.refusals import refusal

SMALL = {"gen_length": 32, "block_length": 8, "prompts": 2, "sentinel": False}


def resolved(tmp_path, pair_file, **keys) -> list:  # noqa: F811
    name = grid_file(tmp_path, **SMALL | keys)
    return list(resolve(Request(also=(name,), pair=str(pair_file), device="cpu", export=Path("nowhere")))[0].cells)


def test_a_further_product_has_its_own_values_and_takes_over_the_others(tmp_path, pair_file):  # noqa: F811
    cells = resolved(
        tmp_path, pair_file, sampler=["threshold", "factor"], cache=["none", "dual"], factor=2.0, steps=32,
        also=[{"sampler": "fixed", "cache": "none", "steps": [8, 16]}, {"cache": "dual", "refresh": "answer"}],
    )  # fmt: skip
    base = {"steps": 32, "cache": "none"}
    assert [stated(cell) for cell in cells] == [
        base | {"sampler": "threshold", "threshold": 0.9},
        base | {"sampler": "threshold", "threshold": 0.9, "cache": "dual", "refresh": "block"},
        base | {"sampler": "factor", "factor": 2.0},
        base | {"sampler": "factor", "factor": 2.0, "cache": "dual", "refresh": "block"},
        base | {"sampler": "fixed", "steps": 8},  # `factor` belongs to no sampler of this product
        base | {"sampler": "fixed", "steps": 16},
        base | {"sampler": "threshold", "threshold": 0.9, "cache": "dual", "refresh": "answer"},
        base | {"sampler": "factor", "factor": 2.0, "cache": "dual", "refresh": "answer"},
    ]
    assert {(cell.gen_length, cell.block_length, cell.prompts) for cell in cells} == {(32, 8, 2)}


def test_a_cell_of_two_products_is_one_cell_and_both_models_may_have_one(tmp_path, pair_file):  # noqa: F811
    cells = resolved(tmp_path, pair_file, steps=8, also=[{"steps": [8, 16]}, {"model": "autoregressive"}])
    assert [(cell.model, cell.steps) for cell in cells] == [("llada", 8), ("llada", 16), ("llama", None)]


def test_the_sentinel_watches_the_models_of_further_products_too(tmp_path, pair_file):  # noqa: F811
    cells = resolved(tmp_path, pair_file, sentinel=True, steps=8, also=[{"model": "autoregressive"}])
    assert {cell.model for cell in cells if cell.twin} == {"llada", "llama"}


def test_the_command_line_replaces_values_of_every_product(tmp_path, pair_file):  # noqa: F811
    name = grid_file(tmp_path, **SMALL, steps=8, also=[{"steps": 16}, {"steps": 32}])
    asked = Request(grids=(name,), pair=str(pair_file), device="cpu", overrides={"gen_length": 16, "steps": [4]})
    assert {(cell.gen_length, cell.steps) for cell in resolve(asked)[0].cells} == {(16, 4)}


def test_a_pair_may_have_further_products_of_its_own(tmp_path):
    name = grid_file(tmp_path, also=[{"steps": 4}], pairs={"other": {"also": [{"steps": 8}, {"steps": 16}]}})
    steps = {
        pair: [product.steps for product in products.read_products(name, {}, pair).values()] for pair in ("x", "other")
    }
    assert steps == {"x": [None, 4], "other": [None, 8, 16]}


@pytest.mark.parametrize(("values", "message"), [
    ({"step": 4}, "grid.yaml: also: step is no key of a further product (number 2)"),
    ({"kind": "other"}, "grid.yaml: also: kind is no key of a further product (number 2)"),
    ({"also": []}, "grid.yaml: also: also is no key of a further product (number 2)"),
    ({"steps": 0}, "grid.yaml, also 2: steps: Input should be greater than or equal to 1"),
    ({"threshold": 0.5}, "grid.yaml, also 2: threshold does not belong to sampler fixed or cache none"),
    ({"sampler": "quick"}, "grid.yaml, also 2: there is no sampler 'quick'"),
    ({"cache": "dual", "refresh": "sometimes"}, "grid.yaml, also 2: cache dual knows no refresh 'sometimes'"),
    ({"steps": 10}, "grid.yaml, also 2: steps 10 cannot be shared by 4 blocks"),
], ids=str)  # fmt: skip
def test_what_a_further_product_says_wrong_is_one_line_that_names_it(values, message, tmp_path, pair_file):  # noqa: F811
    assert message in refusal(lambda: resolved(tmp_path, pair_file, steps=8, also=[{"steps": 16}, values]))


def spanned(grids: tuple[str, ...], pair: str) -> list:
    return [cell for cell in resolve(Request(also=grids, pair=pair, device="cpu", plan=True))[0].cells if not cell.twin]


@pytest.mark.parametrize("pair", ["8b-shapes", "8b-illada-shapes"])
def test_decoders_of_random_weights_are_whole_products_beside_the_rival(pair):
    cells = spanned(("decoders",), pair)
    assert {(cell.engine, cell.gen_length, cell.stop) for cell in cells} == {("captured", 256, "length")}
    places = {(batch, prompt) for batch in (1, 8, 32) for prompt in (128, 896)}
    of_llama = [cell for cell in cells if cell.model == "llama"]
    assert sorted((cell.batch_size, cell.prompt_tokens) for cell in of_llama) == sorted(places)
    decoders = [(c.batch_size, c.prompt_tokens, c.tokens_per_step, c.cache, c.refresh) for c in cells if c.steps]
    caches = [("none", None), *((cache, refresh) for cache in ("prefix", "dual") for refresh in ("block", "answer"))]
    expected = {(*place, pace, *cache) for place in places for pace in (1, 2, 4, 8) for cache in caches}
    at_once = {(32, 128, 32, "dual", refresh) for refresh in ("block", "answer")}
    assert set(decoders) == expected | at_once
    whole = [cell for cell in cells if cell.cache == "none" and not cell.timed]  # beside those that run a part
    assert len(decoders) == len(set(decoders)) + len(whole) == 120 + 2 + 4


def test_decoders_of_the_pocket_pair_cross_samplers_with_caches():
    questions, tasks = spanned(("decoders",), "pocket"), spanned(("decoders-tasks",), "pocket")
    crossed = {(cell.sampler, cell.cache) for cell in tasks if cell.steps}
    assert crossed == {(sampler, cache) for sampler in SAMPLERS if sampler != "imposed" for cache in CACHES}
    assert {sampler for sampler, _ in crossed} == {cell.sampler for cell in questions if cell.steps}
    for cells, early_stops in ((questions, [None]), (tasks, [None, True])):
        assert [cell.model for cell in cells].count("llama") == 1
        assert {cell.head for cell in cells if cell.steps} == {"lean"}
        vanilla = [c for c in cells if c.steps == c.gen_length and c.sampler == "fixed" and c.cache == "none"]
        assert [cell.early_stop for cell in vanilla] == early_stops
    assert {cell.prompt_hash for cell in questions}.isdisjoint(cell.prompt_hash for cell in tasks)
