"""Accuracies as lines: one for each cell, one over the templates of each task, and what must be said beside them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from bench.accuracy.run import Scored
from bench.common import stats
from bench.common.stats import Estimate
from bench.models import kinds
from bench.records.types import Scores

LINE = "{:16}{:14}{:40}{:24}{:>7}{:>9}{:>11}{:>8}{:>10}{:>9}"
HEADINGS = ("task", "template", "model", "accuracy", "items", "empty", "unmatched", "tokens", "forwards", "s/item")


def mean(scores: Scores, name: str) -> float | None:
    """The mean of a value over the questions; None where it was not measured."""
    values = scores.values.get(name)
    return statistics.fmean(values) if values else None


def accuracy_of(scores: Scores) -> Estimate:
    """The share of questions that count as right, with Wilson's interval; of scores between 0 and 1 their mean."""
    return stats.share_or_mean(scores.values["accuracy"])


def has_no_match(scores: Scores) -> bool:
    """Whether the extractor found an answer in no text at all, which says more of a template than of a model."""
    return mean(scores, "unmatched_answers") == 1.0


def main_number(scores: Scores) -> str:
    """The accuracy of a cell, or its bits per byte of text."""
    if scores.nats is not None:
        return stats.bits_per_byte(scores.nats, scores.text_bytes).text(4, " bits/byte")
    flag = " NO MATCH" if has_no_match(scores) else ""
    return accuracy_of(scores).text(3) + flag


def shown(value: float | None, digits: int, percent: bool = False) -> str:
    """A number of the table; a dash where it was not measured."""
    if value is None:
        return "-"
    return f"{100 * value:.1f} %" if percent else f"{value:.{digits}f}"


def model_of(scored: Scored) -> str:
    cell = scored.asked.cell
    engine = "" if cell.engine == "eager" else cell.engine
    return ", ".join(filter(None, (kinds.label_of(cell.model), cell.decoder_label, engine)))


def row(scored: Scored) -> str:
    cell, scores = scored.asked.cell, scored.scores
    count = len(scores.values["seconds_an_item"])
    return LINE.format(
        cell.task, cell.template, model_of(scored), main_number(scores), count,
        shown(mean(scores, "empty_answers"), 1, percent=True),
        shown(mean(scores, "unmatched_answers"), 1, percent=True),
        shown(mean(scores, "mean_length"), 1), shown(mean(scores, "forwards_an_item"), 1),
        shown(mean(scores, "seconds_an_item"), 3),
    )  # fmt: skip


def lines(cells: list[Scored]) -> Iterator[str]:
    """The table, then the notes: other filters, templates, and answers of which nothing was understood."""
    if not cells:
        return
    yield LINE.format(*HEADINGS)
    for scored in cells:
        yield row(scored)
    for scored in cells:
        yield from notes(scored)
    yield from over_templates(cells)


def notes(scored: Scored) -> Iterator[str]:
    """What belongs beside a cell's number."""
    cell, score = scored.asked.cell, scored.asked.recipe.score
    others = {name: v for name, v in scored.others.items() if name != f"{score.metric},{score.filter}"}
    name = f"{cell.task}, {cell.template}, {model_of(scored)}"
    if has_no_match(scored.scores):
        yield (
            f"{name}: NO MATCH: the filter {score.filter} found an answer in none of {cell.prompts} texts. So template"
            " or filter do not fit the model, and this is not its accuracy. The texts are kept; mend the recipe"
        )
    if others:
        yield f"{name}: lm-eval's other scores: " + ", ".join(f"{key} {value:.3f}" for key, value in others.items())


def over_templates(cells: list[Scored]) -> Iterator[str]:
    """For each task and model that was asked under several templates: mean, least and most over them.

    A template under which nothing was understood is left out, since its number is not the model's.
    """
    groups: dict[tuple[str, str], list[Scored]] = {}
    for scored in cells:
        if scored.scores.nats is None and not has_no_match(scored.scores):
            groups.setdefault((scored.asked.cell.task, model_of(scored)), []).append(scored)
    for (task, model), group in groups.items():
        if len(group) > 1:
            values = {scored.asked.cell.template: accuracy_of(scored.scores).value for scored in group}
            least, most = min(values, key=values.get), max(values, key=values.get)
            yield (
                f"{task}, {model}, over {len(values)} templates: {statistics.fmean(values.values()):.3f}, from"
                f" {values[least]:.3f} ({least}) to {values[most]:.3f} ({most})"
            )
