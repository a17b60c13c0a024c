"""`make paper`: pull a study through the MLflow API into numbers, tables, figures and report.pdf.

    python -m paper.build STUDY

Works with any subset of cells: what is missing reads "not measured". Nothing is drawn again while the study
and these sources are unchanged.
"""

import hashlib
import json
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from bench import (
    comparison,
    cost,
    grid,
    hypotheses,
    memory,
    noise,
    predictions,
    provenance,
    report,
    roofline,
    scaling_text,
    stats,
    tracking,
    trust,
)
from bench.comparison import EMPTY, Comparison
from bench.errors import BadInput, exit_code
from bench.noise import Noise
from bench.scaling import scalings
from paper import scaling, tables

HERE = Path(__file__).parent
MODEL = (cost, hypotheses, memory, predictions, roofline)  # whose sources the report depends on
BUILD = HERE / "build"
PARAGRAPH = "\n\n"
UNITS = {"ms": "ms", "gib": "GiB", "tokens_per_s": "tokens/s", "/j": "J", "j_per_token": "J/token", "power_w": "W"}
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


def results(found: Comparison, prefix: str = "") -> dict[str, dict]:
    """Every number of a comparison: `llama.METRIC`, `llada.STEPS.METRIC`, `human.METRIC`, `break_even_steps`. What the
    cost model says of a run is `llama.predicted_METRIC`."""
    numbers = {}
    for _, row in pd.concat([found.rows, found.human]).iterrows():
        name = f"llada.{row['steps']:.0f}" if row["model"] == "llada" else row["model"]
        for metric in sorted(c for c in row.index if "/" in c and not c.startswith(("rounds/", "per_prompt/"))):
            estimate = comparison.estimate_of(row, metric)
            if estimate is not None and not metric.endswith(("_ci_low", "_ci_high")):
                numbers[f"{prefix}{name}.{tables.short(metric)}"] = entry(estimate, unit_of(metric), [row["run_id"]])
        if not found.llama.empty and row["model"] == "llada":
            ratio = comparison.ratio_at(found, row["steps"], "latency/latency_ms")
            runs = [row["run_id"], found.llama.iloc[0]["run_id"]]
            numbers[f"{prefix}{name}.latency_ratio"] = entry(ratio, "1", runs)
    numbers |= noise_numbers(found.noise, prefix)
    even = comparison.break_even(found)
    if even is not None:
        numbers[f"{prefix}break_even_steps"] = entry(stats.Estimate(even), "steps", found.rows["run_id"].tolist())
    return numbers


def noise_numbers(noise: Noise | None, prefix: str) -> dict[str, dict]:
    """`aa_ratio` and `drift`; `eager.aa_ratio` where it stands under runs of an engine that no sentinel ran on."""
    if noise is None or noise.ratio is None:
        return {}
    prefix += f"{noise.engine}." if noise.none_ran else ""
    numbers = {f"{prefix}aa_ratio": entry(noise.ratio, "1", list(noise.runs))}
    if noise.drift is not None:
        numbers[f"{prefix}drift"] = entry(stats.Estimate(noise.drift), "1", list(noise.runs))
    return numbers


def cross_overs(found: Comparison, margins: dict[str, float]) -> dict[str, dict]:
    """`METRIC.cross_over_steps` and what it costs there, of the declared metrics; the steps only where reached.

    An upper bound beyond the measured steps is null.
    """
    numbers, runs = {}, found.rows["run_id"].tolist() if not found.rows.empty else []
    for metric, margin in margins.items():
        match = comparison.match(found, metric, margin)
        if match is None:
            continue
        crossing = match.cross_over
        numbers[f"{metric}.p_reached"] = entry(stats.Estimate(crossing.p_reached), "1", runs)
        if match.steps is None:
            continue
        high = crossing.high if math.isfinite(crossing.high) else None
        numbers[f"{metric}.cross_over_steps"] = entry(stats.Estimate(crossing.steps, crossing.low, high), "steps", runs)
        numbers[f"{metric}.admissible_steps"] = entry(stats.Estimate(match.steps), "steps", runs)
        numbers[f"{metric}.latency_ratio"] = entry(match.latency_ratio, "1", runs)
        numbers[f"{metric}.throughput_ratio"] = entry(match.throughput_ratio, "1", runs)
    return numbers


def likelihoods(frame: pd.DataFrame) -> dict[str, dict]:
    """Bits per byte: tracked ones, else those of the shipped pair's model card."""
    metric, found = "quality/bits_per_byte", {}
    if metric in frame:
        for _, row in frame[frame[metric].notna()].iterrows():
            name = f"{row['model']}.{row['text']}.bits_per_byte"
            found[name] = entry(comparison.estimate_of(row, metric), "bits/byte", [row["run_id"]])
    if not found and frame["pair"].iloc[0] == "pocket" and POCKET_CARD.is_file():
        card = json.loads(POCKET_CARD.read_text())
        for model in ("llama", "llada"):
            for text, bits in card[model]["bits_per_byte"].items():
                estimate = stats.Estimate(bits["value"], bits["low"], bits["high"])
                found[f"{model}.{text}.bits_per_byte"] = entry(estimate, "bits/byte", [])
    return found


