"""The words of the report: what was compared, where, and the outcome."""

import time

import pandas as pd

from bench.analysis.comparison import Comparison
from bench.analysis.findings import Findings
from bench.analysis.likelihood import Likelihood
from bench.analysis.runs import temperature_of
from bench.common import provenance
from bench.models import kinds
from bench.render import comparison as render_comparison
from bench.render import task_accuracy as render_task_accuracy
from bench.render import wording
from bench.render.wording import interval

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


def likelihood_words(likelihoods: list[Likelihood]) -> str:
    """A part of a sentence for each text, LLaMA before LLaDA; empty where nothing is measured."""
    by_text: dict[str, list[str]] = {}
    latest = {(likelihood.model, likelihood.text): likelihood for likelihood in likelihoods}
    for _, likelihood in sorted(latest.items(), reverse=True, key=lambda item: item[0]):
        kind = kinds.KINDS[likelihood.model]
        name = kind.label if kind.causal else f"{kind.label} at most"
        by_text.setdefault(likelihood.text, []).append(f"{name} {interval(likelihood.bits_per_byte, 3)}")
    return "; ".join(f"{text}: {', '.join(parts)}" for text, parts in by_text.items())


def facts(study: str, comparison: Comparison, verdict: list[str]) -> dict[str, str]:
    """By name in paper/main.tex: what was compared, where, and the outcome."""
    words = {"study": study, "date": time.strftime("%Y-%m-%d"), "verdict": PARAGRAPH.join(verdict)}
    rows = comparison.rows
    if rows.empty:
        return words
    first = rows.iloc[0]
    for name in ("pair", "dtype", "git", "device", "command"):
        words[name] = str(first.get(name, ""))
    for name in ("gen_length", "batch_size", "prompts"):
        words[name] = f"{first[name]:.0f}"
    temperature = temperature_of(first)
    words["decoding"] = f"at temperature {temperature:g}, with float64 noise" if temperature else "greedily"
    words["engine_and_head"] = wording.engine_and_head(wording.engine_of(first), wording.heads_of(rows))
    words["exclusive"] = ", ".join(sorted(set(rows["verdict"])))
    if first.get("platform") != "cuda":
        words["exclusive"] += " (a CPU study: nothing vouches that the machine did nothing else)"
    words["dirty"] = dirty_words(rows)
    words["rounds"] = str(rows["rounds_logged"].map(lambda text: len(text.split())).min())
    return words | notes(comparison)


def notes(comparison: Comparison) -> dict[str, str]:
    """What a reader must know of the pair, and what limits what follows from it."""
    if wording.weights_label(comparison.every):
        return {"pair_note": RANDOM_NOTE, "limits": RANDOM_NOTE}
    if comparison.rows.iloc[0]["pair"] == "pocket":
        return {"pair_note": POCKET_NOTE, "limits": POCKET_LIMITS}
    return {"pair_note": "", "limits": ""}


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


def facts_of_accuracies(findings: Findings) -> dict[str, str]:
    """What a study of accuracies alone says of where they were measured; empty where there is none of both models."""
    main = next((found.main for found in findings.task_accuracies if found.main), None)
    if main is None:
        return {}
    run = main.autoregressive.run
    names = {name: str(run[name]) for name in ("pair", "dtype", "batch_size")}
    return names | {"device": main.autoregressive.device, "prompts": str(len(main.items))}


def verdict_words(findings: Findings) -> list[str]:
    """The verdict, a paragraph a part: first what the pair declares to be primary, where that is accuracy in a task."""
    task = findings.pair.primary_task
    of_tasks = {found.task: found for found in reversed(findings.task_accuracies)}
    primary = of_tasks.pop(task, None)
    parts = []
    if task is not None and (primary is None or primary.main is None):
        parts.append(render_task_accuracy.missing(task))
    parts += [" ".join(render_task_accuracy.sentences(primary))] if primary else []
    parts += outcome_words(findings.comparisons)
    return parts + [" ".join(render_task_accuracy.sentences(found)) for found in of_tasks.values()]


def outcome_words(every: list[Comparison]) -> list[str]:
    """The verdicts of all comparisons, each under what its runs have in common; those about tasks first."""
    ordered = sorted(every, key=lambda comparison: not comparison.is_checked)
    titles = [wording.capitalised(wording.comparison_title(comparison)) for comparison in ordered]
    verdicts = [render_comparison.verdict(comparison) for comparison in ordered]
    return [" ".join([f"{title}:", *verdict]) for title, verdict in zip(titles, verdicts, strict=True)]
