"""Decoders in the report: tables, figures and numbers, on made-up studies."""

from dataclasses import replace

import matplotlib.pyplot as plt
import pytest

from bench.analysis.decoder_places import Decoders
from paper import decoder_numbers
from paper.decoder_selection import main_places, titles
from paper.figures import decoder_rates
from paper.figures import decoders as figures
from paper.figures.write import decoder_drawings, write_drawings
from paper.page import of_decoders
from paper.tables import decoders as tables
from tests.support import made_up_decoders
from tests.support.made_up_decoders import MadeUp, threshold

TASKS = "decoders.tasks.l32.block16.b1.float32.eager.lean"


@pytest.fixture
def of_tasks() -> Decoders:
    return made_up_decoders.tasks_study().decoders


def both_studies() -> Decoders:
    made_up, texts = made_up_decoders.tasks_study(), made_up_decoders.texts_study()
    made_up.rows += texts.rows
    made_up.values |= texts.values
    return made_up.decoders


def test_nothing_is_written_or_drawn_where_nothing_was_measured(tmp_path):
    tables.write(Decoders(), tmp_path)
    assert (tmp_path / "decoders.tex").read_text() == ""
    write_drawings(decoder_drawings(Decoders()), tmp_path / "figures")
    assert list((tmp_path / "figures").iterdir()) == []
    assert (decoder_numbers.numbers(Decoders()), titles(Decoders())) == ({}, {})


def test_the_tables_have_a_line_for_each_decoder(of_tasks, tmp_path):
    tables.write(of_tasks, tmp_path)
    text = (tmp_path / "decoders.tex").read_text()
    assert "threshold 0.9, dual cache (block) & 32 & 3.33 & 1.67 & 0.895 & -0.005 [" in text
    assert "threshold 0.9, dual cache (block) & 32 & 2.00 & 120.0" in text
    assert text.count("\\label{tab:decoders}") == text.count("\\label{tab:decoders_interaction}") == 1
    assert "and a rival moves nothing" in " ".join(text.split())
    assert "decoders_cost" not in text  # nothing was predicted


def test_the_long_caption_stands_once_for_several_places(tmp_path):
    tables.write(both_studies(), tmp_path)
    text = (tmp_path / "decoders.tex").read_text()
    assert text.count("Decoders against vanilla") == text.count("Whether sampler and cache multiply") == 1
    assert "\\label{tab:decoders1}" in text


def test_the_cost_model_has_a_table_where_it_predicts(tmp_path):
    made_up = MadeUp()
    told = {"predicted/nfe": 32.0, "predicted/rows": 1000.0, "predicted/latency_ms": 100.0}
    made_up.add(400.0, **told, **{"compute/rows": 1000.0})
    made_up.add(100.0, **threshold(0.9), **{"compute/nfe": 7.5, "predicted/latency_ms": 50.0})
    tables.write(made_up.decoders, tmp_path)
    text = (tmp_path / "decoders.tex").read_text()
    counts, times = text.split("\\label{tab:decoders_counts}")[1].split("\\label{tab:decoders_cost}")
    assert "1, -, 32, 16 & 32.0 & 32.0 & 1,000 & 1,000 & yes & 400.0" in counts
    assert "threshold" not in counts  # its steps are not known beforehand
    assert "1, -, 32, 16 & 100.0 & 400.0 & 4.00" in times
    assert "threshold 0.9 & 1, -, 32, 16 & 50.0 & 100.0 & 2.00" in times
    assert "rows are exactly those that were counted in 1." in text
    numbers = decoder_numbers.numbers(made_up.decoders)
    found = {name: numbers[f"decoders.cost.{name}"]["value"] for name in ("planned_runs", "equal_runs", "ratio_median")}
    assert found == {"planned_runs": 1, "equal_runs": 1, "ratio_median": 3}


def test_every_number_has_a_name_and_the_runs_behind_it(of_tasks):
    numbers = decoder_numbers.numbers(of_tasks)
    both = f"{TASKS}.threshold-0.9-dual-cache-block"
    assert numbers[f"{both}.speedup"]["value"] == pytest.approx(400 / 120)
    assert len(numbers[f"{both}.speedup"]["runs"]) == 2
    assert numbers[f"{both}.accuracy.many_answers.is_within"]["value"] == 1
    assert numbers[f"{TASKS}.threshold-0.5.accuracy.many_answers.is_within"]["value"] == 0
    assert numbers[f"{TASKS}.best.all.speedup"]["value"] == pytest.approx(400 / 120)
    assert numbers[f"{TASKS}.interaction.threshold-0.9.dual-cache-block"]["value"] == pytest.approx(5 / 6)
    assert numbers[f"{TASKS}.aup.threshold.one_answer"]["value"] > 2 * 90
    assert numbers[f"{TASKS}.llama.latency_ms"]["value"] == 200
    assert f"{TASKS}.llama.speed_over_autoregressive" not in numbers
    assert f"{TASKS}.fixed-32-steps.speedup" not in numbers  # vanilla over itself


