"""A report of a study whose LLaMA is behind an address: no part of it fails for what nobody knows of a server."""

from types import SimpleNamespace

import pandas as pd
import pytest

from bench.analysis.study import Study
from bench.common.errors import BadInput
from bench.render import wording
from bench.render.study import print_findings, print_headlines
from paper import build, facts
from paper.figures.noise import title as noise_title
from paper.page import page
from paper.sentences import server
from paper.sentences import study as sentences
from paper.tables import comparison
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


def test_the_paper_says_what_is_not_equal_and_not_known():
    for study, is_served in ((from_a_server(made_up_page.everything()), True), (made_up_page.everything(), False)):
        _, selection = made_up_page.found(study)
        cells = {"cells.left_out": {"value": 0}, "cells.all": {"value": 9}}
        said = sentences.of(selection, selection.numbers() | cells, {})
        assert ("say_server" in said, "say_server_memory" in said, "has_floor" in said) == (
            is_served, is_served, not is_served,
        )  # fmt: skip
        assert ("known by its address alone" in said["threat_engine"]) is is_served
        title = wording.comparison_title(selection.first)
        assert title.endswith(", LLaMA by a server") is is_served
    assert (
        "LLaMA is behind an address"
        in server.of(made_up_page.found(from_a_server(made_up_page.tasks()))[1].first)["say_server"]
    )


def test_a_server_is_no_machine_whose_noise_is_shown():
    pairs = [SimpleNamespace(engine=engine, machine=machine) for engine, machine in (("eager", "a"), ("server", "b"))]
    assert noise_title(SimpleNamespace(pairs=pairs)) == "all sentinels of the study, on 1 machine and a server"
    assert noise_title(SimpleNamespace(pairs=pairs[:1])) == "all sentinels of the study, on 1 machine"


def test_no_engine_wrote_the_human_texts():
    study = from_a_server(made_up_page.answers())
    rows = study.runs.assign(head="official", weights="trained")
    rows = pd.concat([rows, rows.tail(1).assign(model="human")])
    names = {comparison.engine_name(run) for _, run in rows.iterrows()}
    assert "human" in names
    assert "LLaMA, server" in names


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
