"""Parts of the page that some studies alone have: published numbers, tasks, word problems, and the paper's own tables.

What stands on hover is what results.json says.
"""

import re

import pytest
from matplotlib.colors import to_hex

from bench.common.stats import Estimate
from bench.data.problems import DEPTHS
from bench.render import borrowed as render_borrowed
from bench.render import ledger as render_ledger
from bench.render import task_accuracy as render_task_accuracy
from bench.render import wording
from paper.figures import borrowed as paper_borrowed
from paper.figures.style import COLORS
from paper.page import charts, metric_card, of_accuracy, of_engines, of_published, of_trust, page
from paper.tables.ledger import slug
from tests.support import made_up_page
from tests.support.made_up_noise import judged, twins
from tests.support.made_up_scaling import groups_of, run

STUDIES = {
    "answers": made_up_page.answers,
    "problems": made_up_page.problems,
    "accuracies": made_up_page.accuracies,
    "eight": made_up_page.eight,
    "forced": made_up_page.forced,
}
OWN = {  # by study: the figures, the tables and the paragraphs (how their titles begin) that it alone has
    "problems": ({"problems"}, {"problems"}, ()),
    "accuracies": ({"task_accuracy"}, {"task_accuracy"}, ("Accuracy in words, 200 questions",)),
    "eight": (
        {"borrowed", "ledger"},
        {"borrowed", "ledger", "ledger_counting"},
        ("Borrowed quality", "Ledger of published claims"),
    ),
}


@pytest.fixture(scope="module")
def every() -> dict[str, tuple]:
    """By name: (selection, contents of the page) of each made-up study."""
    selections = {name: made_up_page.found(study())[1] for name, study in STUDIES.items()}
    return {name: (selection, page.contents(selection)) for name, selection in selections.items()}


def part(shown: dict, kind: str, name: str):
    """A figure or table of a page by its name."""
    [found] = [found for found in shown[kind] if found.name == name]
    return found


@pytest.mark.parametrize("name", STUDIES)
def test_a_part_is_there_for_the_studies_that_have_it_and_for_no_other(every, name):
    shown = every[name][1]
    figures, tables = ({found.name for found in shown[kind]} for kind in ("figures", "tables"))
    titles = [paragraph.title for paragraph in shown["paragraphs"]]
    for owner, (own_figures, own_tables, own_titles) in OWN.items():
        assert own_figures & figures == (own_figures if owner == name else set())
        assert own_tables & tables == (own_tables if owner == name else set())
        for title in own_titles:
            assert any(shown.startswith(title) for shown in titles) == (owner == name), titles


def test_the_words_of_published_numbers_are_those_of_the_terminal(every):
    selection, shown = every["eight"]
    borrowed = selection.findings.borrowed
    said = {paragraph.title: paragraph for paragraph in shown["paragraphs"]}
    of_borrowed = said[render_borrowed.TITLE]
    assert of_borrowed.is_first
    assert of_borrowed.sentences[0] == render_borrowed.verdict(borrowed)
    assert render_borrowed.TWO_SIDES in of_borrowed.sentences[1]
    assert of_borrowed.at_once == 2
    assert set(map(render_borrowed.task_sentence, borrowed.tasks)) <= set(of_borrowed.sentences)
    assert said["Ledger of published claims"].sentences == render_ledger.sentences(selection.ledger)


def test_borrowed_accuracies_on_hover_are_those_of_the_numbers(every):
    selection, shown = every["eight"]
    numbers, tasks = selection.numbers(), selection.findings.borrowed.tasks
    panels = part(shown, "figures", "borrowed").panels
    drawn = [task for task in tasks if any(point.timed for point in task.points)]
    assert [panel.title.split(" (")[0] for panel in panels] == [task.label for task in drawn]
    seen = 0
    for task, panel in zip(drawn, panels, strict=True):
        texts = {
            (x, y): (text, trace["marker"]["color"])
            for trace in panel.traces
            for x, y, text in zip(trace["x"], trace["y"], trace["hovertext"], strict=True)
        }
        for point in (point for point in task.points if point.timed):
            own = {
                name: numbers[f"borrowed.{point.key}.{name}"]["value"]
                for name in ("accuracy", "latency_ratio", "difference")
                if name != "difference" or task.reference
            }
            text, color = texts[own["latency_ratio"], 100 * own["accuracy"]]
            assert f"{100 * own['accuracy']:.1f} %" in text
            assert f"{own['latency_ratio']:.2f} [" in text
            assert ("less LLaMA's" in text) == ("difference" in own)
            if task.reference:
                assert f"less LLaMA's: {100 * own['difference']:.1f} [" in text
            assert color == to_hex(COLORS[point.kind])
            seen += 1
        reference = panel.traces[-1]
        if task.reference:
            assert (reference["name"], reference["x"]) == ("LLaMA", [1])
            share = numbers[f"borrowed.{task.reference.key}.accuracy"]["value"]
            assert reference["y"] == [pytest.approx(100 * share)]
    assert seen > 10


