"""What a run's decoder is: its sampler, cache and early stop, and the authors' own.

Comparisons and scaling groups are of the authors' decoder: they take steps to cost the same each, which is false where
some forwards are partial. So other decoders are kept out of them, and are compared with it in places of their own
(decoder_places.py).
"""

import pandas as pd

from bench.diffusion import choices
from bench.diffusion.choices import CACHES, SAMPLERS
from bench.spec.decoder_rules import OPTIONS

KIND = "decoders"  # the grid that sets them side by side, the authors' among them
FIELDS = ("sampler", "cache", *OPTIONS, "early_stop")


def settings_of(run: pd.Series) -> dict[str, object]:
    """What a run says of its decoder."""
    return {name: run[name] for name in FIELDS if name in run and pd.notna(run[name])}


def name_of(run: pd.Series) -> str:
    """A run's decoder in words; empty for the authors'."""
    return choices.label(settings_of(run))


def names_of(runs: pd.DataFrame) -> pd.Series:
    """The decoder of each run."""
    return pd.Series([name_of(run) for _, run in runs.iterrows()], runs.index, dtype=object)


def plain(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of the authors' decoder, and those of models without steps."""
    return runs[names_of(runs) == ""]


def sampler_of(run: pd.Series) -> str:
    """The name of a run's sampler."""
    return str(settings_of(run).get("sampler") or "fixed")


def cache_label(run: pd.Series) -> str:
    """A run's cache with its options: "dual cache (block)"; "no cache" where there is none."""
    settings = settings_of(run) | {"sampler": "fixed", "early_stop": None}
    return choices.label(settings) or "no cache"


def family_of(run: pd.Series) -> str:
    """What the points of a curve share: the sampler without its own options, the cache and the early stop. "threshold,
    dual cache (block)"."""
    early = ["early stop"] if settings_of(run).get("early_stop") else []
    cache = [] if cache_label(run) == "no cache" else [cache_label(run)]
    return ", ".join([sampler_of(run), *cache, *early])


def sampler_label(run: pd.Series) -> str:
    """A run's sampler with its options: "threshold 0.9"; of the fixed schedule the steps, "fixed, 128 steps"."""
    sampler = sampler_of(run)
    if sampler == "fixed":
        return f"fixed, {run['steps']:.0f} steps"
    return choices.label(settings_of(run) | {"cache": "none", "early_stop": None})


def is_step_a_token(run: pd.Series) -> bool:
    """Whether each step of a run commits one token and its steps are known beforehand. The authors' schedule with as
    many steps as tokens; under random weights, where confidence means nothing, an imposed token a step as well."""
    return SAMPLERS[sampler_of(run)].schedule is not None and run["steps"] == run["gen_length"]


def order_of(run: pd.Series) -> tuple:
    """Sorts decoders: by early stop, sampler, cache, then by their options, those that commit least first."""
    settings = settings_of(run)
    sampler, cache = sampler_of(run), str(settings.get("cache") or "none")
    numbers = [-number_of(settings.get(name)) for name in ("threshold", "kl_threshold")]  # a higher one commits less
    numbers[1] = -numbers[1]
    numbers += [number_of(settings.get(name)) for name in ("factor", "gamma", "tokens_per_step")]
    return (
        bool(settings.get("early_stop")), list(SAMPLERS).index(sampler), list(CACHES).index(cache),
        str(settings.get("refresh", "")), -float(run["steps"]), *numbers, name_of(run),
    )  # fmt: skip


def number_of(value: object) -> float:
    """An option as a number; 0 where it is not stated."""
    return 0.0 if value is None else float(value)
