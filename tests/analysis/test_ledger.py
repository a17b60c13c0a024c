"""Each published claim beside what a study measured of it, blank where nothing was run."""

import pytest

from bench.analysis.ledger import ledger_of
from bench.render import ledger as render
from bench.spec.pair import read_pair
from tests.support.made_up_published import CLAIM, LLAMA_MS, STEP_MS, about, sweep

PAIR = read_pair("8b-shapes")
RATE = {"label": "rate", "quantity": "rate", "engine": "captured", "gen_length": 256, "tokens_per_forward": 2.0}
NUMBER = {"label": "number", "quantity": "number", "number": "batch.x", "over": "batch.y", "times": 2}


def number(value: float, low: float | None = None, high: float | None = None) -> dict:
    return {"value": value, "low": low, "high": high, "unit": "1", "runs": [str(value)]}


def lines(folder, numbers=None, comparison=None, card="NVIDIA H100", **claims):
    return ledger_of(PAIR, card, [comparison or sweep()], [], numbers or {}, about(folder, claims=claims))


def test_a_claimed_factor_stands_beside_the_ratio_and_the_steps_that_would_give_it(tmp_path):
    [line] = lines(tmp_path, fast=CLAIM)
    ratio, steps = line.entries
    assert ratio.measured.value == pytest.approx(LLAMA_MS / (256 * STEP_MS))
    assert ratio.deviation.value == pytest.approx(ratio.measured.value / 1.5)
    assert ratio.direction == "below"
    assert steps.measured.value == pytest.approx(LLAMA_MS / 1.5 / STEP_MS, rel=1e-3)
    assert steps.deviation is None
    assert line.other_card == "NVIDIA H100"
    said = " ".join(render.sentences([line]))
    assert "A factor of 1.5 needs at most 83 [" in said
    assert "of 256 (captured)" in said
    assert render.causes([line]) == ["Ours lies below theirs (at a step a token); likely since our card is slower."]


def test_another_time_gives_another_line_and_another_cause(tmp_path):
    [line] = lines(tmp_path, comparison=sweep(step_ms=STEP_MS / 4), fast=CLAIM)
    assert line.entries[0].direction == "above"
    assert "our card is faster" in render.causes([line])[0]
    assert "needs at most 333 [" in " ".join(render.sentences([line]))


def test_what_agrees_within_its_interval_has_no_cause(tmp_path):
    [line] = lines(tmp_path, fast=CLAIM | {"value": LLAMA_MS / (256 * STEP_MS)})
    assert line.entries[0].direction == ""
    assert render.causes([line]) == ["No deviation is shown of at a step a token."]


def test_a_rate_is_the_canvas_over_the_time_of_its_forwards(tmp_path):
    [line] = lines(tmp_path, rate=CLAIM | {"unit": "tokens/s", "value": 125.0, "ours": [RATE]})
    [entry] = line.entries
    assert entry.measured.value == pytest.approx(256e3 / (128 * STEP_MS), rel=1e-3)
    assert entry.deviation.value == pytest.approx(2.0, rel=1e-3)
    assert entry.how == "interpolated"
    assert "times interpolated: rate" in render.differences([line])


def test_a_number_of_results_is_taken_by_its_name_over_another_and_in_another_unit(tmp_path):
    numbers = {"batch.x": number(6.0, 5.0, 8.0), "batch.y": number(2.0, 1.0, 4.0)}
    claim = CLAIM | {"unit": "GB", "value": 3.0, "ours": [NUMBER]}
    [line] = lines(tmp_path, numbers, x=claim)
    [entry] = line.entries
    assert (entry.measured.value, entry.measured.low, entry.measured.high) == (6.0, 2.5, 16.0)
    assert entry.deviation.value == 2.0
    assert entry.runs == ("6.0", "2.0")
    contrast = lines(tmp_path, numbers, x=claim | {"ours": [NUMBER | {"is_contrast": True}]})
    assert contrast[0].entries[0].deviation is None


def test_what_was_not_run_is_blank(tmp_path):
    missing = CLAIM | {"ours": [NUMBER, RATE | {"engine": "eager"}]}
    fast, blank, empty = lines(tmp_path, fast=CLAIM, blank=missing, empty=CLAIM | {"ours": []})
    assert [entry.measured for entry in blank.entries] == [None, None]
    assert [render.measured_text(entry, "times") for entry in blank.entries] == ["", ""]
    assert render.causes([blank]) == []
    assert empty.measured == []
    assert fast.measured
    assert "Of 3 published claims this study measured something beside 1" in render.sentences([fast, blank, empty])[0]


def test_a_study_that_says_nothing_of_any_claim_has_no_ledger(tmp_path):
    assert lines(tmp_path, blank=CLAIM | {"ours": [NUMBER]}) == []
    assert ledger_of(read_pair("pocket"), "a CPU", [sweep()], [], {}, about(tmp_path)) == []
    assert render.sentences([]) == []


def test_the_same_card_is_no_difference(tmp_path):
    [line] = lines(tmp_path, card="NVIDIA A100", fast=CLAIM)
    assert line.other_card == ""
