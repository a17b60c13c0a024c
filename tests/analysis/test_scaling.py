"""What is said of scaling groups, on a made-up study whose times follow a rule: no MLflow, no models."""

import json
import re

import pandas as pd
import pytest

from bench.analysis import comparison, scaling
from bench.render import scaling as render_scaling
from bench.render import wording
from paper.figures import scaling as figures_scaling
from paper.tables import scaling as tables_scaling

ROUNDS = (1, 2)
BASE = {
    "pair": "pocket", "dtype": "float32", "platform": "cpu", "device": "a CPU", "outcome": "ok", "verdict": "unknown",
    "engine": "eager", "block_length": 16, "prompt_tokens": 32, "gen_length": 64, "batch_size": 1, "weights": "trained",
    "temperature": "0.0", "flags": "", "message": "",
}  # fmt: skip


def run(kind: str, model: str, latency_ms: float, **changes) -> dict:
    """A run; its throughput follows from its latency."""
    row = BASE | {"kind": kind, "model": model} | changes
    row["run_id"] = json.dumps([kind, model, sorted((k, str(v)) for k, v in changes.items())])
    if row["outcome"] == "ok":
        row["latency/latency_ms"] = latency_ms
        row["throughput/tokens_per_s"] = 1e3 * row["gen_length"] * row["batch_size"] / latency_ms
        row["latency/step_ms"] = latency_ms / row.get("steps", 64)
        row["memory/resident_gib"], row["memory/weights_gib"] = 0.5 + row["batch_size"] / 100, 0.1
    return row


def batch_study() -> list[dict]:
    """LLaMA's call takes 64 + batch ms, a step of LLaDA's 4 batch ms, 16 and 64 of them."""
    rows = []
    for batch in (1, 8):
        rows.append(run("batch", "llama", 64 + batch, batch_size=batch, tokens_timed=16))
        rows += [run("batch", "llada", s * 4 * batch, batch_size=batch, steps=s, steps_timed=4) for s in (64, 16)]
    rows.append(run("batch", "llada", 16 * 4 / 1.25, steps=16))  # whole: the part says 1.25 times as much
    rows.append(run("batch", "llada", 0, batch_size=32, steps=16, outcome="oom", message="no room"))
    return rows


@pytest.fixture
def study(monkeypatch):
    """Scaling groups of some rows; every round of a run has its mean."""

    def groups(rows: list[dict]) -> dict[str, scaling.Scaling]:
        by_id = {row["run_id"]: row for row in rows}

        def history(run_id, name):
            value = by_id[run_id].get(name.removeprefix("rounds/"))
            return {} if value is None else dict.fromkeys(ROUNDS, value)

        monkeypatch.setattr(comparison.tracking, "history", history)
        return {found.kind: found for found in scaling.scalings(pd.DataFrame(rows))}

    return groups


def test_a_whole_run_stands_for_its_part_and_tells_what_the_shortcut_is_worth(study):
    found = study(batch_study())["batch"]
    assert len(found.rows) == 6
    assert len(found.parts) == 1
    [check] = scaling.shortcuts(found)
    assert (check.model, check.words, check.latency.value) == ("LLaDA", "4 of 16 steps", pytest.approx(1.25))
    assert check.peak.value == 1


def test_throughput_is_compared_in_the_same_place(study):
    found = study(batch_study())["batch"]
    ratios = {
        (row["batch_size"], row["steps"]): scaling.ratio(found, row).value
        for _, row in found.rows[found.rows["model"] == "llada"].iterrows()
    }
    assert ratios[1, 64] == pytest.approx(65 / 256)
    assert ratios[8, 16] == pytest.approx(72 / (16 * 32))
    assert all(scaling.ratio(found, row) is None for _, row in found.rows[found.rows["model"] == "llama"].iterrows())


def test_time_breaks_even_where_steps_in_proportion_take_as_long_as_llama(study):
    rows = [row for row in batch_study() if {"steps_timed", "tokens_timed"} & set(row)]
    found = study(rows)["batch"]
    assert [(run["batch_size"], run["steps"], even.value) for run, even in scaling.break_evens(found)] == [
        (1, 16, pytest.approx(16.25)), (8, 16, pytest.approx(2.25)),
    ]  # fmt: skip
    assert "Time: LLaDA takes as long as LLaMA with 16 steps at batch 1, " in "".join(render_scaling.sentences(found))


def test_engines_are_never_mixed(study):
    rows = [run("batch", "llama", 50, engine="captured"), run("batch", "llada", 100, steps=16)]
    found = study(rows)["batch"]
    assert scaling.break_evens(found) == []
    assert all(scaling.ratio(found, row) is None for _, row in found.rows.iterrows())


def test_machines_and_limits_are_groups_of_their_own():
    rows = [
        run("batch", "llama", 50),
        run("batch", "llama", 50, device="another"),
        run("batch", "llama", 5, limit_gib="2"),
    ]
    assert len(scaling.scalings(pd.DataFrame(rows))) == 3