def test_times_that_were_not_measured_are_open_and_ways_have_the_papers_markers(every):
    selection, shown = every["eight"]
    points = [point for task in selection.findings.borrowed.tasks for point in task.points if point.timed]
    symbols = [
        symbol
        for panel in part(shown, "figures", "borrowed").panels
        for trace in panel.traces
        if trace["name"] in paper_borrowed.NAMES.values()
        for symbol in trace["marker"]["symbol"]
    ]
    measured = [point for point in points if point.timed.how == "measured"]
    assert 0 < len(measured) < len(points)
    assert sum(not symbol.endswith("-open") for symbol in symbols) == len(measured)
    assert {symbol.removesuffix("-open") for symbol in symbols} <= {"circle", "square", "triangle-up"}


def test_claims_on_hover_and_in_the_table_are_those_of_the_numbers(every):
    selection, shown = every["eight"]
    numbers = selection.numbers()
    [panel] = part(shown, "figures", "ledger").panels
    drawn = {name: (x, text) for trace in panel.traces for name, x, text in zip(
        trace["y"], trace["x"], trace["hovertext"], strict=True)}  # fmt: skip
    compared = [(line, one) for line in selection.ledger for one in line.entries if one.deviation]
    assert len(drawn) == len(compared) > 4
    for line, one in compared:
        own = numbers[f"ledger.{line.key}.{slug(one.about.label)}.deviation"]["value"]
        matching = [(x, text) for x, text in drawn.values() if x == own]
        assert any(f"over theirs: {own:.2f}" in text and one.about.label in text for _, text in matching)
    rows = part(shown, "tables", "ledger").frame
    blank = [line for line in selection.ledger if not line.entries]
    assert blank
    assert (rows["ours"] == wording.MISSING).sum() >= len(blank)
    assert len(rows) == sum(max(1, len(line.entries)) for line in selection.ledger)
    counting = part(shown, "tables", "ledger_counting").frame
    assert all(sum(line.claim.text in claims for claims in counting["claims"]) for line in selection.ledger)
    assert len(counting) < len(selection.ledger)


def test_nothing_is_borrowed_where_there_is_nothing(every):
    assert of_published.borrowed_figure(None) == of_published.borrowed_table(None) == []
    assert of_published.ledger_figure([]) == of_published.ledger_tables([]) == []
    assert of_accuracy.task_figure([]) == of_accuracy.problems_figure([]) == []


def test_accuracies_in_tasks_on_hover_are_those_of_the_numbers(every):
    selection, shown = every["accuracies"]
    numbers = selection.numbers()
    [panel] = part(shown, "figures", "task_accuracy").panels
    traces = {trace["name"]: trace for trace in panel.traces if "legendgroup" not in trace}
    curve = traces["LLaDA, by steps"]
    assert curve["text"] == ["8", "32"]
    assert curve["marker"]["symbol"] == "square"
    for steps, x, y, text in zip((8, 32), curve["x"], curve["y"], curve["hovertext"], strict=True):
        own = {name: numbers[f"words.over.llada.{steps}.{name}"]["value"]
               for name in ("accuracy", "seconds_an_item", "accuracy_difference", "time_ratio")}  # fmt: skip
        assert (x, y) == (pytest.approx(own["seconds_an_item"]), pytest.approx(own["accuracy"]))
        assert f"accuracy: {own['accuracy']:.3f} [" in text
        assert f"less LLaMA's: {own['accuracy_difference']:.3f} [" in text
        assert f"seconds over LLaMA's: {own['time_ratio']:.2f} [" in text
    assert traces["LLaMA"]["marker"]["symbol"] == "star"
    assert traces["LLaMA"]["y"] == [numbers["words.over.llama.accuracy"]["value"]]
    assert "threshold 0.9, dual cache (block)" in traces
    single = [trace for trace in panel.traces if "legendgroup" in trace]
    assert [trace["showlegend"] for trace in single] == [True, False, True, False]
    [table] = [table for table in shown["tables"] if table.name == "task_accuracy"]
    assert table.frame["template"].tolist() == ["own"] * 4 + ["asked"] * 4 + ["all 2"] * 4


def test_the_verdict_on_a_task_is_the_terminals(every):
    selection, shown = every["accuracies"]
    [found] = selection.findings.task_accuracies
    said = [sentence for paragraph in shown["paragraphs"] for sentence in paragraph.sentences]
    assert set(render_task_accuracy.sentences(found)) <= set(said)
    assert render_task_accuracy.ON_TIMES in said


