"""How runs of two studies are called: by their settings, or by those in which they differ from each other."""

import pandas as pd

from bench.analysis import matching
from bench.analysis.matching import SETTINGS
from bench.diffusion import choices
from bench.models import kinds
from bench.records.settings import LIKELIHOOD
from bench.render import wording
from bench.spec.cell import STOPS


def parts_of(run: pd.Series) -> list[str]:
    """The usual settings of a run in words, the model first; those that say nothing are empty. Runs of one kind have
    parts at the same places."""
    settings = {name: matching.text_of(run, name) or None for name in SETTINGS}
    if run["kind"] == LIKELIHOOD:
        return [kinds.label_of(run["model"]), f"of {settings['text']}"]
    has_steps = kinds.has_steps(run["model"])
    steps = settings["steps"]
    return [
        kinds.label_of(run["model"]),
        f"{steps} steps" if has_steps and steps and settings["sampler"] in (None, "fixed") else "",
        choices.label(settings) if has_steps else "",
        f"{settings['gen_length']} tokens",
        f"batch {settings['batch_size']}",
        f"prompts of {settings['prompt_tokens']}" if settings["prompt_tokens"] else "",
        STOPS.get(settings["stop"] or "", ""),
        wording.engine_of(run),
        f"{settings['head']} head" if has_steps else "",
    ]


def name_of(run: pd.Series) -> str:
    """A run by all its usual settings."""
    return ", ".join(filter(None, parts_of(run)))


def with_other_settings(run: pd.Series, names: list[str], runs: list[pd.Series]) -> str:
    """The name of a run, with those settings in which it differs from the runs that have the same name."""
    own = next(name for name, each in zip(names, runs, strict=True) if each is run)
    alike = [each for name, each in zip(names, runs, strict=True) if name == own]
    values = {name: {matching.text_of(each, name) for each in alike} for name in SETTINGS}
    others = [name for name in SETTINGS if len(values[name]) > 1 and matching.text_of(run, name)]
    return ", ".join([own, *(f"{name.replace('_', ' ')} {matching.text_of(run, name)}" for name in others)])
