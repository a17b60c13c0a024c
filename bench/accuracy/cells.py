"""What is asked: tasks under their recipes, as cells with requests, resolved and checked before a model loads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.accuracy import harness, recipe, sandbox
from bench.accuracy.answers import Key, key_of
from bench.accuracy.recipe import SHOTS, Recipe
from bench.accuracy.texts import Texts, hash_of
from bench.common.errors import BadInput
from bench.data.prompt import Prompt
from bench.models import kinds
from bench.spec import expand, model_rules, prompt_ids, rules
from bench.spec.cell import IDENTITY_VERSION, Cell
from bench.spec.grid import GridFile
from bench.spec.pair import PairFile, fetch

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from lm_eval.api.task import ConfigurableTask

KIND = "accuracy"
GENERATED = "generate_until"  # lm-eval's name of tasks that are answered in text


@dataclass(frozen=True)
class Request:
    """What the door was asked for. Nothing in it has been looked up yet."""

    tasks: tuple[str, ...]  # names of recipes
    templates: tuple[str, ...] = ()  # of each recipe; none: its first one, "all": all that it has
    overrides: dict[str, Any] = field(default_factory=dict)  # grid keys of LLaDA's decoding, and those of both models
    engine: str = "eager"
    dtype: str | None = None  # None: the pair's
    batch_size: int = 1
    limit: int | None = None  # questions of each task; None: all
    task_path: Path | None = None  # a folder of tasks in lm-eval's format
    data: Path | None = None  # a folder of questions: TASK/test.jsonl
    may_run_code: bool = False


@dataclass(frozen=True)
class Asked:
    """A task under one template by one model: a cell, and lm-eval's task with the requests that make it."""

    cell: Cell
    recipe: Recipe
    task: ConfigurableTask
    texts: Texts
    prompts: tuple[Prompt, ...]  # one a request, in the order of the task's requests
    limit: int | None = None  # questions at most

    @property
    def is_generated(self) -> bool:
        return self.task.OUTPUT_TYPE == GENERATED

    @property
    def requests(self) -> list[Instance]:
        return self.task.instances

    @property
    def keys(self) -> set[Key]:
        """The keys of all requests, under which their answers are on record."""
        return {key_of(request) for request in self.requests}


def resolve(request: Request, pair: PairFile, device: str) -> list[Asked]:
    """All cells that are asked for, those of a model together. Raises BadInput before any model loads."""
    if pair.has_random_weights:
        raise BadInput(f"pair {pair.name}: random weights have no accuracy; give a pair of trained models")
    if request.may_run_code:
        sandbox.check_can_run()
    recipes = {name: recipe.read(name, request.task_path) for name in request.tasks}
    for name, (of_task, _) in recipes.items():
        templates_of(request, of_task, name)
    harness.check_installed()
    index = harness.read_index(request.task_path)
    places = {name: harness.find(of_task.lm_eval_task, index, str(file)) for name, (of_task, file) in recipes.items()}
    for name, place in places.items():
        harness.check_code(harness.facts_of(place), name, request.may_run_code)
    pair = fetch(pair)
    rules.check_engines([rules.Asked("ENGINE", [request.engine], list(pair.models))])
    for of_task, file in recipes.values():
        check_form(of_task, pair, file)
    asked = [
        each
        for kind in pair.models
        for name, (of_task, file) in recipes.items()
        for template in templates_of(request, of_task, name)
        for each in cells_of(Place(request, pair, device, kind, name, of_task, file, places[name], template))
    ]
    model_rules.check([each.cell for each in asked])
    return asked


def check_form(of_task: Recipe, pair: PairFile, file: Path) -> None:
    """Raise BadInput for a model without a chat template where the recipe asks in chat form."""
    for files in pair.models.values() if of_task.form == "chat" else ():
        if not Texts(files).has_chat_template:
            raise BadInput(
                f"{files.tokenizer_directory}: its tokenizer has no chat template, which {file} needs (form: chat);"
                " give an instruct model, or a recipe of form: plain, such as one for base models"
            )


def templates_of(request: Request, of_task: Recipe, name: str) -> list[str]:
    """The templates that are asked for of a recipe. Raises BadInput for one that it does not have."""
    if not request.templates:
        return list(of_task.templates)[:1]
    if request.templates == ("all",):
        return list(of_task.templates)
    if unknown := [each for each in request.templates if each not in of_task.templates]:
        has = ", ".join(of_task.templates)
        raise BadInput(f"TEMPLATES: {name} has no template {unknown[0]}; it has: {has}")
    return list(request.templates)


@dataclass(frozen=True)
class Place:
    """One task, template and kind of model of a request."""

    request: Request
    pair: PairFile
    device: str
    kind: str
    name: str  # of the recipe
    recipe: Recipe
    file: Path  # of the recipe
    task_file: Path  # of lm-eval's task
    template: str

    @property
    def shots(self) -> int | None:
        """Worked examples before each question; None for what lm-eval's task has."""
        return self.recipe.settings_of(self.kind, self.pair, str(self.file)).get(SHOTS)