def test_right_answers_to_problems_on_hover_are_those_of_the_numbers(every):
    selection, shown = every["problems"]
    numbers = selection.numbers()
    over_steps, over_depth = part(shown, "figures", "problems").panels
    assert [trace["name"] for trace in over_steps.traces] == ["LLaDA, blocks of 8", "LLaDA, blocks of 32", "LLaMA"]
    for block, trace in zip((8, 32), over_steps.traces, strict=False):
        own = [numbers[f"problems.b{block}.llada.{steps:.0f}.accuracy"]["value"] for steps in trace["x"]]
        assert trace["y"] == own
        assert all(f"{value:.3f}" in text for value, text in zip(own, trace["hovertext"], strict=True))
    by_depth = {trace["name"]: trace for trace in over_depth.traces}
    assert set(by_depth) == {"LLaDA, blocks of 8", "LLaDA, blocks of 32", "LLaMA"}
    most = max(made_up_page.STEPS)
    own = [numbers[f"problems.b8.llada.{most}.accuracy_depth_{depth}"]["value"] for depth in DEPTHS]
    assert by_depth["LLaDA, blocks of 8"]["x"] == list(DEPTHS)
    assert by_depth["LLaDA, blocks of 8"]["y"] == own
    table = part(shown, "tables", "problems")
    assert table.frame["block"].tolist() == [wording.MISSING] + ["8"] * 4 + ["32"] * 4
    titles = [paragraph.title for paragraph in shown["paragraphs"]]
    assert sum("blocks of" in title for title in titles) == 2


def test_the_short_tables_say_whether_a_ratio_exceeds_noise(every):
    selection, shown = every["answers"]
    frame = part(shown, "tables", "steps").frame
    ratios = selection.answers.latency_ratios
    texts = frame["latency over LLaMA's"].tolist()
    assert texts == [wording.MISSING, *(wording.interval(ratio, 2) for ratio in ratios.values())]
    assert frame["exceeds noise"].tolist() == [wording.MISSING] + ["not shown"] * 4  # no sentinel says how much it is
    growth = part(every["forced"][1], "tables", "growth").frame
    numbers = every["forced"][0].numbers()
    assert growth["break-even, steps"].tolist()
    for place, text in zip(growth["place"], growth["break-even, steps"], strict=True):
        batch = re.match(r"batch (\d+)", place).group(1)
        values = {
            round(number["value"], 0) for name, number in numbers.items()
            if name.startswith("batch.") and f".b{batch}." in name and name.endswith(".break_even_steps")
        }  # fmt: skip
        assert round(float(text.split(" ")[0]), 0) in values


@pytest.mark.parametrize("name", STUDIES)
def test_no_latex_is_on_the_page(every, name):
    shown = every[name][1]
    texts = [text for table in shown["tables"] for text in (table.title, table.caption, *table.frame.columns)]
    texts += [str(cell) for table in shown["tables"] for row in table.frame.to_numpy().tolist() for cell in row]
    texts += [text for paragraph in shown["paragraphs"] for text in (paragraph.title, *paragraph.sentences)]
    texts += [text for pair in shown["card"] for text in pair]
    assert [text for text in texts if "\\" in text or "{" in text] == []


def test_the_metric_card_is_that_of_the_paper():
    card = dict(metric_card.items())
    assert set(card) >= {"NFE", "TPF", "AUP", "Tokens a second, to the end", "J a token"}
    assert card["NFE"].startswith("Number of function evaluations")
    assert metric_card.SECTION.read_text().count("\\item[") == len(card)


def test_engines_have_their_break_even_with_the_band_of_parity():
    floor = {"predicted/latency_ms": 80.0}
    rows = [
        run("engines", "llama", 100, engine="captured", **floor, **{"latency/step_ms": 1.0}),
        run("engines", "llada", 200, engine="captured", steps=4, **floor, **{"latency/step_ms": 50.0}),
        run("engines", "llama", 120, engine="eager", **floor, **{"latency/step_ms": 1.2}),
        run("engines", "llada", 240, engine="eager", steps=4, **floor, **{"latency/step_ms": 60.0}),
    ]
    scaling = groups_of(rows)["engines"]
    panels = of_engines.engines(scaling)
    assert [panel.title for panel in panels] == ["LLaMA", "LLaDA", "Steps at which time breaks even"]
    measured, near = panels[-1].traces
    steps = {run["run_id"]: value for run, value in scaling.break_evens}
    assert measured["x"] == [value.value for value in steps.values()] == [2, 2]
    assert near["x"] == [4, 4]  # both floors are the same, so four steps take as long
    assert [(shape["x0"], shape["x1"]) for shape in panels[-1].shapes] == [(2, 4), (2, 4)]
    assert set(measured["y"]) == set(near["y"]) == {shape["y0"] for shape in panels[-1].shapes}


def test_the_level_of_each_round_is_drawn_against_the_mean():
    assert of_trust.level_panel(made_up_page.found(made_up_page.answers())[0].sentinels) == []
    sentinels = judged(twins("captured", [100.0, 110.0, 90.0], [100.0, 110.0, 90.0])).sentinels
    [panel] = of_trust.level_panel(sentinels)
    [trace] = panel.traces
    assert trace["y"] == [pytest.approx(value) for value in (0, 10, -10)]
    assert "+10.00 % from the mean" in trace["hovertext"][1]


def test_a_long_text_on_hover_is_broken():
    assert charts.wrapped("word " * 40).count("<br>") == 3
    assert charts.bounds([Estimate(1.0)]) == {"visible": False}
