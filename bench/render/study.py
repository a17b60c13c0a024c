"""Everything that a terminal shows of a study."""

import pandas as pd

from bench.analysis import hypotheses
from bench.analysis.comparison import comparisons, estimate_of
from bench.analysis.scaling import scalings
from bench.render import comparison, cost, wording
from bench.render import hypotheses as render_hypotheses
from bench.render import scaling as render_scaling
from bench.render.comparison import COLUMNS, TASK_COLUMNS
from bench.spec.pair import read_pair
from bench.store import mlflow_read


def likelihood_lines(frame: pd.DataFrame) -> list[str]:
    """Bits per byte of held-out text, where `make likelihood` measured them."""
    if "quality/bits_per_byte" not in frame:
        return []
    lines = []
    for _, row in frame[frame["quality/bits_per_byte"].notna()].sort_values(["text", "model"]).iterrows():
        kind = "exact" if row["model"] == "llama" else "upper bound"
        value = wording.interval(estimate_of(row, "quality/bits_per_byte"), 3)
        lines.append(f"Likelihood: {row['model']} {value} bits per byte of {row['text']} ({kind}).")
    return lines


def print_study(study: str) -> None:
    """Tables, what failed and the verdicts of a study, on standard output."""
    frame = mlflow_read.frame(study)
    pair = read_pair(frame["pair"].iloc[0])
    for found in comparisons(frame):
        print(f"\nstudy {study}, {found.title}, on {found.machine}")
        if found.label:
            print(found.label.upper())
        print(comparison.table(pd.concat([found.rows, found.human, found.left_out]), COLUMNS).to_string(index=False))
        if found.about == "tasks":
            print("\naccuracy by task; positions depend on each other from shuffle on")
            print(
                comparison.table(found.rows.assign(flags=""), TASK_COLUMNS).to_string(index=False)
            )  # flags are of times
        said = [
            *comparison.verdict(found, pair.metrics),
            wording.left_out_sentence(found),
            wording.retry_sentence(found),
        ]
        print("\n".join(filter(None, said)))
    for scaling in scalings(frame):
        print(f"\nstudy {study}, {scaling.title}, on {scaling.machine}")
        print("\n".join(render_scaling.lines(scaling)))
    scored = hypotheses.scores(frame, hypotheses.read())
    for line in [*likelihood_lines(frame), *cost.lines(frame), *render_hypotheses.lines(scored)]:
        print(line)
