"""The cost model in the report: figures and tables of made-up studies."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from bench.analysis import cost
from bench.analysis.findings import findings_of
from bench.analysis.hypotheses import Result, Score, measured_ones
from bench.analysis.hypotheses_file import Claim
from bench.common.stats import Estimate
from paper.figures import cost as figures_cost
from paper.figures.write import cost_drawings, write_drawings
from paper.tables import cells, row_names
from paper.tables import cost as tables_cost
from tests.support.made_up_cost import run, study_of


def test_the_surface_shows_the_break_even_of_measured_places():
    findings = findings_of(study_of([run("llama"), run("llada", **{"latency/latency_ms": 800.0})]))
    figure = figures_cost.surface(findings.surface())
    assert "6\n(" in " ".join(text.get_text() for text in figure.axes[0].texts)
    plt.close(figure)


def test_the_color_and_the_number_of_a_measured_place_are_the_measured_ones():
    about = findings_of(study_of([run("llama"), run("llada", **{"latency/latency_ms": 800.0})])).surface()
    assert about.steps.loc[4, 64] != pytest.approx(6)
    assert figures_cost.with_measured(about).loc[4, 64] == pytest.approx(6)


def test_a_surface_says_whose_it_is_and_what_was_measured():
    [_, (_, _, draw)] = cost_drawings(findings_of(study_of([run("llama"), run("llada")])))
    title = " ".join(draw().get_suptitle().split())
    assert title.startswith("LLaMA and LLaDA (pocket) on cpu, prompts of 32, captured engine, lean head")
    assert "framed: measured (prediction in brackets); others predicted at this device's ceilings" in title
    bare = {name: None for name in run("llama") if name.startswith(("ceiling", "predicted", "compute"))}
    [_, (_, _, draw)] = cost_drawings(findings_of(study_of([run("llama", **bare)])))
    assert "(pocket) on H100" in " ".join(draw().get_suptitle().split())
    assert "nothing here was measured; predicted from published peaks" in " ".join(draw().get_suptitle().split())
    plt.close("all")


def test_points_of_the_roofline_lie_at_what_was_reached():
    rows = cost.rows(pd.DataFrame([run("llama")]))
    figure = figures_cost.roofline(rows)
    (points,) = figure.axes[0].collections
    assert points.get_offsets().tolist() == [[10.0, 50.0]]  # 20 over 2 FLOP a byte; half of 100 GFLOP/s
    plt.close(figure)
    assert figures_cost.roofline(rows.drop(columns="ceiling.flops_per_s")) is None


def test_the_roofline_shows_all_that_lies_under_it():
    rows = cost.rows(pd.DataFrame([run("llama", **{"compute/mfu": 0.0001}), run("llada")]))
    axes = figures_cost.roofline(rows).axes[0]
    low, high = axes.get_ylim()
    assert 0 < low < 0.01 < 100 < high  # GFLOP/s
    assert low > 1e-4
    plt.close(axes.figure)


def test_a_whole_run_stands_for_its_part_in_the_table():
    runs = pd.DataFrame([run("llada", steps_timed=4, **{"latency/latency_ms": 999.0}), run("llada")])
    table = tables_cost.beside_model(cost.rows(runs), tables_cost.TIMES)
    assert table.index.tolist() == ["batch: LLaDA 16"]
    assert table["batch, prompt, tokens"].tolist() == ["4, 32, 64"]
    assert table["latency ms"].tolist() == ["300.0"]
    assert tables_cost.beside_model(cost.rows(runs), tables_cost.PEAKS).empty


def test_a_claim_that_is_met_is_no_refuted_one():
    claim = Claim(quantity="largest_batch", model="llama", gen_length=2048, value=10.0, factor=1.1)
    score = Score("H3", "Memory.", [Result(claim, Estimate(10.5)), Result(claim, Estimate(7.0)), Result(claim, None)])
    table = tables_cost.hypotheses_table([score])
    assert table["met"].tolist() == ["yes", "no", "--"]


@pytest.mark.parametrize("pair", ["pocket", "8b-shapes"])
def test_everything_is_written_with_and_without_ceilings(pair, tmp_path):
    bare = {name: None for name in run("llama") if name.startswith(("ceiling", "predicted", "compute"))}
    studies = {"with": [run("llama", pair=pair), run("llada", pair=pair)], "without": [run("llama", pair=pair, **bare)]}
    for name, rows in studies.items():
        findings = findings_of(study_of(rows))
        tables_cost.write(findings, tmp_path / name / "tables")
        write_drawings(cost_drawings(findings), tmp_path / name / "figures")
        for part in ("tables/predictions.tex", "figures/surface.png"):
            assert (tmp_path / name / part).stat().st_size > 0
        assert (tmp_path / name / "tables/hypotheses.tex").read_text() == ""  # of which nothing was measured
    assert "batch: LLaDA" in (tmp_path / "with/tables/cost.tex").read_text()
    assert (tmp_path / "with/figures/roofline.pdf").is_file()
    assert not (tmp_path / "without/figures/roofline.pdf").is_file()
    assert (tmp_path / "without/tables/cost.tex").read_text() == ""


def test_the_scoreboard_counts_the_claims_of_each_hypothesis():
    claim = Claim(quantity="largest_batch", model="llama", gen_length=2048, value=10.0, factor=1.1)
    values = (10.5, 7.0, None)
    score = Score("H3", "Memory. At some length.", [Result(claim, v and Estimate(v)) for v in values])
    table = tables_cost.scoreboard([score])
    assert table.index.tolist() == ["H3: Memory"]
    assert table.iloc[0].tolist() == ["3", "1", "1", "0", "1", "refuted"]
    nothing = Score("H4", "Break-even.", [Result(claim, None)])
    assert measured_ones([score, nothing]) == [score]


def test_runs_that_differ_in_precision_alone_both_stand_in_the_tables(tmp_path):
    peaks = {"memory/allocated_gib": 15.0, "predicted/allocated_gib": 15.0}
    eight_bits = run("llada", **peaks) | {"dtype": "float8", "memory/allocated_gib": 8.0}
    runs = pd.DataFrame([eight_bits, run("llada", **peaks), run("llama", **peaks)])
    table = tables_cost.beside_model(cost.rows(runs), tables_cost.PEAKS)
    label = "batch: LLaDA 16"
    assert table["allocated GiB"].to_dict() == {
        f"{label}, float8": "8.00", label: "15.00", "batch: LLaMA": "15.00"
    }  # fmt: skip
    found = findings_of(study_of([*runs.to_dict("records")]))
    tables_cost.write(found, tmp_path)
    cells.write(found.runs, tmp_path)
    usual = (
        " Rows that name no engine are on the captured engine, LLaDA's with the lean head. Rows that name no precision"
        f" are in {run('llada')['dtype']}."
    )
    assert usual in (tmp_path / "cost_memory.tex").read_text()
    assert usual in (tmp_path / "cells.tex").read_text()
    assert row_names.precision_sentence(runs) == f" Rows that name no precision are in {run('llada')['dtype']}."
    alone = tables_cost.beside_model(cost.rows(runs.head(1)), tables_cost.PEAKS)
    assert alone.index.tolist() == [label]
    assert row_names.precision_sentence(runs.head(1)) == row_names.precision_sentence(runs.head(0)) == ""


@pytest.mark.parametrize(("others", "names", "caption"), [
    ({}, ["batch: LLaMA", "batch: LLaDA 16"], "are on the captured engine, LLaDA's with the lean head."),
    (
        {"kind": "sentinel", "head": "official"},
        ["batch: LLaMA", "batch: LLaDA 16", "sentinel: LLaDA 16, captured, official head"],
        "are on the captured engine, LLaDA's with the lean head.",
    ),
    (
        {"head": "official"},
        ["batch: LLaMA, captured", "batch: LLaDA 16, captured, lean head", "batch: LLaDA 16, captured, official head"],
        "",
    ),
    (
        {"engine": "eager"},
        ["batch: LLaMA, captured", "batch: LLaDA 16, captured, lean head", "batch: LLaDA 16, eager, lean head"],
        "",
    ),
], ids=["all alike", "another sentinel", "two heads", "two engines"])  # fmt: skip
def test_an_engine_that_all_rows_have_is_named_once(others, names, caption):
    runs = pd.DataFrame([run("llama"), run("llada"), *([run("llada") | others] if others else [])])
    assert row_names.names_of(runs) == names
    assert row_names.said_once(runs).removeprefix(" Rows that name no engine ") == caption


def test_rows_of_llama_alone_have_no_head():
    assert row_names.said_once(pd.DataFrame([run("llama")])) == " Rows that name no engine are on the captured engine."
    assert row_names.said_once(pd.DataFrame()) == ""


def test_the_caption_goes_by_the_rows_that_its_table_has():
    timed = [run("llama"), run("llada")]
    peaks = {"memory/allocated_gib": 8.0, "predicted/allocated_gib": 8.0}
    no_times = {"dtype": "float8", "predicted/latency_ms": None, "predicted/step_ms": None}
    untimed = [run("llada", steps=steps, **peaks) | no_times for steps in (8, 16, 32)]
    rows = cost.rows(pd.DataFrame([*timed, *untimed]))
    assert len(tables_cost.beside_model(rows, tables_cost.TIMES)) == 2
    assert row_names.precision_sentence(tables_cost.compared_runs(rows, tables_cost.TIMES)) == ""
    assert row_names.precision_sentence(rows).endswith(" in float8.")


def test_a_precision_that_is_not_told_is_none():
    runs = pd.DataFrame({"dtype": ["unstated", "unstated", "float32", None]})
    assert row_names.with_precision(list("abcd"), runs) == list("abcd")
    assert row_names.precision_sentence(runs) == ""
    mixed = pd.concat([runs, pd.DataFrame({"dtype": ["float8"]})], ignore_index=True)
    assert row_names.with_precision(list("abcde"), mixed)[3:] == ["d", "e, float8"]
    assert row_names.precision_sentence(mixed) == (
        " Rows that name no precision are in float32, but for those that have none (a server, references)."
    )
