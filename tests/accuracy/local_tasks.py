"""A folder of tasks in lm-eval's own format, with questions that the pocket pair was taught, and their recipes."""

import itertools
import json
from pathlib import Path

from bench.data import tasks

MODELS = {
    "autoregressive": {"gen_length": 32},
    "diffusion": {"gen_length": 32, "block_length": 8, "steps": 16},
}
ONE_ANSWER = [name for name, task in tasks.TASKS.items() if not task.many_answers]
LETTERS = {"name": "letters", "filter": [
    {"function": "regex", "regex_pattern": "^([a-z0-9](?:[a-z0-9 ]*[a-z0-9])?)$"}, {"function": "take_first"},
]}  # fmt: skip
WORDS = {
    "output_type": "generate_until", "doc_to_text": "{{question}}", "doc_to_target": "{{answer}}",
    "generation_kwargs": {"until": ["\n"], "do_sample": False, "max_gen_toks": 32},
    "filter_list": [LETTERS],
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}  # fmt: skip
WORDS_RECIPE = {
    "form": "chat", "score": {"metric": "exact_match", "filter": "letters"}, "models": MODELS,
    "templates": {"own": {}, "asked": {"doc_to_text": "Please: {{question}}"}},
}  # fmt: skip
CHOICES = {
    "output_type": "multiple_choice", "doc_to_text": "{{question}}", "doc_to_choice": "{{choices}}",
    "doc_to_target": "{{choices.index(answer)}}", "target_delimiter": "",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}  # fmt: skip
CHOICES_RECIPE = {
    "form": "chat", "score": {"metric": "acc"}, "likelihood": {"samples": 8, "rows": 4},
    "models": {"autoregressive": {}, "diffusion": {}}, "templates": {"own": {}},
}  # fmt: skip
ROLLING = {
    "output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "{{answer}}",
    "metric_list": [{"metric": "bits_per_byte"}],
}  # fmt: skip
ROLLING_RECIPE = CHOICES_RECIPE | {"form": "plain", "score": {"metric": "bits_per_byte"}}


def questions(count: int) -> list[dict]:
    """Questions with their only right answers, and two answers that are wrong."""
    found = (item for item in tasks.items(1, test=True) if item.task in ONE_ANSWER)
    rows = [{"question": item.prompt, "answer": item.answer} for item in itertools.islice(found, count)]
    for row, other in zip(rows, rows[1:] + rows[:1], strict=True):
        row["choices"] = [other["answer"], row["answer"], other["question"]]
    return rows


def write(folder: Path, name: str, task: dict, recipe: dict, rows: list[dict]) -> None:
    """Put a task, its questions and its recipe into a folder, as a user would."""
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(data)}}, "test_split": "test"}
    (folder / f"{name}.yaml").write_text(json.dumps({"task": name} | files | task))
    (folder / "recipes").mkdir(exist_ok=True)
    (folder / "recipes" / f"{name}.yaml").write_text(json.dumps({"lm_eval_task": name} | recipe))


def write_all(folder: Path, count: int = 6) -> Path:
    """The three kinds of task: answered in text, with choices, and whole texts."""
    rows = questions(count)
    write(folder, "words", WORDS, WORDS_RECIPE, rows)
    write(folder, "choices", CHOICES, CHOICES_RECIPE, rows)
    write(folder, "whole", ROLLING, ROLLING_RECIPE, rows)
    return folder
