"""Every time that rests on a part of a call is called extrapolated, with from what, by which engine and head."""

import re

import pandas as pd
import pytest

from bench.analysis import cost as analysis_cost
from bench.analysis import hundred_steps, hypotheses
from bench.analysis.hypotheses_file import Claim
from bench.analysis.scaling import AXES, PARTS
from bench.common.stats import Estimate
from bench.render import corners as render_corners
from bench.render import cost as render_cost
from bench.render import extrapolation
from bench.render import hundred_steps as render_hundred_steps
from bench.render import hypotheses as render_hypotheses
from bench.render import parity as render_parity
from bench.render import scaling as render_scaling
from paper.figures import scaling as figures_scaling
from paper.sentences import growth as sentences_growth
from paper.tables import cost as tables_cost
from paper.tables import scaling as tables_scaling
from tests.support.made_up_scaling import batch_study, corners_study, everything, groups_of, run
from tests.support.paper_text import captions_of_figures

TIMED = [kind for kind in AXES if kind not in ("memory", "frontier")]
WORD = "xtrapolated"


def parts_everywhere() -> list[dict]:
    """Runs of every kind of grid, of which only parts of calls were made."""
    rows = [row for row in everything() if row["kind"] not in ("memory", "frontier") and row["outcome"] == "ok"]
    part = {"llama": {"tokens_timed": 16}, "llada": {"steps_timed": 4}}
    parts = [row | part[row["model"]] | {"head": "lean" if row["model"] == "llada" else None} for row in rows]
    return [row | {"run_id": f"{number}"} for number, row in enumerate(parts)]


def test_times_are_said_to_be_extrapolated_from_what_and_by_how_much_that_was_off():
    said = extrapolation.sentences(groups_of(batch_study())["batch"])
    assert said == [
        "Extrapolated: times of LLaMA (eager engine) from 16 of 64 tokens at batch 1, 8.",
        "Extrapolated: times of LLaDA (eager engine, official head) from 4 of 64 steps at batch 1, 8;"
        " from 4 of 16 steps at batch 8.",
        "Shortcut: LLaDA (eager engine, official head) from 4 of 16 steps over all of them, batch 1:"
        " latency 1.250 [1.250, 1.250], peak memory 1.000 [1.000, 1.000].",
        "Shortcut: no call of LLaMA was made whole here; how far its extrapolated times are off is not known, and not"
        " in their intervals.",
    ]
    whole = [run("batch", "llama", 60, batch_size=batch) for batch in (1, 8)]
    assert extrapolation.sentences(groups_of(whole)["batch"]) == []


def test_shortcuts_of_several_places_are_a_sentence():
    both = [
        run("batch", "llada", latency, steps=16, batch_size=batch, head="lean", **part)
        for batch, whole in ((8, 100), (1, 50))
        for latency, part in ((whole, {}), (1.1 * whole if batch == 8 else whole, {"steps_timed": 4}))
    ]
    [said] = [text for text in extrapolation.sentences(groups_of(both)["batch"]) if text.startswith("Shortcut")]
    about = "Shortcut: LLaDA (eager engine, lean head) from 4 of 16 steps over all of them: latency "
    assert said.startswith(about)
    at_1, at_8 = said.removeprefix(about).split("; ")[0].split(" at batch 1, ")
    assert (at_1[:5], at_8[:5], at_8[-8:]) == ("1.000", "1.100", " batch 8")
    assert said.count("peak memory") <= 1


