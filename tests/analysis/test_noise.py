"""Which sentinel's noise stands under which runs, on made-up studies."""

import pytest

from bench.analysis.noise import floor_of, judge
from bench.analysis.scaling import scalings
from tests.support.made_up_noise import judged, runs, twins
from tests.support.made_up_scaling import batch_study, study_of


def noise_of(rows: list[dict], kind: str):
    [scaling] = [group for group in scalings(judged(rows)) if group.kind == kind]
    return {(noise.engine, noise.model): noise for noise in scaling.noise}


def test_runs_stand_over_the_noise_of_their_own_engine():
    rows = [*runs("batch", "captured"), *runs("prompt", "eager"), *twins("eager"), *twins("captured")]
    assert noise_of(rows, "batch")["captured", "llada"].ratio.value == pytest.approx(1.25)
    assert noise_of(rows, "prompt")["eager", "llada"].ratio.value == pytest.approx(1.5)


def test_other_prompts_beside_the_same_cells_are_another_sentinel():
    rows = [*runs("batch", "eager"), *twins("eager")]
    rows += twins("eager", a=[300.0, 300.0], b=[200.0, 200.0], prompt_hash="other")
    noise = noise_of(rows, "batch")["eager", "llada"]
    assert (noise.ratio.value, noise.drift) == (pytest.approx(1.5), 0)
    assert len(noise.runs) == 4


@pytest.mark.parametrize(
    ("under", "sentinel"),
    [
        ({"engine": "eager"}, {"engine": "captured"}),
        ({"engine": "captured"}, {"engine": "eager"}),
        ({"engine": "eager"}, {"engine": "eager", "device": "another"}),
        (
            {"engine": "eager", "machines": '{"1": "GPU-a", "2": "GPU-a"}'},
            {"engine": "eager", "machines": '{"1": "GPU-b", "2": "GPU-b"}'},
        ),
    ],
)
def test_a_floor_is_lent_to_no_other_engine_or_card(under, sentinel):
    noises = noise_of([*runs("batch", **under), *twins(**sentinel)], "batch")
    assert [(noise.model, noise.ratio, noise.machines_watched) for noise in noises.values()] == [
        ("llama", None, 0), ("llada", None, 0),
    ]  # fmt: skip


def test_each_model_has_the_floor_of_its_own_sentinel():
    rows = [*runs("batch", "eager"), *twins("eager"), *twins("eager", a=[110.0, 110.0], model="llama")]
    noises = noise_of(rows, "batch")
    assert noises["eager", "llama"].ratio.value == pytest.approx(1.1)
    assert noises["eager", "llada"].ratio.value == pytest.approx(1.5)
    assert floor_of(tuple(noises.values())) == noises["eager", "llada"].ratio
    alone = noise_of([*runs("batch", "eager"), *twins("eager")], "batch")
    assert alone["eager", "llama"].ratio is None


def test_a_sentinel_counts_by_the_card_of_each_round():
    """Rounds 1 and 2 ran on one card, 3 on another: the drift is that of a card, and runs of the first card alone are
    not shown the second one's noise."""
    on_both = '{"1": "GPU-a", "2": "GPU-a", "3": "GPU-b"}'
    sentinels = twins("eager", a=[100.0, 104.0, 300.0], b=[100.0, 104.0, 100.0], machines=on_both)
    first = noise_of([*runs("batch", "eager", machines='{"1": "GPU-a"}'), *sentinels], "batch")["eager", "llada"]
    assert (first.ratio.value, first.machines, first.machines_watched) == (pytest.approx(1), 1, 1)
    assert first.drift == pytest.approx(0.04)
    both = noise_of([*runs("batch", "eager", machines=on_both), *sentinels], "batch")["eager", "llada"]
    assert (both.ratio.value, both.machines, both.machines_watched) == (pytest.approx(3 ** (1 / 3)), 2, 2)
    assert both.drift == pytest.approx(0.04)


def test_a_sentinel_of_which_a_twin_is_missing_does_not_count():
    noise = noise_of([*runs("batch", "eager"), *twins("eager"), *twins("captured")[:1]], "batch")["eager", "llada"]
    assert noise.ratio is not None
    alone = noise_of([*runs("batch", "captured"), *twins("eager"), *twins("captured")[:1]], "batch")[
        "captured", "llada"
    ]
    assert (alone.ratio, alone.drift, alone.runs) == (None, None, ())


def test_runs_that_compare_a_model_with_itself_are_judged_as_no_cells():
    rows = [batch_study()[0], {"run_id": "a", "kind": "agreement", "model": "llada", "cache": "dual", "outcome": "ok"}]
    assert "a" not in judge(study_of(rows)).runs["run_id"].tolist()
