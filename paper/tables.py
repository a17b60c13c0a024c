"""LaTeX tables of a comparison: one file a topic, booktabs rules, intervals under the numbers' own names."""

from pathlib import Path

import pandas as pd

from bench import report, stats

NOT_MEASURED = "not measured"
FIT = "\\small\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{"
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
        " behind it as well. Positions: rows pushed through the model for each committed token.",
        {
            "throughput/tokens_per_s": ("tokens/s", 1),
            "throughput/canvas_tokens_per_s": ("canvas tokens/s", 1),
            "compute/nfe": ("forwards", 1),
            "compute/tokens_per_forward": ("tokens/forward", 2),
            "compute/positions_per_token": ("positions/token", 1),
        },
    ),
    "memory": (
        "Memory in GiB: weights; peak allocated and reserved by torch on a GPU; peak resident set of the process"
        " on a CPU, libraries included.",
        {
            "memory/weights_gib": ("weights", 4),
            "memory/allocated_gib": ("allocated", 3),
            "memory/reserved_gib": ("reserved", 3),
            "memory/resident_gib": ("resident", 3),
        },
    ),
    "quality": (
        "Quality of the same texts that were timed, with bootstrap intervals over prompts. Judge perplexity is low"
        " for degenerate text, so it is read only beside the columns after it.",
        {
            "quality/bertscore_f1": ("BERTScore F1", 3),
            "quality/judge_perplexity": ("judge ppl.", 1),
            "quality/distinct_2": ("distinct-2", 2),
            "quality/repetition": ("repetition", 2),
            "quality/mean_length": ("length", 0),
        },
    ),
}


def cell_text(estimate: stats.Estimate | None, digits: int) -> str:
    """A number, with its interval in small print if it has one."""
    if estimate is None:
        return "--"
    text = f"{estimate.value:.{digits}f}"
    if estimate.low is None or f"{estimate.low:.{digits}f}" == f"{estimate.high:.{digits}f}":
        return text
    return f"{text} {{\\scriptsize [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]}}"


def model_name(row: pd.Series) -> str:
    return "LLaMA" if row["model"] == "llama" else f"LLaDA, {row['steps']:.0f} steps"


def topic_table(rows: pd.DataFrame, metrics: dict[str, tuple[str, int]]) -> pd.DataFrame:
    """Rows by model, columns by metric; a column that no run has is left out."""
    columns = {}
    for metric, (heading, digits) in metrics.items():
        found = [report.estimate_of(row, metric) for _, row in rows.iterrows()]
        if any(estimate is not None for estimate in found):
            columns[heading] = [cell_text(estimate, digits) for estimate in found]
    return pd.DataFrame(columns, index=[model_name(row) for _, row in rows.iterrows()])


def write(found: report.Comparison, folder: Path) -> list[str]:
    """Write every table to `folder`; one that has no data says so."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (caption, metrics) in TOPICS.items():
        caption += f" ({found.label.capitalize()}.)" if found.label else ""
        table = topic_table(found.rows, metrics)
        if table.empty:
            text = f"\\begin{{table}}[h]\\caption{{{name.capitalize()}: {NOT_MEASURED}.}}\\end{{table}}\n"
        else:
            align = "l" + "r" * len(table.columns)
            text = table.style.to_latex(
                hrules=True, column_format=align, caption=caption, label=f"tab:{name}", position="htbp",
                position_float="centering",
            )  # fmt: skip
            # Shrunk to the line where it is wider.
            text = text.replace("\\begin{tabular}", FIT + "\\begin{tabular}").replace(
                "\\end{tabular}", "\\end{tabular}}"
            )
        (folder / f"{name}.tex").write_text(text)
    return list(TOPICS)
