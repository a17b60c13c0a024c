"""Scaling groups in the report: figures, tables and numbers of made-up studies."""

import re

import matplotlib.pyplot as plt
import pytest

from bench.analysis.scaling import AXES
from bench.render import scaling as render_scaling
from paper.figures import engines as figures_engines
from paper.figures import memory as figures_memory
from paper.figures import scaling as figures_scaling
from paper.sentences import resources
from paper.tables import scaling as tables_scaling
from tests.support.made_up_scaling import batch_study, everything, groups_of, memory_study, probes, run

FIGURES = figures_scaling.FIGURES | figures_engines.FIGURES | figures_memory.FIGURES


def test_every_figure_is_drawn_and_every_table_written_with_its_label(tmp_path):
    groups = groups_of(everything())
    assert set(groups) == set(AXES)
    for name, (kind, draw) in FIGURES.items():
        figure = draw(groups[kind])
        assert figure is not None, name
        assert figure.axes[0].has_data(), name
        plt.close(figure)
    tables_scaling.write(groups, tmp_path)
    for kind in AXES:
        text = (tmp_path / f"scaling_{kind}.tex").read_text()
        assert "a CPU: nothing vouches" in text
    text = (tmp_path / "scaling_batch.tex").read_text()
    assert "oom: no room" in text
    assert re.search(r"textsuperscript\{[a-z]\} extrapolated from 4 of 64 steps", text)
    assert "Times are extrapolated" in text
    assert "latency 1.25" in text


@pytest.mark.parametrize("kind", list(AXES))
def test_a_kind_whose_every_run_failed_stands_in_the_table_and_draws_nothing_wrong(kind, tmp_path):
    groups = groups_of([run(kind, "llada", 1, steps=16, outcome="oom", message="no room")])
    tables_scaling.write(groups, tmp_path)
    text = (tmp_path / f"scaling_{kind}.tex").read_text()
    assert {"memory": "oom", "frontier": "does not"}.get(kind, "no room") in text
    for drawn_kind, draw in FIGURES.values():
        if drawn_kind == kind:
            assert draw(groups[kind]) is None
    assert tables_scaling.numbers(groups) == {}


def test_what_was_not_measured_has_no_table(tmp_path):
    tables_scaling.write({}, tmp_path)
    for kind in AXES:
        assert (tmp_path / f"scaling_{kind}.tex").read_text() == ""


def test_numbers_are_named_by_what_and_where():
    numbers = tables_scaling.numbers(groups_of(batch_study()))
    latency = numbers["batch.llada.64.official.eager.b8.l64.p32.latency_ms"]
    assert (latency["value"], latency["unit"], len(latency["runs"])) == (64 * 32, "ms", 1)
    assert numbers["batch.shortcut.llada.latency_ratio"]["value"] == pytest.approx(1.25)
    assert "batch.llada.official.eager.b8.l64.p32.break_even_steps" in numbers


def test_a_prediction_never_takes_a_measurements_name():
    rows = [row | {"predicted/latency_ms": 1.0} for row in batch_study()]
    numbers = tables_scaling.numbers(groups_of(rows))
    assert numbers["batch.llada.64.official.eager.b8.l64.p32.latency_ms"]["value"] == 64 * 32
    assert numbers["batch.llada.64.official.eager.b8.l64.p32.predicted_latency_ms"]["value"] == 1.0


def test_a_memory_map_shows_every_place_of_every_line():
    rows = memory_study()
    apart = dict(rows[0], run_id="apart", model="llada", steps=64, head="lean", batch_size=64, gen_length=4096)
    scaling = groups_of([*rows, apart])["memory"]
    lines = render_scaling.lines_in_order(scaling)
    figure = figures_memory.memory_map(scaling)
    drawn = [text.get_text() for axes in figure.axes[: len(lines)] for text in axes.texts]
    values = [value for line in lines for value in render_scaling.map_table(scaling, line).to_numpy().ravel()]
    assert sorted(text for text in drawn if text[0].isdecimal()) == sorted(v for v in values if v[0].isdecimal())
    plt.close(figure)


def test_the_split_of_the_peak_adds_up():
    rows = memory_study()
    for row in rows:
        row |= {"predicted/kv_cache_gib": 0.2, "predicted/activations_gib": 0.1, "predicted/logits_gib": 0.05}
    figure = figures_memory.memory_split(groups_of(rows)["memory"])
    ends = {round(bar.get_x() + bar.get_width(), 6) for axes in figure.axes for bar in axes.patches}
    assert max(ends) == pytest.approx(0.58)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert (words[0], len(words)) == ("weights", 5)
    plt.close(figure)


def test_the_largest_batch_is_said_with_limit_and_allocator():
    on_gpu = {
        "platform": "cuda",
        "verdict": "exclusive",
        "limit_gib": 24.0,
        "env.allocator": "expandable_segments:True",
    }
    rows = probes("llama", (8, "ok"), (9, "oom"), **on_gpu) + probes("llada", (8, "ok"), steps=64, **on_gpu)
    rows += probes("llada", (1, "oom"), steps=256, gen_length=256, **on_gpu)
    scaling = groups_of(rows)["frontier"]
    sentence = resources.edges(scaling, tables_scaling.numbers({"frontier": scaling}))
    names = [f"\\num{{frontier.{model}.l64.largest_batch}}" for model in ("llama", "llada")]
    assert sentence == (
        r"The largest batch that fits within 24 GiB (torch's allocator expandable\_segments:True) is,"
        f" with 64 tokens {names[0]} for LLaMA and {names[1]} or more for LLaDA; with 256 tokens none for LLaDA."
    )
    assert resources.edges(None, {}) == ""
