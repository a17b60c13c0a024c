"""Two studies side by side, as a terminal shows them."""

import pytest

from bench.analysis.two_studies import compare
from bench.render import two_studies as render
from tests.support.made_up_two_studies import QUIET, run, study, two

ELSEWHERE = {"device": "another CPU", "git": "d00d"}


def test_a_summary_says_what_changed_what_did_not_and_what_only_one_has():
    lines = render.lines(compare(*two(**ELSEWHERE)))
    assert lines[:5] == [
        "a = before: on a CPU; commits c0ffee; 7 runs",
        "b = after: on another CPU; commits d00d; 7 runs",
        "2 cells measured in both.",
        "Only in a: 1 cell (sweep 1).",
        "Only in b: 1 cell (sweep 1).",
    ]
    text = "\n".join(lines)
    assert (
        "latency ms, of 2 cells: 1 shorter, 0 longer, 1 within noise or 1%. b over a, median (range): LLaMA 0.50,"
        " LLaDA 1.10.\n  shorter: sweep, LLaMA: 100.0 to 50.0, 0.50 [0.49, 0.51]\n"
    ) in text
    assert "tokens/s, of 2 cells: 1 higher, 0 lower, 1 within noise or 1%." in text
    assert "\n  higher: sweep, LLaMA: 2.00 to 3.00, 1.50 [1.50, 1.50]\n" in text
    assert "BERTScore, of 2 cells: 0 better, 1 worse, 1 within noise or 1%. b less a," in text
    assert "b: Noise: the same eager cell of LLaDA (official head) twice in a round differs by a factor of" in text
    assert not any("only in" in line for line in lines)


def with_floors(studies, floors_ms):
    """Two studies whose runs have these floors by the cost model."""
    for each, floor_ms in zip(studies, floors_ms, strict=True):
        each.runs["predicted/latency_ms"] = floor_ms
    return studies


def test_on_another_device_the_ratio_that_the_cost_model_predicts_stands_beside():
    found = compare(*with_floors(two(**ELSEWHERE), (80.0, 60.0)))
    said = (
        "  predicted (floors at each device's ceilings): LLaMA 0.75, LLaDA 0.75; measured over that: LLaMA 0.67, LLaDA"
    )
    assert any(line.startswith(f"{said} 1.47") for line in render.lines(found))
    [group] = render.by_kind(found.pairs)
    assert list(render.table(group)["predicted"]) == ["0.75", "0.75"]


@pytest.mark.parametrize("studies", [two(**ELSEWHERE), with_floors(two(), (80.0, 60.0)),
                                     with_floors(two(**ELSEWHERE), (80.0, None))])  # fmt: skip
def test_without_ceilings_of_two_devices_nothing_is_predicted(studies):
    found = compare(*studies)
    assert not any("predicted" in line for line in render.lines(found))
    [group] = render.by_kind(found.pairs)
    assert "predicted" not in render.table(group)


def test_everything_is_printed_if_asked_for():
    lines = render.lines(compare(*two(prompt_hash="other")), is_verbose=True)
    assert "2 cells measured in both (2 with other prompts)." in lines
    assert "only in a: sweep, LLaDA, 32 steps, 64 tokens, batch 1, natural end, eager, official head" in lines
    table = "\n".join(lines)
    assert "sweep: 16 steps, 64 tokens, batch 1, natural end, eager, official head\n" in table
    assert "LLaMA 0.50 [0.49, 0.51] + 2.00 [1.96, 2.05] +" in " ".join(table.split())


def test_of_many_changes_the_largest_are_printed_and_the_others_counted():
    rows = [[run("llama", [100.0 * f, 101.0 * f], batch_size=b) for b in range(1, 9)] for f in (1.0, 2.0)]
    for row in rows[1]:
        row["by_round"] = {"latency/latency_ms": [ms * row["batch_size"] for ms in (100.0, 101.0)]}
    lines = render.lines(compare(study("a", rows[0] + QUIET), study("b", rows[1] + QUIET)))
    longer = [line for line in lines if line.startswith("  longer")]
    assert longer[0] == "  longer: sweep, LLaMA, batch 8: 100.5 to 804.0, 8.00 [7.76, 8.25]"
    assert len(longer) == 6
    assert longer[-1] == "  longer: 2 more (VERBOSE=1 prints them)"


def test_a_change_without_known_noise_has_a_mark_that_is_explained():
    lines = render.lines(compare(study("a", [run("llama", [100.0, 101.0])]), study("b", [run("llama", [50.0, 51.0])])))
    assert any(line.endswith("]*") for line in lines)
    assert render.DOUBT in lines
    assert render.DOUBT not in render.lines(compare(*two()))


def test_cells_that_would_be_called_the_same_are_told_apart_by_what_differs():
    rows = [run("llama", [1.0]), run("llama", [1.0], tokens_timed=4), run("llada", [1.0], block_length=8),
            run("llada", [1.0], block_length=16)]  # fmt: skip
    [group] = render.by_kind(compare(study("a", rows), study("b", rows)).pairs)
    assert sorted(group.names) == ["LLaDA, block length 16", "LLaDA, block length 8", "LLaMA", "LLaMA, tokens timed 4"]
    assert group.common == "16 steps, 64 tokens, batch 1, natural end, eager, official head"


@pytest.mark.parametrize(("fails_in", "words"), [("b", "in b oom: no room"), ("a", "in a oom: no room")])
def test_a_cell_that_failed_on_one_side_is_named_with_its_reason(fails_in, words):
    fails = {"outcome": "oom", "message": "no room"}
    rows = {
        letter: [run("llama", [1.0]), run("llada", [1.0], **(fails if letter == fails_in else {}))] for letter in "ab"
    }
    lines = render.lines(compare(*(study(name, of_study) for name, of_study in rows.items())))
    [line] = [line for line in lines if line.startswith("Left out on one side")]
    assert line.endswith(f"{words}.")
    assert "LLaDA, 16 steps" in line
