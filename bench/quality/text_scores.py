"""What each score of a text means, and the scores that need no model.

- accuracy: share of valid answers to generated tasks (`bench/data/tasks.py`), in all, by kind and by task, or to word
  problems (`bench/data/problems.py`), in all and by depth.
- BERTScore F1 against the reference answer (Zhang et al., arXiv 1904.09675).
- Judge perplexity: a causal model's, of the answer after the prompt. It is low for degenerate text, so it means
  nothing without the next lines.
- distinct-2: share of distinct word pairs in a text (Li et al., arXiv 1510.03055).
- repetition: share of token 4-grams that occurred before in the same text (seq-rep-4 of Welleck et al.,
  arXiv 1908.04319).
- entropy: of the token frequencies of a text, nats (Zheng et al., arXiv 2409.02908).
- mean length: tokens to the first EOS.

The human references of a prompt set are scored too, as a run of their own.
"""

import itertools
import math
from collections import Counter

from bench.data import problems, tasks
from bench.quality.rows import Row, check_characters, each


def distinct_2(text: str) -> float | None:
    """Distinct over all word pairs of a text; None for fewer than two words."""
    words = text.lower().split()
    pairs = list(itertools.pairwise(words))
    return len(set(pairs)) / len(pairs) if pairs else None


def repetition(ids: list[int], n: int = 4) -> float | None:
    """Share of token n-grams seen before in the text; None for fewer than n tokens."""
    grams = [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else None


def entropy(ids: list[int]) -> float | None:
    """Entropy of a text's token frequencies in nats; None for an empty text."""
    shares = [count / len(ids) for count in Counter(ids).values()]
    return sum(share * math.log(1 / share) for share in shares) if ids else None


def diversity(texts: list[str], ids: list[list[int]]) -> dict[str, list[float | None]]:
    """Scores that need no model, by metric: a value a text."""
    return {
        "distinct_2": [distinct_2(text) for text in texts],
        "repetition": [repetition(row) for row in ids],
        "entropy": [entropy(row) for row in ids],
        "mean_length": [float(len(row)) for row in ids],
    }


def accuracy(asked: list[str], answers: list[str]) -> dict[str, list[float | None]]:
    """Whether each answer is valid, 1 or 0: over all prompts and by part of them.

    asked: the prompts, all tasks or all word problems. A prompt of another part has None in a list.
    """
    valid = [float(is_valid(prompt, answer)) for prompt, answer in zip(asked, answers, strict=True)]
    return by_part(asked, valid)


def is_valid(prompt: str, answer: str) -> bool:
    """Whether an answer to a generated prompt is right, by its rule."""
    rule = problems if problems.is_problem(prompt) else tasks
    return rule.is_valid(prompt, answer)


def by_part(asked: list[str], valid: list[float | None]) -> dict[str, list[float | None]]:
    """Valid answers by metric: of word problems by depth, of tasks by kind and task. valid: None where nobody can
    say."""
    return (by_depth if asked and problems.is_problem(asked[0]) else by_task)(asked, valid)


def by_depth(asked: list[str], valid: list[float | None]) -> dict[str, list[float | None]]:
    """Valid answers to word problems by metric: over all, and by depth."""
    depths = [None if value is None else problems.depth_of(prompt) for prompt, value in zip(asked, valid, strict=True)]
    values = {"accuracy": valid}
    for depth in problems.DEPTHS:
        values[f"accuracy_depth_{depth}"] = [v if own == depth else None for v, own in zip(valid, depths, strict=True)]
    return values


def of_diversity(rows: list[Row]) -> dict:
    """`diversity` as fields of a record `Scores`."""
    scored, reasons = each(rows, diversity_of_row)
    metrics = diversity([], [])
    values = {name: [score and score[name] for score in scored] for name in metrics}
    return {"values": values, "not_scored": reasons}


def diversity_of_row(row: Row) -> dict[str, float | None]:
    """The diversity of one text by metric. Raises NotScored."""
    check_characters(row.text, "the text")
    return {name: values[0] for name, values in diversity([row.text], [row.ids]).items()}


def of_tasks(rows: list[Row]) -> dict:
    """`accuracy` as fields of a record `Scores`."""
    valid, reasons = each(rows, lambda row: float(is_valid(row.prompt, row.text)))
    return {"values": by_part([row.prompt for row in rows], valid), "not_scored": reasons}


def by_task(asked: list[str], valid: list[float | None]) -> dict[str, list[float | None]]:
    """Valid answers by metric: over all tasks, by kind of task, and by task. valid: None where nobody can say."""
    names = [None if value is None else tasks.task_of(prompt) for prompt, value in zip(asked, valid, strict=True)]
    many = [name is not None and tasks.TASKS[name].many_answers for name in names]
    values = {"accuracy": valid}
    values["accuracy_one_answer"] = [None if is_many else v for v, is_many in zip(valid, many, strict=True)]
    values["accuracy_many_answers"] = [v if is_many else None for v, is_many in zip(valid, many, strict=True)]
    for task in tasks.TASKS:
        values[f"accuracy_{task}"] = [v if name == task else None for v, name in zip(valid, names, strict=True)]
    return values
