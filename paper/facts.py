"""The words of the report: what was compared, where, and the outcome."""

import time

import pandas as pd

from bench.analysis import comparison
from bench.analysis.comparison import Comparison
from bench.common import provenance
from bench.render import comparison as render_comparison

PARAGRAPH = "\n\n"
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


def likelihood_words(bits: dict[str, dict]) -> str:
    """A sentence part for each text, LLaMA before LLaDA; empty where nothing is measured."""
    parts: dict[str, list[str]] = {}
    for name in sorted(bits, reverse=True):
        model, text = name.removesuffix(".bits_per_byte").split(".", 1)
        kind, number = "LLaMA" if model == "llama" else "LLaDA at most", bits[name]
        parts.setdefault(text, []).append(f"{kind} {number['value']:.3f} [{number['low']:.3f}, {number['high']:.3f}]")
    return "; ".join(f"{text}: {', '.join(words)}" for text, words in parts.items())


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
        " ".join([f"{found.title[0].upper()}{found.title[1:]}:", *render_comparison.verdict(found, margins)])
        for found in order
    ]
