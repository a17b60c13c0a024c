"""Hypotheses in the words of a terminal."""

from bench.analysis.hypotheses import Result, Score
from bench.analysis.hypotheses_file import Claim
from bench.common.stats import Estimate
from bench.render import hypotheses


def test_a_refuted_hypothesis_says_which_claim_was_not_met():
    claim = Claim(quantity="break_even_steps", gen_length=128, value=100, factor=1.5)
    met, straddling = Estimate(100.0, 90.0, 110.0), Estimate(140.0, 120.0, 160.0)
    score = Score(
        "H",
        "words",
        [Result(claim, measured, "eager") for measured in (met, Estimate(151.0), straddling, None)],
    )
    _, first, *claims = hypotheses.lines([score])
    assert first == "H refuted: words"
    about = "steps at which time breaks even, 128 tokens, batch 1, eager engine, lean head"
    begin = f"   {about}: predicted 100 (within x1.5), "
    assert claims == [
        f"{begin}measured 100 [90, 110], log error 0.00 [-0.11, 0.10], as predicted",
        f"{begin}measured 151, log error 0.41, NOT as predicted",
        f"{begin}measured 140 [120, 160], log error 0.34 [0.18, 0.47], UNDECIDED: the interval reaches across the"
        " tolerance",
        f"{begin}not measured",
    ]


def test_claims_about_one_number_are_counted_once_and_the_tolerances_are_said_to_be_what_they_are():
    even = Claim(quantity="break_even_steps", gen_length=128, value=100, factor=1.5)
    ratio = Claim(quantity="throughput_ratio", gen_length=128, tokens_per_step=4, value=3.1, factor=1.5)
    scores = [
        Score("H1", "words", [Result(ratio, Estimate(3.0))]),
        Score("H4", "words", [Result(even, Estimate(96.0), same_as="H1")]),
    ]
    first, *_, last = hypotheses.lines(scores, "They were set late.\n")
    assert first == "Hypotheses: 2 claims about 1 numbers, of which 1 as predicted. They were set late."
    assert last.endswith(", as predicted (the number of H1 again)")
    assert hypotheses.lines([], "They were set late.") == []


def test_hypotheses_on_which_nothing_was_measured_are_named_in_one_line():
    claim = Claim(quantity="break_even_steps", gen_length=128, value=100, factor=1.5)
    silent = [Score(name, "words", [Result(claim, None)]) for name in ("H2", "H3")]
    measured = Score("H1", "words", [Result(claim, Estimate(96.0), "eager"), Result(claim, None, "eager")])
    _, *shown = hypotheses.lines([measured, *silent])
    assert [line.split(":")[0].strip() for line in shown] == [
        "H1 not measured",
        *["steps at which time breaks even, 128 tokens, batch 1, eager engine, lean head"] * 2,
        "No claim of H2, H3 is scored by this study.",
    ]
    assert hypotheses.lines(silent, "They were set late.") == [
        "Hypotheses: no claim of H2, H3 is scored by this study."
    ]


def test_a_claim_about_memory_names_the_model_and_its_head():
    llada = Claim(quantity="largest_batch", model="llada", gen_length=2048, value=61, factor=1.1, head="official")
    assert hypotheses.claim_text(llada, "eager") == (
        "LLaDA, largest batch that fits, 2,048 tokens, eager engine, official head"
    )
    llama = Claim(quantity="largest_batch", model="llama", gen_length=2048, value=61, factor=1.1)
    assert hypotheses.claim_text(llama, "eager") == "LLaMA, largest batch that fits, 2,048 tokens, eager engine"
