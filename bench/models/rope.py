"""Which rotary table a configuration asks for, under whatever key it says so; read as transformers reads it."""

from pathlib import Path
from typing import Any

from bench.common.errors import BadInput

KEYS = ("rope_scaling", "rope_parameters")  # the older and the newer; where both say something the older counts
NEEDED = {  # keys of numbers above 0 that a type of table needs
    "default": (),
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor"),
    "longrope": (),
}
LISTS = {"longrope": ("short_factor", "long_factor")}  # keys of lists: a number above 0 for each pair of a head's rows
NUMBERS = ("rope_theta", "original_max_position_embeddings", "factor")  # above 0, where they are there
NUMBERS_OR_NULL = ("attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim")
WITHOUT_EFFECT = ("type", "rope_type", "truncate", "finetuned", "partial_rotary_factor")  # notes, or checked elsewhere


def key_of(config: dict) -> str | None:
    """The key of config.json that describes the rotary table; None where the table is the default one."""
    return next((key for key in KEYS if config.get(key)), None)


def type_of(config: dict) -> Any:
    """The type of the rotary table, `default` where nothing is said; what stands there may be no type at all."""
    key = key_of(config)
    if key is None:
        return "default"
    description = config[key]
    if not isinstance(description, dict):
        return [description]
    return description.get("rope_type", description.get("type", "default"))


def is_number_above_0(value: Any) -> bool:
    """Whether a value of a JSON file is a finite number above 0; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def check(file: Path, config: dict, head_width: int) -> None:
    """Raise BadInput, naming the key, for a rotary table that lacks a number of its type or has one that is none.

    Its type must have been checked. file: config.json, for messages. head_width: rows of a head.
    """
    key, rope_type = key_of(config), type_of(config)
    if key is None:
        return
    description = config[key]
    for name in NEEDED[rope_type]:
        if name not in description:
            raise BadInput(f"{file}: {key} has no {name}, which the rotary table {rope_type!r} needs")
    may_be_null = {name for name in NUMBERS_OR_NULL if description.get(name) is None}
    for name in {*NEEDED[rope_type], *NUMBERS, *NUMBERS_OR_NULL} - may_be_null:
        if name in description and not is_number_above_0(description[name]):
            raise BadInput(f"{file}: {key} has {name} {description[name]!r}; expected a number above 0")
    for name in LISTS.get(rope_type, ()):
        values = description.get(name)
        if not isinstance(values, list) or len(values) != head_width // 2 or not all(map(is_number_above_0, values)):
            raise BadInput(f"{file}: {key} needs {name}, a list of {head_width // 2} numbers above 0")
    if rope_type == "llama3" and description["high_freq_factor"] <= description["low_freq_factor"]:
        raise BadInput(f"{file}: {key} has a high_freq_factor that is not above its low_freq_factor")
    if description.get("partial_rotary_factor") not in (None, 1):
        part = description["partial_rotary_factor"]
        raise BadInput(f"{file}: {key} has partial_rotary_factor {part!r}; only whole heads are rotated here")


def other_keys(config: dict) -> list[str]:
    """Keys of the description that no table of its type reads, as `rope_scaling.KEY`."""
    key = key_of(config)
    if key is None:
        return []
    rope_type = type_of(config)
    read = {*NEEDED[rope_type], *LISTS.get(rope_type, ()), *NUMBERS, *NUMBERS_OR_NULL, *WITHOUT_EFFECT}
    return [f"{key}.{name}" for name, value in config[key].items() if name not in read and value]
