"""`make paper`: pull a study through the MLflow API into numbers, tables, figures and report.pdf.

    python -m paper.build STUDY

Works with any subset of cells: what is missing reads "not measured". While the study and the sources of the report are
unchanged nothing is drawn again. The terminal gets the main comparisons and verdicts, with --verbose every table.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

from bench.analysis import study
from bench.analysis.findings import Findings, findings_of
from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.render import consistency as render_consistency
from bench.render import endpoints as render_endpoints
from bench.render import ends as render_ends
from bench.render import hundred_steps as render_hundred_steps
from bench.render import wording
from bench.render.study import print_findings, print_headlines
from bench.runner import notices
from bench.spec import pair
from paper import decoder_selection, results
from paper.facts import PARAGRAPH, facts, likelihood_words, outcome_words
from paper.selection import Selection, select
from paper.tables import comparison as comparison_tables
from paper.tables import cost as cost_tables
from paper.tables import decoders as decoder_tables
from paper.tables import ends as ends_tables
from paper.tables import latex
from paper.tables import scaling as scaling_tables

PAPER = Path(__file__).parent
REPOSITORY = PAPER.parent
BUILD = PAPER / "build"
DEBIAN = "apt install texlive-latex-recommended latexmk"
NAME = re.compile(r"[\w.:-]+", re.ASCII)  # of a number that the text of the report can ask for


def sources(repository: Path = REPOSITORY) -> list[Path]:
    """Every file that the report is made from: all code of the benchmark and of the report, its text and references,
    and the files that state pairs, cards and hypotheses."""
    paper = repository / "paper"
    code = [*(repository / "bench").rglob("*.py"), *paper.rglob("*.py")]
    text = [*paper.glob("*.tex"), *paper.glob("*.bib"), *paper.glob("*.yaml")]
    return sorted([*code, *text, *(repository / "configs").rglob("*.yaml"), repository / results.POCKET_CARD])


def stamp(name: str, runs: pd.DataFrame, pair_file: Path, repository: Path = REPOSITORY) -> str:
    """Changes when the study's runs, the pair's file or any source of the report does.

    runs: a study's runs as tracked, with the digest of the records behind each.
    """
    parts = [name, runs.sort_values("run_id").to_csv(), str(has_latex())]
    files = (*sources(repository), *(repository / "paper/page/assets").glob("*"), pair_file)
    parts += [file.read_text(encoding="utf-8", errors="replace") for file in sorted(files)]
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()


def has_latex() -> bool:
    """Whether a PDF can be made here."""
    return bool(shutil.which("latexmk") and shutil.which("pdflatex"))


def write_page(findings: Findings) -> None:
    """Write report.html, which shows the same without LaTeX."""
    from paper.page import page  # what draws takes seconds to import

    page.write(select(findings), BUILD)


def is_current(mark: str, build: Path) -> bool:
    """Whether the report that lies there was made from what this stamp stands for."""
    file = build / "stamp"
    return file.is_file() and file.read_text() == mark


def write_numbers(numbers: dict[str, dict], words: dict[str, str]) -> None:
    """results.json, and the same numbers and the words as LaTeX definitions, read by \\num{name}."""
    (BUILD / "results.json").write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    texts = {name: results.digits(number["value"]) for name, number in numbers.items() if NAME.fullmatch(name)}
    texts |= {name: r"\par ".join(map(latex.escape, text.split(PARAGRAPH))) for name, text in words.items()}
    lines = [f"\\expandafter\\def\\csname num@{name}\\endcsname{{{text}}}" for name, text in texts.items() if text]
    content = "% written by paper/build.py\n" + "\n".join(lines) + "\n"
    (BUILD / "numbers.tex").write_text(content, encoding="utf-8")


def figure_titles(selection: Selection) -> dict[str, str]:
    """What a figure's caption says of the runs that it shows, by `title_NAME`: their engine and head among it."""
    answers = [selection.answers, *selection.on_engines]
    titles = [wording.comparison_title(comparison) for comparison in answers if not comparison.every.empty]
    by_kind = {kind: wording.scaling_title(group).split(": ", 1)[1] for kind, group in selection.scalings.items()}
    named = {f"title_{kind}": wording.capitalised(title) for kind, title in by_kind.items()}
    if titles:
        named["title_answers"] = wording.capitalised("; ".join(titles))
        named["title_main"] = wording.capitalised(wording.comparison_title(answers[0]))
    if not selection.tasks.every.empty:
        named["title_tasks"] = wording.capitalised(wording.comparison_title(selection.tasks))
    return named


