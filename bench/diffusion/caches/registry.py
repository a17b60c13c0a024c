"""The caches by name. What a grid may say of each is in `choices.py`."""

from collections.abc import Callable

from bench.diffusion.caches.base import Cache
from bench.diffusion.caches.delayed import Delayed
from bench.diffusion.caches.dual import Dual
from bench.diffusion.caches.interval import Interval
from bench.diffusion.caches.none import NoCache
from bench.diffusion.caches.prefix import Prefix

CACHES: dict[str, Callable[..., Cache]] = {  # each made of a model and the extent of its canvas
    "none": NoCache,
    "prefix": Prefix,
    "dual": Dual,
    "delayed": Delayed,
    "interval": Interval,
}
