"""How answers end, in the report: the table and its numbers, on made-up studies."""

import pytest

from paper.tables import ends as tables
from tests.support import made_up_ends


def test_the_table_has_a_line_for_each_regime_of_a_place(tmp_path):
    tables.write(made_up_ends.ends(made_up_ends.runs()), tmp_path)
    text = (tmp_path / "ends.tex").read_text()
    assert text.count("forced length &") == text.count("answers as long as the references &") == 2
    assert "61 (56, 97) & 90.9 & 0.59" in text
    assert "a CPU: nothing vouches" in text


def test_nothing_stands_there_where_nothing_was_measured(tmp_path):
    tables.write(made_up_ends.ends(made_up_ends.runs()[:1]), tmp_path)
    assert (tmp_path / "ends.tex").read_text() == ""


def test_every_ratio_has_a_name():
    numbers = tables.numbers(made_up_ends.ends(made_up_ends.runs()))
    place = "ends.float32.eager.lean.b{}.l256.p32.s32"
    assert set(numbers) == {
        f"{place.format(batch)}.{name}"
        for batch in (1, 8)
        for name in ("length.time_ratio", "references.time_ratio", "references.median_tokens")
    }
    assert numbers[f"{place.format(8)}.references.time_ratio"]["value"] == pytest.approx(2560 / (256 * 6))
    assert [numbers[f"{place.format(batch)}.references.median_tokens"]["value"] for batch in (1, 8)] == [61, 61]
