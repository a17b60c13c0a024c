"""`make paper`: pull a study through the MLflow API into numbers, tables, figures and report.pdf.

    python -m paper.build STUDY

Works with any subset of cells: what is missing is left out of the text, and one line says what that is. While the
study and the sources of the report are unchanged nothing is drawn again. The terminal gets the main comparisons and
verdicts, with --verbose every table.
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
from bench.analysis.runs import are_served
from bench.common.cli import Parser
from bench.common.errors import BadInput, exit_code
from bench.render import borrowed as render_borrowed
from bench.render import ledger as render_ledger
from bench.render import task_accuracy as render_task_accuracy
from bench.render import wording
from bench.render.study import print_findings, print_headlines
from bench.runner import notices
from bench.spec import pair
from paper import decoder_selection, results, values
from paper.facts import facts, facts_of_accuracies, likelihood_words
from paper.selection import Selection, select
from paper.sentences import counts
from paper.sentences import study as sentences
from paper.tables import best_decoders as best_decoders_tables
from paper.tables import borrowed as borrowed_tables
from paper.tables import carried_over as carried_over_tables
from paper.tables import cells as cells_tables
from paper.tables import comparison as comparison_tables
from paper.tables import cost as cost_tables
from paper.tables import decoders as decoder_tables
from paper.tables import ends as ends_tables
from paper.tables import fastest_decoders as fastest_decoders_tables
from paper.tables import latex
from paper.tables import ledger as ledger_tables
from paper.tables import problems as problems_tables
from paper.tables import scaling as scaling_tables
from paper.tables import steps as steps_tables
from paper.tables import task_accuracy as task_accuracy_tables
from paper.values import Numbers

PAPER = Path(__file__).parent
REPOSITORY = PAPER.parent
BUILD = PAPER / "build"
DEBIAN = "Debian: apt install texlive-latex-recommended lmodern latexmk"
LATEX_LIMIT_S = 300
LATEX_ERROR = re.compile(r"(?:\./)?([^\s:]+\.\w+):(\d+): (.+)")  # of -file-line-error: file, line, what is wrong


def sources(repository: Path = REPOSITORY) -> list[Path]:
    """Every file that the report is made from: all code of the benchmark and of the report, its text and references,
    and the files that state pairs, cards and hypotheses."""
    paper = repository / "paper"
    code = [*(repository / "bench").rglob("*.py"), *paper.rglob("*.py")]
    text = [*paper.glob("*.tex"), *paper.glob("sections/*.tex"), *paper.glob("*.bib"), *paper.glob("*.yaml")]
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


def write_numbers(numbers: Numbers, words: dict[str, str], sentences: dict[str, str]) -> None:
    r"""results.json with every number, facts.json with every word and sentence, and both as LaTeX definitions, read by
    `\num{name}` and, with the interval, `\val{name}`.

    words: plain text. sentences: LaTeX, whose numbers are macros themselves.
    """
    (BUILD / "results.json").write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    texts = {name: latex.escape(text) for name, text in words.items()} | sentences
    facts_file = json.dumps(texts, indent=1, sort_keys=True)
    (BUILD / "facts.json").write_text(facts_file + "\n", encoding="utf-8")
    named = {name: number for name, number in numbers.items() if values.NAME.fullmatch(name)}
    lines = [definition("num", name, values.value_text(name, number)) for name, number in named.items()]
    lines += [definition("val", name, values.interval_text(name, number)) for name, number in named.items()]
    lines += [definition("num", name, text) for name, text in texts.items() if text]
    (BUILD / "numbers.tex").write_text("% written by paper/build.py\n" + "\n".join(lines) + "\n", encoding="utf-8")


def definition(kind: str, name: str, text: str) -> str:
    """A line of numbers.tex."""
    return f"\\expandafter\\def\\csname {kind}@{name}\\endcsname{{{text}}}"


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
    if selection.blocks:
        named["title_problems"] = "; ".join(map(wording.capitalised, map(wording.comparison_title, selection.blocks)))
    return named


def make_parts(findings: Findings) -> None:
    """Write numbers, tables, figures and sentences anew."""
    from paper.figures.write import write as write_figures  # what draws takes seconds to import

    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    selection = select(findings)
    write_tables(selection)
    write_figures(selection, BUILD / "figures")
    numbers = selection.numbers() | counts.numbers(findings, selection.compared)
    words = facts_of_accuracies(findings)
    words |= facts(findings.study, selection.first, findings.runs[findings.runs["reason"] == ""])
    words["likelihood"] = likelihood_words(selection.likelihoods)
    words |= scaling_tables.extrapolations(selection.scalings)
    words |= figure_titles(selection) | decoder_selection.titles(findings.decoders)
    of_claims = claims(selection)
    write_numbers(numbers, words, of_claims | sentences.of(selection, numbers, drawn_and_written() | of_claims))


def claims(selection: Selection) -> dict[str, str]:
    """As LaTeX, what a study says beside published numbers, and of accuracy in tasks of lm-evaluation-harness."""
    findings = selection.findings
    texts = {
        "borrowed": [render_borrowed.verdict(findings.borrowed)] if findings.borrowed else [],
        "ledger": render_ledger.sentences(selection.ledger),
        "say_accuracy": render_task_accuracy.primary_sentences(findings.pair.primary_task, findings.task_accuracies),
    }
    return {name: r"\par ".join(map(latex.escape, parts)) for name, parts in texts.items() if parts}


def write_tables(selection: Selection) -> None:
    """Write every table; the file of one without data is empty."""
    folder, findings = BUILD / "tables", selection.findings
    comparison_tables.write(selection.answers, selection.tasks, folder, selection.on_engines)
    steps_tables.write(selection.answers, selection.tasks, selection.scalings, folder)
    scaling_tables.write(selection.scalings, folder)
    cost_tables.write(findings, folder)
    ends_tables.write(findings.ends, folder)
    decoder_tables.write(findings.decoders, folder)
    best_decoders_tables.write(findings.decoders, folder)
    fastest_decoders_tables.write(findings.decoders, folder)
    carried_over_tables.write(findings.carried_over, folder)
    cells_tables.write(findings.runs, folder)
    problems_tables.write(selection.blocks, folder)
    borrowed_tables.write(findings.borrowed, BUILD)
    ledger_tables.write(selection.ledger, BUILD)
    task_accuracy_tables.write(findings.task_accuracies, BUILD)


def drawn_and_written() -> dict[str, str]:
    """`figure_NAME` and `table_NAME` for every figure and table that there is."""
    figures = {f"figure_{file.stem}": "yes" for file in (BUILD / "figures").glob("*.pdf")}
    texts = [file.read_text(encoding="utf-8") for file in (BUILD / "tables").glob("*.tex")]
    return figures | {f"table_{name}": "yes" for text in texts for name in latex.LABELS.findall(text)}


def make_pdf() -> tuple[str, bool]:
    """Build report.pdf if there is a LaTeX; (a line that says what came of it, whether another try would be no other).

    Where LaTeX fails, the PDF alone is missing: numbers, tables and figures are written.
    """
    if not has_latex():
        return f"no LaTeX here: all but report.pdf is written ({DEBIAN})", True
    for name in ("main.tex", "refs.bib"):
        shutil.copy(PAPER / name, BUILD)
    shutil.copytree(PAPER / "sections", BUILD / "sections", dirs_exist_ok=True)
    options = ["-interaction=nonstopmode", "-halt-on-error", "-file-line-error"]
    command = ["latexmk", "-pdf", *options, "-jobname=report", "main.tex"]
    try:
        done = subprocess.run(
            command, cwd=BUILD, capture_output=True, text=True, errors="replace", check=False, timeout=LATEX_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return f"no report.pdf: LaTeX did not end within {LATEX_LIMIT_S} s, see paper/build/report.log", False
    if done.returncode:
        return f"no report.pdf: LaTeX failed ({why_latex_failed(done)}), see paper/build/report.log ({DEBIAN})", False
    beyond = latex.beyond_the_fonts(BUILD)
    instead = f" (as code points, since its fonts lack them: {beyond})" if beyond else ""
    return f"report: paper/build/report.pdf{instead}", True


def why_latex_failed(done: subprocess.CompletedProcess) -> str:
    """ "sections/steps.tex, line 12: Undefined control sequence.": LaTeX's first error, with its place where known."""
    for line in done.stdout.splitlines():
        if at := LATEX_ERROR.match(line):
            return f"{at[1]}, line {at[2]}: {at[3]}"
        if line.startswith("! "):
            return line.removeprefix("! ")
    return f"latexmk ended with status {done.returncode}"


