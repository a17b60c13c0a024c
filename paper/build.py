"""`make paper`: pull a study through the MLflow API into numbers, tables, figures and report.pdf.

    python -m paper.build STUDY

Works with any subset of cells: what is missing reads "not measured". Nothing is drawn again while the study
and these sources are unchanged.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

from bench.analysis import comparison
from bench.analysis.comparison import EMPTY
from bench.analysis.scaling import scalings
from bench.common.errors import BadInput, exit_code
from bench.records.catalogue import unit_in_results
from bench.render.study import print_study
from bench.spec import pair
from bench.store import mlflow_read
from paper import results
from paper.facts import PARAGRAPH, facts, likelihood_words, outcome_words
from paper.results import cross_overs, digits, entry, likelihoods
from paper.tables import comparison as comparison_tables
from paper.tables import cost as cost_tables
from paper.tables import latex, scaling

HERE = Path(__file__).parent
BUILD = HERE / "build"


def write_numbers(numbers: dict[str, dict], words: dict[str, str]) -> None:
    """results.json and the same numbers as LaTeX definitions, read by \\num{name}."""
    (BUILD / "results.json").write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n")
    texts = {name: digits(number["value"]) for name, number in numbers.items()} | {
        k: latex.escape(v).replace(PARAGRAPH, r"\par ") for k, v in words.items()
    }
    lines = [f"\\expandafter\\def\\csname num@{name}\\endcsname{{{text}}}" for name, text in texts.items() if text]
    (BUILD / "numbers.tex").write_text("% written by paper/build.py\n" + "\n".join(lines) + "\n")


def make_pdf() -> str:
    """Build report.pdf if there is a LaTeX; returns a line that says what came of it."""
    if not (shutil.which("latexmk") and shutil.which("pdflatex")):
        return "no LaTeX here: all but report.pdf is written (Debian: apt install texlive-latex-recommended latexmk)"
    for name in ("main.tex", "refs.bib"):
        shutil.copy(HERE / name, BUILD)
    command = ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "-jobname=report", "main.tex"]
    done = subprocess.run(command, cwd=BUILD, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if line.startswith("!")]
        raise RuntimeError(f"LaTeX failed: {errors[0] if errors else 'see'} (paper/build/report.log)")
    return "report: paper/build/report.pdf"


def sources() -> list[Path]:
    """Every file that the report is made from: all code of the benchmark and of the report, text, references, and the
    files that state pairs, cards and hypotheses."""
    code = [*(HERE.parent / "bench").rglob("*.py"), *HERE.rglob("*.py")]
    words = [*HERE.glob("*.tex"), *HERE.glob("*.bib"), *HERE.glob("*.yaml")]
    return sorted([*code, *words, *(HERE.parent / "configs").rglob("*.yaml"), results.POCKET_CARD.resolve()])


def stamp(study: str, frame: pd.DataFrame, pair_file: Path) -> str:
    """Changes when the study's runs, the pair's file or any source of the report does."""
    parts = [study, frame.sort_values("run_id").to_csv(), str(bool(shutil.which("latexmk")))]
    parts += [file.read_text() for file in (*sources(), pair_file)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def make_parts(study: str, frame: pd.DataFrame) -> None:
    """Write numbers, tables and figures anew."""
    from paper.figures import cost as cost_figures
    from paper.figures.write import write as write_figures

    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    every = comparison.comparisons(frame)
    found, tasks = (comparison.main_of(every, about) or EMPTY for about in ("answers", "tasks"))
    beside = comparison.on_other_engines(found, every)
    margins, bits = pair.read_pair(frame["pair"].iloc[0]).metrics, likelihoods(frame)
    words = facts(study, found if not found.rows.empty else tasks, outcome_words(every, margins))
    words["likelihood"] = likelihood_words(bits)
    scaled = scaling.largest(scalings(frame))
    words["scaling"] = PARAGRAPH.join(scaling.sentences(scaled))
    numbers = results.results(found) | results.results(tasks, "tasks.") | bits
    for other in beside:
        numbers |= results.results(other, f"{other.every['engine'].iloc[0]}.")
    numbers |= {
        name: entry(value, unit_in_results(m), runs) for name, (value, m, runs) in scaling.numbers(scaled).items()
    }
    for part in (found, tasks):
        numbers |= cross_overs(part, part.declared(margins))
    write_numbers(numbers, words)
    comparison_tables.write(found, tasks, BUILD / "tables", beside)
    scaling.write(scaled, BUILD / "tables")
    write_figures(found, tasks, scaled, BUILD / "figures", beside)
    about = pair.read_pair(frame["pair"].iloc[0])
    cost_tables.write(frame, about, BUILD / "tables")
    cost_figures.write(frame, about, BUILD / "figures")


def main() -> int:
    if len(sys.argv) != 2:
        raise BadInput("usage: python -m paper.build STUDY")
    study = sys.argv[1]
    frame = mlflow_read.frame(study)
    if frame.empty:
        raise BadInput(f"study {study!r} has no runs yet; run `make sweep` first")
    current, mark = stamp(study, frame, pair.file_of(frame["pair"].iloc[0])), BUILD / "stamp"
    if not mark.is_file() or mark.read_text() != current:
        make_parts(study, frame)
        outcome = make_pdf()
        mark.write_text(current)
    else:
        outcome = "report: nothing has changed since it was built"
    print_study(study)
    print(f"numbers, tables, figures: paper/build/; {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
