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
import time
from pathlib import Path

import pandas as pd

from bench import grid, report, stats, tracking
from bench.errors import BadInput, exit_code

HERE = Path(__file__).parent
BUILD = HERE / "build"
UNITS = {"ms": "ms", "gib": "GiB", "tokens_per_s": "tokens/s"}
POCKET_CARD = Path("bench/pocket/card.json")
POCKET_NOTE = (
    "The pocket pair has a few million parameters a model and was trained on one data set; it shows the method with"
    " real text and real quality, on hardware that everyone has."
)
RANDOM_NOTE = (
    "The weights are random, made from a seed in the exact shapes of the published models: latency, throughput and"
    " memory depend on shapes and hardly on values; there is no quality."
)
POCKET_LIMITS = (
    "Models of this size show how quality and time move with the steps; neither the level of quality nor the latencies"
    " carry over to 8B models, and the step count at which the two meet need not either. Where a laptop CPU was used,"
    " arithmetic and not memory traffic decides, unlike at batch 1 on a GPU."
)


def unit_of(metric: str) -> str:
    """The unit in a metric's name; `1` for a number without one."""
    return next((unit for ending, unit in UNITS.items() if metric.endswith(ending)), "1")


def entry(estimate: stats.Estimate, unit: str, runs: list[str]) -> dict:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "unit": unit, "runs": runs}


def results(found: report.Comparison) -> dict[str, dict]:
    """Every number of the comparison: `llama.METRIC`, `llada.STEPS.METRIC`, `break_even_steps`."""
    numbers = {}
    for _, row in found.rows.iterrows():
        prefix = "llama" if row["model"] == "llama" else f"llada.{row['steps']:.0f}"
        for metric in sorted(c for c in row.index if "/" in c and not c.startswith(("rounds/", "per_prompt/"))):
            estimate = report.estimate_of(row, metric)
            if estimate is not None and not metric.endswith(("_ci_low", "_ci_high")):
                numbers[f"{prefix}.{metric.split('/')[1]}"] = entry(estimate, unit_of(metric), [row["run_id"]])
        if not found.llama.empty and row["model"] == "llada":
            ratio = report.latency_ratio(row, found.llama.iloc[0])
            numbers[f"{prefix}.latency_ratio"] = entry(ratio, "1", [row["run_id"], found.llama.iloc[0]["run_id"]])
    even = report.break_even(found)
    if even is not None:
        numbers["break_even_steps"] = entry(stats.Estimate(even), "steps", found.rows["run_id"].tolist())
    return numbers


def likelihoods(pair: str) -> dict[str, dict]:
    """Bits per byte of the shipped pair, measured once when it was trained (its model card)."""
    if pair != "pocket" or not POCKET_CARD.is_file():
        return {}
    card = json.loads(POCKET_CARD.read_text())
    return {
        f"{m}.bits_per_byte": entry(stats.Estimate(card[m]["bits_per_byte"]), "bits/byte", [])
        for m in ("llama", "llada")
    }


def escape(text: str) -> str:
    """Plain text for LaTeX."""
    for char in "\\&%$#_{}~^":
        text = text.replace(
            char, {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\^{}"}.get(char, "\\" + char)
        )
    return text


def digits(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def facts(study: str, found: report.Comparison, verdict: list[str]) -> dict[str, str]:
    """The words of the report: what was compared, where, and the outcome."""
    rows = found.rows
    known = {"study": study, "date": time.strftime("%Y-%m-%d"), "verdict": " ".join(verdict)}
    if rows.empty:
        return known
    first = rows.iloc[0]
    for name in ("pair", "dtype", "engine", "git", "device"):
        known[name] = str(first.get(name, ""))
    for name in ("gen_length", "batch_size", "prompts"):
        known[name] = f"{first[name]:.0f}"
    bits = likelihoods(known["pair"])
    if bits:
        values = [f"{bits[f'{model}.bits_per_byte']['value']:.3f}" for model in ("llama", "llada")]
        known["likelihood"] = (
            f"{values[0]} bits per byte for LLaMA, exact, and at most {values[1]} for LLaDA (an upper bound; it does"
            " not say that LLaMA models text better)"
        )
    known["exclusive"] = ", ".join(sorted(set(rows["verdict"])))
    if "memory/allocated_gib" not in rows:
        known["exclusive"] += " (a CPU study: nothing vouches that the machine did nothing else)"
    known["rounds"] = str(rows["rounds_logged"].map(lambda text: len(text.split())).min())
    known["pair_note"], known["limits"] = (POCKET_NOTE, POCKET_LIMITS) if first["pair"] == "pocket" else ("", "")
    if found.label:
        known["pair_note"] = known["limits"] = RANDOM_NOTE
    return known


def write_numbers(numbers: dict[str, dict], words: dict[str, str]) -> None:
    """results.json and the same numbers as LaTeX definitions, read by \\num{name}."""
    (BUILD / "results.json").write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n")
    texts = {name: digits(number["value"]) for name, number in numbers.items()} | {
        k: escape(v) for k, v in words.items()
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


def stamp(study: str, frame: pd.DataFrame) -> str:
    """Changes when the study's runs or the sources of the report do."""
    sources = [*sorted(HERE.glob("*.*")), Path(report.__file__), Path(stats.__file__)]
    parts = [study, frame.sort_values("run_id").to_csv(), str(bool(shutil.which("latexmk")))]
    parts += [file.read_text() for file in sources if file.suffix in (".py", ".tex", ".bib")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def main() -> int:
    if len(sys.argv) != 2:
        raise BadInput("usage: python -m paper.build STUDY")
    study = sys.argv[1]
    frame = tracking.frame(study)
    if frame.empty:
        raise BadInput(f"study {study!r} has no runs yet; run `make sweep` first")
    current, mark = stamp(study, frame), BUILD / "stamp"
    if not mark.is_file() or mark.read_text() != current:
        from paper import figures, tables

        shutil.rmtree(BUILD, ignore_errors=True)
        BUILD.mkdir(parents=True)
        found = report.comparison(frame)
        pair = grid.read_pair(frame["pair"].iloc[0])
        verdict = report.verdict(found, pair.primary_metric, pair.margin)
        write_numbers(results(found) | likelihoods(pair.name), facts(study, found, verdict))
        tables.write(found, BUILD / "tables")
        figures.write(found, BUILD / "figures")
        outcome = make_pdf()
        mark.write_text(current)
    else:
        outcome = "report: nothing has changed since it was built"
    report.print_study(study)
    print(f"numbers, tables, figures: paper/build/; {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
