"""Decoders in grids: which cells come out of samplers, caches and their options, and what is refused."""

import pytest

from bench.runner.request import Request, resolve
from bench.spec import decoder_rules
from tests.conftest import make_cell
from tests.spec.test_grid import cells, grid_file, pair_file, python  # noqa: F401 (a fixture)
from tests.support.refusals import refusal

SMALL = {"gen_length": 32, "block_length": 8}


def stated(cell) -> dict:
    """What a cell says of its decoder."""
    names = ("sampler", "cache", "steps", "early_stop", *decoder_rules.OPTIONS)
    return {name: value for name in names if (value := getattr(cell, name)) is not None}


@pytest.mark.parametrize(("keys", "expected"), [
    ({}, {"sampler": "fixed", "cache": "none", "steps": 128}),
    ({"tokens_per_step": 4}, {"sampler": "fixed", "cache": "none", "steps": 8}),
    ({"sampler": "threshold"}, {"sampler": "threshold", "cache": "none", "steps": 32, "threshold": 0.9}),
    ({"sampler": "threshold", "steps": 8, "threshold": 0.5},
     {"sampler": "threshold", "cache": "none", "steps": 8, "threshold": 0.5}),
    ({"sampler": "klass"},
     {"sampler": "klass", "cache": "none", "steps": 32, "threshold": 0.9, "kl_threshold": 0.01}),
    ({"sampler": "imposed", "tokens_per_step": 3, "cache": "dual"},
     {"sampler": "imposed", "cache": "dual", "steps": 4 * 3, "tokens_per_step": 3, "refresh": "block"}),
    ({"cache": "delayed", "steps": 32}, {"sampler": "fixed", "cache": "delayed", "steps": 32, "refresh": 8}),
    ({"cache": "interval", "prompt_every": 9, "steps": 32},
     {"sampler": "fixed", "cache": "interval", "steps": 32, "prompt_every": 9, "response_every": 7, "ratio": 0.25}),
    ({"early_stop": True, "steps": 32}, {"sampler": "fixed", "cache": "none", "steps": 32, "early_stop": True}),
], ids=str)  # fmt: skip
def test_a_cell_states_all_that_its_decoder_depends_on_and_nothing_else(keys, expected, tmp_path, pair_file):  # noqa: F811
    [cell] = cells(tmp_path, pair_file, **SMALL, **keys)
    assert stated(cell) == expected
    decoder_rules.check_cell(cell, "cell")


def test_lists_are_axes_and_each_option_counts_where_it_belongs(tmp_path, pair_file):  # noqa: F811
    keys = {
        "sampler": ["fixed", "threshold", "imposed"], "threshold": [0.5, 0.9], "tokens_per_step": [2, 4],
        "cache": ["none", "dual"], "refresh": ["block", 4],
    }  # fmt: skip
    spanned = [stated(cell) for cell in cells(tmp_path, pair_file, **SMALL, **keys)]
    of = lambda **wanted: [one for one in spanned if wanted.items() <= one.items()]  # noqa: E731
    assert len(of(sampler="fixed")) == len(of(sampler="threshold")) == len(of(sampler="imposed")) == 2 * 3
    assert len(spanned) == 18
    assert {one["steps"] for one in of(sampler="threshold")} == {32}
    assert {one["steps"] for one in of(sampler="fixed")} == {16, 8}
    assert all(("threshold" in one) == (one["sampler"] == "threshold") for one in spanned)
    assert all(("refresh" in one) == (one["cache"] == "dual") for one in spanned)


@pytest.mark.parametrize(("keys", "message"), [
    ({"sampler": "quick"}, "there is no sampler 'quick'; there are: fixed, threshold, factor, entropy, klass, imposed"),
    ({"cache": "all"}, "there is no cache 'all'; there are: none, prefix, dual, delayed, interval"),
    ({"threshold": 0.9}, "threshold does not belong to sampler fixed or cache none; it belongs to sampler threshold,"
                         " sampler klass"),
    ({"sampler": "threshold", "tokens_per_step": 2}, "tokens_per_step does not belong to sampler threshold"),
    ({"cache": "interval", "refresh": 4}, "refresh does not belong to sampler fixed or cache interval; it belongs to"
                                          " cache prefix, cache dual, cache delayed"),
    ({"cache": "dual", "ratio": 0.5}, "ratio does not belong to sampler fixed or cache dual; it belongs to cache"
                                      " interval"),
    ({"sampler": "threshold", "threshold": 1.5}, "threshold 1.5 is out of range; give a number above 0 to 1"),
    ({"sampler": "threshold", "threshold": [0.9, 0.0]}, "threshold 0.0 is out of range"),
    ({"sampler": "factor", "factor": 0.0}, "factor 0.0 is out of range; give a number above 0 to 1e+06"),
    ({"sampler": "entropy", "gamma": -0.1}, "gamma -0.1 is out of range; give a number from 0 to 1e+06"),
    ({"sampler": "klass", "kl_threshold": 0.0}, "kl_threshold 0.0 is out of range"),
    ({"cache": "interval", "ratio": 1.1}, "ratio 1.1 is out of range; give a number from 0 to 1"),
    ({"sampler": "imposed"}, "sampler imposed needs tokens_per_step"),
    ({"sampler": "imposed", "tokens_per_step": [8, 9]}, "tokens_per_step 9 is more than a block has, and a step commits"
     " tokens of one block; give at most block_length (8)"),
    ({"sampler": "klass", "threshold": 1.01}, "threshold 1.01 is out of range; give a number above 0 to 1"),
    ({"cache": "prefix", "refresh": -3}, "cache prefix knows no refresh -3"),
    ({"cache": "delayed", "refresh": "never"}, "cache delayed knows no refresh 'never'"),
    ({"cache": "none", "refresh": "block"}, "refresh does not belong to sampler fixed or cache none"),
    ({"cache": "dual", "refresh": "sometimes"}, "cache dual knows no refresh 'sometimes'; it knows: block, never,"
                                                " answer, a number of steps"),
    ({"cache": "dual", "refresh": 0}, "cache dual knows no refresh 0"),
    ({"cache": "delayed", "refresh": "answer"}, "cache delayed knows no refresh 'answer'; it knows: 8, block, a number"
                                                " of steps"),
    ({"cache": "dual", "cfg_scale": 1.0}, "cache dual does not keep the two halves of guidance"),
    ({"sampler": "threshold", "remasking": "random"}, "sampler threshold goes by confidence; give remasking:"
                                                      " low_confidence"),
    ({"early_stop": True, "stop": "length"}, "early_stop ends at an end token, which stop: length ignores"),
    ({"sampler": "threshold", "steps_timed": 4, "stop": "length"}, "steps_timed stands for the other steps"),
    ({"cache": "dual", "steps_timed": 4, "stop": "length"}, "steps_timed stands for the other steps"),
    ({"sampler": "threshold", "fill": "zero", "stop": "length"}, "sampler threshold goes by probabilities, which mean"
     " nothing with random weights; use sampler imposed with tokens_per_step"),
], ids=str)  # fmt: skip
def test_a_decoder_that_cannot_be_is_refused_in_one_line(keys, message, tmp_path, pair_file):  # noqa: F811
    text = refusal(lambda: cells(tmp_path, pair_file, **SMALL | {"steps": 32}, **keys))
    assert message in text
    assert "grid.yaml" in text


