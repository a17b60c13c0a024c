"""In which words the noise of a sentinel stands under runs, on made-up studies."""

import pytest

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
    begin = "Noise: the same {} cell of LLaDA (official head) twice in a round differs by a factor of {} ["
    assert begin.format("captured", "1.25") in sentence(rows, "batch")
    assert begin.format("eager", "1.50") in sentence(rows, "prompt")


def test_runs_of_both_engines_are_shown_both():
    rows = [*runs("engines", "eager"), *runs("engines", "captured"), *twins("captured"), *twins("eager")]
    words = sentence(rows, "engines")
    assert "the same eager cell of LLaDA (official head) twice in a round differs by a factor of 1.50 [" in words
    assert "the same captured cell of LLaDA (official head) twice in a round differs by a factor of 1.25 [" in words


@pytest.mark.parametrize(
    ("engine", "more", "words"),
    [
        ("captured", {}, "Noise: LLaMA's is not known: no captured noise check of it ran on this machine."),
        ("eager", {}, "Noise: LLaMA's is not known: no eager noise check of it ran on this machine."),
        (
            "eager",
            {"machines": '{"1": "GPU-a", "2": "GPU-b"}'},
            "Noise: LLaMA's is not known: no eager noise check of it ran on these 2 machines.",
        ),
    ],
)
def test_where_no_sentinel_of_a_kind_ran_that_is_said_and_no_other_is_lent(engine, more, words):
    assert sentence([*runs("batch", engine, **more), *twins("eager", **more)], "batch").startswith(words)


def test_a_sentinel_that_ran_on_some_of_the_machines_says_on_how_many():
    rows = [*runs("batch", "eager", machines='{"1": "GPU-a", "2": "GPU-b"}')]
    rows += twins("eager", machines='{"1": "GPU-a", "2": "GPU-a"}')
    assert "1.50 [1.50, 1.50], on 1 of 2 machines; from round" in sentence(rows, "batch")


def test_that_no_sentinel_of_the_engine_ran_is_said_under_a_comparison():
    rows = [*runs("baseline", "eager", batch_size=1)[:1], *runs("sweep", "eager")[1:2], *twins("captured")]
    [comparison] = comparisons(judged(rows))
    assert [noise.ratio for noise in comparison.noise] == [None, None]
    last = "Noise: LLaDA's is not known: no eager noise check of it ran on this machine."
    assert render_comparison.verdict(comparison)[-1] == last
    assert sentence(runs("batch", "eager"), "batch") == ""  # a study without a sentinel


def test_a_drift_is_that_of_an_engine():
    rows = [*runs("batch", "captured"), *runs("prompt", "eager")]
    rows += [*twins("eager", b=[100.0, 120.0]), *twins("captured", b=[100.0, 101.0])]
    assert sentence(rows, "batch").endswith("from round to round it moved by 1.0%.")
    assert sentence(rows, "prompt").endswith("it moved by 20.0% (MORE THAN 3%: LLADA'S EAGER RUNS DRIFTED).")
    rows = [row for row in rows if row["engine"] == "captured"]
    assert "DRIFTED" not in sentence(rows, "batch")
    rows = [*runs("batch", "captured"), *twins("captured", b=[100.0, 120.0])]
    assert sentence(rows, "batch").endswith("(MORE THAN 3%: LLADA'S CAPTURED RUNS DRIFTED).")


def test_a_captured_sentinel_that_failed_is_said_not_replaced():
    rows = [*runs("batch", "captured"), *twins("eager"), *twins("captured", outcome="error", message="gone")]
    assert sentence(rows, "batch").endswith("Noise: LLaDA's is not known. A noise check is left out: error: gone.")


def test_runs_from_before_engines_were_told_count_as_eager():
    rows = [{**row, "engine": None} for row in [*runs("batch", "eager"), *twins("eager")]]
    assert "Noise: the same eager cell of LLaDA" in sentence(rows, "batch")
