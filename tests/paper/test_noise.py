"""The noise of sentinels in the report's numbers and sentences, on made-up studies."""

from bench.analysis.scaling import scalings
from paper import results
from paper.tables import scaling as tables_scaling
from tests.support.made_up_noise import judged, runs, twins


def test_noise_is_named_by_the_model_and_what_was_not_measured_is_absent():
    [scaling] = scalings(judged([*runs("batch", "captured"), *twins("captured"), *twins("eager", model="llama")]))
    assert results.noise_numbers(scaling.noise, "").keys() == {"llada.aa_ratio", "llada.drift"}


def test_the_report_tells_the_noise_of_each_engine_and_model_once():
    rows = [*runs("batch", "captured"), *runs("length", "captured", block_length=16), *runs("attention", "eager")]
    groups = tables_scaling.largest(scalings(judged([*rows, *twins("eager"), *twins("captured")])))
    captured, llama, eager, _ = [line for line in tables_scaling.sentences(groups) if line.startswith("Noise")]
    assert captured.startswith("Noise: the same captured cell of LLaDA")
    assert llama.startswith("Noise: LLaMA's is not known: no captured noise check")
    assert eager.startswith("Noise: the same eager cell of LLaDA")
