"""LaTeX tables of a comparison: one file a topic, booktabs rules, intervals under the numbers' own names."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.analysis.comparison import Comparison, estimate_of, text_of
from bench.common import stats
from bench.data import tasks
from bench.render import wording
from paper.tables.latex import cell_text, escape, latex

TIMED = ("latency/", "throughput/", "memory/", "energy/")
TOPICS = {  # file: (caption, {metric: (heading, digits)})
    "latency": (
        "Latency of one answer in milliseconds, mean over rounds with its 95\\,\\% interval. TTFT: first output"
        " position final (for LLaDA, whose positions become final in any order, it may come late); first block:"
        " when a reader can start; step: one forward.",
        {
            "latency/latency_ms": ("total", 1),
            "latency/ttft_ms": ("TTFT", 1),
            "latency/ttfb_ms": ("first block", 1),
            "latency/itl_p50_ms": ("ITL p50", 2),
            "latency/itl_p95_ms": ("ITL p95", 2),
            "latency/step_ms": ("step", 2),
        },
    ),
    "throughput": (
        "Throughput and work. Tokens are kept tokens, up to the first end token; canvas tokens count the padding"
        " behind it as well. Positions: rows pushed through the model for each committed token. Host overhead: share of"
        " a call in which no kernel ran, traced in a pass of its own (GPU only).",
        {
            "throughput/tokens_per_s": ("tokens/s", 1),
            "throughput/canvas_tokens_per_s": ("canvas tokens/s", 1),
            "compute/nfe": ("forwards", 1),
            "compute/tokens_per_forward": ("tokens/forward", 2),
            "compute/positions_per_token": ("positions/token", 1),
            "compute/host_overhead": ("host overhead", 2),
        },
    ),
    "energy": (
        "Energy by the card's counter, over windows of at least 5 s: joules for an answer and for a kept token, and"
        " mean power.",
        {
            "energy/j": ("J/answer", 1),
            "energy/j_per_token": ("J/token", 3),
            "energy/power_w": ("W", 0),
        },
    ),
    "memory": (
        "Memory in GiB: weights; peak allocated and reserved by torch on a GPU, peak in use as NVML counts it, and what"
        " of that neither torch nor the CUDA context explains; peak resident set of the process on a CPU, libraries"
        " included.",
        {
            "memory/weights_gib": ("weights", 4),
            "memory/allocated_gib": ("allocated", 3),
            "memory/reserved_gib": ("reserved", 3),
            "memory/device_gib": ("device", 3),
            "memory/residual_gib": ("residual", 3),
            "memory/resident_gib": ("resident", 3),
        },
    ),
    "quality": (
        "Quality of the same texts that were timed, with bootstrap intervals over prompts. Judge perplexity is low"
        " for degenerate text, so it is read only beside the columns after it; entropy is that of a text's token"
        " frequencies, in nats. Human: the references themselves, cut to the same length.",
        {
            "quality/bertscore_f1": ("BERTScore F1", 3),
            "quality/bertscore_f1_mpnet": ("BERTScore mpnet", 3),
            "quality/judge_perplexity": ("judge ppl.", 1),
            "quality/entropy": ("entropy", 2),
            "quality/distinct_2": ("distinct-2", 2),
            "quality/repetition": ("repetition", 2),
            "quality/mean_length": ("length", 0),
        },
    ),
}


TASK_TOPICS = {
    "accuracy": (
        "Valid answers to generated tasks, checked by rule, with Wilson intervals. One answer: the prompt fixes every"
        " token. Many answers: positions depend on each other.",
        {
            "quality/accuracy": ("all", 2),
            "quality/accuracy_one_answer": ("one answer", 2),
            "quality/accuracy_many_answers": ("many answers", 2),
            "latency/latency_ms": ("latency ms", 1),
            "throughput/tokens_per_s": ("tokens/s", 1),
        },
    ),
    "accuracy_by_task": (
        "Valid answers by task (intervals are in \\texttt{results.json}); from shuffle on, many answers are right.",
        {f"quality/accuracy_{task}": (task, 2) for task in tasks.TASKS},
    ),
}


def model_name(row: pd.Series) -> str:
    return {"llama": "LLaMA", "human": "human"}.get(row["model"]) or f"LLaDA, {row['steps']:.0f} steps"


def engine_name(row: pd.Series) -> str:
    """ "LLaDA, 16 steps, captured, lean head": with what a comparison's others differ in."""
    head = f", {text_of(row.get('head'), 'official')} head" if row["model"] == "llada" else ""
    return f"{model_name(row)}, {row['engine']}{head}"


def topic_table(rows: pd.DataFrame, metrics: dict[str, tuple[str, int]], intervals: bool = True) -> pd.DataFrame:
    """Rows by model, columns by metric; a column that no run has is left out. Notes come last, where there are any."""
    columns = {}
    for metric, (heading, digits) in metrics.items():
        found = [estimate_of(row, metric) for _, row in rows.iterrows()]
        if not intervals:
            found = [estimate and stats.Estimate(estimate.value) for estimate in found]
        if any(estimate is not None for estimate in found):
            columns[heading] = [cell_text(estimate, digits) for estimate in found]
    notes = [escape(wording.note(row)) for _, row in rows.iterrows()]
    if columns and any(notes):
        columns["note"] = [f"{{\\scriptsize {note}}}" for note in notes]
    name = engine_name if "engine" in rows and rows["engine"].nunique() > 1 else model_name
    return pd.DataFrame(columns, index=[name(row) for _, row in rows.iterrows()])


def write(found: Comparison, about_tasks: Comparison, folder: Path, beside: Sequence[Comparison] = ()) -> None:
    """Write every table to `folder`; one that has no data says so. beside: the first comparison on other engines."""
    folder.mkdir(parents=True, exist_ok=True)
    for topics, part in ((TOPICS, found), (TASK_TOPICS, about_tasks)):
        for name, (caption, metrics) in topics.items():
            caption += f" ({part.label.capitalize()}.)" if part.label else ""
            caption += f" {wording.left_out_sentence(part)}".rstrip()
            human = part.human if name == "quality" else part.human.head(0)
            others = [other.every for other in beside] if topics is TOPICS and name != "quality" else []
            rows = pd.concat([part.rows, human, part.left_out, *others])
            if not any(metric.startswith(TIMED) for metric in metrics):
                rows = rows.assign(flags="")  # they are of times
            (folder / f"{name}.tex").write_text(
                latex(name, caption, topic_table(rows, metrics, intervals=name != "accuracy_by_task"))
            )
