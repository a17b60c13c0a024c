"""What lm-evaluation-harness says of answers: each question's scores, and those of a cell with what stands beside."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bench.accuracy.cells import Asked, form_of
from bench.accuracy.harness import FEWSHOT_SEED
from bench.common.errors import BadInput
from bench.records.items import Item
from bench.records.types import Scores

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from lm_eval.api.task import ConfigurableTask

    from bench.accuracy.lm import BenchLM

SCORER = "lm-eval"
PATTERNS = ("regex", "regex_pos", "multi_choice_regex")  # filters of lm-eval that look for an answer in a text
NOTHING_FOUND = "[invalid]"  # what they give where they find none, unless the task says otherwise
ROLLING = "loglikelihood_rolling"


def outcome_of(task: ConfigurableTask, answered: list[tuple[Instance, Any]]) -> dict[str, float]:
    """lm-eval's scores of one question, by "metric,filter". answered: its requests with their answers, in order.

    Only numbers: what a task scores over all questions together is none of a question's.
    """
    instances = [copy.copy(instance) for instance, _ in answered]
    for instance, (_, answer) in zip(instances, answered, strict=True):
        instance.resps, instance.filtered_resps = [answer], {}
    scores = {}
    for pipeline in task._filters:
        pipeline.apply(instances)
        filtered = [instance.filtered_resps[pipeline.name] for instance in instances]
        metrics = task.process_results(instances[0].doc, filtered)
        scores |= {f"{name},{pipeline.name}": float(v) for name, v in metrics.items() if isinstance(v, int | float)}
    return scores


def evaluated(lm: BenchLM, asked: Asked) -> list[dict[str, Any]]:
    """lm-eval's own evaluation of a cell: a sample for each question and filter. Asks the model what has no answer."""
    from lm_eval.evaluator import evaluate

    asked.task.set_fewshot_seed(FEWSHOT_SEED)
    form = form_of(asked.recipe, asked.texts)
    results = evaluate(
        lm, {"tasks": {asked.task.config.task: asked.task}}, limit=asked.limit, bootstrap_iters=0,
        apply_chat_template=form.get("apply_chat_template", False),
        fewshot_as_multiturn=form.get("fewshot_as_multiturn", False),
        confirm_run_unsafe_code=True,  # refused before, unless it was allowed
    )  # fmt: skip
    return results["samples"][asked.task.config.task]


def check_score(asked: Asked) -> None:
    """Raise BadInput, before a model loads, where lm-eval's task does not give the score that the recipe counts.

    The first question is scored with an empty answer.
    """
    score, task, requests = asked.recipe.score, asked.task, asked.requests
    if task.OUTPUT_TYPE == ROLLING:
        return
    answer = "" if asked.is_generated else (0.0, False)
    first = [(request, answer) for request in requests if request.doc_id == requests[0].doc_id]
    given = outcome_of(task, first)
    if f"{score.metric},{score.filter}" not in given:
        raise BadInput(
            f"recipe {asked.cell.task}: score: lm-eval's task {task.config.task} gives no {score.metric} after the"
            f" filter {score.filter}; it gives: {'; '.join(given) or 'nothing for a single question'}"
        )


def is_blank(filtered: Any) -> bool:
    """Whether a filter gave no text, however it wraps what it gives."""
    if isinstance(filtered, list | tuple):
        return all(map(is_blank, filtered))
    return not str(filtered).strip()


def unmatched(asked: Asked, samples: list[dict[str, Any]]) -> list[float] | None:
    """For each question 1 where the extractor found no answer in the text, else 0; None for a task without extractor.

    A pattern says so by its fallback. A task's own filter counts as an extractor if it makes nothing of an empty text.
    """
    name = asked.recipe.score.filter
    stated = [each for each in asked.task.config.filter_list or [] if each["name"] == name]
    functions = stated[0]["filter"] if stated and asked.is_generated else []
    patterns = [each for each in functions if each["function"] in PATTERNS]
    given = [sample["filtered_resps"][0] for sample in samples]
    if patterns:
        fallback = patterns[-1].get("fallback", NOTHING_FOUND)
        return [float(each in (fallback, [fallback])) for each in given]
    if any(each["function"] == "custom" for each in functions) and makes_nothing_of_nothing(asked, name):
        return [float(is_blank(each)) for each in given]
    return None


def makes_nothing_of_nothing(asked: Asked, name: str) -> bool:
    """Whether a filter of the task gives no text for an empty answer to the first question."""
    probe = copy.copy(asked.requests[0])
    probe.resps, probe.filtered_resps = [""], {}
    next(pipeline for pipeline in asked.task._filters if pipeline.name == name).apply([probe])
    return is_blank(probe.filtered_resps[name])


def scores_of(study: str, asked: Asked, samples: list[dict[str, Any]], items: Iterable[Item]) -> Scores:
    """A cell's scores, a value a question in the order of the questions."""
    by_question: dict[int, list[Item]] = {}
    for item in items:
        by_question.setdefault(item.index, []).append(item)
    counted = [sample for sample in samples if sample["filter"] == asked.recipe.score.filter]
    counted = sorted(counted or samples, key=lambda sample: sample["doc_id"])
    answers = [by_question[sample["doc_id"]] for sample in counted]
    values = {"seconds_an_item": [sum(item.seconds for item in of_one) for of_one in answers]}
    devices = sorted({item.device for of_one in answers for item in of_one})
    head = {
        "study": study, "cell_id": asked.cell.cell_id, "scorer": SCORER, "cell": asked.cell,
        "device": " and ".join(devices),
    }  # fmt: skip
    if asked.task.OUTPUT_TYPE == ROLLING:
        texts = [asked.task.doc_to_target(sample["doc"]) for sample in counted]
        return Scores(
            **head, values=values, nats=[-of_one[0].log_likelihood for of_one in answers],
            standard_errors=[of_one[0].standard_error for of_one in answers],
            text_bytes=[len(text.encode()) for text in texts],
        )  # fmt: skip
    values["accuracy"] = [float(sample[asked.recipe.score.metric]) for sample in counted]
    if asked.is_generated:
        values["empty_answers"] = [float(is_blank(sample["resps"][0][0])) for sample in counted]
        values["mean_length"] = [float(of_one[0].tokens) for of_one in answers]
        values["forwards_an_item"] = [float(of_one[0].nfe) for of_one in answers]
        if (without := unmatched(asked, counted)) is not None:
            values["unmatched_answers"] = without
    return Scores(**head, values=values)


def all_scores(samples: list[dict[str, Any]]) -> dict[str, float]:
    """The mean of every score of lm-eval that each question has a number of, by "metric,filter"."""
    values: dict[str, list[float]] = {}
    for sample in samples:
        for metric in sample["metrics"]:
            if isinstance(sample[metric], int | float):
                values.setdefault(f"{metric},{sample['filter']}", []).append(float(sample[metric]))
    return {name: math.fsum(of_one) / len(of_one) for name, of_one in values.items()}
