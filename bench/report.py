"""What a study says: its comparison as a table, and the verdict in words. Reads MLflow, prints to the terminal.

python -m bench.report STUDY            # table and verdict
python -m bench.report STUDY samples    # one prompt with every model's answer
"""

import sys
from dataclasses import dataclass

import pandas as pd

from bench import grid, stats, tracking
from bench.errors import BadInput, exit_code

SAME = ["gen_length", "block_length", "prompt_hash", "dtype", "batch_size", "temperature", "remasking"]
METRIC_NAMES = {"bertscore_f1": "BERTScore F1", "accuracy": "accuracy"}
COLUMNS = {  # metric: (heading, digits)
    "latency/latency_ms": ("latency ms", 1),
    "latency/ttft_ms": ("TTFT ms", 1),
    "latency/step_ms": ("step ms", 2),
    "throughput/tokens_per_s": ("tokens/s", 1),
    "memory/allocated_gib": ("alloc GiB", 2),
    "memory/resident_gib": ("RSS GiB", 2),
    "quality/bertscore_f1": ("BERTScore", 3),
    "quality/judge_perplexity": ("judge ppl", 1),
    "quality/distinct_2": ("distinct-2", 2),
    "quality/repetition": ("repetition", 2),
    "quality/mean_length": ("length", 0),
}


@dataclass(frozen=True)
class Comparison:
    """One LLaMA run and the LLaDA runs that differ from each other in steps alone; frames of one row a run."""

    llama: pd.DataFrame
    llada: pd.DataFrame  # sorted by steps
    failed: pd.DataFrame

    @property
    def rows(self) -> pd.DataFrame:
        return pd.concat([self.llama, self.llada])

    @property
    def label(self) -> str:
        """What every table and figure must say about the weights; empty where there is nothing to say."""
        made_up = not self.rows.empty and "weights" in self.rows and (self.rows["weights"] == "random").any()
        return "random weights, real shapes: no quality" if made_up else ""


def comparison(frame: pd.DataFrame) -> Comparison:
    """The largest group of a study's runs that can be compared: same prompts, length and precision."""
    frame = frame.reindex(columns=[*frame.columns, *[c for c in SAME if c not in frame]])
    failed = frame[frame["outcome"] != "ok"]
    good = frame[(frame["outcome"] == "ok") & frame["kind"].isin(("baseline", "sweep", "smoke"))]
    llama = good[good["model"] == "llama"]
    llada = good[good["model"] == "llada"]
    if len(llada):
        groups = [group for _, group in llada.groupby(SAME, dropna=False)]
        llada = max(groups, key=lambda group: (len(group), group.index.min() * -1)).sort_values("steps")
        first = llada.iloc[0]
        llama = llama[(llama["gen_length"] == first["gen_length"]) & (llama["prompt_hash"] == first["prompt_hash"])]
    return Comparison(llama.head(1), llada, failed)


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The comparison with headings, one line a run; a metric that no run has is left out."""
    found = pd.DataFrame({"model": rows["model"], "steps": [f"{s:.0f}" if s == s else "-" for s in rows["steps"]]})
    for metric, (heading, digits) in COLUMNS.items():
        if metric in rows and rows[metric].notna().any():
            found[heading] = [format_value(value, digits) for value in rows[metric]]
    return found


def format_value(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:.{digits}f}"


def estimate_of(row: pd.Series, metric: str) -> stats.Estimate | None:
    """A run's tracked value with its interval, None if it was not measured."""
    value = row.get(metric)
    if value is None or pd.isna(value):
        return None
    bounds = (row.get(f"{metric}_ci_{side}") for side in ("low", "high"))
    return stats.Estimate(value, *(None if bound is None or pd.isna(bound) else bound for bound in bounds))


def latency_ratio(llada: pd.Series, llama: pd.Series) -> stats.Estimate:
    """LLaDA's latency over LLaMA's, paired by round."""
    mine, theirs = (tracking.history(row["run_id"], "rounds/latency/latency_ms") for row in (llada, llama))
    common = sorted(set(mine) & set(theirs))
    return stats.ratio_over_rounds([mine[r] for r in common], [theirs[r] for r in common])


def matching_steps(found: Comparison, metric: str, margin: float) -> int | None:
    """The fewest steps whose quality is shown to be within the margin of LLaMA's; None if there are none."""
    name = f"per_prompt/{metric}"
    reference = tracking.history(found.llama.iloc[0]["run_id"], name)
    for _, row in found.llada.iterrows():
        mine = tracking.history(row["run_id"], name)
        common = sorted(set(mine) & set(reference))
        if not common:
            continue
        low = stats.paired_difference_low([mine[i] for i in common], [reference[i] for i in common], len(found.llada))
        if low >= -margin:
            return int(row["steps"])
    return None


