"""Caches: which keys and values a denoising step may reuse instead of computing them anew.

LLaDA attends in both directions, so every committed token changes the keys and values of all positions. A cache is
therefore an approximation, and the official code has none. To add a cache, write here a function that takes the
model's body and returns a body with the same methods (`head.Body`), enter it into CACHES, and its name into
`choices.py`. What it keeps must be tensors that stay in place, because the captured engine records a step once and
replays it. Also say in bench/cost/floors.py, and in `positions` of `denoising.run`, what a step then costs.
"""

from collections.abc import Callable

from bench.diffusion.head import Body, Forward


def none(body: Forward | Body) -> Forward | Body:
    """No cache: each step computes the keys and values of the whole canvas."""
    return body


CACHES: dict[str, Callable[[Forward | Body], Forward | Body]] = {"none": none}  # by the names of choices.py
