"""What holds of every figure: letters that copy, bars from zero, labels apart, legends off the data."""

import shutil
import subprocess
from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from bench.analysis.hypotheses import Result, Score
from bench.analysis.hypotheses_file import Claim
from bench.analysis.scaling import Scaling
from bench.common.stats import Estimate
from paper.figures import comparison, energy, engines, memory, noise, predictions, scaling
from paper.figures.labels import label_points
from paper.figures.style import apply_theme
from paper.figures.write import scaling_drawings, write_drawings
from tests.support.made_up_comparison import MadeUp
from tests.support.made_up_noise import judged, twins
from tests.support.made_up_scaling import batch_study, everything, groups_of, memory_study, run


@pytest.fixture(autouse=True)
def theme():
    apply_theme()
    yield
    plt.close("all")


def overlapping(texts) -> list[tuple[str, str]]:
    """The pairs of some texts that cover each other."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    return [
        (one, other)
        for number, (one, box) in enumerate(boxes)
        for other, other_box in boxes[number + 1 :]
        if box.overlaps(other_box)
    ]


def test_labels_of_points_that_meet_do_not_cover_each_other():
    figure, axes = plt.subplots(figsize=(3, 2), layout="constrained")
    places = [(1.0, 1.0, "first"), (1.01, 1.0, "second"), (1.0, 1.02, "third"), (5.0, 3.0, "far")]
    axes.plot(*zip(*[place[:2] for place in places], strict=True), "o")
    notes = label_points(axes, places)
    figure.draw_without_rendering()
    assert [note.get_text() for note in notes] == ["first", "second", "third", "far"]
    assert overlapping(notes) == []


def test_the_bars_of_throughput_start_at_zero_on_a_linear_axis():
    figure = scaling.along_axis(groups_of(batch_study())["batch"])
    axes = figure.axes[0]
    assert axes.get_yscale() == "linear"
    assert axes.get_ylim()[0] == 0
    heights = [bar.get_height() for bar in axes.patches]
    assert max(heights) < axes.get_ylim()[1]
    assert all(bar.get_y() == 0 for bar in axes.patches)


def test_bars_that_are_extrapolated_are_white():
    figure = scaling.along_axis(groups_of(batch_study())["batch"])
    whites = [bar.get_facecolor() == to_rgba("white") for bar in figure.axes[0].patches]
    assert True in whites  # parts of calls
    assert False in whites  # the one that was run whole


def test_no_legend_lies_over_data():
    for name, _, draw in scaling_drawings(groups_of(everything())):
        figure = draw()
        figure.draw_without_rendering()
        assert all(axes.get_legend() is None for axes in figure.axes), name
        boxes = [axes.get_window_extent() for axes in figure.axes]
        for legend in figure.legends:
            assert not any(legend.get_window_extent().overlaps(box) for box in boxes), name


def test_the_legend_of_the_parts_of_memory_lies_within_the_figure():
    """Of the resident memory of which nothing is predicted the rest has a long name."""
    figure = memory.memory_split(groups_of(memory_study())["memory"])
    figure.draw_without_rendering()
    [legend] = figure.legends
    assert legend.get_window_extent().x0 >= 0
    assert legend.get_window_extent().x1 <= figure.bbox.x1
    plt.close(figure)


def test_out_of_memory_is_drawn_otherwise_than_what_nobody_ran_or_what_failed_otherwise():
    rows = memory_study()
    place = {"head": "lean", "batch_size": 8}
    rows.append(run("memory", "llada", 1, steps=64, outcome="timeout", message="too long", **place))
    figure = memory.memory_map(groups_of(rows)["memory"])
    [panel] = [axes for axes in figure.axes if "OOM" in {text.get_text() for text in axes.texts}]
    places = [patch for patch in panel.patches if isinstance(patch, Rectangle)]
    words = [text.get_text() for text in panel.texts if not text.get_text().replace(".", "").isdecimal()]
    looks = {
        word: (patch.get_facecolor(), patch.get_hatch())
        for word, patch in zip(filter(None, words), places, strict=True)
    }
    assert set(looks) == {"OOM", "timeout", "·"}
    assert len(set(looks.values())) == 3
    assert looks["OOM"][0] == to_rgba("black")
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == ["ran out of memory", "not measured", "failed otherwise, or excluded"]


def test_both_models_of_an_engine_stand_side_by_side():
    rows = []
    for engine, pace in (("eager", 10), ("captured", 1)):
        rows.append(run("engines", "llama", 640 * pace, engine=engine))
        rows += [
            run("engines", "llada", 16 * step * pace, steps=16, engine=engine, head=head)
            for head, step in (("lean", 20), ("official", 30))
        ]
    scaling_group = groups_of(rows)["engines"]
    names = [row.name for row in engines.rows_of(scaling_group)]
    group = ["LLaMA", "LLaDA, lean head", "LLaDA, official head"]
    assert names == ["captured, batch 1", *group, "eager, batch 1", *group]
    figure = engines.engines(scaling_group)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == names
    assert figure.axes[0].get_xlim()[0] == 0


def test_an_interval_from_few_rounds_does_not_dwarf_the_times_of_the_engines(monkeypatch):
    endless = {"latency/step_ms_ci_low": 0.1, "latency/step_ms_ci_high": 900.0}
    rows = [run("engines", "llama", 640) | endless, run("engines", "llada", 320, steps=16, head="lean")]
    [(llada, break_even)] = groups_of(rows)["engines"].break_evens
    wide = replace(break_even, low=break_even.value / 50, high=50 * break_even.value)
    monkeypatch.setattr(Scaling, "break_evens", [(llada, wide)])
    time, steps = engines.engines(groups_of(rows)["engines"]).axes
    assert 20 < time.get_xlim()[1] < 40  # the larger of the times is 20 ms
    assert time.texts[0].xy[0] == pytest.approx(engines.WIDEST_INTERVAL * 20)
    widest = break_even.value / engines.WIDEST_BAND, break_even.value * engines.WIDEST_BAND
    assert steps.get_xlim() == pytest.approx(widest)


@pytest.mark.skipif(not shutil.which("pdffonts"), reason="no pdffonts here")
def test_the_letters_of_every_figure_are_outlines_with_their_characters(tmp_path):
    write_drawings(scaling_drawings(groups_of(everything())), tmp_path)
    files = sorted(tmp_path.glob("*.pdf"))
    assert len(files) >= 7
    for file in files:
        listed = subprocess.run(["pdffonts", file], capture_output=True, text=True, check=True).stdout
        fonts = listed.splitlines()[2:]
        assert fonts, file.name
        assert all("TrueType" in font for font in fonts), listed  # Type 42 and CID, never the bitmaps of Type 3
        assert "Type 3" not in listed


def test_the_noise_shows_each_round_and_the_level_between_them():
    rows = [*twins("captured", a=[100.0, 121.0], b=[100.0, 100.0]), *twins("eager", model="llama", a=[80.0], b=[100.0])]
    figure = noise.noise(judged(rows).sentinels)
    ratios, levels = figure.axes
    assert [label.get_text() for label in ratios.get_yticklabels()] == ["LLaMA, eager", "LLaDA, captured"]
    drawn = [list(line.get_xdata()) for line in ratios.lines if line.get_label() == "a round"]
    assert drawn == [[0.8], [1.0, 1.21]]
    moved = [list(line.get_ydata()) for line in levels.lines if len(line.get_xdata()) == 2 and line.get_marker() == "s"]
    assert moved == [[pytest.approx(100 / 105), pytest.approx(110 / 105)]]
    assert noise.noise(judged(twins("eager", outcome="oom")).sentinels) is None


def test_energy_is_drawn_with_the_steps_at_which_it_breaks_even():
    made_up = MadeUp()
    whole = made_up.comparison((500, 0.4), {4: (80, 0.2), 16: (320, 0.3)})
    assert energy.energy(whole) is None  # no card told its energy
    joules = whole.rows.assign(**{"energy/j": [200.0, 40.0, 160.0], "energy/power_w": [300.0, 400.0, 500.0]})
    for _, row in joules.iterrows():
        made_up.histories[row["run_id"], "rounds/energy/j"] = dict.fromkeys((1, 2, 3), row["energy/j"])
    [comparison] = made_up.comparisons(joules)
    figure = energy.energy(comparison)
    assert [axes.get_ylabel() for axes in figure.axes] == ["energy of one answer (J)", "power drawn (W)"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["20 steps"]  # 10 J a step
    assert figure.axes[1].get_ylim()[0] == 0


def test_predictions_show_measured_over_predicted_and_what_became_of_each():
    claim = Claim(quantity="largest_batch", model="llama", gen_length=2048, value=10.0, factor=1.1)
    results = [Result(claim, Estimate(10.5)), Result(claim, Estimate(7.0)), Result(claim, None)]
    figure = predictions.predictions([Score("H3", "Memory.", results)])
    [axes] = figure.axes
    assert [text.get_text() for text in axes.texts] == ["1.05", "0.70"]  # what was not measured has no line
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == ["met", "not met", "tolerance stated beforehand"]
    assert predictions.predictions([Score("H3", "Memory.", results[2:])]) is None


def test_no_label_of_a_point_or_bar_covers_another():
    for name, _, draw in scaling_drawings(groups_of(everything())):
        figure = draw()
        figure.draw_without_rendering()
        assert all(overlapping(axes.texts) == [] for axes in figure.axes), name


def test_steps_of_the_pareto_figure_cover_neither_each_other_nor_the_star():
    close = {4: (490, 0.40), 8: (500, 0.405), 16: (515, 0.41), 32: (2000, 0.42)}
    figure = comparison.pareto(MadeUp().comparison((500, 0.4), close))
    figure.draw_without_rendering()
    [axes] = figure.axes
    assert sorted(text.get_text() for text in axes.texts) == ["16", "32", "4", "8"]
    assert overlapping(axes.texts) == []
    star = axes.transData.transform((500, 0.4))
    assert not any(text.get_window_extent().contains(*star) for text in axes.texts)
