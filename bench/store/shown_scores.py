"""What a run in MLflow shows of its cell's scores beside their values."""

from collections.abc import Iterable

from bench.records import metrics
from bench.records.merge import CellRecords
from bench.records.not_scored import judge_of, not_scored_words
from bench.spec.cell import Cell

MOST_LETTERS = 4000  # of a tag; MLflow's own limit is above that
NO_MATCH = "no answer matched"
SCORES = ("quality/", "per_prompt/")  # how the names of scores begin


def tags(entry: CellRecords) -> dict[str, str]:
    """`judge`: whose perplexity it is. `not_scored`: which texts have no score, by whom and why. Empty where nothing is
    to be said. `flags`, where an extractor found an answer in no text: the accuracy beside it is not the model's."""
    shown = {"judge": judge_of(entry), "not_scored": not_scored_words(entry)[:MOST_LETTERS]}
    unmatched = [scores.values.get("unmatched_answers") for scores in entry.scores_that_count.values()]
    return shown | ({"flags": NO_MATCH} if any(values and min(values) == 1 for values in unmatched) else {})


def place_tags(entry: CellRecords) -> dict[str, str]:
    """`platform` and `device`: where the items of a task of lm-evaluation-harness were answered; empty of anything
    else. A record that does not say its device leaves that out."""
    if not isinstance(entry.cell, Cell) or entry.cell.task is None:
        return {}
    devices = {scores.device for scores in entry.scores.values()} - {""}
    return {"platform": entry.cell.device} | ({"device": " and ".join(sorted(devices))} if devices else {})


def are_stale(names: Iterable[str], entry: CellRecords) -> bool:
    """Whether a run shows a score that does not count any more, such as that of a judge in whose place another was
    asked. MLflow takes no value back, so such a run has to be made anew.

    names: of the metrics that the run has.
    """
    of_prompts = {f"per_prompt/{name}" for name, _, _ in metrics.per_prompt(entry)}
    current = set(metrics.quality_metrics(entry)) | of_prompts
    return any(name.startswith(SCORES) and name not in current for name in names)
