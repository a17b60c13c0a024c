"""Break-evens at equal distance from both floors."""

import pytest

from bench.analysis import parity
from bench.render import parity as render_parity
from tests.support.made_up_comparison import MadeUp
from tests.support.made_up_scaling import batch_study, groups_of

FLOOR = "predicted/latency_ms"


def test_distances_cancel_and_the_floors_are_left():
    """LLaMA runs at 1.25 times its floor and LLaDA at 1.6: measured 25 steps, by the floors 400 / 12.5 = 32."""
    comparison = MadeUp().comparison((500, 0.4), {4: (80, 0.2), 8: (160, 0.3)})
    assert parity.of_comparison(comparison) is None  # no ceilings, no floors
    assert render_parity.comparison_sentences(comparison) == []
    comparison.autoregressive[FLOOR] = 400.0
    comparison.diffusion[FLOOR] = [50.0, 100.0]
    found = parity.of_comparison(comparison)
    assert found.steps == pytest.approx(32)
    assert found.band == (pytest.approx(25), pytest.approx(32))
    assert found.distances == (pytest.approx(1.25), pytest.approx(1.6))
    [sentence] = render_parity.comparison_sentences(comparison)
    assert sentence == (
        "Engines: at equal distance from both floors time would break even at 32 steps (band 25 to 32; LLaMA at 1.25"
        " times its floor, LLaDA at 1.60)."
    )


def test_each_place_of_an_axis_has_its_own():
    rows = [
        row | {FLOOR: row["latency/latency_ms"] / (2 if row["model"] == "llama" else 1)}
        for row in batch_study() if "latency/latency_ms" in row
    ]  # fmt: skip
    found = parity.of_scaling(groups_of(rows)["batch"])
    measured = {run["run_id"]: steps.value for run, steps in groups_of(rows)["batch"].break_evens}
    assert len(found) == 2
    for run, at_parity in found:
        assert at_parity.steps == pytest.approx(measured[run["run_id"]] / 2)  # LLaMA's engine can become twice as fast
    assert "at batch 1 (extrapolated); " in render_parity.scaling_sentences(groups_of(rows)["batch"])[0]


def test_a_band_without_an_end_says_so():
    words = render_parity.words(parity.Parity(8.3, (0.0, float("inf")), (1.14, 0.96)), "LLaMA", "LLaDA")
    assert words.startswith("8.3 steps (band 0.0 to unbounded; ")
