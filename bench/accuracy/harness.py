"""lm-evaluation-harness's tasks: which there are, where their questions lie, and one of them made ready.

Everything of a task is lm-eval's own: its prompt, examples, filters and scores. A recipe's template and the place of
the questions are put over its file by an `include`, which is lm-eval's own way.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib.util
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from bench.accuracy.sandbox import CodeEval
from bench.common import paths
from bench.common.errors import BadInput
from bench.common.read import shortened
from bench.models import hub

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask

INDEX = Path(".cache/harness")  # lm-eval reads 13,000 files to list its tasks, 15 s on two cores: once a version
FILES = ("json", "csv", "parquet", "text", "arrow")  # loaders of data sets that need no hub
SPLITS = {"test_split": "test", "validation_split": "validation", "training_split": "train", "fewshot_split": "train"}
MOST_NAMES = 6  # tasks of a group that a message names
FEWSHOT_SEED = 1234  # lm-eval's own, by which it draws worked examples
ONE_NUMBER = ("generate_until", "loglikelihood", "loglikelihood_rolling", "multiple_choice")


def check_installed() -> None:
    """Raise BadInput where lm-eval is not there, and keep its bars and warnings out of our lines."""
    if importlib.util.find_spec("lm_eval") is None:
        raise BadInput(
            "lm-eval is not installed here; `make accuracy` does it, or: pip install -r"
            " configs/requirements-accuracy.txt"
        )
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    from lm_eval.api import task

    task.tqdm = partial(tqdm, disable=True)  # of the requests that it makes; it takes no word for that


@dataclass(frozen=True)
class Index:
    """What lm-eval knows by name. tasks: the file of each task. groups: the tasks and groups of each group or tag."""

    tasks: dict[str, str]
    groups: dict[str, list[str]]

    def tasks_of(self, group: str) -> list[str]:
        """The tasks of a group, and of the groups in it, each once."""
        found: dict[str, None] = {}
        left, seen = [group], set()
        while left:
            name = left.pop(0)
            if name in self.groups and name not in seen:
                left = [*self.groups[name], *left]
            elif name not in self.groups:
                found[name] = None
            seen.add(name)
        return list(found)


def read_index(folder: Path | None) -> Index:
    """lm-eval's own tasks and groups, and those of a folder of the user's, which come first."""
    file = INDEX / f"index-{version('lm_eval')}.json"
    own = Index(**json.loads(file.read_text())) if file.is_file() else None
    if own is None or not Path(next(iter(own.tasks.values()))).is_file():  # never listed, or lm-eval lies elsewhere now
        own = listed(None)
        paths.write(file, json.dumps(vars(own)))
    if not folder:
        return own
    beside = listed(folder)
    of_lm_eval = {name: names for name, names in own.groups.items() if name not in beside.tasks}
    return Index(own.tasks | beside.tasks, of_lm_eval | beside.groups)


def listed(folder: Path | None) -> Index:
    """What lm-eval finds in a folder; None: its own."""
    from lm_eval.tasks import TaskManager

    if folder is not None and not folder.is_dir():
        raise BadInput(f"TASK_PATH={folder}: no such folder; give one with tasks in lm-eval's format")
    manager = TaskManager(include_defaults=folder is None, include_path=folder and str(folder))
    entries = manager.task_index
    groups = {name: names_in(entries[name].cfg) for name in manager.all_groups}
    tags = {name: sorted(entries[name].tags) for name in manager.all_tags}
    return Index({name: str(entries[name].yaml_path) for name in manager.all_subtasks}, tags | groups)


def names_in(stated: Any) -> list[str]:
    """The names under `task` in a group's file, where a task may stand with changes, and a group with its own list."""
    if isinstance(stated, str):
        return [stated]
    if isinstance(stated, dict):
        return names_in(stated.get("task") or stated.get("group") or [])
    return [name for each in stated for name in names_in(each)]


def find(name: str, index: Index, where: str) -> Path:
    """The file of a task. Raises BadInput for a group, naming its tasks, and for a task that lm-eval does not know,
    naming the nearest."""
    if name in index.groups:
        tasks = index.tasks_of(name)
        others = f" and {len(tasks) - MOST_NAMES} others" if len(tasks) > MOST_NAMES else ""
        raise BadInput(
            f"{where}: {name} is a group of {len(tasks)} tasks of lm-eval, and a recipe asks one task; write a recipe"
            f" for each that you want: {', '.join(tasks[:MOST_NAMES])}{others}"
        )
    if name in index.tasks:
        return Path(index.tasks[name])
    near = difflib.get_close_matches(name, index.tasks, 1, 0)
    raise BadInput(f"{where}: lm-eval {version('lm_eval')} has no task {name}; did you mean {near[0]}?")


