"""The cost model beside measurement in the terminal."""

import pandas as pd

from bench.analysis import cost
from bench.render import cost as render_cost
from tests.support.made_up_cost import run


def lines(*runs: dict) -> list[str]:
    return render_cost.lines(cost.rows(pd.DataFrame(runs)))


def test_measured_over_predicted_in_table_and_words():
    text = "\n".join(lines(run("llama"), run("llada", **{"latency/latency_ms": 200.0})))
    assert "llama 1.50 (1.50 to 1.50, 1 runs)" in text
    assert "MFU" in text
    assert "alloc GiB" not in text  # not measured on a CPU


def test_a_study_without_ceilings_says_so():
    nothing = dict.fromkeys(("predicted/latency_ms", "predicted/step_ms"))
    sentence = "Cost model: no ceilings of this device in this study (make ceilings)."
    assert lines(run("llama", **nothing)) == [sentence]
