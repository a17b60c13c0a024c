"""The tables of the body and of every cell, on made-up studies."""

from bench.analysis.noise import judge
from paper.tables import cells, steps
from tests.support.made_up_comparison import MadeUp
from tests.support.made_up_scaling import batch_study, groups_of, run, study_of


def with_sentinel(twins: list[float]):
    """LLaMA in 500 ms, LLaDA in 80, 510 and 2,000, and a cell that takes these times of another in three rounds."""
    made_up = MadeUp()
    runs = made_up.comparison(
        (500, 0.4), {4: (80, 0.2), 8: (510, 0.3), 16: (2000, 0.4)}, platform="cpu", device="a CPU"
    ).rows
    return made_up.beside_sentinel(runs.reset_index(drop=True), [100, 100, 100], twins)


def test_a_ratio_is_bold_where_noise_alone_cannot_make_it():
    table = steps.steps_table(with_sentinel([95.0, 100.0, 105.0]))
    assert table.loc["LLaDA, 4 steps", "over LLaMA"].startswith("\\textbf{0.16}")
    assert table.loc["LLaDA, 16 steps", "over LLaMA"].startswith("\\textbf{4.00}")
    assert table.loc["LLaDA, 8 steps", "over LLaMA"].startswith("1.02")
    assert table.loc["LLaMA", "over LLaMA"] == "--"


def test_nothing_is_bold_where_the_noise_is_not_known():
    made_up = MadeUp()
    table = steps.steps_table(made_up.comparison((500, 0.4), {4: (80, 0.2)}))
    assert not table.map(lambda cell: "textbf" in cell).any(axis=None)


def test_a_column_that_nobody_measured_is_left_out():
    table = steps.steps_table(MadeUp().comparison((500, 0.4), {4: (80, 0.2)}))
    assert list(table.columns) == ["latency ms", "BERTScore F1", "over LLaMA"]


def test_growth_marks_what_is_extrapolated():
    group = groups_of(batch_study())["batch"]
    table = steps.growth_table({"batch": group})
    expected = [group.is_extrapolated(of) for of, _ in group.break_evens]
    assert list(table.index) == ["batch: batch 1", "batch: batch 8"]
    assert [cell.endswith("*") for cell in table["break-even"]] == expected
    assert any(expected)
    assert steps.growth_table({}).empty


def test_every_cell_stands_in_its_table_and_one_that_failed_without_numbers():
    rows = [
        run("batch", "llama", 70),
        run("batch", "llada", 5, steps=16, batch_size=8, outcome="oom", message="no room"),
    ]
    rows.append(
        run("batch", "llada", 64, steps=16) | {"platform": "cuda", "verdict": "violated", "verdict_reason": "a guest"}
    )
    table = cells.table(judge(study_of(rows)).runs.assign(rounds_logged="1 2"))
    assert len(table) == 3
    by_note = table.set_index("note")
    assert by_note.loc["oom: no room", "latency ms"] == "--"
    assert by_note.loc["excluded, violated: a guest", "latency ms"] == "--"
    assert by_note.loc["", "latency ms"] == "70.0"
    assert table.index[0].startswith("batch: ")
    assert set(table["rounds"]) == {"2"}