def interval(estimate: stats.Estimate, digits: int, unit: str = "") -> str:
    """ "0.41 [0.38, 0.44]": a value with its interval, if it has one."""
    text = f"{estimate.value:.{digits}f}"
    if estimate.low is not None:
        text += f" [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"
    return text + unit


def break_even(found: Comparison) -> float | None:
    """Steps at which LLaDA takes as long as LLaMA; None without LLaMA and two step counts."""
    metric = "latency/latency_ms"
    if found.llama.empty or len(found.llada) < 2:
        return None
    return stats.break_even_steps(
        found.llada["steps"].tolist(), found.llada[metric].tolist(), found.llama[metric].iloc[0]
    )


def time_verdict(found: Comparison) -> str:
    even, latency = break_even(found), f"{found.llama['latency/latency_ms'].iloc[0]:.0f} ms"
    if even is None:
        return f"Time: LLaMA answers in {latency}; two step counts of LLaDA are needed for a break-even."
    if even < 1:
        return f"Time: LLaMA answers in {latency}, less than one LLaDA step takes."
    return f"Time: LLaMA answers in {latency}; LLaDA takes as long at about {even:.0f} steps."


def quality_verdict(found: Comparison, metric: str, margin: float) -> str:
    column, llama, name = f"quality/{metric}", found.llama.iloc[0], METRIC_NAMES.get(metric, metric)
    theirs = estimate_of(llama, column)
    if theirs is None or column not in found.llada or found.llada[column].isna().all():
        return f"Quality: {name} is not measured (make score)."
    steps = matching_steps(found, metric, margin)
    if steps is not None:
        row = found.llada[found.llada["steps"] == steps].iloc[0]
        ratio = interval(latency_ratio(row, llama), 2)
        return (
            f"Quality: LLaDA is within {margin} of LLaMA's {name} of {interval(theirs, 3)} from {steps} steps on"
            f" ({interval(estimate_of(row, column), 3)}), at {ratio} times its latency."
        )
    best = found.llada.loc[found.llada[column].idxmax()]
    return (
        f"Quality: up to {found.llada['steps'].max():.0f} steps LLaDA is not shown to come within {margin} of LLaMA's"
        f" {name} of {interval(theirs, 3)}; its best is {interval(estimate_of(best, column), 3)} at"
        f" {best['steps']:.0f} steps, at {interval(latency_ratio(best, llama), 2)} times the latency."
    )


def verdict(found: Comparison, metric: str | None, margin: float) -> list[str]:
    """The outcome of a comparison in sentences; says what is missing where it cannot be given.

    metric: None where the weights are random and there is no quality.
    """
    if found.llama.empty or found.llada.empty:
        missing = "LLaMA (make baseline)" if found.llama.empty else "LLaDA (make sweep)"
        return [f"No verdict yet: {missing} is not measured on these prompts."]
    if metric is None:
        return [time_verdict(found), "Quality: none; the weights are random, the shapes real."]
    return [time_verdict(found), quality_verdict(found, metric, margin)]


def print_study(study: str) -> None:
    """Table, what failed and the verdict of a study, on standard output."""
    frame = tracking.frame(study)
    found = comparison(frame)
    if not found.rows.empty:
        row = found.rows.iloc[0]
        print(
            f"\nstudy {study}: {row['gen_length']:.0f} tokens, {row['prompts']:.0f} prompts, batch"
            f" {row['batch_size']:.0f}, {row['dtype']} on {row['device']}"
        )
        if found.label:
            print(found.label.upper())
        print(table(found.rows).to_string(index=False))
    for _, row in found.failed.iterrows():
        print(f"failed: {row['model']} {row.get('steps', '')}: {row['outcome']}: {row.get('message', '')}")
    pair = grid.read_pair(frame["pair"].iloc[0])
    for line in verdict(found, pair.primary_metric, pair.margin):
        print(line)


def print_samples(study: str) -> None:
    """One prompt with LLaMA's answer and LLaDA's at every step count, as tracked."""
    found = comparison(tracking.frame(study))
    shown = False
    for _, row in found.rows.iterrows():
        generations = tracking.generations_of(row["run_id"])
        if not generations:
            continue
        first = generations[0]
        if not shown:
            print(f"PROMPT     {first['prompt']}\nREFERENCE  {first['reference']}\n")
        steps = f" {row['steps']:.0f} steps" if row["steps"] == row["steps"] else ""
        print(f"{(row['model'] + steps).upper()}\n{first['text'] or '(empty)'}\n")
        shown = True
    if not shown:
        raise BadInput(f"study {study!r} has no generations here; run `make sweep` first")


def main() -> int:
    study, *rest = sys.argv[1:] or [None]
    if study is None or rest not in ([], ["samples"]):
        raise BadInput("usage: python -m bench.report STUDY [samples]")
    print_samples(study) if rest == ["samples"] else print_study(study)
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