def cells_of(place: Place) -> Iterator[Asked]:
    """The cells of a place: one for each number of steps. Raises BadInput."""
    request, files = place.request, place.pair.models[place.kind]
    texts, task = Texts(files), ready_task(place)
    build_requests(task, place.recipe, texts, request.limit)
    prompts = tuple(prompt_of(instance, task, texts, place.kind) for instance in task.instances)
    stated = {
        "prompts": len(prompts),
        "prompt_hash": hash_of_questions(task, place),
        "prompt_ids": prompt_ids.hash_of(prompts, place.kind),
    }
    own = {"task": place.name, "template": place.template, "shots": task.config.num_fewshot or 0}
    make = generating_cells if task.OUTPUT_TYPE == GENERATED else likelihood_cells
    for cell in make(place, prompts):
        yield Asked(replace(cell, **stated, **own), place.recipe, task, texts, prompts, request.limit)


def ready_task(place: Place) -> ConfigurableTask:
    """lm-eval's task with the place's template, shots and questions."""
    facts = harness.facts_of(place.task_file)
    name = place.recipe.lm_eval_task
    overrides = dict(place.recipe.templates[place.template])
    overrides |= harness.data_files(place.recipe.data, place.request.data, name, facts)
    if place.shots is not None:
        overrides["num_fewshot"] = place.shots
    return harness.load(name, place.task_file, overrides)


def build_requests(task: ConfigurableTask, of_task: Recipe, texts: Texts, limit: int | None) -> None:
    """Let a task make its requests, always the same ones. Raises BadInput where it cannot."""
    task.set_fewshot_seed(harness.FEWSHOT_SEED)
    if task.config.num_fewshot is None:
        task.set_config(key="num_fewshot", value=0)
    try:
        task.build_all_requests(limit=limit, **form_of(of_task, texts))
    except (BadInput, MemoryError):
        raise
    except Exception as error:  # whatever a task's template or its questions do
        raise BadInput(
            f"task {task.config.task}: its prompts cannot be made ({type(error).__name__}: {error})"
        ) from error


def form_of(of_task: Recipe, texts: Texts) -> dict[str, Any]:
    """How a recipe's prompts are put, as lm-eval's `build_all_requests` is told."""
    if of_task.form == "plain":
        return {}
    return {
        "apply_chat_template": True, "fewshot_as_multiturn": of_task.multiturn, "chat_template": texts.chat,
        "tokenizer_name": "",
    }  # fmt: skip


def prompt_of(instance: Instance, task: ConfigurableTask, texts: Texts, kind: str) -> Prompt:
    """A request's text as it is given to the model, and its token ids, those of a given continuation included."""
    text = instance.args[0] if task.OUTPUT_TYPE in (GENERATED, "loglikelihood_rolling") else "".join(instance.args)
    return Prompt(text, None, {kind: texts.encode(text)})


def hash_of_questions(task: ConfigurableTask, place: Place) -> str:
    """Twelve hex digits that name questions, template and stop strings: equal for both models of a pair, which are
    compared question by question. The right answers are no part of it, so that a text can be scored again."""
    asked = [str(task.doc_to_text(instance.doc)) for instance in task.instances if instance.idx == 0]
    until = (task.config.generation_kwargs or {}).get("until")
    named = [place.recipe.lm_eval_task, until, place.recipe.templates[place.template], asked]
    return hash_of(json.dumps(named, sort_keys=True, default=str))


def generating_cells(place: Place, prompts: tuple[Prompt, ...]) -> list[Cell]:
    """Cells of a task that is answered in text: those of a grid, by whose rules they are checked."""
    request, kind = place.request, place.kind
    place.pair.models[kind].describe()  # refuses a server, of which this door knows nothing
    grid = recipe.grid_of(place.recipe, kind, place.pair, overrides_of(request, kind), place.file)
    cells = expand.cells_of(grid, place.pair, place.device, prompts, "", str(place.file))
    engine = request.engine if rules.has_engine(kind, request.engine) else "eager"
    return [replace(cell, engine=engine, repeat_prompts=0) for cell in cells]


def overrides_of(request: Request, kind: str) -> dict[str, Any]:
    """The values of the command line that a kind of model takes."""
    own = request.overrides if kinds.has_steps(kind) else {
        key: value for key, value in request.overrides.items() if key in ("gen_length", "temperature")
    }  # fmt: skip
    return own | {"batch_size": request.batch_size, "dtype": request.dtype}


def likelihood_cells(place: Place, prompts: tuple[Prompt, ...]) -> list[Cell]:
    """The cell of a task that asks for likelihoods: nothing is generated, so steps and lengths do not apply."""
    pair, kind, how = place.pair, place.kind, place.recipe.likelihood
    files = pair.models[kind]
    rules.check_prompts([prompt.ids[kind] for prompt in prompts], 0, files.describe(), str(place.file))
    rules.check_dtype(place.request.dtype, str(place.file))
    settings = place.recipe.settings_of(kind, pair, str(place.file))
    own: dict[str, Any] = {}
    if kinds.has_steps(kind):
        if how.samples % how.rows:
            raise BadInput(f"{place.file}: likelihood.rows {how.rows} must divide likelihood.samples {how.samples}")
        own = {"samples": how.samples, "cfg_scale": settings.get("cfg_scale") or None}
    return [
        Cell(
            pair=pair.name, kind=KIND, model=kind, weights=files.weights, tokenizer=files.tokenizer_directory,
            dtype=place.request.dtype or pair.dtype, device=place.device, engine="eager", gen_length=0,
            batch_size=place.request.batch_size, prompts=0, prompt_hash="", repeat_prompts=0, stop="eos",
            temperature=0.0, seed=settings.get("seed", 0), time_limit_s=GridFile.model_fields["time_limit_s"].default,
            identity_version=IDENTITY_VERSION, **expand.revisions_of(files), **own,
        )
    ]  # fmt: skip
