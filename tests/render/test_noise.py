"""In which words the noise of a sentinel stands under runs, on made-up studies."""

from bench.analysis.comparison import comparisons
from bench.analysis.scaling import scalings
from bench.render import comparison as render_comparison
from bench.render import scaling as render_scaling
from tests.support.made_up_noise import judged, runs, twins


def sentence(rows: list[dict], kind: str) -> str:
    """What is said of the noise under the group of a kind."""
    [scaling] = [group for group in scalings(judged(rows)) if group.kind == kind]
    return "".join(line for line in render_scaling.sentences(scaling) if line.startswith("Noise"))


def test_runs_are_shown_the_noise_of_their_own_engine():
    rows = [*runs("batch", "captured"), *runs("prompt", "eager"), *twins("eager"), *twins("captured")]
    begin = "Noise: the same {} cell twice in a round differs by a factor of {} ["
    assert sentence(rows, "batch").startswith(begin.format("captured", "1.25"))
    assert sentence(rows, "prompt").startswith(begin.format("eager", "1.50"))


def test_runs_of_both_engines_are_shown_the_eager_one():
    rows = [*runs("engines", "eager"), *runs("engines", "captured"), *twins("captured"), *twins("eager")]
    begin = "Noise: the same eager cell twice in a round differs by a factor of 1.50 ["
    assert sentence(rows, "engines").startswith(begin)


def test_where_no_sentinel_ran_captured_the_eager_one_is_shown_and_said_to_be_that():
    rows = [*runs("batch", "captured"), *twins("eager")]
    begin = "Noise: no noise check ran on the captured engine; the same eager cell twice in a round differs"
    assert sentence(rows, "batch").startswith(begin)


def test_that_no_sentinel_of_the_engine_ran_is_said_under_a_comparison():
    rows = [*runs("baseline", "eager", batch_size=1)[:1], *runs("sweep", "eager")[1:2], *twins("captured")]
    [comparison] = comparisons(judged(rows))
    assert comparison.noise is None
    assert render_comparison.verdict(comparison)[-1] == "Noise: not measured, since no noise check ran on this engine."
    assert sentence([*runs("batch", "eager"), *twins("captured")], "batch") == ""


def test_a_drift_is_that_of_an_engine():
    rows = [*runs("batch", "captured"), *runs("prompt", "eager")]
    rows += [*twins("eager", b=[100.0, 120.0]), *twins("captured", b=[100.0, 101.0])]
    assert sentence(rows, "batch").endswith("from round to round it moved by 1.0%.")
    assert sentence(rows, "prompt").endswith("it moved by 20.0% (MORE THAN 3%: EAGER RUNS DRIFTED).")
    rows = [row for row in rows if row["engine"] == "captured"]
    assert "DRIFTED" not in sentence(rows, "batch")
    rows = [*runs("batch", "captured"), *twins("captured", b=[100.0, 120.0])]
    assert sentence(rows, "batch").endswith("(MORE THAN 3%: CAPTURED RUNS DRIFTED).")


def test_a_captured_sentinel_that_failed_is_said_not_replaced():
    rows = [*runs("batch", "captured"), *twins("eager"), *twins("captured", outcome="error", message="gone")]
    assert sentence(rows, "batch") == "Noise: not measured. A noise check is left out: error: gone."


def test_runs_from_before_engines_were_told_count_as_eager():
    rows = [{**row, "engine": None} for row in [*runs("batch", "eager"), *twins("eager")]]
    assert sentence(rows, "batch").startswith("Noise: the same eager cell")
