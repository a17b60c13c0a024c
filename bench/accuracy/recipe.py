"""A recipe: under which settings a task of lm-evaluation-harness is asked, which each model's authors state.

`configs/recipes/NAME.yaml` names lm-eval's task, the score that counts, each model's settings (keys of a grid, and
shots) and prompt templates. A task without a recipe is refused: a guessed length moves accuracy more than most papers
claim.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from bench.common.errors import BadInput
from bench.common.yaml_file import Strict, read_yaml
from bench.spec import recipes
from bench.spec.grid import GridFile
from bench.spec.pair import ModelOfPair, PairFile, Whole

SHOTS = "shots"  # the one key of a model's settings that is none of a grid
# What a template may say: the keys of lm-eval's task configuration that make the prompt's text.
TEMPLATE_KEYS = ("doc_to_text", "doc_to_target", "doc_to_choice", "description", "gen_prefix", "target_delimiter",
                 "fewshot_delimiter")  # fmt: skip
# Keys of a grid that a recipe may state for a model: how it answers, and nothing about which questions or where.
MODEL_KEYS = ("gen_length", "block_length", "steps", "temperature", "sampler", "cache", "threshold", "factor", "gamma",
              "kl_threshold", "refresh", "prompt_every", "response_every", "ratio", "early_stop", "remasking",
              "cfg_scale", "logits_eos_inf", "confidence_eos_eot", "seed", SHOTS)  # fmt: skip


class Score(Strict):
    """Which of lm-eval's numbers is the accuracy."""

    metric: str  # as lm-eval names it, such as exact_match, acc, or pass@1
    filter: str = "none"  # the filter that extracts the answer; lm-eval calls it none where the task has no filter


class Likelihood(Strict):
    """How a model with denoising steps estimates a likelihood (bench/diffusion/likelihood.py)."""

    samples: Whole = 128  # noisy versions of each continuation, the authors' mc_num
    rows: Whole = 8  # of these in one forward, the authors' batch_size
    greedy: bool = False  # whether to ask besides if greedy decoding gives the continuation, a forward for each token


class Recipe(Strict):
    """configs/recipes/NAME.yaml: how a task is asked and scored."""

    lm_eval_task: str  # the task's name in lm-evaluation-harness
    form: Literal["chat", "plain"]  # whether prompts go through the chat template of the model's tokenizer
    multiturn: bool = True  # chat: worked examples as turns of their own, not as one message
    score: Score
    likelihood: Likelihood = Likelihood()
    data: str | None = None  # package:NAME/FILE, JSON lines of a package that has the questions; default: the hub
    models: dict[ModelOfPair, dict[str, Any]]  # by kind, or by role in the pair
    templates: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]  # the first is asked where none is named

    @model_validator(mode="after")
    def keys_are_known(self) -> Recipe:
        """Refuse a misspelt key of a template or of a model's settings."""
        for name, template in self.templates.items():
            if unknown := sorted(set(template) - set(TEMPLATE_KEYS)):
                raise ValueError(f"templates.{name}: {unknown[0]} is no key of a template: {', '.join(TEMPLATE_KEYS)}")
        for model, settings in self.models.items():
            if unknown := sorted(set(settings) - set(MODEL_KEYS)):
                raise ValueError(f"models.{model}: {unknown[0]} is no key of a recipe: {', '.join(MODEL_KEYS)}")
            shots = settings.get(SHOTS, 0)
            if not isinstance(shots, int) or isinstance(shots, bool) or shots < 0:
                raise ValueError(f"models.{model}: shots must be a whole number from 0, not {shots!r}")
        return self

    @model_validator(mode="after")
    def data_is_in_a_package(self) -> Recipe:
        """Refuse data from anywhere else: the hub is where lm-eval's task says, a folder is given as DATA=."""
        if self.data is not None and not (self.data.startswith("package:") and "/" in self.data):
            raise ValueError(f"data: {self.data!r} is not of the form package:NAME/FILE")
        return self

    def settings_of(self, kind: str, pair: PairFile, where: str) -> dict[str, Any]:
        """What the recipe states for a model of the pair. Raises BadInput where it states nothing."""
        for name, settings in self.models.items():
            if pair.kind_of(name) == kind:
                return settings
        raise BadInput(f"{where}: models: states no settings for {kind}; add those that its authors used")


def read(name: str, beside: Path | None) -> tuple[Recipe, Path]:
    """The recipe of this name and its file. beside: a folder of local tasks, which may have recipes of its own.

    Raises BadInput where there is none, naming those that there are.
    """
    folders = recipes.folders(beside)
    for folder in folders:
        file = folder / f"{name}.yaml"
        if file.is_file():
            return read_yaml(file, Recipe, "recipe", folder), file
    raise BadInput(
        f"TASKS: there is no recipe for {name} (recipes: {', '.join(recipes.names(folders)) or 'none'}); write"
        f" {folders[0] / name}.yaml with its authors' settings, as configs/recipes/gsm8k.yaml has them"
    )


def grid_of(recipe: Recipe, kind: str, pair: PairFile, overrides: dict[str, Any], file: Path) -> GridFile:
    """A model's settings as a grid of kind accuracy, which checks each value. overrides: the command line's.

    Raises BadInput for a broken rule.
    """
    from bench.common.yaml_file import validate

    own = {key: value for key, value in recipe.settings_of(kind, pair, str(file)).items() if key != SHOTS}
    return validate({"kind": "accuracy", "model": kind, "stop": "eos"} | own | overrides, GridFile, file)
