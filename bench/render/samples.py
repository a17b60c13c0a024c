"""A prompt, a task and a word problem with every model's answer, in the terminal."""

from bench.analysis.comparison import KINDS_OF_CELLS, Comparison, comparisons, main_of
from bench.analysis.noise import judge
from bench.analysis.study import Study
from bench.common.errors import BadInput
from bench.data import tasks
from bench.quality import text_scores


def print_samples(study: Study) -> None:
    """A prompt, a task and a word problem with each model's answer at each of its step counts. Raises BadInput if there
    is none."""
    every = comparisons(judge(study))
    chosen = [comparison for about in KINDS_OF_CELLS if (comparison := main_of(every, about))]
    were_printed = [print_answers(study, comparison) for comparison in chosen]
    if not any(were_printed):
        raise BadInput(
            f"study {study.name!r} has no generations here; run `make sweep` first, under another STUDY if this one was"
            " restored, since a published study comes without the texts of its prompts"
        )


def print_answers(study: Study, comparison: Comparison) -> bool:
    """One prompt of a comparison with all answers to it, of tasks the first with many right answers; whether there was
    any."""
    is_first = True
    for _, run in comparison.rows.iterrows():
        generations = study.generations_of(run["run_id"])
        if not generations:
            continue
        generation = chosen_generation(generations, comparison.about)
        if is_first:
            print(f"PROMPT     {generation['prompt']}\nREFERENCE  {generation['reference']}\n")
        steps = f" {run['steps']:.0f} steps" if run["steps"] == run["steps"] else ""
        text = generation["text"] or "(empty)"
        if comparison.is_checked:
            text += "   (valid)" if text_scores.is_valid(generation["prompt"], generation["text"]) else "   (not valid)"
        print(f"{(run['model'] + steps).upper()}\n{text}\n")
        is_first = False
    return not is_first


def chosen_generation(generations: list[dict], about: str) -> dict:
    """The first generation; of tasks the first with many right answers, where a task has them."""
    if about != "tasks":
        return generations[0]
    return next((generation for generation in generations if has_many_answers(generation["prompt"])), generations[0])


def has_many_answers(prompt: str) -> bool:
    """Whether a task has several right answers."""
    return tasks.TASKS[tasks.task_of(prompt)].many_answers
