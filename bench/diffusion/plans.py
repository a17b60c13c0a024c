"""Which forward each step makes under each cache, and how many tokens it commits where that is known beforehand.

Imports no torch: the loop and the cost model both ask here.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from bench.diffusion.choices import SAMPLERS


class Pass(NamedTuple):
    """A forward of a step. Equal passes have equal shapes, so that a recording of one serves for all.

    kind: `full`, in which every layer gets the whole canvas, or what the cache calls it. queries: the positions of a
    row that are pushed through the model; under the cache `interval` through all layers but the first. block_alone:
    whether no position of the answer outside the block is.
    """

    kind: str
    queries: int
    block_alone: bool = False

    @property
    def is_full(self) -> bool:
        return self.kind == "full"


class Turn(NamedTuple):
    """Where the loop stands, all counted from 0: the block, the step in it, and the forwards of all blocks so far.

    unsettled: the most positions of a row whose keys and values cannot be taken from a cache (`delayed`).
    """

    block: int
    step: int
    forwards: int
    unsettled: int = 0


class Options(Protocol):
    """What a plan depends on: `Sampling`, or a workload of the cost model."""

    gen_length: int
    block_length: int
    cache: str | None
    refresh: str | int | None
    prompt_every: int | None
    response_every: int | None
    ratio: float | None


def no_cache(options: Options, prompt_length: int, turn: Turn) -> Pass:
    return Pass("full", prompt_length + options.gen_length)


def refreshed(options: Options, prompt_length: int, turn: Turn) -> Pass | None:
    """The forward that renews what a cache of keys and values keeps; None where none is due."""
    refresh = options.refresh
    every = refresh if isinstance(refresh, int) else None
    is_first = turn.block == turn.step == 0
    if is_first or (refresh == "block" and turn.step == 0) or (every and turn.step % every == 0):
        return Pass("full", prompt_length + options.gen_length)
    if refresh == "answer" and turn.step == 0:
        return Pass("answer", options.gen_length)
    return None


def prefix(options: Options, prompt_length: int, turn: Turn) -> Pass:
    rest = Pass("partial", options.gen_length - turn.block * options.block_length)
    return refreshed(options, prompt_length, turn) or rest


def dual(options: Options, prompt_length: int, turn: Turn) -> Pass:
    return refreshed(options, prompt_length, turn) or Pass("partial", options.block_length, block_alone=True)


def delayed(options: Options, prompt_length: int, turn: Turn) -> Pass:
    if turn.step <= 1 or (isinstance(options.refresh, int) and turn.step % options.refresh == 0):
        return Pass("full", prompt_length + options.gen_length)
    return Pass("partial", max(turn.unsettled, 1))


def interval(options: Options, prompt_length: int, turn: Turn) -> Pass:
    is_prompt_due = turn.forwards % options.prompt_every == 0
    is_answer_due = turn.forwards % options.response_every == 0
    if is_prompt_due and is_answer_due:
        return Pass("full", prompt_length + options.gen_length)
    if is_answer_due:
        return Pass("answer", options.gen_length)
    some = int(options.ratio * options.gen_length)
    return Pass("prompt", prompt_length + some) if is_prompt_due else Pass("rest", some)


PLANS: dict[str, Callable[[Options, int, Turn], Pass]] = {  # by the names of choices.py
    "none": no_cache,
    "prefix": prefix,
    "dual": dual,
    "delayed": delayed,
    "interval": interval,
}


def passes(options: Options, prompt_length: int, quotas: list[int]) -> Iterator[Pass]:
    """Every forward of a generation whose steps are known. quotas: how many tokens each step of a block commits."""
    plan = PLANS[options.cache or "none"]
    forwards = 0
    for block in range(options.gen_length // options.block_length):
        left = options.gen_length - block * options.block_length  # masks before the block's first step
        settled_later = 0  # tokens of the last step, which the delayed cache pushes once more
        for step, quota in enumerate(quotas):
            yield plan(options, prompt_length, Turn(block, step, forwards, left + settled_later))
            left -= quota
            settled_later = quota
            forwards += 1


def possible(options: Options, prompt_length: int, granule: int) -> list[Pass]:
    """Every forward that a generation may need, so that an engine can record them beforehand.

    granule: of what number the positions that the delayed cache pushes are a multiple.
    """
    plan = PLANS[options.cache or "none"]
    places = itertools.product(range(options.gen_length // options.block_length), range(options.block_length))
    turns = [Turn(block, step, 1, granule) for block, step in places]
    turns += [Turn(1, 2, 1, size) for size in range(granule, options.gen_length + granule, granule)]
    if options.cache == "interval":  # both are due, either, or none
        turns += [Turn(1, 2, forwards) for forwards in (0, options.prompt_every, options.response_every)]
    return list(dict.fromkeys(plan(options, prompt_length, turn) for turn in turns))


def quotas_of(sampler: str | None, block_length: int, steps: int, tokens_per_step: int | None) -> list[int]:
    """How many tokens each step of a block commits in a row. steps: of the block.

    A sampler that does not know them beforehand commits at least one, and in the last step that is allowed all that is
    left.
    """
    if schedule := SAMPLERS[sampler or "fixed"].schedule:
        return schedule(block_length, steps, tokens_per_step)
    return [1] * (steps - 1) + [block_length]