@pytest.mark.parametrize("kind", TIMED)
def test_a_table_with_an_extrapolated_number_says_so_with_engine_and_head(kind):
    """The caption says it of all; of each row its own cells say of how much of a call it was made."""
    group = groups_of(parts_everywhere())[kind]
    models = group.rows["model"].unique()
    for text in (tables_scaling.caption(group), "\n".join(render_scaling.lines(group))):
        assert f"E{WORD}: times of" in text
        assert "engine" in text
        assert ("lean head" in text) == ("llada" in models)
    rows = tables_scaling.table(group)
    if kind == "corners":
        bases = rows[[name for name in rows if name.endswith("'s time")]]
        assert bases.map(lambda cell: WORD in cell).all(axis=None)
    else:
        assert rows["note"].map(lambda cell: WORD in cell and " of " in cell).all()
    for sentence in render_scaling.outcome_sentences(group):
        if re.match("Time|Throughput|Engines", sentence):
            assert WORD in sentence


@pytest.mark.parametrize("kind", TIMED)
def test_a_table_of_whole_calls_alone_says_nothing_of_it(kind):
    rows = [row | dict.fromkeys(PARTS) | {"run_id": row["run_id"] + "whole"} for row in parts_everywhere()]
    group = groups_of(rows)[kind]
    assert WORD not in tables_scaling.caption(group)
    assert WORD not in "\n".join(render_scaling.lines(group))
    assert tables_scaling.extrapolations({kind: group}) == {f"extrapolated_{kind}": "Every call was made whole."}


def test_every_figure_that_draws_times_has_a_caption_that_says_from_what():
    """What is drawn of the engines is the time of one forward, which is measured; memory is too."""
    captions = captions_of_figures()
    with_times = [kind for kind, draw in figures_scaling.FIGURES.values() if draw in (
        figures_scaling.along_axis, figures_scaling.attention)]  # fmt: skip
    assert len(with_times) == 4
    for kind in with_times:
        assert f"\\num{{extrapolated_{kind}}}" in captions[kind]
        assert f"\\num{{title_{kind}}}" in captions[kind]
    assert WORD in captions["surface"]
    said = tables_scaling.extrapolations(groups_of(parts_everywhere()))
    assert all(said[f"extrapolated_{kind}"].startswith(f"E{WORD}: times of") for kind in TIMED)


def test_the_line_of_a_hundred_steps_says_from_what():
    rows = [run("batch", "llama", 640, gen_length=128, tokens_timed=32)]
    rows.append(run("batch", "llada", 320, gen_length=128, steps=32, steps_timed=8))
    [latency] = hundred_steps.latencies([], [groups_of(rows)["batch"]])
    assert latency.parts == ("8 of 32 steps", "32 of 128 tokens")
    assert ", extrapolated from 8 of 32 steps and 32 of 128 tokens" in render_hundred_steps.latency_line(latency)
    [whole] = hundred_steps.latencies([], [groups_of([row | dict.fromkeys(PARTS) for row in rows])["batch"]])
    assert WORD not in render_hundred_steps.latency_line(whole)


def test_bands_of_break_evens_say_it():
    rows = [row | {"predicted/latency_ms": 1.0} for row in batch_study()]
    [sentence] = render_parity.scaling_sentences(groups_of(rows)["batch"])
    assert sentence.count(f"({'e' + WORD})") == 2


def test_the_cost_models_table_says_it_of_latencies_and_not_of_peaks():
    rows = batch_study()
    for row in rows:
        row |= {"predicted/latency_ms": 1.0, "predicted/allocated_gib": 1.0, "memory/allocated_gib": 1.0}
    costs = analysis_cost.rows(pd.DataFrame([row for row in rows if row["outcome"] == "ok"]))
    times = tables_cost.beside_model(costs, tables_cost.TIMES)
    assert "batch: LLaDA 16, extrapolated from 4 of 16 steps" in times.index
    assert not any(WORD in name for name in tables_cost.beside_model(costs, tables_cost.PEAKS).index)
    assert WORD in tables_cost.COST
    assert "extrapolated from 4 of 16 steps" in render_cost.table(costs)["note"].tolist()


