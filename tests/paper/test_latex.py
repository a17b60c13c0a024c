"""Text and numbers as LaTeX."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.common.stats import Estimate
from paper.tables import latex


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("70 GiB & more: 100 %", r"70 GiB \& more: 100 \%"),
        ("a_b {c} #1 $2", r"a\_b \{c\} \#1 \$2"),
        ("C:\\x~^", r"C:\textbackslash{}x\textasciitilde{}\^{}"),
        ("--rounds", "-{}-rounds"),
        ("---", "-{}-{}-"),
        ("<<a>> ,, b", "<{}<a>{}> ,{}, b"),
        ("a\n\n b", "a b"),
        ("Größe: 3 µs – “łódź”", "Größe: 3 µs – “łódź”"),
        ("日本", r"\codepoint{65E5}\codepoint{672C}"),
        ("П", r"\codepoint{041F}"),
        ("a\x00b\x7f\ud83d", r"a\codepoint{0000}b\codepoint{007F}\codepoint{D83D}"),
        ("😀", r"\codepoint{1F600}"),
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


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_becomes_what_the_fonts_can_print(text):
    escaped = latex.escape(text)
    assert not latex.BEYOND.search(escaped)
    escaped.encode()  # raises where half a character is left


def test_what_the_fonts_lack_is_told(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "numbers.tex").write_text(latex.escape("日本 and 日"))
    (tmp_path / "tables" / "one.tex").write_text(latex.escape("Ж"))
    assert latex.beyond_the_fonts(tmp_path) == "日本Ж"
