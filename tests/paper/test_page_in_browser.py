"""The page in a headless Chromium: no errors, no requests, the explorer answers, tables sort."""

import json
import re
import shutil
import subprocess

import pytest

from paper.page import page
from tests.support import made_up_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LIMIT_S = 120
HEIGHT = 30_000  # pixels of a window in which everything is near, and so is drawn
# Before the page's own scripts: whatever goes wrong is kept.
WATCH = """<script>
window.problems = [];
addEventListener("error", (event) => problems.push("error: " + event.message));
addEventListener("securitypolicyviolation", (event) => problems.push("request: " + event.blockedURI));
console.error = console.warn = (...words) => problems.push("console: " + words.join(" "));
</script>"""
# After them: what a visitor does, and what the page shows then. `ask` chooses a value by hand.
VISIT = """<script>
addEventListener("load", async () => {
  const answer = () => document.getElementById("answer").innerText;
  const select = (name) => document.querySelector("[name=" + name + "]");
  const ask = (name, value) => {
    select(name).value = value;
    select(name).dispatchEvent(new Event("change", {bubbles: true}));
    return answer();
  };
  const seen = {ready: document.documentElement.dataset.ready, first: answer()};
  const offered = Array.from(select("decoder").options, (option) => option.value);
  seen.answers = Object.fromEntries(offered.map((value) => [value, ask("decoder", value)]));
  const tables = {};
  for (const table of document.querySelectorAll("table.sortable")) {
    table.closest("details")?.setAttribute("open", "");
    const button = table.querySelectorAll("th button")[%(column)d];
    const column = () => Array.from(table.tBodies[0].rows, (row) => row.cells[%(column)d].dataset.key);
    const states = [column()];
    button.focus();
    const isReached = document.activeElement === button;
    for (let times = 0; times < 2; times++) { button.click(); states.push(column()); }
    const title = table.closest("details")?.innerText.split("\\n")[0] || "failed";
    tables[title] = {states, isReached, sort: button.parentElement.getAttribute("aria-sort")};
  }
  seen.tables = tables;
  const plots = Array.from(document.querySelectorAll("[data-plot]"));
  const isDrawn = (plot) => plot.querySelector(".main-svg") !== null;
  for (let times = 0; times < 100 && !plots.every(isDrawn); times++) await new Promise((done) => setTimeout(done, 100));
  seen.plots = plots.length;
  seen.drawn = plots.filter(isDrawn).length;
  const marks = (plot) => plot.querySelectorAll(".scatterlayer .point, .barlayer .point").length;
  const figures = Array.from(document.querySelectorAll("figure"));
  seen.marks = Object.fromEntries(figures.map((figure) =>
    [figure.id, Array.from(figure.querySelectorAll("[data-plot]"), marks)]));
  seen.requests = performance.getEntriesByType("resource").map((entry) => entry.name);
  seen.width = [document.documentElement.scrollWidth, innerWidth];
  seen.problems = problems;
  const out = document.createElement("pre");
  out.id = "seen";
  out.textContent = JSON.stringify(seen);
  document.body.append(out);
});
</script>"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here")


def visit(study, folder, column: int = 1, width: int = 1280) -> dict:
    """What a visitor of a study's page sees."""
    file = page.write(made_up_page.found(study)[1], folder)
    text = file.read_text()
    watched = text.replace("<style>", WATCH + "<style>", 1).replace("</body>", VISIT % {"column": column} + "</body>")
    copy = folder / "watched.html"
    copy.write_text(watched)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    profile, size = f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{HEIGHT}"
    command = [BROWSER, *options, profile, size, "--virtual-time-budget=60000", "--dump-dom", copy.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    at = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert at, f"the visit did not end: {done.stderr[-2000:]}"
    return json.loads(at.group(1).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> dict:
    return visit(made_up_page.everything(), tmp_path_factory.mktemp("page"))


def test_the_page_works_without_an_error_or_a_request(seen):
    assert seen["ready"] == "yes"
    assert seen["problems"] == []
    assert seen["requests"] == []


def test_every_chart_is_drawn(seen):
    assert seen["plots"] > 15
    assert seen["drawn"] == seen["plots"]


def test_the_explorers_answer_follows_its_controls(seen):
    answers = seen["answers"]
    assert {"4 steps", "8 steps", "16 steps", "32 steps"} <= set(answers)
    assert len(set(answers.values())) == len(answers)
    assert "LLaDA is faster: 6.25" in answers["4 steps"]  # 500 ms over 80
    assert "LLaMA is faster: 1.28" in answers["32 steps"]  # 640 over 500
    assert "Measured: an answer takes LLaMA 500 ms and LLaDA 640 ms" in answers["32 steps"]


def test_a_prediction_says_that_it_is_one_with_its_interval(tmp_path):
    answers = visit(made_up_page.forced(), tmp_path)["answers"]
    assert "Measured: an answer takes LLaMA 100 ms and LLaDA 32.0 ms" in answers["16 steps"]
    assert answers["8 steps"].startswith("Predicted. ")
    assert re.search(
        r"LLaDA's time over LLaMA's is [\d.]+ \[[\d.]+, [\d.]+\]; the interval is as far as", answers["8 steps"]
    )


def test_every_table_sorts_both_ways_and_can_be_reached_by_key(seen):
    assert len(seen["tables"]) > 10
    for title, table in seen["tables"].items():
        before, up, down = table["states"]
        assert table["isReached"], title
        assert table["sort"] == "descending"
        assert sorted(before) == sorted(up) == sorted(down)
        numbers = [[float(key) for key in keys if re.fullmatch(r"-?[\d.e+-]+", key)] for keys in (up, down)]
        assert numbers[0] == sorted(numbers[0]), title
        assert numbers[1] == sorted(numbers[1], reverse=True), title
        for keys in (up, down):
            is_empty = [key == "" for key in keys]
            assert is_empty == sorted(is_empty), f"{title}: what has no number comes last"
    assert any(table["states"][0] != table["states"][1] for table in seen["tables"].values())


@pytest.mark.parametrize(
    ("study", "drawn"),
    [
        (made_up_page.eight, ["figure-borrowed", "figure-ledger"]),
        (made_up_page.accuracies, ["figure-task_accuracy"]),
        (made_up_page.problems, ["figure-problems"]),
    ],
)
def test_parts_that_some_studies_alone_have_are_drawn_and_their_tables_sort(study, drawn, tmp_path):
    seen = visit(study(), tmp_path, width=500)
    assert seen["problems"] == []
    assert seen["drawn"] == seen["plots"]
    for name in drawn:
        assert seen["marks"][name]
        assert all(count > 2 for count in seen["marks"][name]), name
    assert all(table["sort"] == "descending" for table in seen["tables"].values())
    assert seen["width"][0] <= seen["width"][1]


def test_a_study_of_tasks_alone_has_a_page_that_works(tmp_path):
    seen = visit(made_up_page.tasks(), tmp_path, width=500)
    assert seen["problems"] == []
    assert seen["drawn"] == seen["plots"] == 2
    assert seen["width"][0] <= seen["width"][1]  # nothing makes the whole page scroll sideways
