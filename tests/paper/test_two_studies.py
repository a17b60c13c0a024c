"""Two studies side by side: the page of one file, and the tables for a paper."""

import re
from html.parser import HTMLParser

import pytest

from bench.analysis.two_studies import compare
from bench.common.errors import exit_code
from bench.render import two_frontiers
from paper import compare as door
from paper import comparison_page
from paper.tables import two_studies as tables
from tests.support.made_up_two_studies import run, study, tries, two


class Cells(HTMLParser):
    """The cells of a page's tables, with their attributes, and whatever would load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells, self.loads, self.open_tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag in ("link", "img", "iframe") or {"src", "href"} & set(attributes):
            self.loads.append((tag, attributes))
        if tag == "td":
            self.cells.append(attributes | {"text": ""})
        if tag != "meta":
            self.open_tags.append(tag)

    def handle_startendtag(self, tag, attrs):
        """A part of a drawing, which has no text."""

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag

    def handle_data(self, data):
        if "td" in self.open_tags:
            self.cells[-1]["text"] += data


def test_the_page_loads_nothing_and_holds_every_ratio_with_what_was_measured():
    page = Cells(comparison_page.page(compare(*two())))
    assert page.loads == []
    assert page.open_tags == []
    faster = next(cell for cell in page.cells if "0.50 [0.49, 0.51] +" in cell["text"])
    assert faster["class"] == "better"
    assert float(faster["data-value"]) == pytest.approx(0.5)
    assert faster["title"] == "a 100.0 [97.5, 102.5], b 50.0 [48.8, 51.3] ms; better"
    assert any(cell.get("class") == "noise" and "1.10 [1.09, 1.11]" in cell["text"] for cell in page.cells)


def test_the_page_shows_names_as_they_are():
    rows = [run("llama", [1.0, 1.0])]
    text = comparison_page.page(compare(study("a<b>", rows), study("b&c", rows)))
    assert "<h1>b&amp;c over a&lt;b&gt;</h1>" in text
    assert "<b>" not in text


def test_a_drawing_is_clipped_at_its_ends():
    ends = [comparison_page.place_of(ratio) for ratio in (0.01, 0.25, 1.0, 4.0, 1e9)]
    assert ends == [0.0, 0.0, comparison_page.WIDTH / 2, comparison_page.WIDTH, comparison_page.WIDTH]


def test_a_table_is_bold_where_the_change_is_more_than_noise_that_is_known():
    text = tables.latex_tables(compare(*two()))
    assert r"\textbf{0.50} [0.49, 0.51]" in text
    assert r"1.10 [1.09, 1.11]" in text
    assert r"\textbf{1.10}" not in text
    assert text.count(r"\begin{table}") == 1
    unknown = tables.latex_tables(
        compare(study("a", [run("llama", [9.0, 9.1])]), study("b_c", [run("llama", [1.0, 1.1])]))
    )
    assert r"\textbf" not in unknown
    assert r"b\_c" in unknown


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ([], 'error: STUDIES="": expected the names of two studies, "before after"; none is given'),
        (["a"], 'error: STUDIES="a": expected the names of two studies, "before after"; 1 given'),
        (["a", "b", "c"], 'error: STUDIES="a b c": expected the names of two studies, "before after"; 3 given'),
        (["a", "a"], 'error: STUDIES="a a": a study is not compared with itself; give two studies'),
    ],
)
def test_anything_but_two_different_studies_is_one_line(names, line, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["paper.compare", *names])
    assert exit_code(door.main) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"{line}\n")


def test_the_door_prints_the_summary_and_writes_both_files(tmp_path, monkeypatch, capsys):
    from bench.analysis import study as tracked

    before, after = two()
    monkeypatch.setattr(tracked, "read", {"be fore": before, "after": after}.__getitem__)
    monkeypatch.setattr("sys.argv", ["paper.compare", "be fore", "after"])
    monkeypatch.chdir(tmp_path)
    assert exit_code(door.main) == 0
    said = capsys.readouterr().out
    assert re.search(r"^latency ms, of 2 cells: 1 shorter", said, re.MULTILINE)
    page, table = tmp_path / "paper/compared/be_fore--after.html", tmp_path / "paper/compared/be_fore--after.tex"
    assert said.endswith(f"page and tables: {page.relative_to(tmp_path)} and {table.relative_to(tmp_path)}\n")
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert r"\begin{table}" in table.read_text()


def test_what_the_cost_model_predicts_is_a_column_of_page_and_table():
    studies = two(device="another CPU")
    for each, floor_ms in zip(studies, (80.0, 60.0), strict=True):
        each.runs["predicted/latency_ms"] = floor_ms
    found = compare(*studies)
    page = comparison_page.page(found)
    assert page.count("<th>predicted</th>") == 1
    assert page.count("<td>0.75</td>") == 2
    assert tables.latex_tables(found).count("0.75") == 2
    assert "<th>predicted</th>" not in comparison_page.page(compare(*two()))


def test_the_edges_of_two_frontiers_are_a_table_of_the_page_and_one_for_a_paper():
    before = [*tries("llama", (8, "ok"), (9, "oom")), *tries("llada", (73, "ok"))]
    found = compare(study("a", before), study("b_c", tries("llama", (12, "ok"), (13, "oom"))))
    text = comparison_page.page(found)
    page = Cells(text)
    assert page.open_tags == []
    assert [cell["text"] for cell in page.cells[:9]] == ["LLaMA", "64", "8", "-", "9", "12", "-", "13", "1.50"]
    assert "Largest batch that fits, b over a: LLaMA: 64 tokens 8 to 12 (1.50)." in text
    table = tables.latex_tables(found)
    assert "LLaMA & 64 & 8 & -- & 9 & 12 & -- & 13 & 1.50" in table
    assert r"study b\_c (b)" in table
    assert "search not at its end" in table
    assert two_frontiers.TITLE not in comparison_page.page(compare(*two()))
    assert two_frontiers.TITLE not in tables.latex_tables(compare(*two()))