def test_two_prompt_sets_of_one_shape_have_names_of_their_own():
    made_up = made_up_decoders.tasks_study()
    made_up.rows += [row | {"prompt_hash": "another"} for row in made_up.rows]
    names = decoder_numbers.names_of_places(made_up.decoders.places)
    assert len(set(names)) == 2


def test_the_names_of_sampled_answers_say_at_which_temperature():
    made_up = made_up_decoders.tasks_study()
    made_up.rows = [row | {"temperature": temperature} for temperature in ("1.0", "0.0") for row in made_up.rows]
    assert decoder_numbers.names_of_places(made_up.decoders.places) == [TASKS, f"{TASKS}.t1"]


def test_a_figure_of_each_kind_is_drawn_for_what_there_is(tmp_path):
    write_drawings(decoder_drawings(both_studies()), tmp_path / "scored")
    drawn = {file.stem for file in (tmp_path / "scored").iterdir()}
    assert drawn == {"decoders_pareto", "decoders_lost", "decoders_parallelism"}
    write_drawings(decoder_drawings(made_up_decoders.shapes_study().decoders), tmp_path / "timed")
    assert {file.stem for file in (tmp_path / "timed").iterdir()} == {"decoders_rate"}


def test_what_is_lost_is_drawn_apart_for_each_kind_of_task_and_for_texts():
    figure = figures.lost(both_studies())
    assert [axes.get_title() for axes in figure.axes] == [
        "one right answer",
        "many right answers",
        "open-ended answers",
    ]
    assert figure.axes[2].get_ylabel() == "BERTScore F1 less vanilla's"
    margins = [axes.lines[0].get_ydata()[0] for axes in figure.axes]
    assert margins == [-0.05, -0.05, -0.02]
    plt.close(figure)


def test_the_reference_of_the_areas_is_vanillas_accuracy(of_tasks):
    figure = figures.parallelism(of_tasks)
    levels = [line.get_ydata()[0] for axes in figure.axes for line in axes.lines if line.get_linestyle() == "--"]
    assert levels == [pytest.approx(90), pytest.approx(90)]
    plt.close(figure)


def test_a_panel_for_each_batch_and_llama_beside_each():
    figure = decoder_rates.rate(made_up_decoders.shapes_study().decoders)
    assert [axes.get_title() for axes in figure.axes] == [f"batch {n}, prompts of 128" for n in (1, 8, 32)]
    assert all(len(axes.lines) == 4 for axes in figure.axes)  # three caches and LLaMA
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["no cache", "dual cache (answer)", "dual cache (block)", "LLaMA"]
    plt.close(figure)


def test_a_cache_looks_alike_wherever_others_are_missing():
    """The first place has no cache that refreshes the answer alone."""
    decoders = made_up_decoders.shapes_study().decoders
    first, *others = decoders.places
    fewer = replace(first, lines=tuple(line for line in first.lines if "answer" not in line.name))
    decoders = replace(decoders, places=(fewer, *others))
    figure = decoder_rates.rate(decoders)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["no cache", "dual cache (answer)", "dual cache (block)", "LLaMA"]
    plt.close(figure)
    [on_page] = [drawn for drawn in of_decoders.figures(decoders) if drawn.name == "decoders_rate"]
    colors = [{trace["name"]: trace["line"]["color"] for trace in panel.traces} for panel in on_page.panels]
    assert [len(panel) for panel in colors] == [2, 3, 3]
    assert colors[0].items() < colors[1].items() == colors[2].items()


@pytest.mark.parametrize("draw", [figures.pareto, figures.lost, figures.parallelism], ids=lambda draw: draw.__name__)
def test_legends_cover_no_axes(draw):
    figure = draw(both_studies())
    figure.canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert all(box.y1 <= axes.get_tightbbox().y0 + 1 for axes in figure.axes)
    plt.close(figure)


def test_the_place_with_most_decoders_stands_for_its_kind():
    made_up = made_up_decoders.tasks_study()
    small = made_up_decoders.MadeUp(block_length=32)
    small.add(400.0)
    small.add(200.0, **threshold(0.9))
    made_up.rows += small.rows
    made_up.values |= small.values
    [place] = main_places(made_up.decoders)
    assert place.first["block_length"] == 16
    assert titles(made_up.decoders)["title_decoders"].startswith("200 tasks, 32 tokens, blocks of 16")


def test_a_place_at_which_every_run_failed_has_no_line_and_no_figure(tmp_path):
    made_up = MadeUp()
    made_up.add(1.0, **threshold(0.7), outcome="oom", message="no room")
    tables.write(made_up.decoders, tmp_path)
    assert "1 oom" in (tmp_path / "decoders.tex").read_text()
    write_drawings(decoder_drawings(made_up.decoders), tmp_path / "figures")
    assert list((tmp_path / "figures").iterdir()) == []
    assert decoder_numbers.numbers(made_up.decoders) == {}
