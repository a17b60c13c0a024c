"""Decoders: a sampler, a cache and their options, as a grid spans them, and the rules that they keep.

What a sampler or cache may be told stands in its entry in bench/diffusion/choices.py. A grid may list several samplers,
caches and values; an option counts for those of them that it belongs to. Each rule raises BadInput with one line:
`where` names the grid.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.common.errors import BadInput
from bench.diffusion.choices import CACHES, NUMBER, SAMPLERS, Option
from bench.spec import rules
from bench.spec.axis import as_list

if TYPE_CHECKING:
    from bench.spec.cell import Cell
    from bench.spec.grid import GridFile

STEPS = 128  # of an answer under the fixed schedule, where nothing is said
# The options of all samplers and caches: fields of a cell, of `Sampling`, and keys of a grid.
OPTIONS = tuple(
    dict.fromkeys([
        *(name for choice in (*SAMPLERS.values(), *CACHES.values()) for name in choice.options), "refresh",
    ])
)  # fmt: skip


@dataclass(frozen=True)
class Decoder:
    """A sampler and a cache with their options."""

    sampler: str = "fixed"
    cache: str = "none"
    options: Mapping[str, float | int | str] = field(default_factory=dict)  # those that belong to the two, all stated

    @property
    def is_official(self) -> bool:
        """Whether this is what the authors' code does: the fixed schedule, every step over the whole canvas."""
        return self.sampler == "fixed" and self.cache == "none"

    def settings(self) -> dict:
        """The fields of a cell."""
        return {"sampler": self.sampler, "cache": self.cache, **self.options}

    @classmethod
    def of(cls, cell: Cell) -> Decoder:
        stated = {name: value for name in OPTIONS if (value := getattr(cell, name)) is not None}
        return cls(cell.sampler or "fixed", cell.cache or "none", stated)


@dataclass(frozen=True)
class Setting:
    """What else of a cell a decoder must suit."""

    stop: str = "eos"
    early_stop: bool = False
    is_random: bool = False  # whether the weights are made up
    cfg_scale: float = 0.0
    remasking: str = "low_confidence"
    confidence_eos_eot: str = "off"
    steps_timed: int | None = None


def decoders(grid: GridFile, where: str) -> list[Decoder]:
    """The decoders that a grid spans, in its order, without duplicates. Raises BadInput."""
    samplers, caches = (as_list(value) for value in (grid.sampler, grid.cache))
    for sampler, cache in itertools.product(samplers, caches):
        check_choices(sampler, cache, where)
    check_belonging(grid, samplers, caches, where)
    spanned = []
    for sampler, cache in itertools.product(samplers, caches):
        spanned += [Decoder(sampler, cache, options) for options in spans(grid, sampler, cache, where)]
    return [decoder for number, decoder in enumerate(spanned) if decoder not in spanned[:number]]


def belonging(sampler: str, cache: str) -> dict[str, Option | None]:
    """The options of a sampler and a cache by name, `refresh` among them (None) where the cache has it."""
    own = {**SAMPLERS[sampler].options, **CACHES[cache].options}
    return own | {"refresh": None} if CACHES[cache].refresh else own


def options_of(samplers: list[str], caches: list[str]) -> set[str]:
    """The options that a grid of some samplers and caches may state; names that there are not have none."""
    known = itertools.product(filter(SAMPLERS.get, samplers), filter(CACHES.get, caches))
    theirs = {name for sampler, cache in known for name in belonging(sampler, cache)}
    return theirs | ({"tokens_per_step"} if "fixed" in samplers else set())  # there it states the steps


def spans(grid: GridFile, sampler: str, cache: str, where: str) -> Iterator[dict]:
    """The options of a sampler and a cache, one for each place in the product of their values in a grid. Raises
    BadInput."""
    axes = {}
    for name, option in belonging(sampler, cache).items():
        values = getattr(grid, name)
        if values is None:
            values = CACHES[cache].refresh[0] if option is None else option.default
        if values is None:
            raise BadInput(f"{where}: sampler {sampler} needs {name}")
        axes[name] = as_list(values)
    for values in itertools.product(*axes.values()):
        options = dict(zip(axes, values, strict=True))
        check_options(Decoder(sampler, cache, options), where)
        yield options


def check_belonging(grid: GridFile, samplers: list[str], caches: list[str], where: str) -> None:
    """An option that a grid states must belong to one of its samplers or caches."""
    theirs = options_of(samplers, caches)
    for name in OPTIONS:
        if getattr(grid, name) is not None and name not in theirs:
            raise stray(name, samplers, caches, where)


def stray(name: str, samplers: list[str], caches: list[str], where: str) -> BadInput:
    """The refusal of an option that belongs to none of some samplers and caches."""
    own = [f"sampler {owner}" for owner in SAMPLERS if name in SAMPLERS[owner].options]
    own += [f"cache {owner}" for owner in CACHES if name in belonging("fixed", owner)]
    return BadInput(
        f"{where}: {name} does not belong to sampler {', '.join(samplers)} or cache {', '.join(caches)}; it belongs to"
        f" {', '.join(own)}"
    )


