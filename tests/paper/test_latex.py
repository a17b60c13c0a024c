"""Text and numbers as LaTeX."""

import pandas as pd
import pytest

from bench.common.stats import Estimate
from paper.tables import latex


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("70 GiB & more: 100 %", r"70 GiB \& more: 100 \%"),
        ("a_b {c} #1 $2", r"a\_b \{c\} \#1 \$2"),
        ("C:\\x~^", r"C:\textbackslash{}x\textasciitilde{}\^{}"),
        ("--rounds", "-{}-rounds"),
    ],
)
def test_plain_text_prints_as_itself(text, escaped):
    assert latex.escape(text) == escaped


def test_an_interval_that_says_nothing_at_these_digits_is_left_out():
    assert latex.cell_text(Estimate(2.0, 1.5, 2.5), 1) == "2.0 {\\scriptsize [1.5, 2.5]}"
    assert latex.cell_text(Estimate(2.0, 1.99, 2.01), 1) == "2.0"
    assert latex.cell_text(Estimate(2.0), 1) == "2.0"
    assert latex.cell_text(None, 1) == "--"


def test_an_empty_table_says_that_nothing_was_measured():
    assert "Energy: not measured." in latex.latex("energy", "", pd.DataFrame())
