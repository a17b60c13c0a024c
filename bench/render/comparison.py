"""What a study says: its comparison as a table, and the verdict in words. Reads MLflow, prints to the terminal.

python -m bench.report STUDY            # table and verdict
python -m bench.report STUDY samples    # one prompt with every model's answer
"""

import math

import pandas as pd

from bench.analysis.comparison import MEASURES, Comparison, break_even, estimate_of, match, ratio_at
from bench.common import cross_over
from bench.data import tasks
from bench.render import wording
from bench.render.wording import interval

METRIC_NAMES = {"bertscore_f1": "BERTScore F1", "accuracy": "accuracy"}
COLUMNS = {  # metric: (heading, digits)
    **MEASURES,
    "quality/accuracy": ("accuracy", 3),
    "quality/accuracy_one_answer": ("one answer", 3),
    "quality/accuracy_many_answers": ("many answers", 3),
    "quality/bertscore_f1": ("BERTScore", 3),
    "quality/bertscore_f1_mpnet": ("BERT mpnet", 3),
    "quality/judge_perplexity": ("judge ppl", 1),
    "quality/entropy": ("entropy", 2),
    "quality/distinct_2": ("distinct-2", 2),
    "quality/repetition": ("repetition", 2),
    "quality/mean_length": ("length", 0),
}
TASK_COLUMNS = {f"quality/accuracy_{task}": (task, 2) for task in tasks.TASKS}


def table(rows: pd.DataFrame, columns: dict[str, tuple[str, int]]) -> pd.DataFrame:
    """Runs with headings, one line a run; a metric that no run has is left out."""
    steps = rows["steps"] if "steps" in rows else [float("nan")] * len(rows)
    found = pd.DataFrame({"model": rows["model"], "steps": [f"{s:.0f}" if s == s else "-" for s in steps]})
    for metric, (heading, digits) in columns.items():
        if metric in rows and rows[metric].notna().any():
            found[heading] = [wording.format_value(value, digits) for value in rows[metric]]
    notes = [wording.note(row) for _, row in rows.iterrows()]
    return found.assign(note=notes) if any(notes) else found


def time_verdict(found: Comparison) -> str:
    even, latency = break_even(found), f"{found.llama['latency/latency_ms'].iloc[0]:.0f} ms"
    if even is None:
        return f"Time: LLaMA answers in {latency}; two step counts of LLaDA are needed for a break-even."
    if even < 1:
        return f"Time: LLaMA answers in {latency}, less than one LLaDA step takes."
    return f"Time: LLaMA answers in {latency}; LLaDA takes as long at about {even:.0f} steps."


def steps_text(crossing: cross_over.CrossOver, most: float) -> str:
    """ "27 [24, 31]", with bounds that lie beyond the measured steps said in words."""
    high = f"{crossing.high:.0f}" if math.isfinite(crossing.high) else f"beyond {most:.0f}"
    return f"{crossing.steps:.0f} [{crossing.low:.0f}, {high}]"


def quality_verdict(found: Comparison, metric: str, margin: float) -> str:
    """One sentence on a declared metric, whatever the outcome."""
    column, name = f"quality/{metric}", METRIC_NAMES[metric]
    crossing = match(found, metric, margin)
    if crossing is None:
        return f"Quality: {name} is not measured (make score)."
    theirs = interval(estimate_of(found.llama.iloc[0], column), 3)
    most = found.llada["steps"].max()
    if crossing.steps is not None:
        where = steps_text(crossing.cross_over, most)
        first = " (the fewest measured)" if crossing.cross_over.steps == found.llada["steps"].min() else ""
        return (
            f"Quality: LLaDA comes within {margin} of LLaMA's {name} of {theirs} at {where} steps{first};"
            f" at {crossing.steps} steps an answer takes {interval(crossing.latency_ratio, 2)} times LLaMA's latency"
            f" at {interval(crossing.throughput_ratio, 2)} times its tokens/s."
        )
    best = found.llada.loc[found.llada[column].idxmax()]
    ratio = ratio_at(found, best["steps"], "latency/latency_ms")
    return (
        f"Quality: LLaDA is not shown to come within {margin} of LLaMA's {name} of {theirs} within {most:.0f} steps"
        f" (it does in {crossing.cross_over.p_reached:.0%} of the bootstrap replicates); its best is"
        f" {interval(estimate_of(best, column), 3)} at {best['steps']:.0f} steps, at {interval(ratio, 2)} times the"
        " latency."
    )


def verdict(found: Comparison, margins: dict[str, float]) -> list[str]:
    """The outcome of a comparison in sentences; says what is missing where it cannot be given.

    margins: of the pair's declared metrics; empty where the weights are random and there is no quality.
    """
    if found.llama.empty or found.llada.empty:
        kind, name, door = ("llama", "LLaMA", "baseline") if found.llama.empty else ("llada", "LLaDA", "sweep")
        if not found.left_out.empty and (found.left_out["model"] == kind).any():
            return [f"No verdict yet: {name} is left out."]
        return [f"No verdict yet: {name} (make {door}) is not measured with these settings."]
    mine = found.declared(margins)
    quality = [quality_verdict(found, metric, margin) for metric, margin in mine.items()]
    if not margins:
        quality = ["Quality: none; the weights are random, the shapes real."]
    return [time_verdict(found), *quality, wording.noise_sentence(found.noise)]