def check_choices(sampler: str, cache: str, where: str) -> None:
    """Whether a sampler and a cache have these names."""
    for key, name, names in (("sampler", sampler, SAMPLERS), ("cache", cache, CACHES)):
        if name not in names:
            raise BadInput(f"{where}: there is no {key} {name!r}; there are: {', '.join(names)}")


def check_options(decoder: Decoder, where: str) -> None:
    """Every option must belong to the decoder, and be in its range."""
    own = belonging(decoder.sampler, decoder.cache)
    for name, value in decoder.options.items():
        if name not in own:
            raise stray(name, [decoder.sampler], [decoder.cache], where)
        if name == "refresh":
            check_refresh(decoder.cache, value, where)
        else:
            check_range(name, own[name], value, where)
    for name in own:
        if name not in decoder.options:
            raise BadInput(f"{where}: sampler {decoder.sampler} with cache {decoder.cache} needs {name}")


def check_range(name: str, option: Option, value: object, where: str) -> None:
    """A number must be in the range of its option."""
    is_number = isinstance(value, int if option.whole else (int, float)) and not isinstance(value, bool)
    if is_number and option.least <= value <= option.most and not (option.above_least and value == option.least):
        return
    kind = "a whole number" if option.whole else "a number"
    least = f"above {option.least:g}" if option.above_least else f"from {option.least:g}"
    raise BadInput(f"{where}: {name} {value!r} is out of range; give {kind} {least} to {option.most:g}")


def check_refresh(cache: str, value: object, where: str) -> None:
    """A cache must know when to refresh."""
    known = CACHES[cache].refresh
    is_number = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if value in known or (is_number and NUMBER in known):
        return
    raise BadInput(f"{where}: cache {cache} knows no refresh {value!r}; it knows: {', '.join(map(str, known))}")


def check_setting(decoder: Decoder, setting: Setting, where: str) -> None:
    """Whether a decoder suits the rest of its cell."""
    sampler, cache = decoder.sampler, decoder.cache
    choice = SAMPLERS[sampler]
    if cache != "none" and setting.cfg_scale:
        raise BadInput(
            f"{where}: cache {cache} does not keep the two halves of guidance; give cache: none or cfg_scale: 0"
        )
    if choice.by_values and setting.is_random:
        raise BadInput(
            f"{where}: sampler {sampler} goes by probabilities, which mean nothing with random weights; use sampler"
            " imposed with tokens_per_step"
        )
    if choice.by_values and setting.remasking != "low_confidence":
        raise BadInput(f"{where}: sampler {sampler} goes by confidence; give remasking: low_confidence")
    if sampler == "entropy" and setting.confidence_eos_eot == "intent":
        raise BadInput(f"{where}: sampler entropy does not go by confidence; give confidence_eos_eot: off or official")
    if setting.early_stop and setting.stop != "eos":
        raise BadInput(f"{where}: early_stop ends at an end token, which stop: {setting.stop} ignores; give stop: eos")
    if setting.steps_timed and not (choice.schedule and cache == "none" and not setting.early_stop):
        raise BadInput(
            f"{where}: steps_timed stands for the other steps, so they must be known and alike; give sampler fixed or"
            " imposed, cache: none and no early_stop"
        )


def steps_of(decoder: Decoder, stated: int | None, key: str, gen_length: int, block_length: int, where: str) -> int:
    """The steps of an answer; of a sampler that does not know them beforehand the most.

    stated: the value of the grid's `key`, which is `steps` or `tokens_per_step`; None where it has none.
    """
    if decoder.sampler == "imposed":
        if decoder.options["tokens_per_step"] > block_length:
            raise BadInput(
                f"{where}: tokens_per_step {decoder.options['tokens_per_step']} is more than a block has, and a step"
                f" commits tokens of one block; give at most block_length ({block_length})"
            )
        return gen_length // block_length * -(-block_length // decoder.options["tokens_per_step"])
    if decoder.sampler == "fixed" and key == "tokens_per_step":
        return rules.steps_for(gen_length, stated, where)
    if stated is None or key == "tokens_per_step":
        return STEPS if decoder.sampler == "fixed" else gen_length
    return stated


def check_cell(cell: Cell, where: str) -> None:
    """A cell as an adapter is given it, whoever made it."""
    decoder = Decoder.of(cell)
    check_choices(decoder.sampler, decoder.cache, where)
    check_options(decoder, where)
    setting = Setting(
        stop=cell.stop, early_stop=bool(cell.early_stop), cfg_scale=cell.cfg_scale or 0.0,
        is_random=cell.random_seed is not None, remasking=cell.remasking or "low_confidence",
        confidence_eos_eot=cell.confidence_eos_eot or "off",
    )  # fmt: skip
    check_setting(decoder, setting, where)
