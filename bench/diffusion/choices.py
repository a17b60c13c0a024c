"""What LLaDA's algorithm lets one choose by name, and how much of its work is done at once. Imports no torch.

The command line and the cost model read these before torch is loaded. The functions behind the names are in
`samplers.py` and in `caches/`; a test holds that names and functions agree.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.diffusion.schedules import imposed_schedule, schedule

HEAD_ROWS = 1024  # rows of logits that the lean head computes at a time, so that few logits are in memory at once


@dataclass(frozen=True)
class Option:
    """A number that belongs to a sampler or a cache.

    default: where nothing is said; None: it must be said. It is at least `least` and at most `most`, and where
    `above_least` is set not `least` itself. whole: whether it counts something.
    """

    default: float | None
    least: float
    most: float
    above_least: bool = False
    whole: bool = False


@dataclass(frozen=True)
class SamplerChoice:
    """A sampler as a grid may choose it.

    options: its own keys. schedule: (masked tokens of a block, steps, tokens_per_step) -> how many tokens each step
    commits, where that is known beforehand; where it is not (None), `steps` is the most. by_values: whether it goes by
    how large the model's probabilities are, which says nothing where weights are made up.
    """

    options: Mapping[str, Option] = field(default_factory=dict)
    schedule: Callable[[int, int, int | None], list[int]] | None = None
    by_values: bool = True


PROBABILITY = Option(0.9, 0, 1, above_least=True)
SAMPLERS: dict[str, SamplerChoice] = {  # which masked positions a step commits (samplers.py)
    "fixed": SamplerChoice(schedule=schedule, by_values=False),
    "threshold": SamplerChoice({"threshold": PROBABILITY}),
    "factor": SamplerChoice({"factor": Option(1.0, 0, 1e6, above_least=True)}),
    "entropy": SamplerChoice({"gamma": Option(0.1, 0, 1e6)}),
    "klass": SamplerChoice({"threshold": PROBABILITY, "kl_threshold": Option(0.01, 0, 1e6, above_least=True)}),
    "imposed": SamplerChoice(
        {"tokens_per_step": Option(None, 1, 1e6, whole=True)}, schedule=imposed_schedule, by_values=False
    ),
}

NUMBER = "a number of steps"  # stands in `refresh` for any whole number above 0


@dataclass(frozen=True)
class CacheChoice:
    """A cache as a grid may choose it. refresh: the values that its key `refresh` may have, the first one the default;
    empty: it has no such key. options: its own keys besides."""

    refresh: tuple[str | int, ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict)


CACHES: dict[str, CacheChoice] = {  # which keys and values a step may reuse (caches/)
    "none": CacheChoice(),
    "prefix": CacheChoice(refresh=("block", "never", "answer", NUMBER)),
    "dual": CacheChoice(refresh=("block", "never", "answer", NUMBER)),
    "delayed": CacheChoice(refresh=(8, "block", NUMBER)),
    "interval": CacheChoice(
        options={
            "prompt_every": Option(50, 1, 1e6, whole=True),
            "response_every": Option(7, 1, 1e6, whole=True),
            "ratio": Option(0.25, 0, 1),
        }
    ),
}


def label(settings: Mapping[str, object]) -> str:
    """A sampler and a cache in words: "threshold 0.9, dual cache (block), early stop"; empty for those of the authors'
    code. settings: the keys of a cell or of a run; those that it does not have are absent, or None."""
    sampler, cache = settings.get("sampler") or "fixed", settings.get("cache") or "none"
    options = [f"{float(settings[name]):g}" for name in SAMPLERS.get(sampler, SamplerChoice()).options]
    kept = [settings.get(name) for name in ("refresh", *CACHES.get(cache, CacheChoice()).options)]
    parts = [
        " ".join([sampler, *options]) if sampler != "fixed" else "",
        f"{cache} cache ({' '.join(str(value) for value in kept if value is not None)})" if cache != "none" else "",
        "early stop" if settings.get("early_stop") else "",
    ]
    return ", ".join(filter(None, parts))
