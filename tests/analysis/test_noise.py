"""Which sentinel's noise stands under which runs, on made-up studies."""

import pandas as pd
import pytest

from bench.analysis.noise import noise_under
from bench.analysis.scaling import scalings
from tests.support.made_up_noise import BASE, judged, runs, twins


def noise_of(rows: list[dict], kind: str):
    [scaling] = [group for group in scalings(judged(rows)) if group.kind == kind]
    return scaling.noise


def test_runs_stand_over_the_noise_of_their_own_engine():
    rows = [*runs("batch", "captured"), *runs("prompt", "eager"), *twins("eager"), *twins("captured")]
    assert noise_of(rows, "batch").ratio.value == pytest.approx(1.25)
    assert noise_of(rows, "prompt").ratio.value == pytest.approx(1.5)


def test_other_prompts_beside_the_same_cells_are_another_sentinel():
    rows = [*runs("batch", "eager"), *twins("eager")]
    rows += twins("eager", a=[300.0, 300.0], b=[200.0, 200.0], prompt_hash="other")
    noise = noise_of(rows, "batch")
    assert (noise.ratio.value, noise.drift) == (pytest.approx(1.5), 0)
    assert len(noise.runs) == 4


def test_a_captured_sentinel_says_nothing_of_eager_runs():
    assert noise_of([*runs("batch", "eager"), *twins("captured")], "batch") is None


def test_where_no_sentinel_ran_captured_the_eager_one_stands_in():
    noise = noise_of([*runs("batch", "captured"), *twins("eager")], "batch")
    assert (noise.engine, noise.none_ran) == ("eager", "captured")


def test_a_sentinel_of_which_a_twin_is_missing_does_not_count():
    noise = noise_of([*runs("batch", "eager"), *twins("eager")[:1]], "batch")
    assert (noise.ratio, noise.drift, noise.runs) == (None, None, ())


def test_places_have_noises_of_their_own():
    noises = judged([*twins("eager"), *twins("eager", device="another")]).noises
    assert set(noises) == {("cpu a CPU", "eager"), ("cpu another", "eager")}
    elsewhere = pd.DataFrame([{**BASE, "engine": "captured", "on": "cuda H100"}])
    assert noise_under(elsewhere, noises) is None
