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
    assert latex.cell_text(Estimate(2.0, 1.5, 2.5), 1) == "2.0 [1.5, 2.5]"
    assert latex.cell_text(Estimate(2.0, 1.99, 2.01), 1) == "2.0"
    assert latex.cell_text(Estimate(2.0), 1) == "2.0"
    assert latex.cell_text(None, 1) == "--"


def test_an_empty_table_is_left_out():
    assert latex.latex("energy", "", pd.DataFrame()) == latex.long_table("energy", "", pd.DataFrame()) == ""


def wide(columns: int, rows: int = 1) -> pd.DataFrame:
    """A table of numbers with intervals and a note."""
    cells = {f"metric {number}": ["1234.5 [1200.1, 1300.2]"] * rows for number in range(columns)}
    return pd.DataFrame(cells | {"note": ["cold start"] + [""] * (rows - 1)}, index=[f"run {n}" for n in range(rows)])


@pytest.mark.parametrize("columns", [1, 4, 9])
def test_no_table_is_wider_than_a_line_or_smaller_than_8_points(columns):
    table = wide(columns, 3)
    for group in latex.column_groups(table):
        assert latex.least_width(table.iloc[:, group]) <= latex.LINE_PT
    text = latex.long_table("t", "All.", table)
    assert text.count("1234.5") == 3 * columns
    assert "footnotesize" in text  # 8 pt in a class of 10 pt
    assert not any(smaller in text for smaller in ("scriptsize", "tiny", "resizebox"))


def test_a_long_table_keeps_one_number_over_pages_and_further_columns():
    text = latex.long_table("t", "All.", wide(9, 120))
    assert text.count("\\label{tab:t}") == text.count("\\caption{") == 1
    assert len(latex.column_groups(wide(9, 120))) > 1
    assert text.count("\\addtocounter{table}{-1}") == text.count("further columns") > 0
    assert text.count("\\endhead") == text.count("\\begin{longtable}")


def test_a_row_that_says_nothing_in_further_columns_is_not_repeated_there():
    table = wide(9, 3)
    _, *further = latex.column_groups(table)
    table.iloc[1:, further[0][0] :] = "--"
    first, second = latex.long_table("t", "All.", table).split("further columns")[:2]
    assert (first.count("run 1"), second.count("run 0"), second.count("run 1")) == (1, 1, 0)


def test_a_column_of_long_text_is_broken_into_lines():
    table = pd.DataFrame({"claim": ["what is claimed, in many words " * 6], "met": ["yes"]}, index=["H1"])
    [group] = latex.column_groups(table)
    assert group == [0, 1]
    assert "raggedright" in latex.specification(table)
    assert sum(filter(None, latex.fitted_widths(table))) < latex.LINE_PT


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


def notes(*words: str) -> pd.DataFrame:
    """A table of one number a row, with a note beside each."""
    return pd.DataFrame({"ms": "1.0", "note": words}, index=[f"run {number}" for number in range(len(words))])


def test_notes_become_letters_that_the_caption_explains():
    text = latex.long_table("t", "All.", notes("cold start", "", "two modes", "cold start"))
    assert "All. \\textsuperscript{a} cold start; \\textsuperscript{b} two modes." in text
    names = ("run 0\\textsuperscript{a}", "run 1", "run 2\\textsuperscript{b}", "run 3\\textsuperscript{a}")
    assert all(f"\n{name} & 1.0 " in text for name in names)
    assert "& note" not in text


def test_a_note_of_every_row_is_said_once():
    text = latex.latex("t", "All.", notes("several machines", "several machines"))
    assert "All. Every row: several machines." in text
    assert "textsuperscript" not in text


@pytest.mark.parametrize("words", [[f"reason {n}" for n in range(7)], ["a" * 81, ""]])
def test_many_notes_and_long_ones_stay_beside_their_rows(words):
    text = latex.long_table("t", "All.", notes(*words))
    assert all(word in text for word in words)
    assert "textsuperscript" not in text
