"""Hypotheses in the words of a terminal."""

from bench.analysis.hypotheses import Claim, Result, Score
from bench.render import hypotheses


def test_a_refuted_hypothesis_says_which_claim_was_not_met():
    claim = Claim(quantity="break_even_steps", gen_length=128, value=100, factor=1.5)
    score = Score("H", "words", [Result(claim, 66.7), Result(claim, 151), Result(claim, None)])
    first, *claims = hypotheses.lines([score])
    assert first == "H refuted: words"
    begin = "   steps at which time breaks even, 128 tokens, batch 1: predicted 100 (within x1.5), "
    assert claims == [
        f"{begin}measured 66.7, as predicted",
        f"{begin}measured 151, NOT as predicted",
        f"{begin}not measured",
    ]


def test_a_claim_about_memory_names_the_model_and_its_head():
    llada = Claim(quantity="largest_batch", model="llada", gen_length=2048, value=61, factor=1.1, head="official")
    assert hypotheses.claim_text(llada) == "LLaDA official, largest batch that fits, 2,048 tokens"
    llama = Claim(quantity="largest_batch", model="llama", gen_length=2048, value=61, factor=1.1)
    assert hypotheses.claim_text(llama) == "LLaMA, largest batch that fits, 2,048 tokens"
