"""LaTeX tables of a comparison: one file a topic, booktabs rules, intervals under the numbers' own names."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.analysis.comparison import Comparison
from bench.analysis.runs import estimate_of
from bench.common import stats
from bench.data import tasks
from bench.models import kinds
from bench.records.catalogue import paper_columns, paper_columns_with_units
from bench.render import wording
from paper.tables.latex import cell_text, escape, long_table

TIMED = ("latency/", "throughput/", "memory/", "energy/")  # namespaces of metrics that a run's flags are about
TOPICS = {  # file: (caption, {metric: (heading, digits)})
    "latency": (
        "Latency of one answer in milliseconds, geometric mean over rounds with its 95\\,\\% interval. TTFT: first"
        " output position final (for LLaDA, whose positions become final in any order, it may come late; with random"
        " weights that order is an accident, and it is left out); first block: when a reader can start; step: one"
        " forward.",
        paper_columns((
            "latency/latency_ms", "latency/ttft_ms", "latency/ttfb_ms", "latency/itl_p50_ms", "latency/itl_p95_ms",
            "latency/step_ms",
        )),
    ),
    "throughput": (
        "Throughput and work. Tokens are kept tokens, up to the first end token; canvas tokens count the padding"
        " behind it as well; text bytes are those of the kept text in UTF-8, whatever the tokenizer. Positions:"
        " rows pushed through the model for each committed token. Host overhead: share of a call in which no kernel"
        " ran, traced in a pass of its own (GPU only).",
        paper_columns((
            "throughput/tokens_per_s", "throughput/text_bytes_per_s", "throughput/canvas_tokens_per_s", "compute/nfe",
            "compute/tokens_per_forward",
            "compute/positions_per_token", "compute/host_overhead",
        )),
    ),
    "energy": (
        "Energy by the card's counter, over windows of at least 5 s: joules for an answer and for a kept token, and"
        " mean power.",
        paper_columns(("energy/j", "energy/j_per_token", "energy/power_w")),
    ),
    "memory": (
        "Memory in GiB: weights; peak allocated and reserved by torch on a GPU, peak in use as NVML counts it, and what"
        " of that neither torch nor the CUDA context explains; peak resident set of the process on a CPU, libraries"
        " included. Reserved memory, and so memory in use, can include what an earlier cell left.",
        paper_columns((
            "memory/weights_gib", "memory/allocated_gib", "memory/reserved_gib", "memory/device_gib",
            "memory/residual_gib", "memory/resident_gib",
        )),
    ),
    "quality": (
        "Quality of the same texts that were timed, with bootstrap intervals over prompts. Judge perplexity is low"
        " for degenerate text, so it is read only beside the columns after it; entropy is that of a text's token"
        " frequencies, in nats. Human: the references themselves, cut to the same length.",
        paper_columns((
            "quality/bertscore_f1", "quality/bertscore_f1_mpnet", "quality/judge_perplexity", "quality/entropy",
            "quality/distinct_2", "quality/repetition", "quality/mean_length", "quality/not_scored",
        )),
    ),
}  # fmt: skip
TASK_TOPICS = {
    "accuracy": (
        "Valid answers to generated tasks, checked by rule, with Wilson intervals. One answer: the prompt fixes every"
        " token. Many answers: positions depend on each other.",
        {
            **paper_columns(("quality/accuracy", "quality/accuracy_one_answer", "quality/accuracy_many_answers")),
            **paper_columns_with_units(("latency/latency_ms", "throughput/tokens_per_s")),
        },
    ),
    "accuracy_by_task": (
        "Valid answers by task (intervals are in \\texttt{results.json}); from shuffle on, many answers are right.",
        paper_columns(f"quality/accuracy_{task}" for task in tasks.TASKS),
    ),
}


def model_name(run: pd.Series) -> str:
    """ "LLaDA, 16 steps", "LLaMA" or "human"."""
    steps = f", {run['steps']:.0f} steps" if kinds.has_steps(run["model"]) else ""
    return f"{kinds.label_of(run['model'])}{steps}"


def engine_name(run: pd.Series) -> str:
    """ "LLaDA, 16 steps, captured, lean head": also those in which comparisons on other engines differ. No engine wrote
    what humans did."""
    if run["model"] not in kinds.KINDS:
        return model_name(run)
    return f"{model_name(run)}, {wording.own_engine_and_head(run, is_short=True)}"


def topic_table(rows: pd.DataFrame, metrics: dict[str, tuple[str, int]], intervals: bool = True) -> pd.DataFrame:
    """Rows by model, columns by metric; a column that no run has is left out. Notes come last, where there are any.

    metrics: (heading, digits) by metric. intervals: whether numbers have theirs behind them.
    """
    columns = {}
    for metric, (heading, digits) in metrics.items():
        estimates = [estimate_of(run, metric) for _, run in rows.iterrows()]
        if not intervals:
            estimates = [estimate and stats.Estimate(estimate.value) for estimate in estimates]
        if any(estimate is not None for estimate in estimates):
            columns[heading] = [cell_text(estimate, digits) for estimate in estimates]
    notes = [escape(wording.note(run)) for _, run in rows.iterrows()]
    if columns and any(notes):
        columns["note"] = notes
    name = engine_name if "engine" in rows and rows["engine"].nunique() > 1 else model_name
    return pd.DataFrame(columns, index=[name(run) for _, run in rows.iterrows()])


def write(answers: Comparison, about_tasks: Comparison, folder: Path, on_engines: Sequence[Comparison] = ()) -> None:
    """Write every table to `folder`; the file of one without data is empty. on_engines: the first comparison on other
    engines, whose runs stand in the same tables."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (caption, metrics) in TOPICS.items():
        beside = [comparison.every for comparison in on_engines] if name != "quality" else []
        human = answers.human if name == "quality" else answers.human.head(0)
        rows = pd.concat([answers.rows, human, answers.left_out, *beside])
        write_topic(folder, name, full_caption(caption, answers), rows, metrics)
    for name, (caption, metrics) in TASK_TOPICS.items():
        rows = pd.concat([about_tasks.rows, about_tasks.left_out])
        write_topic(folder, name, full_caption(caption, about_tasks), rows, metrics, name != "accuracy_by_task")


def full_caption(caption: str, comparison: Comparison) -> str:
    """A topic's caption with what its runs have in common, and what must be said of the weights and of what is left
    out."""
    label = wording.weights_label(comparison.every)
    title = "" if comparison.every.empty else f"{wording.capitalised(escape(wording.comparison_title(comparison)))}."
    parts = [caption, title, f"({label.capitalize()}.)" if label else "", wording.left_out_sentence(comparison)]
    return " ".join(filter(None, parts))


def write_topic(
    folder: Path,
    name: str,
    caption: str,
    rows: pd.DataFrame,
    metrics: dict[str, tuple[str, int]],
    intervals: bool = True,
) -> None:
    """Write one table."""
    if not any(metric.startswith(TIMED) for metric in metrics):
        rows = rows.assign(flags="")  # they are about times and memory
    if any(metric.startswith("quality/") for metric in metrics):
        caption = " ".join([caption, *map(escape, wording.scoring_sentences(rows))])
    text = long_table(name, caption, topic_table(rows, metrics, intervals))
    (folder / f"{name}.tex").write_text(text, encoding="utf-8")
