"""The cost model beside measurement: ratios, what is left out, and the figures of a study."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from bench.analysis import cost as analysis_cost
from bench.analysis.hypotheses import Claim, Result, Score
from bench.render import cost as render_cost
from bench.spec import pair as spec_pair
from paper.figures import cost
from paper.tables import cost as tables_cost


def run(model: str, **more) -> dict:
    common = {
        "run_id": f"{model} {more}", "pair": "pocket", "kind": "batch", "model": model, "outcome": "ok",
        "platform": "cpu", "verdict": "unknown", "device": "cpu", "batch_size": 4, "gen_length": 64,
        "prompt_tokens": "32", "dtype": "float32", "engine": "captured", "head": None if model == "llama" else "lean",
        "steps": None if model == "llama" else 16, "latency/latency_ms": 300.0, "predicted/latency_ms": 200.0,
        "latency/step_ms": 10.0, "predicted/step_ms": 8.0, "compute/mfu": 0.5, "compute/mbu": 0.1,
        "compute/gflop": 20.0, "compute/gbyte": 2.0, "ceiling.flops_per_s": "1e11", "ceiling.bytes_per_s": "4e10",
        "ceiling.host_s": "0.001", "block_length": 16,
    }  # fmt: skip
    return common | more


def test_measured_over_predicted_in_table_and_words():
    frame = pd.DataFrame([run("llama"), run("llada", **{"latency/latency_ms": 200.0})])
    found = analysis_cost.rows(frame).set_index("model")
    assert found.loc["llama", "latency_ratio"] == 1.5
    assert found.loc["llada", "step_ratio"] == 1.25
    text = "\n".join(render_cost.lines(frame))
    assert "llama 1.50 (1.50 to 1.50, 1 runs)" in text
    assert "MFU" in text
    assert "alloc GiB" not in text  # not measured on a CPU


def test_failed_sentinel_and_unknown_runs_are_left_out():
    nothing = dict.fromkeys(("predicted/latency_ms", "predicted/step_ms"))
    frame = pd.DataFrame([run("llama"), run("llada", outcome="oom"), run("llada", kind="sentinel"),
                          run("llada", **nothing)])  # fmt: skip
    assert list(analysis_cost.rows(frame)["model"]) == ["llama"]


def test_a_study_without_ceilings_says_so():
    frame = pd.DataFrame([run("llama", **dict.fromkeys(("predicted/latency_ms", "predicted/step_ms")))])
    assert render_cost.lines(frame) == ["Cost model: no ceilings of this device in this study (make ceilings)."]


def test_the_surface_shows_the_break_even_of_measured_places():
    frame = pd.DataFrame([run("llama"), run("llada", **{"latency/latency_ms": 800.0})])
    found = cost.surface_of(frame, spec_pair.read_pair("pocket"))
    assert found.measured == {(4, 64): pytest.approx(300 / (800 / 16))}
    assert 64 in found.steps.columns
    assert found.prompt_tokens == 32
    figure = cost.surface(found)
    assert "[6]" in " ".join(text.get_text() for text in figure.axes[0].texts)
    plt.close(figure)


def test_points_of_the_roofline_lie_at_what_was_reached():
    rows = analysis_cost.rows(pd.DataFrame([run("llama")]))
    figure = cost.roofline(rows)
    (points,) = figure.axes[0].collections
    assert points.get_offsets().tolist() == [[10.0, 50.0]]  # 20 over 2 FLOP a byte; half of 100 GFLOP/s
    plt.close(figure)
    assert cost.roofline(rows.drop(columns="ceiling.flops_per_s")) is None


def test_the_roofline_shows_all_that_lies_under_it():
    rows = analysis_cost.rows(pd.DataFrame([run("llama", **{"compute/mfu": 0.0001}), run("llada")]))
    axes = cost.roofline(rows).axes[0]
    low, high = axes.get_ylim()
    assert 0 < low < 0.01 < 100 < high  # GFLOP/s
    assert low > 1e-4
    plt.close(axes.figure)


def test_a_whole_run_stands_for_its_part_in_the_table():
    frame = pd.DataFrame([run("llada", steps_timed=4, **{"latency/latency_ms": 999.0}), run("llada")])
    table = tables_cost.beside_model(analysis_cost.rows(frame), tables_cost.TIMES)
    assert table.index.tolist() == ["batch: LLaDA 16, lean, captured"]
    assert table["batch, prompt, tokens"].tolist() == ["4, 32, 64"]
    assert table["latency ms"].tolist() == ["300.0"]
    assert tables_cost.beside_model(analysis_cost.rows(frame), tables_cost.PEAKS).empty


def test_a_claim_that_is_met_is_no_refuted_one():
    claim = Claim(quantity="largest_batch", model="llama", gen_length=2048, value=10.0, factor=1.1)
    score = Score("H3", "Memory.", [Result(claim, 10.5), Result(claim, 7.0), Result(claim, None)])
    table = tables_cost.hypotheses_table([score])
    assert table["met"].tolist() == ["yes", "no", "--"]
    assert set(table["hypothesis"]) == {"refuted"}


@pytest.mark.parametrize("pair", ["pocket", "8b-shapes"])
def test_everything_is_written_with_and_without_ceilings(pair, tmp_path):
    bare = {name: None for name in run("llama") if name.startswith(("ceiling", "predicted", "compute"))}
    for name, frame in {"with": [run("llama"), run("llada")], "without": [run("llama", **bare)]}.items():
        tables_cost.write(pd.DataFrame(frame).assign(pair=pair), spec_pair.read_pair(pair), tmp_path / name)
        for part in ("tables/cost.tex", "tables/predictions.tex", "tables/hypotheses.tex", "figures/surface.png"):
            assert (tmp_path / name / part).stat().st_size > 0
    assert (tmp_path / "with/figures/roofline.pdf").is_file()
    assert not (tmp_path / "without/figures/roofline.pdf").is_file()
    assert "not measured" in (tmp_path / "without/tables/cost.tex").read_text()
