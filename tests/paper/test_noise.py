"""The noise of sentinels in the report's numbers and sentences, on made-up studies."""

from bench.analysis.scaling import scalings
from paper import results
from tests.support.made_up_noise import judged, runs, twins


def test_noise_is_named_by_the_model_and_what_was_not_measured_is_absent():
    [scaling] = scalings(judged([*runs("batch", "captured"), *twins("captured"), *twins("eager", model="llama")]))
    assert results.noise_numbers(scaling.noise, "").keys() == {"llada.aa_ratio", "llada.drift"}