@pytest.mark.parametrize(("keys", "message"), [
    ({"sampler": "threshold", "threshold": "high"}, "threshold: Input should be a valid number"),
    ({"sampler": "threshold", "threshold": True}, "threshold: Input should be a valid number"),
    ({"cache": "interval", "prompt_every": 0}, "prompt_every: Input should be greater than or equal to 1"),
    ({"cache": "dual", "refresh": 1.5}, "refresh: Input should be a valid"),
    ({"sampler": []}, "sampler: "),
], ids=str)  # fmt: skip
def test_a_value_of_the_wrong_type_is_refused_with_its_key(keys, message, tmp_path, pair_file):  # noqa: F811
    assert message in refusal(lambda: cells(tmp_path, pair_file, **SMALL, **keys))


@pytest.mark.parametrize(("pair", "keys", "message"), [
    ("pocket", {"sampler": "threshold", "threshold": 1.5}, "threshold 1.5 is out of range; give a number above 0 to 1"),
    ("pocket", {"sampler": "imposed", "tokens_per_step": 0}, "tokens_per_step: Input should be greater than or equal to"
     " 1"),
    ("pocket", {"cache": "prefix", "cfg_scale": 1.0}, "cache prefix does not keep the two halves of guidance; give"
     " cache: none or cfg_scale: 0"),
    ("pocket", {"cache": "interval", "refresh": "block"}, "refresh does not belong to sampler fixed or cache interval"),
    ("pocket", {"cache": "dual", "refresh": "token"}, "cache dual knows no refresh 'token'; it knows: block, never,"
     " answer, a number of steps"),
    ("8b-illada-shapes", {"sampler": "threshold", "cache": "dual"}, "sampler threshold goes by probabilities, which"
     " mean nothing with random weights; use sampler imposed with tokens_per_step"),
], ids=str)  # fmt: skip
def test_the_command_ends_in_one_line_and_status_2(pair, keys, message, tmp_path):
    name = grid_file(tmp_path, **SMALL | {"steps": 32, "prompts": 2} | keys)
    done = python("-m", "bench.run", name, "--pair", pair, "--device", "cpu", "--plan")
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: {name}: ")
    assert message in line


def test_random_weights_take_imposed_steps_under_every_cache_and_no_threshold():
    for sampler in ("threshold", "factor", "entropy", "klass"):
        request = Request(grids=("smoke",), pair="8b-shapes", device="cpu", overrides={"sampler": sampler})
        assert "use sampler imposed with tokens_per_step" in refusal(resolve, request)


@pytest.mark.parametrize(("changes", "message"), [
    ({"sampler": "threshold"}, "sampler threshold with cache none needs threshold"),
    ({"threshold": 0.5}, "threshold does not belong to sampler fixed"),
    ({"cache": "dual", "refresh": "block", "cfg_scale": 1.0}, "cache dual does not keep the two halves"),
])  # fmt: skip
def test_a_cell_of_other_code_is_refused_as_well(changes, message):
    assert message in refusal(decoder_rules.check_cell, make_cell("llada", **changes), "cell")


@pytest.mark.parametrize(("changes", "label"), [
    ({}, "LLaDA, 4 steps"),
    ({"sampler": "threshold", "threshold": 0.9}, "LLaDA, threshold 0.9"),
    ({"sampler": "klass", "threshold": 0.9, "kl_threshold": 0.01, "cache": "dual", "refresh": "answer"},
     "LLaDA, klass 0.9 0.01, dual cache (answer)"),
    ({"cache": "interval", "prompt_every": 50, "response_every": 7, "ratio": 0.25, "early_stop": True},
     "LLaDA, 4 steps, interval cache (50 7 0.25), early stop"),
    ({"sampler": "imposed", "tokens_per_step": 4}, "LLaDA, imposed 4"),
])  # fmt: skip
def test_a_label_names_the_decoder(changes, label):
    assert make_cell("llada", **changes | {"kind": "sweep"}).label == label
