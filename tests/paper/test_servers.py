"""A report of a study whose LLaMA is behind an address: no part of it fails for what nobody knows of a server."""

import pandas as pd
import pytest

from bench.analysis.study import Study
from bench.common.errors import BadInput
from bench.render.study import print_findings, print_headlines
from paper import build, facts
from paper.page import page
from tests.support import made_up_page

SERVER = {"platform": "server", "device": "m at http://127.0.0.1:8000/v1", "engine": "server", "dtype": "unstated"}
UNKNOWN = ("memory/", "compute/", "predicted/", "energy/", "latency/step_ms", "ceiling.")


def from_a_server(study: Study) -> Study:
    """The study with every run of LLaMA from a server: without what nobody sees, and none of memory alone."""
    runs = study.runs[
        ~((study.runs["model"] == "llama") & study.runs["kind"].isin(["memory", "frontier", "attention"]))
    ]
    runs = runs.assign(pair="pocket-server")
    of_llama = runs["model"] == "llama"
    for name, value in SERVER.items():
        if name not in runs:
            runs[name] = None
        runs[name] = runs[name].astype(object)
        runs.loc[of_llama, name] = value
    for column in (column for column in runs if column.startswith(UNKNOWN)):
        runs.loc[of_llama, column] = float("nan")
    return Study(study.name, runs.reset_index(drop=True), study.histories)


STUDIES = {
    "answers": made_up_page.answers,
    "tasks": made_up_page.tasks,
    "everything": made_up_page.everything,
    "forced": made_up_page.forced,
}


@pytest.fixture(scope="module", params=STUDIES)
def found(request):
    return made_up_page.found(from_a_server(STUDIES[request.param]()))


def test_the_terminal_shows_it(found, capsys):
    print_findings(found[0])
    print_headlines(found[0])
    shown = capsys.readouterr().out
    assert "LLaMA by the server of m at http://127.0.0.1:8000/v1 (nothing vouches that it was ours alone)" in shown
    assert "nan" not in shown


def test_the_page_shows_it(found):
    shown = page.contents(found[1])
    text = page.markup(shown, {"plotly": "", "style": "", "script": ""})
    assert "m at http://127.0.0.1:8000/v1" in text
    assert shown["data"]["predicted"]["places"] == []
    assert "surface" not in {figure.name for figure in shown["figures"]}


def test_every_number_has_a_value(found):
    numbers = found[1].numbers()
    assert numbers
    assert not [name for name, number in numbers.items() if pd.isna(number["value"])]
    assert not [name for name in numbers if name.startswith("llama.") and name.endswith("_gib")]


def test_the_parts_of_the_report_are_written(found, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "BUILD", tmp_path)
    build.make_parts(found[0])
    assert (tmp_path / "results.json").is_file()
    written = "".join(file.read_text() for file in tmp_path.rglob("*.tex"))
    assert "nan" not in written.replace("finance", "")


def test_a_server_is_no_second_device():
    study = from_a_server(made_up_page.answers())
    build.one_device(study.runs, "s")
    second = study.runs.assign(device=[*study.runs["device"][:-1], "another CPU"])
    with pytest.raises(BadInput, match="mixes 2 devices"):
        build.one_device(second, "s")


def test_the_papers_words_say_whose_time_it_is():
    findings, selection = made_up_page.found(from_a_server(made_up_page.answers()))
    words = facts.facts("s", selection.first, findings.runs)
    assert words["dtype"] == "float32"
    assert words["device"].startswith("a CPU; LLaMA by the server of m at")
