"""Borrowed quality and the ledger in the report: what is written, and that each number is the file's or the study's."""

import gzip
import json

import pytest

from bench.analysis import published
from bench.analysis.borrowed import borrowed_of
from bench.analysis.ledger import ledger_of
from bench.common import stats
from bench.spec.pair import read_pair
from paper.figures import borrowed as figures
from paper.tables import borrowed as borrowed_tables
from paper.tables import ledger as ledger_tables
from tests.analysis.test_borrowed import NOTHING
from tests.conftest import GOLDEN
from tests.support.made_up_published import CLAIM, LLADA, LLAMA, STEP_MS, about, sweep

ABOUT = published.read()
RECORDED = json.loads(gzip.decompress((GOLDEN / "h100-8b-shapes-results.json.gz").read_bytes()))
PAIR = read_pair("8b-shapes")


def parts(folder, step_ms: float = STEP_MS, **changes):
    """Borrowed quality and ledger of a made-up study."""
    comparisons = [sweep(step_ms)]
    stated = about(folder, **changes)
    return borrowed_of(PAIR, NOTHING, comparisons, [], stated), ledger_of(PAIR, "H100", comparisons, [], {}, stated)


def written(folder, name: str, **changes) -> dict[str, str]:
    """What is written of a made-up study, by file."""
    build = folder / name
    build.mkdir()
    borrowed, ledger = parts(folder, **changes)
    borrowed_tables.write(borrowed, build)
    ledger_tables.write(ledger, build)
    return {file.stem: file.read_text() for file in build.glob("*.tex")}


def test_each_section_stands_by_itself_and_follows_file_and_study(tmp_path):
    first = written(tmp_path, "first")
    assert set(first) == {"borrowed", "borrowed_appendix", "ledger", "ledger_appendix"}
    assert all(text.startswith(r"\section{") for text in first.values())
    slower = written(tmp_path, "slower", step_ms=2 * STEP_MS)
    other = written(tmp_path, "other", accuracies={"llama": LLAMA, "llada": LLADA | {"percent": 78.0}})
    claimed = written(tmp_path, "claimed", claims={"fast": CLAIM | {"value": 1.6}})
    assert all(first[name] != slower[name] for name in first if name != "ledger")
    assert first["borrowed"] != other["borrowed"]
    assert first["borrowed_appendix"] != other["borrowed_appendix"]
    assert first["ledger_appendix"] == other["ledger_appendix"]
    assert first["ledger_appendix"] != claimed["ledger_appendix"]


def test_nothing_is_written_where_there_is_nothing_to_say(tmp_path):
    borrowed_tables.write(None, tmp_path)
    ledger_tables.write([], tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert figures.borrowed_quality(None) is None
    assert borrowed_tables.numbers(None) == ledger_tables.numbers([]) == {}


def test_a_claim_of_which_nothing_was_run_has_a_blank_row(tmp_path):
    text = written(tmp_path, "blank", claims={"fast": CLAIM, "blank": CLAIM | {"ours": [], "value": 9.0}})[
        "ledger_appendix"
    ]
    [row] = [line for line in text.splitlines() if "9 times as fast" in line]
    assert row.replace("\\tabularnewline", "").split("&")[1:] == ["  ", "  ", "  "]


def test_the_figure_has_a_marker_for_each_accuracy_with_a_time(tmp_path):
    points = {"llama": LLAMA, "llada": LLADA, "far": LLADA | {"gen_length": 512, "forwards": 512}}
    figure = figures.borrowed_quality(parts(tmp_path, accuracies=points)[0])
    [axes] = figure.axes
    assert len(axes.containers) == 2  # LLaMA's, and that of the canvas that was timed


def numbers_of(recorded: str) -> dict[str, dict]:
    return {name: value for name, value in RECORDED.items() if name.startswith(recorded)}


@pytest.mark.parametrize("key", sorted(key for key, value in ABOUT.accuracies.items() if value.kind == "llada"))
def test_borrowed_numbers_of_the_recorded_study_are_those_of_the_file_and_of_its_results(key):
    value = ABOUT.accuracies[key]
    items = ABOUT.tasks[value.task].items
    recorded = {name.rsplit(".", 1)[1]: number for name, number in numbers_of(f"borrowed.{key}.").items()}
    share = stats.proportion(round(value.percent / 100 * items), items)
    assert [recorded["accuracy"][end] for end in ("value", "low", "high")] == [share.value, share.low, share.high]
    references = [
        other.share(items) for other in ABOUT.accuracies.values() if other.task == value.task and other.kind == "llama"
    ]
    if references:
        difference = stats.difference(share, max(references, key=lambda reference: reference.value))
        assert recorded["difference"]["low"] == pytest.approx(difference.low)
        assert recorded["is_shown"]["value"] == float(difference.low > -RECORDED["borrowed.margin"]["value"])
    if value.gen_length == 256 and value.forwards == 256:
        assert recorded["latency_ratio"]["value"] == RECORDED["llada.256.latency_ratio"]["value"]
        assert recorded["latency_ms"]["value"] == RECORDED["llada.256.latency_ms"]["value"]
    elif value.gen_length == 256:  # the line through all steps lies near the measured ones
        steps = RECORDED["break_even_steps"]["value"]
        assert recorded["latency_ratio"]["value"] == pytest.approx(value.steps / steps, rel=0.05)
    else:
        place = f"length.llada.lean.captured.b1.l{value.gen_length}.p128.break_even_steps"
        assert recorded["latency_ratio"]["value"] == pytest.approx(value.steps / RECORDED[place]["value"])


@pytest.mark.parametrize("key", sorted(ABOUT.claims))
def test_lines_of_the_ledger_of_the_recorded_study_are_those_of_its_results(key):
    claim = ABOUT.claims[key]
    for ours in claim.ours:
        name = f"ledger.{key}.{ledger_tables.slug(ours.label)}"
        value = RECORDED[name]["value"]
        if ours.quantity == "number":
            below = RECORDED[ours.over]["value"] if ours.over else 1.0
            assert value == pytest.approx(RECORDED[ours.number]["value"] / below * ours.times)
        prefix = "" if ours.engine == "captured" else "eager."
        if ours.quantity == "ratio":
            assert value == pytest.approx(1 / RECORDED[f"{prefix}llada.256.latency_ratio"]["value"])
        if ours.quantity == "steps_for_value":
            assert value == pytest.approx(RECORDED[f"{prefix}break_even_steps"]["value"] / claim.value, rel=0.01)
        if ours.quantity == "rate" and ours.tokens_per_forward == 1:
            assert value == pytest.approx(RECORDED[f"{prefix}llada.256.tokens_per_s"]["value"], rel=1e-3)
        compared = claim.value is not None and ours.quantity != "steps_for_value" and not ours.is_contrast
        assert (f"{name}.deviation" in RECORDED) == compared
    assert claim.ours or not numbers_of(f"ledger.{key}.")


def test_the_page_of_engines_is_no_source_of_the_ledgers_numbers():
    stated = [claim for claim in ABOUT.claims.values() if claim.elsewhere]
    assert stated
    assert not any(claim.ours for claim in stated)