def make_parts(findings: Findings) -> None:
    """Write numbers, tables and figures anew."""
    from paper.figures.write import write as write_figures  # what draws takes seconds to import

    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    selection = select(findings)
    words = facts(findings.study, selection.first, outcome_words(findings.comparisons))
    words["likelihood"] = likelihood_words(selection.likelihoods)
    words["hundred_steps"] = PARAGRAPH.join(render_hundred_steps.lines(findings.comparisons, findings.hundred_steps))
    words |= figure_titles(selection) | decoder_selection.titles(findings.decoders)
    words |= scaling_tables.extrapolations(selection.scalings)
    words["endpoints"] = PARAGRAPH.join(render_endpoints.lines(findings.study, findings.declared, findings.endpoints))
    words["ends"] = PARAGRAPH.join(render_ends.lines(findings.ends))
    words["decoders"] = PARAGRAPH.join(decoder_tables.words(findings.decoders))
    doubts = render_consistency.lines(findings.falls)
    words["scaling"] = PARAGRAPH.join([*scaling_tables.sentences(selection.scalings), *doubts])
    write_numbers(selection.numbers(), words)
    comparison_tables.write(selection.answers, selection.tasks, BUILD / "tables", selection.on_engines)
    scaling_tables.write(selection.scalings, BUILD / "tables")
    cost_tables.write(findings, BUILD / "tables")
    ends_tables.write(findings.ends, BUILD / "tables")
    decoder_tables.write(findings.decoders, BUILD / "tables")
    write_figures(selection, BUILD / "figures")


def make_pdf() -> tuple[str, bool]:
    """Build report.pdf if there is a LaTeX; (a line that says what came of it, whether another try would be no other).

    Where LaTeX fails, the PDF alone is missing: numbers, tables and figures are written.
    """
    if not has_latex():
        return f"no LaTeX here: all but report.pdf is written (Debian: {DEBIAN})", True
    for name in ("main.tex", "refs.bib"):
        shutil.copy(PAPER / name, BUILD)
    command = ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "-jobname=report", "main.tex"]
    done = subprocess.run(command, cwd=BUILD, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if line.startswith("!")]
        why = errors[0].removeprefix("! ") if errors else f"latexmk ended with status {done.returncode}"
        return f"no report.pdf: LaTeX failed ({why}), see paper/build/report.log (Debian: {DEBIAN})", False
    beyond = latex.beyond_the_fonts(BUILD)
    instead = f" (as code points, since its fonts lack them: {beyond})" if beyond else ""
    return f"report: paper/build/report.pdf{instead}", True


def main() -> int:
    parser = Parser("paper.build", __doc__)
    parser.add_argument("study", metavar="STUDY", help="the name of an MLflow experiment; a pair's name by default")
    parser.add_argument("--verbose", action="store_true", help="print every table of the study")
    args = parser.parse_args()
    from paper import publish

    with notices.waiting_for(f"reading study {args.study}"):
        runs = study.runs_of(args.study)
        mark = stamp(args.study, runs, pair.file_of(runs["pair"].iloc[0]))
    unchanged = "nothing has changed since the report was built"
    if is_current(mark, BUILD) and publish.is_published(args.study, mark) and not args.verbose:
        print(f"study {args.study}: nothing to do, {unchanged}: paper/build/ (VERBOSE=1 prints the tables)")
        return 0
    with notices.waiting_for(f"comparing the models of study {args.study}"):
        findings = findings_of(study.with_histories(args.study, runs))
    outcome = f"report: {unchanged}"
    if not is_current(mark, BUILD):
        with notices.waiting_for("writing numbers, tables and figures into paper/build/"):
            make_parts(findings)
            write_page(findings)
        with notices.waiting_for("LaTeX is writing paper/build/report.pdf"):
            outcome, is_final = make_pdf()
        if is_final:
            (BUILD / "stamp").write_text(mark)
    if is_current(mark, BUILD):
        with notices.waiting_for("putting the report into MLflow"):
            publish.publish(findings, BUILD, mark)
    if args.verbose:
        print_findings(findings)
    else:
        print_headlines(findings)
    print(f"\nnumbers, tables, figures: paper/build/; page: paper/build/report.html; {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
