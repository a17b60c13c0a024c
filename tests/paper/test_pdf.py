"""The PDF is made whatever a study is called; where LaTeX cannot make it, the rest is there and one line says so."""

import re
import shutil
import subprocess
import sys

import pytest

from paper import build
from paper.tables import latex
from tests.paper.test_build import FakeTracking, without_mlflow

# Names as people give them: letters of many languages, signs with a meaning in LaTeX, pictures, half a character.
NAMES = (
    "日本語", "Привет", "नमस्ते", "עברית", "Größe_łódź", "50% & #1 {x} $y ~ ^ \\z", "😀👨‍👩‍👧", "a\x00b\x1b[0m",
    "cut \ud83d",
)  # fmt: skip
ALL_LETTERS = latex.LATIN_1 + latex.T1_LETTERS + latex.PUNCTUATION
MOST_PAGES = 8  # of the text before the references and the appendix
needs_latex = pytest.mark.skipif(not build.has_latex(), reason="no LaTeX here")


@pytest.fixture
def tracking(monkeypatch, tmp_path) -> FakeTracking:
    """A study without MLflow, and a folder of its own for the report."""
    return without_mlflow(monkeypatch, tmp_path)


def pages_of_the_body() -> int:
    """On which page the text ends and the references begin."""
    return int(re.search(r"newlabel\{end of body\}\{\{[^}]*\}\{(\d+)\}", (build.BUILD / "report.aux").read_text())[1])


def make_report(monkeypatch, name: str) -> int:
    monkeypatch.setattr(sys, "argv", ["paper.build", name])
    monkeypatch.setattr(build, "print_headlines", lambda findings: None)  # not every terminal can
    return build.main()


@needs_latex
def test_a_study_of_any_name_has_a_pdf(tracking, monkeypatch, capfd):
    tracking.runs = tracking.runs.assign(device=ALL_LETTERS, command=" ".join(NAMES[:-1]))
    assert make_report(monkeypatch, " ".join(NAMES[:-1])) == 0
    assert (build.BUILD / "report.pdf").stat().st_size > 0
    assert pages_of_the_body() <= MOST_PAGES
    said = capfd.readouterr()
    assert "report: paper/build/report.pdf (as code points, since its fonts lack them: 日本語" in said.out
    assert len(said.out.strip().splitlines()) == 1
    assert "Traceback" not in said.err


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_can_be_read_by_latex_whatever_the_name(name, tracking):
    build.BUILD.mkdir()
    build.write_numbers({"тест 50%.x": {"value": 1.0}, "llama.latency_ms": {"value": 2.0}}, {"study": name}, {})
    text = (build.BUILD / "numbers.tex").read_text(encoding="utf-8")
    assert "num@llama.latency_ms" in text
    assert "val@llama.latency_ms" in text
    assert "num@study" in text
    assert "тест" not in text  # a name that no text asks for, and that LaTeX could not read
    assert not latex.BEYOND.search(text.replace("\n", ""))


@pytest.fixture
def failing_latex(tmp_path, monkeypatch) -> str:
    """A latexmk and a pdflatex that lack a package."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("latexmk", "pdflatex"):
        (folder / name).write_text('#!/bin/sh\necho "! LaTeX Error: File \\`natbib.sty\' not found."\nexit 12\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    assert shutil.which("latexmk") == str(folder / "latexmk")
    return "LaTeX Error: File `natbib.sty' not found."


def test_a_latex_that_fails_costs_the_pdf_alone_and_is_tried_again(failing_latex, tracking, monkeypatch, capfd):
    for _ in range(2):
        assert make_report(monkeypatch, "made-up") == 0
        said = capfd.readouterr()
        assert f"no report.pdf: LaTeX failed ({failing_latex})" in said.out
        assert len(said.out.strip().splitlines()) == 1
        assert (build.BUILD / "results.json").is_file()
        assert (build.BUILD / "figures/pareto.png").is_file()


@needs_latex
@pytest.mark.skipif(not shutil.which("pdftotext"), reason="no poppler here")
def test_letters_that_print_as_one_are_copied_as_two_and_fonts_are_vectors(tracking, monkeypatch):
    assert make_report(monkeypatch, "made-up") == 0
    report = str(build.BUILD / "report.pdf")
    text = subprocess.run(["pdftotext", report, "-"], capture_output=True, text=True, check=True).stdout
    assert "a model fills" in text or "fills it in a" in text
    assert "differ" in text
    assert not re.search("[\ufb00-\ufb06]", text)
    fonts = subprocess.run(["pdffonts", report], capture_output=True, text=True, check=True).stdout
    own = [line for line in fonts.splitlines() if "LM" in line]
    assert len(own) >= 4
    assert all("Type 1" in line for line in own)


@needs_latex
def test_a_mistake_in_the_text_is_told_with_its_file_and_line(tracking, tmp_path, monkeypatch, capfd):
    sources = tmp_path / "paper"
    shutil.copytree(build.PAPER, sources, ignore=shutil.ignore_patterns("build", "recorded", "images", "*.py"))
    threats = sources / "sections" / "threats.tex"
    threats.write_text("\\section{Threats}\n\\nosuchcommand\n")
    monkeypatch.setattr(build, "PAPER", sources)
    assert make_report(monkeypatch, "made-up") == 0
    said = capfd.readouterr()
    assert "no report.pdf: LaTeX failed (sections/threats.tex, line 2: Undefined control sequence.)" in said.out
    assert (build.BUILD / "results.json").is_file()
    assert (build.BUILD / "facts.json").is_file()
    assert not (build.BUILD / "report.pdf").exists()
    assert not (build.BUILD / "stamp").exists()  # the next call tries again


def test_a_latex_that_does_not_end_is_stopped(tracking, tmp_path, monkeypatch, capfd):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("latexmk", "pdflatex"):
        (folder / name).write_text("#!/bin/sh\nexec sleep 60\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(build, "LATEX_LIMIT_S", 1)
    assert make_report(monkeypatch, "made-up") == 0
    assert "no report.pdf: LaTeX did not end within 1 s" in capfd.readouterr().out
