"""The noise of sentinels in the report's numbers and sentences, on made-up studies."""

from bench.analysis.scaling import scalings
from paper import results
from paper.tables import scaling as tables_scaling
from tests.support.made_up_noise import judged, runs, twins


def test_an_eager_sentinel_under_captured_runs_is_named_by_its_engine():
    [scaling] = scalings(judged([*runs("batch", "captured"), *twins("eager")]))
    assert results.noise_numbers(scaling.noise, "").keys() == {"eager.aa_ratio", "eager.drift"}


def test_the_report_tells_each_engines_noise_once():
    rows = [*runs("batch", "captured"), *runs("length", "captured", block_length=16), *runs("attention", "eager")]
    groups = tables_scaling.largest(scalings(judged([*rows, *twins("eager"), *twins("captured")])))
    captured, eager = [line for line in tables_scaling.sentences(groups) if line.startswith("Noise")]
    assert captured.startswith("Noise: the same captured cell")
    assert eager.startswith("Noise: the same eager cell")
