"""What a study says: its comparison as a table, and the verdict in words. Reads MLflow, prints to the terminal.

python -m bench.report STUDY            # table and verdict
python -m bench.report STUDY samples    # one prompt with every model's answer
"""

import math
import sys

import pandas as pd

from bench import cost, grid, hypotheses, scaling_text, stats, tasks, tracking, trust
from bench.comparison import MEASURES, Comparison, break_even, comparisons, estimate_of, main_of, match, ratio_at
from bench.errors import BadInput, exit_code
from bench.noise import Noise
from bench.scaling import scalings

METRIC_NAMES = {"bertscore_f1": "BERTScore F1", "accuracy": "accuracy"}
NOTE_LENGTH = 80
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
            found[heading] = [format_value(value, digits) for value in rows[metric]]
    notes = [note(row) for _, row in rows.iterrows()]
    return found.assign(note=notes) if any(notes) else found


def note(row: pd.Series) -> str:
    """What stands beside a run's numbers, or in their place."""
    known = (row.get("reason"), row.get("flags"), part_words(row))
    return " ".join(str(v)[:NOTE_LENGTH] for v in known if v and not pd.isna(v))


def part_words(row: pd.Series) -> str:
    """From what a run's times are extrapolated; empty where all forwards were made, or no time is shown."""
    for name, unit in (("steps_timed", "steps"), ("tokens_timed", "tokens")):
        if pd.notna(row.get(name)) and pd.notna(row.get("latency/latency_ms")):
            return f"extrapolated from {row[name]:.0f} {unit}"
    return ""


def format_value(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:.{digits}f}"


def interval(estimate: stats.Estimate, digits: int, unit: str = "") -> str:
    """ "0.41 [0.38, 0.44]": a value with its interval, if it has one."""
    return estimate.text(digits, unit)


def time_verdict(found: Comparison) -> str:
    even, latency = break_even(found), f"{found.llama['latency/latency_ms'].iloc[0]:.0f} ms"
    if even is None:
        return f"Time: LLaMA answers in {latency}; two step counts of LLaDA are needed for a break-even."
    if even < 1:
        return f"Time: LLaMA answers in {latency}, less than one LLaDA step takes."
    return f"Time: LLaMA answers in {latency}; LLaDA takes as long at about {even:.0f} steps."


def steps_text(crossing: stats.CrossOver, most: float) -> str:
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


def noise_sentence(noise: Noise | None) -> str:
    """What the study's sentinels of one engine say of the machine."""
    if noise is None:
        return "Noise: no sentinel of this engine ran."
    begin = f"Noise: no sentinel ran {noise.none_ran};" if noise.none_ran else "Noise:"
    left_out = f" A sentinel is left out: {noise.left_out}." if noise.left_out else ""
    if noise.ratio is None:
        return f"{begin} not measured.{left_out}"
    drift = "" if noise.drift is None else f"; from round to round it moved by {noise.drift:.1%}"
    flag = f" (MORE THAN {trust.DRIFT:.0%}: {noise.engine.upper()} RUNS DRIFTED)" if noise.drifted else ""
    ratio = interval(noise.ratio, 2)
    cell = f"the same {noise.engine} cell twice in a round"
    return f"{begin} {cell} differs by a factor of {ratio}{drift}{flag}.{left_out}"


def left_out_sentence(found: Comparison) -> str:
    """How many runs stand in the table without numbers; empty where none does."""
    if found.left_out.empty:
        return ""
    outcomes = found.left_out["outcome"].where(found.left_out["outcome"] != "ok", "excluded").value_counts()
    counted = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    return f"Left out: {len(found.left_out)} of {len(found.every)} runs ({counted})."


def retry_sentence(found: Comparison) -> str:
    """How to measure again what was left out."""
    if found.left_out.empty:
        return ""
    words = found.left_out["outcome"].where(found.left_out["outcome"] != "ok", found.left_out["verdict"])
    return f'To measure again what was left out: RETRY="{" ".join(sorted(set(words)))}" with the same settings.'


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
    return [time_verdict(found), *quality, noise_sentence(found.noise)]


def likelihood_lines(frame: pd.DataFrame) -> list[str]:
    """Bits per byte of held-out text, where `make likelihood` measured them."""
    if "quality/bits_per_byte" not in frame:
        return []
    lines = []
    for _, row in frame[frame["quality/bits_per_byte"].notna()].sort_values(["text", "model"]).iterrows():
        kind = "exact" if row["model"] == "llama" else "upper bound"
        value = interval(estimate_of(row, "quality/bits_per_byte"), 3)
        lines.append(f"Likelihood: {row['model']} {value} bits per byte of {row['text']} ({kind}).")
    return lines


def print_study(study: str) -> None:
    """Tables, what failed and the verdicts of a study, on standard output."""
    frame = tracking.frame(study)
    pair = grid.read_pair(frame["pair"].iloc[0])
    for found in comparisons(frame):
        print(f"\nstudy {study}, {found.title}, on {found.machine}")
        if found.label:
            print(found.label.upper())
        print(table(pd.concat([found.rows, found.human, found.left_out]), COLUMNS).to_string(index=False))
        if found.about == "tasks":
            print("\naccuracy by task; positions depend on each other from shuffle on")
            print(table(found.rows.assign(flags=""), TASK_COLUMNS).to_string(index=False))  # flags are of times
        said = [*verdict(found, pair.metrics), left_out_sentence(found), retry_sentence(found)]
        print("\n".join(filter(None, said)))
    for scaling in scalings(frame):
        print(f"\nstudy {study}, {scaling.title}, on {scaling.machine}")
        print("\n".join(scaling_text.lines(scaling)))
    scored = hypotheses.scores(frame, hypotheses.read())
    for line in [*likelihood_lines(frame), *cost.lines(frame), *hypotheses.lines(scored)]:
        print(line)


def print_samples(study: str) -> None:
    """A prompt and a task with LLaMA's answer and LLaDA's at every step count, as tracked."""
    found = comparisons(tracking.frame(study))
    shown = [print_answers(c) for c in (main_of(found, "answers"), main_of(found, "tasks")) if c]
    if not any(shown):
        raise BadInput(f"study {study!r} has no generations here; run `make sweep` first")


def print_answers(found: Comparison) -> bool:
    """One prompt of a comparison with all answers to it; of tasks the first with many right answers."""
    shown = False
    for _, row in found.rows.iterrows():
        generations = tracking.generations_of(row["run_id"])
        if not generations:
            continue
        chosen = next((g for g in generations if found.about == "answers" or is_many(g["prompt"])), generations[0])
        if not shown:
            print(f"PROMPT     {chosen['prompt']}\nREFERENCE  {chosen['reference']}\n")
        steps = f" {row['steps']:.0f} steps" if row["steps"] == row["steps"] else ""
        text = chosen["text"] or "(empty)"
        if found.about == "tasks":
            text += "   (valid)" if tasks.is_valid(chosen["prompt"], chosen["text"]) else "   (not valid)"
        print(f"{(row['model'] + steps).upper()}\n{text}\n")
        shown = True
    return shown


def is_many(prompt: str) -> bool:
    return tasks.TASKS[tasks.task_of(prompt)].many_answers


def main() -> int:
    study, *rest = sys.argv[1:] or [None]
    if study is None or rest not in ([], ["samples"]):
        raise BadInput("usage: python -m bench.report STUDY [samples]")
    print_samples(study) if rest == ["samples"] else print_study(study)
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