def test_hypotheses_say_it():
    claim = Claim(quantity="break_even_steps", batch=8, gen_length=64, head="lean", value=2.0, factor=1.3)
    result = hypotheses.Result(claim, Estimate(2.25), "eager", is_extrapolated=True)
    assert "measured 2.25, extrapolated" in render_hypotheses.result_line(result)
    score = hypotheses.Score("H1", "text", [result])
    assert tables_cost.hypotheses_table([score])["measured"].tolist() == ["2.25 (extrapolated)"]
    about = hypotheses.read().model_copy(update={"card": "a CPU", "prompt_tokens": 32})
    groups = list(groups_of(parts_everywhere()).values())
    assert hypotheses.rests_on_extrapolated(claim, "eager", about, groups)
    whole = groups_of([row | dict.fromkeys(PARTS) for row in parts_everywhere()]).values()
    assert not hypotheses.rests_on_extrapolated(claim, "eager", about, list(whole))


def test_corners_say_of_each_whether_it_was_made_whole():
    table = render_corners.table(groups_of(corners_study())["corners"])
    assert table.to_dict("list") == {
        "batch": ["1", "1", "4", "4"],
        "tokens": ["64", "256", "64", "256"],
        "steps": ["4", "16", "4", "16"],
        "LLaDA over LLaMA": ["0.03 [0.03, 0.03]", "0.11 [0.11, 0.11]", "0.10 [0.10, 0.10]", "0.40 [0.40, 0.44]"],
        "breaks even at steps": ["160 [160, 160]", "144 [144, 144]", "40.0 [40.0, 40.0]", "40.0 [36.0, 40.0]"],
        "LLaMA's time": [
            "whole",
            "whole",
            *["extrapolated from 16 of 64 tokens", "extrapolated from 16 of 256 tokens"],
        ],
        "LLaDA's time": ["whole", "whole", "whole", "extrapolated from 4 of 16 steps"],
    }


def test_the_text_says_where_time_breaks_even_at_the_outermost_corners():
    middle = [run("corners", "llama", 100, batch_size=2), run("corners", "llada", 100, batch_size=2, steps=4)]
    text = sentences_growth.corners(groups_of([*corners_study(), *middle])["corners"])
    names = [f"corners.llada.official.eager.b{b}.l{n}.p32.break_even_steps" for b in (1, 4) for n in (64, 256)]
    assert text == (
        f"Over batch and length together time breaks even at \\val{{{names[0]}}} steps at batch 1, 64 tokens,"
        f" \\val{{{names[1]}}} steps at batch 1, 256 tokens, \\val{{{names[2]}}} steps at batch 4, 64 tokens"
        f" (extrapolated) and \\val{{{names[3]}}} steps at batch 4, 256 tokens (extrapolated)."
    )
    assert set(names) <= set(tables_scaling.numbers(groups_of(corners_study())))
    one_batch = [each for each in corners_study() if each["batch_size"] == 1]
    assert sentences_growth.corners(groups_of(one_batch)["corners"]) == sentences_growth.corners(None) == ""


def test_the_report_has_the_same_lines_of_corners():
    group = groups_of(corners_study())["corners"]
    shown = tables_scaling.table(group)
    assert shown.index.tolist() == ["batch 1", "batch 1", "batch 4", "batch 4"]
    assert shown["LLaDA over LLaMA"].tolist() == render_corners.table(group)["LLaDA over LLaMA"].tolist()
    numbers = tables_scaling.numbers({"corners": group})
    last = numbers["corners.llada.official.eager.b4.l256.p32.break_even_steps"]
    assert (last["value"], last["low"]) == (pytest.approx(40), pytest.approx(36))


def test_a_corner_that_failed_stands_below_with_its_reason():
    failed = run("corners", "llada", 0, steps=16, batch_size=32, gen_length=256, outcome="oom", message="no room")
    table = render_corners.table(groups_of([*corners_study(), failed])["corners"])
    last = table.iloc[-1]
    assert (last["batch"], last["tokens"], last["LLaDA over LLaMA"], last["note"]) == (
        "32",
        "256",
        "-",
        "llada oom: no room",
    )
