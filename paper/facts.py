"""The words of the paper that are not about an outcome: what was compared, and where."""

import time

import pandas as pd

from bench.analysis.comparison import Comparison
from bench.analysis.findings import Findings
from bench.analysis.likelihood import Likelihood
from bench.analysis.runs import lead, temperature_of
from bench.analysis.study import cards_under
from bench.common import provenance
from bench.common.plural import counted
from bench.models import kinds
from bench.render import wording
from bench.render.wording import interval

POCKET_PAIRS = ("pocket", "pocket-server")  # the shipped pairs of the pocket models
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


def facts(study: str, comparison: Comparison, runs: pd.DataFrame) -> dict[str, str]:
    """By name in the paper: what was compared and where. runs: those of the study that count."""
    words = {"study": study, "date": time.strftime("%Y-%m-%d")}
    rows = runs[runs["model"].isin(list(kinds.KINDS))] if comparison.rows.empty else comparison.rows
    if rows.empty:
        return words
    first = lead(rows)
    for name in ("pair", "dtype", "device", "command"):
        words[name] = str(first.get(name, ""))
    words["device"] = "; ".join([words["device"], *wording.servers_of(rows)])
    words["git"] = ", ".join(words_of(rows["git"])) if "git" in rows else ""
    words["exclusive"] = ", ".join(words_of(rows["verdict"]))
    if first.get("platform") != "cuda":
        words["exclusive"] += " (a CPU study: nothing vouches that the machine did nothing else)"
    words["dirty"] = dirty_words(runs)
    words["pair_note"] = pair_note(rows)
    if "rounds_logged" in rows:
        words["rounds"] = str(rows["rounds_logged"].dropna().map(lambda text: len(text.split())).min())
    if cards := cards_under(rows):
        words["cards"] = counted(len(cards), "card")
    return words if comparison.rows.empty else words | settings(comparison)


def settings(comparison: Comparison) -> dict[str, str]:
    """What the runs of a comparison have in common."""
    first = lead(comparison.rows)
    words = {name: f"{first[name]:.0f}" for name in ("gen_length", "batch_size", "prompts")}
    temperature = temperature_of(first)
    words["decoding"] = f"at temperature {temperature:g}, with float64 noise" if temperature else "greedily"
    words["engine_and_head"] = wording.engine_and_head(wording.engine_of(first), wording.heads_of(comparison.rows))
    return words


def pair_note(rows: pd.DataFrame) -> str:
    """What a reader must know of the pair; empty where there is nothing to say."""
    if wording.weights_label(rows):
        return RANDOM_NOTE
    return POCKET_NOTE if rows.iloc[0]["pair"] in POCKET_PAIRS else ""


def words_of(column: pd.Series) -> list[str]:
    """Every word of a column of texts, each once, in order."""
    return sorted({word for text in column.fillna("") for word in text.split()})


def dirty_words(rows: pd.DataFrame) -> str:
    """A warning where runs, or this report, come from code that no commit holds, or from several commits."""
    commits = words_of(rows["git"]) if "git" in rows else []
    warnings = []
    if any(commit.endswith("-dirty") for commit in commits):
        warnings.append("Some runs were measured with changes that are in no commit.")
    if len(commits) > 1:
        warnings.append(f"The runs come from several commits: {', '.join(commits)}.")
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
