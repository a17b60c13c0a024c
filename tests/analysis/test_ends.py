"""How answers end: the ratio of times for as much text under each regime of a place, on made-up studies."""

import pytest

from bench.analysis.comparison import comparisons
from bench.analysis.ends import ends_of
from bench.analysis.noise import judge
from bench.analysis.scaling import scalings
from bench.render import ends as render
from tests.support import made_up_ends
from tests.support.made_up_comparison import MadeUp
from tests.support.made_up_scaling import run, study_of


def ratios(rows: list[dict]) -> dict[tuple[int, str], float]:
    return {
        (place.batch_size, regime.stop): regime.ratio.value
        for place in made_up_ends.ends(rows).places
        for regime in place.regimes
    }


def test_a_batch_pays_its_longest_row_and_llada_its_canvas():
    """At batch 8 the longest row has the whole length: LLaMA gains nothing there by ending where the references do."""
    found = ratios(made_up_ends.runs())
    assert found == {
        (1, "length"): pytest.approx(320 / (256 * 6)),
        (1, "references"): pytest.approx(8 * 320 / (made_up_ends.KEPT * 6)),
        (8, "length"): pytest.approx(2560 / (256 * 6)),
        (8, "references"): pytest.approx(2560 / (256 * 6)),
    }


def test_every_place_says_both_regimes_beside_each_other():
    title, one, eight = render.lines(made_up_ends.ends(made_up_ends.runs()))
    assert title == ("How answers end: LLaDA's time over LLaMA's for as much kept text (above 1: LLaDA is slower).")
    assert one == (
        "  At batch 1, 256 tokens, prompts of 32, LLaDA in 32 steps, float32, eager engine, lean head: forced length"
        " 0.21 [0.21, 0.21]; answers as long as the references (median 61 tokens, quartiles 56 and 97, of 8 answers, 1"
        " of them of full length; a call of LLaMA has 90.9 forwards) 0.59 [0.59, 0.59]."
    )
    assert "forced length 1.67 [1.67, 1.67]; answers" in eight
    assert "a call of LLaMA has 256.0 forwards) 1.67 [1.67, 1.67]." in eight


def test_natural_ends_are_compared_by_bytes_of_text_where_they_are_on_record():
    rows = [
        made_up_ends.made("llama", 1, "eos", 1000.0, 100, nfe=12.5),
        made_up_ends.made("llada", 1, "eos", 4000.0, 200, nfe=32, steps=32),
    ]
    assert ratios(rows) == {(1, "eos"): pytest.approx((4000 / 200) / (1000 / 100))}
    line = render.lines(made_up_ends.ends(rows))[1]
    assert "natural end (on average 12.5 tokens of LLaMA and 25.0 of LLaDA, compared by tokens; a call" in line
    for row, bytes_per_s in zip(rows, (300.0, 60.0), strict=True):
        row["throughput/text_bytes_per_s"] = bytes_per_s
    assert ratios(rows) == {(1, "eos"): pytest.approx(5)}
    assert "compared by tokens" not in render.lines(made_up_ends.ends(rows))[1]


def test_a_reference_has_other_numbers_of_tokens_for_other_tokenizers():
    """Twice the tokens at twice the rate are the same text in the same time."""
    rows = [
        made_up_ends.made("llama", 1, "references", 1000.0, 100, nfe=50, answer_lengths="40 60"),
        made_up_ends.made("llada", 1, "references", 1000.0, 200, nfe=32, steps=32, answer_lengths="80 120"),
    ]
    assert ratios(rows) == {(1, "references"): pytest.approx(1)}


def test_regimes_are_never_mixed():
    alone = made_up_ends.made("llada", 1, "length", 4000.0, 200, nfe=32, steps=32)
    other = made_up_ends.made("llama", 1, "eos", 1000.0, 100, nfe=12.5)
    assert made_up_ends.ends([alone, other]).places == ()
    made_up = MadeUp()
    rows = made_up.comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.2)}).rows
    mixed = rows.assign(stop=["length", "eos", "eos"])
    found = comparisons(judge(study_of(mixed.to_dict("records"))))
    assert [(len(c.autoregressive), len(c.diffusion)) for c in found] == [(0, 2), (1, 0)]
    grids = [run("batch", "llama", 10, stop="length"), run("batch", "llada", 20, steps=16, stop="references")]
    assert [group.break_evens for group in scalings(judge(study_of(grids)))] == [[], []]


def test_a_run_that_failed_stands_in_the_table_and_has_no_ratio():
    rows = made_up_ends.runs()[:-1]
    failed = {"outcome": "oom", "message": "no room"}
    rows.append(made_up_ends.made("llada", 8, "references", 1.0, 1, nfe=32, steps=32, head="lean", **failed))
    ends = made_up_ends.ends(rows)
    assert (8, "references") not in ratios(rows)
    table = "\n".join(render.table_lines(ends))
    assert "oom: no room" in table
    assert "Left out: 1 of 8 runs (1 oom)." in table
    assert table.count("answers as long as the references") == 4
    assert len(render.lines(ends)) == 3


def test_a_study_without_such_runs_says_nothing():
    ends = made_up_ends.ends([run("batch", "llama", 10)])
    assert (ends.places, render.lines(ends), ends.every.empty) == ((), [], True)


def test_a_ratio_that_may_be_noise_says_so():
    rows = [
        made_up_ends.made("llama", 1, "length", 1000.0, 100, nfe=50),
        made_up_ends.made("llada", 1, "length", 1010.0, 100, nfe=32, steps=32),
    ]
    study = study_of(rows)
    llada = rows[1]["run_id"]
    study.histories.values[llada, "rounds/throughput/tokens_per_s"] = {1: 50.0, 2: 200.0}
    assert "(too noisy to say which of the two is faster" in render.lines(ends_of(judge(study)))[1]
