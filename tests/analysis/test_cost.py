"""The cost model beside measurement: ratios, what is left out, and the surface of a study."""

import pandas as pd
import pytest

from bench.analysis import cost, hypotheses
from bench.analysis.findings import findings_of
from tests.support.made_up_cost import run, study_of


def test_measured_over_predicted():
    runs = pd.DataFrame([run("llama"), run("llada", **{"latency/latency_ms": 200.0})])
    rows = cost.rows(runs).set_index("model")
    assert rows.loc["llama", "latency_ratio"] == 1.5
    assert rows.loc["llada", "step_ratio"] == 1.25


def test_failed_runs_sentinels_and_runs_without_prediction_are_left_out():
    nothing = dict.fromkeys(("predicted/latency_ms", "predicted/step_ms"))
    runs = [run("llama"), run("llada", outcome="oom"), run("llada", kind="sentinel"), run("llada", **nothing)]
    assert list(cost.rows(pd.DataFrame(runs))["model"]) == ["llama"]


def test_the_surface_has_the_break_even_of_measured_places():
    findings = findings_of(study_of([run("llama"), run("llada", **{"latency/latency_ms": 800.0})]))
    surface = findings.surface()
    assert surface.measured == {(4, 64): pytest.approx(300 / (800 / 16))}
    assert 64 in surface.steps.columns
    assert surface.basis.prompt_tokens == 32
    assert surface.basis.words == "predicted at this device's ceilings"


def test_a_study_without_ceilings_has_the_surface_of_a_published_card():
    bare = {name: None for name in run("llama") if name.startswith(("ceiling", "predicted", "compute"))}
    surface = findings_of(study_of([run("llama", **bare)])).surface()
    assert (surface.basis.device, surface.basis.words) == ("H100", "predicted from published peaks")
    assert surface.measured == {}


def test_a_study_without_a_grid_has_the_surface_of_its_own_device_and_engine():
    """And not that of a card on which nothing of it ran."""
    sweep = {"kind": "sweep", "engine": "eager", "device": "a CPU"}
    surface = findings_of(study_of([run("llama", **sweep), run("llada", **sweep)])).surface()
    assert (surface.basis.device, surface.basis.engine) == ("a CPU", "eager")
    assert surface.measured == {}


def test_ceilings_of_another_engine_come_before_those_of_a_published_card():
    """The grid's engine has none in this study; the surface and the page's explorer rest on the same."""
    bare = {name: None for name in run("llama") if name.startswith(("ceiling", "predicted", "compute"))}
    sweep = {"kind": "sweep", "engine": "eager", "device": "a CPU"}
    rows = [run("llama", **bare), run("llada", **bare), run("llama", **sweep), run("llada", **sweep)]
    surface = findings_of(study_of(rows)).surface()
    assert (surface.basis.device, surface.basis.engine) == ("a CPU", "eager")
    assert surface.basis.words == "predicted at this device's ceilings"
    assert (surface.basis.ceilings.flops_per_s, surface.basis.ceilings.bytes_per_s) == (1e11, 4e10)
    assert surface.basis.models.host_s == {"llama": 0.001, "llada": 0.001}
    assert surface.measured == {}  # on that engine


def test_a_study_of_likelihoods_alone_has_no_costs():
    runs = pd.DataFrame([{"kind": "likelihood", "model": "llama", "outcome": "ok", "quality/bits_per_byte": 1.0}])
    assert cost.rows(runs).empty


def test_a_place_has_the_prediction_of_the_hypotheses_where_they_are_about_the_pair_and_card():
    """Whatever ceilings the study measured: two predictions of one number would be one too many."""
    on_card = {"pair": "8b-shapes", "dtype": "bfloat16", "device": "NVIDIA H100 80GB HBM3", "platform": "cuda"}
    on_card |= {"verdict": "exclusive", "prompt_tokens": "128", "batch_size": 1, "gen_length": 128}
    surface = findings_of(study_of([run("llama", **on_card), run("llada", **on_card)])).surface()
    about = hypotheses.read()
    [claim] = [c for c in about.hypotheses["H4"].claims if c.gen_length == 128]
    assert surface.steps.loc[1, 128] == pytest.approx(claim.value, rel=0.005)
    assert surface.basis.words == "predicted before the study ran"
    elsewhere = findings_of(study_of([run("llama", **on_card | {"device": "another card"})])).surface()
    assert elsewhere.basis.words == "predicted at this device's ceilings"