def facts_of(file: Path) -> dict[str, Any]:
    """What a task's file says, its functions not loaded."""
    from lm_eval.tasks._yaml_loader import load_yaml

    return load_yaml(file, resolve_func=False)


def check_code(facts: dict[str, Any], name: str, may_run: bool) -> None:
    """Raise BadInput for a task that runs what a model wrote, unless that was allowed."""
    if facts.get("unsafe_code") and not may_run:
        raise BadInput(
            f"TASKS: {name} runs the programs that a model writes, in a process of their own with limits; say that you"
            " want that with RUN_CODE=yes"
        )


def data_files(package: str | None, folder: Path | None, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    """What puts local questions in the place of the hub's, as keys of the task; nothing where they are the hub's.

    package: of the recipe (package:NAME/FILE). folder: of the user, with NAME/test.jsonl and perhaps train.jsonl.
    Raises BadInput.
    """
    splits = {facts[key]: default for key, default in SPLITS.items() if facts.get(key)}
    if folder is not None and (folder / name).is_dir():
        found = {split: folder / name / f"{split}.jsonl" for split in splits}
        found = {split: str(file) for split, file in found.items() if file.is_file()}
        if asked_split(facts) not in found:
            file = folder / name / f"{asked_split(facts)}.jsonl"
            raise BadInput(f"DATA={folder}: {file} is missing; it holds the questions")
        missing = {key: None for key in SPLITS if facts.get(key) and facts[key] not in found}
        return {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": found}} | missing
    if package is not None:
        module, _, inner = package.removeprefix("package:").partition("/")
        spec = importlib.util.find_spec(module)
        if spec is not None and (file := Path(spec.origin).parent / inner).is_file():
            files = {asked_split(facts): str(file)}
            return {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}}
    return {}


def asked_split(facts: dict[str, Any]) -> str | None:
    """The part of a task's data whose questions are asked."""
    return facts.get("test_split") or facts.get("validation_split")


def load(name: str, file: Path, overrides: dict[str, Any]) -> ConfigurableTask:
    """A task with its questions, some keys replaced. Raises BadInput where its data cannot be had, or where the keys
    do not fit the task."""
    from lm_eval.tasks import TaskManager

    facts = facts_of(file) | overrides
    source = facts.get("dataset_path")
    is_local = source in FILES or source is None or Path(str(source)).exists()
    remedy = (
        f"give DATA=FOLDER with {name}/{asked_split(facts)}.jsonl (train.jsonl where it draws examples), or connect"
    )
    try:
        if not is_local:
            hub.answers_for_data(source)
        shut_in = code_in_sandbox() if facts.get("unsafe_code") else contextlib.nullcontext()  # it takes seconds
        with tempfile.TemporaryDirectory() as folder, shut_in:
            put_over = Path(folder) / "task.yaml"
            put_over.write_text(json.dumps({"include": str(file), "task": name} | overrides))  # JSON is YAML
            task = TaskManager(include_defaults=False).load(str(put_over))["tasks"][name]
    except Exception as error:  # whatever the hub, the data set's loader or a template of the task raise
        what = f"its questions ({source}) cannot be had" if not is_local else "it cannot be made ready"
        raise BadInput(
            f"task {name}: {what} ({shortened(error)}); {remedy if not is_local else f'see {file}'}"
        ) from None
    check_is_scored_by_numbers(task, name)
    return task


def check_is_scored_by_numbers(task: ConfigurableTask, name: str) -> None:
    """Raise BadInput for a task that needs pictures, or several answers to a question."""
    if getattr(task, "MULTIMODAL", False) or task.OUTPUT_TYPE not in ONE_NUMBER:
        raise BadInput(f"task {name}: needs more than text; choose another task")
    if task.config.repeats != 1:
        raise BadInput(
            f"task {name}: asks each question {task.config.repeats} times; choose its variant with one answer"
        )


@contextlib.contextmanager
def code_in_sandbox() -> Iterator[None]:
    """While it lasts, tasks that load the hub's `code_eval`, which runs programs, get this project's sandbox."""
    import evaluate

    original = evaluate.load
    evaluate.load = lambda path, *args, **kwargs: CodeEval() if path == "code_eval" else original(path, *args, **kwargs)
    try:
        yield
    finally:
        evaluate.load = original