def one_device(runs: pd.DataFrame, study_name: str) -> None:
    """Raises BadInput where the runs of a study come from several devices: a paper is about one, and a table of two
    would compare what nobody ran side by side."""
    timed = runs[(runs["outcome"] == "ok") & (runs["kind"] != study.ACCURACY)]  # accuracy is of no device
    own = timed[~are_served(timed)]  # nobody knows which device a server has, and all runs of ours are compared with it
    good = own.reindex(columns=["platform", "device"]).dropna()
    counted = good.groupby(["platform", "device"]).size()
    if len(counted) > 1:
        parts = [f"{device} ({platform}, {number} cells)" for (platform, device), number in counted.items()]
        raise BadInput(
            f"study {study_name!r} mixes {len(counted)} devices, and a paper is about one: {'; '.join(parts)};"
            " measure each under a STUDY of its own"
        )


def main() -> int:
    parser = Parser("paper.build", __doc__)
    parser.add_argument("study", metavar="STUDY", help="the name of an MLflow experiment; a pair's name by default")
    parser.add_argument("--verbose", action="store_true", help="print every table of the study")
    args = parser.parse_args()
    from paper import publish

    with notices.waiting_for(f"reading study {args.study}"):
        runs = study.runs_of(args.study)
        one_device(runs, args.study)
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