def test_names_say_what_differs(study):
    rows = [
        run("attention", "llama", 5),
        run("attention", "llada", 5, steps=16, head="lean"),
        run("attention", "llada", 5, steps=16, head="lean", attention="math"),
    ]
    found = study(rows)["attention"]
    assert list(found.rows["name"]) == ["LLaMA", "LLaDA, fused attention", "LLaDA, math attention"]
    assert found.title == "attention: batch 1, prompts of 32, float32, eager engine, lean head"


def test_the_table_has_failures_in_their_place_and_says_what_is_extrapolated(study):
    found = study(batch_study())["batch"]
    table = render_scaling.table(found)
    assert list(table["batch"]) == ["1", "1", "1", "8", "8", "8", "32"]
    assert list(table["model"].head(3)) == ["llama", "llada", "llada"]
    assert list(table["note"]) == [
        "extrapolated from 16 tokens", "extrapolated from 4 steps", "", "extrapolated from 16 tokens",
        "extrapolated from 4 steps", "extrapolated from 4 steps", "oom: no room",
    ]  # fmt: skip
    assert table["latency ms"].iloc[-1] == "-"
    assert render_scaling.sentences(found)[-1] == "Left out: 1 of 7 runs (1 oom)."


def memory_study() -> list[dict]:
    rows = [
        run("memory", "llama", 1, batch_size=batch, gen_length=length, tokens_timed=4)
        for batch in (1, 8)
        for length in (64, 256)
    ]
    rows.append(run("memory", "llada", 1, steps=64, head="lean"))
    rows.append(run("memory", "llada", 1, steps=256, head="lean", batch_size=8, gen_length=256, outcome="oom"))
    for row in rows:
        row.pop("latency/latency_ms", None)
        row.pop("throughput/tokens_per_s", None)
    return rows


def test_the_memory_map_shows_peaks_failures_and_what_is_missing(study):
    found = study(memory_study())["memory"]
    assert render_scaling.map_table(found, "LLaMA").to_numpy().tolist() == [["0.51", "0.51"], ["0.58", "0.58"]]
    llada = render_scaling.map_table(found, "LLaDA")
    assert llada.to_dict() == {
        "64 tokens": {"batch 1": "0.51", "batch 8": "-"},
        "256 tokens": {"batch 1": "-", "batch 8": "oom"},
    }
    assert "extrapolated" not in "\n".join(render_scaling.lines(found))


def probes(model: str, *tries: tuple[int, str], **more) -> list[dict]:
    return [run("frontier", model, 1, batch_size=batch, outcome=outcome, **more) for batch, outcome in tries]


def test_the_frontier_is_what_fits_and_what_does_not(study):
    rows = probes("llama", (1, "ok"), (8, "ok"), (64, "ok"), (65, "oom"), (70, "oom"))
    rows += probes("llada", (1, "ok"), (8, "oom"), steps=64) + probes("llada", (1, "oom"), steps=256, gen_length=256)
    one, two, three = scaling.edges(study(rows)["frontier"])
    assert (one.fits, one.fails, one.is_found, one.peak_gib) == (64, 65, True, pytest.approx(1.14))
    assert (two.fits, two.fails, two.is_found) == (1, 8, False)
    assert (three.gen_length, three.fits, three.fails, three.is_found) == (256, None, 1, True)
    table = render_scaling.edge_table(study(rows)["frontier"])
    assert list(table["largest batch that fits"]) == ["64", "1", "none seen"]
    assert "reserved then" not in table  # a CPU's allocator is not asked
    assert render_scaling.sentences(study(rows)["frontier"]) == []


def test_the_frontier_shows_what_the_allocator_held_where_it_tells(study):
    on_gpu = {"memory/allocated_gib": 63.3, "memory/reserved_gib": 78.2}
    found = study(probes("llada", (224, "ok"), steps=64, **on_gpu) + probes("llada", (231, "oom"), steps=64))
    table = render_scaling.edge_table(found["frontier"])
    assert table[["its peak GiB", "reserved then"]].to_numpy().tolist() == [["63.30", "78.20"]]


