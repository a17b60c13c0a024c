"""A prompt and a task with every model's answer, in the terminal."""

from bench.analysis.comparison import Comparison, comparisons, main_of
from bench.common.errors import BadInput
from bench.data import tasks
from bench.store import mlflow_read


def print_samples(study: str) -> None:
    """A prompt and a task with LLaMA's answer and LLaDA's at every step count, as tracked."""
    found = comparisons(mlflow_read.frame(study))
    shown = [print_answers(c) for c in (main_of(found, "answers"), main_of(found, "tasks")) if c]
    if not any(shown):
        raise BadInput(f"study {study!r} has no generations here; run `make sweep` first")


def print_answers(found: Comparison) -> bool:
    """One prompt of a comparison with all answers to it; of tasks the first with many right answers."""
    shown = False
    for _, row in found.rows.iterrows():
        generations = mlflow_read.generations_of(row["run_id"])
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
