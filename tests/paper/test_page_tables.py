"""The page's short tables of what was predicted: decoders beside the cost model, and what became of hypotheses."""

from dataclasses import replace

from bench.analysis.hypotheses import Result, Score
from bench.analysis.hypotheses_file import Claim
from bench.analysis.noise import judge
from bench.common.stats import Estimate
from paper.page import overview, tables
from paper.selection import select
from paper.tables import cells, decoders
from tests.support import made_up_page
from tests.support.made_up_decoders import MadeUp, threshold


def test_decoders_stand_beside_the_cost_model_where_it_predicts():
    made_up = MadeUp()
    told = {"predicted/nfe": 32.0, "predicted/rows": 1000.0, "predicted/latency_ms": 100.0}
    made_up.add(400.0, **told, **{"compute/rows": 1000.0})
    made_up.add(100.0, **threshold(0.9), **{"compute/nfe": 7.5, "predicted/latency_ms": 50.0})
    counts, times = overview.decoders_beside_model(made_up.decoders)
    assert [counts.frame[name].tolist() for name in ("forwards planned", "counted", "equal")] == [
        ["32.0"],
        ["32.0"],
        ["yes"],
    ]
    assert times.frame["ratio"].tolist() == ["4.00", "2.00"]
    assert times.frame["decoder"].tolist()[1] == "threshold 0.9"
    bare = MadeUp()
    bare.add(400.0)
    bare.add(100.0, **threshold(0.9))
    assert "decoders_cost" not in {table.name for table in overview.decoders_beside_model(bare.decoders)}


def test_decoders_in_two_precisions_are_told_apart(tmp_path):
    made_up = MadeUp()
    predicted = {"predicted/latency_ms": 50.0, "compute/nfe": 7.5}
    for value, dtype in ((0.9, "bfloat16"), (0.9, "float8"), (0.5, "bfloat16")):
        made_up.add(100.0, **threshold(value), **predicted, dtype=dtype)
    [times] = overview.decoders_beside_model(made_up.decoders)
    assert sorted(times.frame["decoder"]) == ["threshold 0.5", "threshold 0.9", "threshold 0.9, float8"]
    usual = " Rows that name no precision are in bfloat16."
    assert times.caption.endswith(usual)
    decoders.write(made_up.decoders, tmp_path)
    printed = (tmp_path / "decoders.tex").read_text().split("tab:decoders_cost", 1)
    assert printed[0].endswith(f"{usual}}}\\label{{")
    assert [line.split(" &")[0] for line in printed[1].splitlines() if line.startswith("threshold")] == list(
        times.frame["decoder"]
    )


def test_the_tables_of_every_cell_name_decoders():
    made_up = MadeUp(engine="captured")
    made_up.add(400.0)
    made_up.add(100.0, **threshold(0.9))
    made_up.add(80.0, **threshold(0.9), dtype="float8")
    runs = judge(made_up.study).runs
    assert tables.every_cell(runs).frame["decoder"].tolist() == ["-", "threshold 0.9", "threshold 0.9"]
    assert cells.table(runs).index.tolist() == [
        "decoders: LLaDA 32",
        "decoders: LLaDA 32, threshold 0.9",
        "decoders: LLaDA 32, threshold 0.9, float8",
    ]


def claim(value: float) -> Claim:
    return Claim(quantity="break_even_steps", gen_length=128, value=value, factor=1.5)


def test_the_scoreboard_has_the_hypotheses_of_which_something_was_measured():
    """Predicted 100 within a factor of 1.5: 110 is met, 300 is not; of the second hypothesis nothing was measured."""
    results = [Result(claim(100), Estimate(value, value - 1, value + 1), "captured") for value in (110, 300)]
    scores = [Score("H1", "Batch. More.", results), Score("H2", "Length. More.", [Result(claim(9), None, "captured")])]
    findings = replace(made_up_page.found(made_up_page.eight())[0], scores=scores, decoder_scores=[])
    [board] = [table.frame for table in overview.tables(select(findings)) if table.name == "scoreboard"]
    assert board.to_dict("records") == [
        {
            "hypothesis": "H1", "about": "Batch", "claims": "2", "as predicted": "1", "not as predicted": "1",
            "undecided": "0", "not measured": "0", "outcome": "refuted",
        }
    ]  # fmt: skip
    [shown] = [table.frame for table in tables.cost_tables(findings) if table.name == "hypotheses"]
    assert shown["hypothesis"].tolist() == ["H1", "H1"]
    silent = replace(findings, scores=scores[1:])
    assert "scoreboard" not in {table.name for table in overview.tables(select(silent))}
    assert "hypotheses" not in {table.name for table in tables.cost_tables(silent)}