def everything() -> list[dict]:
    rows = batch_study() + memory_study()
    rows += [run("length", "llama", 10 * n, gen_length=n) for n in (64, 256)]
    rows += [run("length", "llada", n * s, gen_length=n, steps=s) for n in (64, 256) for s in (n, n // 4)]
    rows += [run("prompt", "llama", 10 + n, prompt_tokens=n) for n in (32, 512)]
    rows += [run("attention", "llada", 5, steps=16, attention=kind) for kind in (None, "math")]
    rows += [run("engines", "llada", 5, steps=16, head=head) for head in (None, "lean")]
    rows += [run("values", "llada", 5, steps=16, fill=fill) for fill in (None, "zero")]
    return rows + probes("llama", (1, "ok"), (2, "oom"))


def test_every_figure_is_drawn_and_every_table_written_with_its_label(study, tmp_path):
    found = study(everything())
    assert set(found) == set(scaling.AXES)
    for name, (kind, draw) in figures_scaling.FIGURES.items():
        figure = draw(found[kind])
        assert figure is not None, name
        assert figure.axes[0].has_data(), name
        figures_scaling.plt.close(figure)
    tables_scaling.write(found, tmp_path)
    for kind in scaling.AXES:
        text = (tmp_path / f"scaling_{kind}.tex").read_text()
        assert "a CPU: nothing vouches" in text
    assert "oom: no room" in (tmp_path / "scaling_batch.tex").read_text()
    assert re.search(r"& 4 steps &.* all &", (tmp_path / "scaling_batch.tex").read_text(), re.DOTALL)
    assert "Times are extrapolated" in (tmp_path / "scaling_batch.tex").read_text()
    assert "latency 1.25" in (tmp_path / "scaling_batch.tex").read_text()


@pytest.mark.parametrize("kind", list(scaling.AXES))
def test_a_kind_whose_every_run_failed_stands_in_the_table_and_draws_nothing_wrong(kind, study, tmp_path):
    found = study([run(kind, "llada", 1, steps=16, outcome="oom", message="no room")])
    tables_scaling.write(found, tmp_path)
    assert (
        ("oom" if kind == "memory" else "does not")
        if kind in ("memory", "frontier")
        else "no room" in (tmp_path / f"scaling_{kind}.tex").read_text()
    )
    for drawn_kind, draw in figures_scaling.FIGURES.values():
        if drawn_kind == kind:
            assert draw(found[kind]) is None
    assert render_scaling.lines(found[kind])
    assert tables_scaling.numbers(found) == {}


def test_what_was_not_measured_says_so(tmp_path):
    tables_scaling.write({}, tmp_path)
    for kind in scaling.AXES:
        assert "not measured" in (tmp_path / f"scaling_{kind}.tex").read_text()


def test_numbers_are_named_by_what_and_where(study):
    found = tables_scaling.numbers(study(batch_study()))
    value, metric, runs = found["batch.llada.64.official.eager.b8.l64.p32.latency_ms"]
    assert (value.value, metric, len(runs)) == (64 * 32, "latency/latency_ms", 1)
    assert found["batch.shortcut.llada.latency_ratio"][0].value == pytest.approx(1.25)
    assert "batch.llada.official.eager.b8.l64.p32.break_even_steps" in found


def test_a_prediction_never_takes_a_measurements_name(study):
    rows = [row | {"predicted/latency_ms": 1.0} for row in batch_study()]
    found = tables_scaling.numbers(study(rows))
    assert found["batch.llada.64.official.eager.b8.l64.p32.latency_ms"][0].value == 64 * 32
    assert found["batch.llada.64.official.eager.b8.l64.p32.predicted_latency_ms"][0].value == 1.0


def test_a_memory_map_shows_every_place_of_every_line(study):
    rows = memory_study()
    apart = dict(rows[0], run_id="apart", model="llada", steps=64, head="lean", batch_size=64, gen_length=4096)
    found = study([*rows, apart])["memory"]
    names, figure = render_scaling.names(found), figures_scaling.memory_map(found)
    shown = [text.get_text() for axes in figure.axes[: len(names)] for text in axes.texts]
    values = [value for name in names for value in render_scaling.map_table(found, name).to_numpy().ravel()]
    assert [value for value in sorted(shown) if value[0].isdecimal()] == sorted(v for v in values if v[0].isdecimal())


def test_the_split_of_the_peak_adds_up(study):
    rows = memory_study()
    for row in rows:
        row |= {"predicted/kv_cache_gib": 0.2, "predicted/activations_gib": 0.1, "predicted/logits_gib": 0.05}
    figure = figures_scaling.memory_split(study(rows)["memory"])
    ends = {round(bar.get_x() + bar.get_width(), 6) for bar in figure.axes[0].patches}
    assert max(ends) == pytest.approx(0.58)
    words = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert (words[0], len(words)) == ("weights", 5)
    figures_scaling.plt.close(figure)


def test_notes_of_peaks_and_whole_runs_say_nothing_of_extrapolation():
    assert wording.part_words(pd.Series({"steps_timed": 4.0, "latency/latency_ms": 3.0})) == "extrapolated from 4 steps"
    assert wording.part_words(pd.Series({"steps_timed": 4.0})) == ""
    assert wording.part_words(pd.Series({"latency/latency_ms": 3.0})) == ""


def test_weights_of_other_values_are_compared_with_the_models_own(study):
    card = {"energy/power_w": 600.0, "compute/sm_clock_mhz": 1500.0}
    own = run("values", "llada", 10, steps=16, **card) | {"latency/step_ms": 10.0}
    zero = run("values", "llada", 8, steps=16, fill="zero") | {"latency/step_ms": 8.0}
    zero |= {"energy/power_w": 400.0, "compute/sm_clock_mhz": 1980.0}
    found = study([own, zero])["values"]
    [(other, ratio)] = scaling.beside_own(found)
    assert (other["fill"], ratio.value) == ("zero", pytest.approx(0.8))
    said = "".join(render_scaling.sentences(found))
    assert "over the model's own weights, zero 0.80 [0.80, 0.80] (600 to 400 W, 1500 to 1980 MHz)." in said
    assert scaling.beside_own(study([zero])["values"]) == []  # nothing to compare with
