"""What of a cell's texts has no score: how many, by which scorer, and why."""

from bench.records.merge import CellRecords
from bench.records.types import JUDGE, is_judge

NOT_YET = "the judge was asked and has not answered yet"  # in a record that takes an earlier judge's numbers back


def texts_not_scored(entry: CellRecords) -> int:
    """Texts that at least one scorer was asked about and could not score: all of them where a scorer failed."""
    records = entry.scores_that_count.values()
    if any(scores.failure for scores in records):
        return entry.cell.prompts
    return len({index for scores in records for index in scores.not_scored})


def not_scored_words(entry: CellRecords) -> str:
    """What was not scored, by whom and why; empty where everything was: `judge-x 1 of 4 texts (the text is empty)`."""
    parts = []
    for scorer, scores in entry.scores_that_count.items():
        if scores.failure:
            parts.append(f"{scorer} no text ({scores.failure})")
        elif scores.not_scored:
            reasons = "; ".join(dict.fromkeys(scores.not_scored.values()))
            parts.append(f"{scorer} {len(scores.not_scored)} of {entry.cell.prompts} texts ({reasons})")
    return ", ".join(parts)


def judge_of(entry: CellRecords) -> str:
    """The name of the judge whose perplexity counts, such as `smollm2`; empty where none was asked."""
    return next(filter(is_judge, entry.scores_that_count), "").removeprefix(JUDGE)