def likelihood_words(bits: dict[str, dict]) -> str:
    """A sentence part for each text, LLaMA before LLaDA; empty where nothing is measured."""
    parts: dict[str, list[str]] = {}
    for name in sorted(bits, reverse=True):
        model, text = name.removesuffix(".bits_per_byte").split(".", 1)
        kind, number = "LLaMA" if model == "llama" else "LLaDA at most", bits[name]
        parts.setdefault(text, []).append(f"{kind} {number['value']:.3f} [{number['low']:.3f}, {number['high']:.3f}]")
    return "; ".join(f"{text}: {', '.join(words)}" for text, words in parts.items())


def digits(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def facts(study: str, found: Comparison, verdict: list[str]) -> dict[str, str]:
    """The words of the report: what was compared, where, and the outcome."""
    rows = found.rows
    known = {"study": study, "date": time.strftime("%Y-%m-%d"), "verdict": PARAGRAPH.join(verdict)}
    if rows.empty:
        return known
    first = rows.iloc[0]
    for name in ("pair", "dtype", "engine", "git", "device"):
        known[name] = str(first.get(name, ""))
    for name in ("gen_length", "batch_size", "prompts"):
        known[name] = f"{first[name]:.0f}"
    heat = comparison.heat_of(first)
    known["decoding"] = f"at temperature {heat:g}, with float64 noise" if heat else "greedily"
    known["exclusive"] = ", ".join(sorted(set(rows["verdict"])))
    if first.get("platform") != "cuda":
        known["exclusive"] += " (a CPU study: nothing vouches that the machine did nothing else)"
    known["command"] = str(first.get("command", ""))
    known["dirty"] = dirty_words(rows)
    known["rounds"] = str(rows["rounds_logged"].map(lambda text: len(text.split())).min())
    known["pair_note"], known["limits"] = (POCKET_NOTE, POCKET_LIMITS) if first["pair"] == "pocket" else ("", "")
    if found.label:
        known["pair_note"] = known["limits"] = RANDOM_NOTE
    return known


def dirty_words(rows: pd.DataFrame) -> str:
    """A warning where runs, or this report, come from code that no commit holds, or from several commits."""
    commits = {word for text in rows["git"].fillna("") for word in text.split()}
    warnings = []
    if any(commit.endswith("-dirty") for commit in commits):
        warnings.append("Some runs were measured with changes that are in no commit.")
    if len(commits) > 1:
        warnings.append(f"The runs come from several commits: {', '.join(sorted(commits))}.")
    if provenance.git_state().endswith("-dirty"):
        warnings.append("This report was built from a tree with changes that are in no commit.")
    return " ".join(warnings)


def outcome_words(every: list[Comparison], margins: dict[str, float]) -> list[str]:
    """The verdicts of all comparisons, each under what its runs have in common; tasks first, the declared metric."""
    order = sorted(every, key=lambda found: found.about != "tasks")
    return [
        " ".join([f"{found.title[0].upper()}{found.title[1:]}:", *report.verdict(found, margins)]) for found in order
    ]


def write_numbers(numbers: dict[str, dict], words: dict[str, str]) -> None:
    """results.json and the same numbers as LaTeX definitions, read by \\num{name}."""
    (BUILD / "results.json").write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n")
    texts = {name: digits(number["value"]) for name, number in numbers.items()} | {
        k: tables.escape(v).replace(PARAGRAPH, r"\par ") for k, v in words.items()
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
    sources = [
        *sorted(HERE.glob("*.*")),
        *(Path(m.__file__) for m in (report, comparison, noise, scaling_text, stats, trust, *MODEL)),
    ]
    sources += [predictions.DEVICES, hypotheses.FILE]
    parts = [study, frame.sort_values("run_id").to_csv(), str(bool(shutil.which("latexmk")))]
    parts += [file.read_text() for file in sources if file.suffix in (".py", ".tex", ".bib", ".yaml")]
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
        from paper import cost as costs
        from paper import figures

        shutil.rmtree(BUILD, ignore_errors=True)
        BUILD.mkdir(parents=True)
        every = comparison.comparisons(frame)
        found, tasks = (comparison.main_of(every, about) or EMPTY for about in ("answers", "tasks"))
        beside = comparison.on_other_engines(found, every)
        margins, bits = grid.read_pair(frame["pair"].iloc[0]).metrics, likelihoods(frame)
        words = facts(study, found if not found.rows.empty else tasks, outcome_words(every, margins))
        words["likelihood"] = likelihood_words(bits)
        scaled = scaling.largest(scalings(frame))
        words["scaling"] = PARAGRAPH.join(scaling.sentences(scaled))
        numbers = results(found) | results(tasks, "tasks.") | bits
        for other in beside:
            numbers |= results(other, f"{other.every['engine'].iloc[0]}.")
        numbers |= {name: entry(value, unit_of(m), runs) for name, (value, m, runs) in scaling.numbers(scaled).items()}
        for part in (found, tasks):
            numbers |= cross_overs(part, part.declared(margins))
        write_numbers(numbers, words)
        tables.write(found, tasks, BUILD / "tables", beside)
        scaling.write(scaled, BUILD / "tables")
        figures.write(found, tasks, scaled, BUILD / "figures", beside)
        costs.write(frame, grid.read_pair(frame["pair"].iloc[0]), BUILD)
        outcome = make_pdf()
        mark.write_text(current)
    else:
        outcome = "report: nothing has changed since it was built"
    report.print_study(study)
    print(f"numbers, tables, figures: paper/build/; {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
