"""Is config.json one that this benchmark computes? Each key is read, allowed, without effect, or refused by name.

What a kind of model allows is stated in its own file (`llama.py`, `llada.py`); here it is compared with what a
directory says. Nothing here imports torch.
"""

from pathlib import Path
from typing import Any

from bench.common.errors import BadInput
from bench.models import rope
from bench.models.kind import Kind

REMEDIES = {  # by key: what to do where a value is refused
    "quantization_config": "give the checkpoint before it was quantised; DTYPE=int8 quantises it here",
    "compression_config": "give the checkpoint before it was compressed; DTYPE=int8 quantises it here",
    "quantization": "give the checkpoint before it was quantised; DTYPE=int8 quantises it here",
}
MOST_VALUES = 4  # of the values that are allowed, how many a message names
MOST_CHARS = 60  # of a value in a message


def check(file: Path, config: dict, kind: Kind, ends_file: Path | None = None) -> None:
    """Raise BadInput, naming the key, for a config.json that no engine computes.

    file: for messages. ends_file: the file that names the end tokens, where it is another one.
    """
    check_architectures(file, config, kind)  # first: another architecture lacks this one's keys as well
    check_dimensions(file, config, kind)
    check_numbers(file, config, kind)
    check_values(file, config, kind.configuration.values, kind.configuration.stated, "this benchmark")
    if "rope_type" in kind.configuration.values:
        rope.check(file, config, head_width(config, kind))
    check_ids(file, ends_file or file, config, kind)
    check_decoding(file, config, kind)
    if not kind.configuration.eager_ignores_other_keys:
        check_other_keys(file, config, kind, "this benchmark", "")


def check_captured(file: Path, config: dict, kind: Kind) -> None:
    """Raise BadInput, naming the key, for a config.json that the captured engine does not compute."""
    remedy = "; give engine: eager (ENGINE=eager)"
    check_values(file, config, kind.configuration.captured, (), "engine captured", remedy)
    check_other_keys(file, config, kind, "engine captured", remedy)


def check_dimensions(file: Path, config: dict, kind: Kind) -> None:
    """The dimensions must be whole numbers that fit each other."""
    keys = kind.configuration.keys
    for key in (keys.layers, keys.width, keys.heads, keys.feed_forward, keys.positions, keys.vocabulary):
        if config.get(key) is None:
            raise BadInput(f"{file}: {key} is missing; every {kind.label} configuration has it")
        check_whole(file, config, key)
    for key in filter(None, (keys.kv_heads, keys.head_width, keys.padded_vocabulary)):
        if config.get(key) is not None:
            check_whole(file, config, key)
    width, heads = config[keys.width], config[keys.heads]
    kv_heads = config.get(keys.kv_heads) or heads
    if width % heads:
        raise BadInput(f"{file}: {keys.width} {width} is not a multiple of {keys.heads} {heads}")
    if heads % kv_heads:
        raise BadInput(f"{file}: {keys.heads} {heads} is not a multiple of {keys.kv_heads} {kv_heads}")
    if head_width(config, kind) % 2:
        raise BadInput(f"{file}: heads of {head_width(config, kind)} rows cannot be rotated; expected an even number")
    if keys.head_width is None and config.get("head_dim") not in (None, width // heads):
        raise BadInput(f"{file}: head_dim is {config['head_dim']!r}, but {kind.label} has {keys.width} / {keys.heads}")
    if config.get("multi_query_attention") is False and kv_heads != heads:
        raise BadInput(f"{file}: multi_query_attention is False, but {keys.kv_heads} {kv_heads} is not {keys.heads}")


def check_whole(file: Path, config: dict, key: str) -> None:
    """The value of a key must be a whole number above 0."""
    value = config[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadInput(f"{file}: {key} is {short(value)}; expected a whole number above 0")


def check_numbers(file: Path, config: dict, kind: Kind) -> None:
    """Numbers that engines read must be numbers above 0."""
    for key in kind.configuration.numbers:
        value = config.get(key)
        if value is None and key in kind.configuration.stated:
            raise BadInput(f"{file}: {key} is missing; every {kind.label} configuration has it")
        if value is not None and not rope.is_number_above_0(value):
            raise BadInput(f"{file}: {key} is {short(value)}; expected a number above 0")


def check_values(
    file: Path, config: dict, values: dict[str, tuple], stated: tuple[str, ...], who: str, remedy: str = ""
) -> None:
    """Values of keys must be among those that are allowed; `stated` may not be absent. who computes them, remedy: for
    messages."""
    for key, allowed in values.items():
        if key == "rope_type":
            value, name = rope.type_of(config), f"{rope.key_of(config)}: rope_type"
        elif key in config:
            value, name = config[key], key
        elif key in stated:
            raise BadInput(f"{file}: {key} is missing; expected {' or '.join(map(repr, allowed))}")
        else:
            continue
        if not is_among(value, allowed):
            told = f"; {REMEDIES[key]}" if key in REMEDIES else remedy
            computed = in_words(allowed)
            raise BadInput(f"{file}: {name} is {short(value)}, which {who} does not compute ({computed}){told}")


def in_words(allowed: tuple) -> str:
    """The allowed values in words."""
    names = ", ".join(map(repr, allowed[:MOST_VALUES]))
    return f"it computes {names}{' and others' if len(allowed) > MOST_VALUES else ''}"


def is_among(value: Any, allowed: tuple) -> bool:
    """Whether a value is one of those allowed; 0 is not false and 1 not true."""
    return any(type(value) is type(other) and value == other for other in allowed)


def short(value: Any) -> str:
    """A value in a message, cut where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}..."


def head_width(config: dict, kind: Kind) -> int:
    """Rows of a head."""
    keys = kind.configuration.keys
    return (config.get(keys.head_width) if keys.head_width else None) or config[keys.width] // config[keys.heads]


def check_architectures(file: Path, config: dict, kind: Kind) -> None:
    """The classes under `architectures` must be those of the kind that `model_type` says."""
    names = config.get("architectures") or []
    for name in names if isinstance(names, list) else [names]:
        if name not in kind.configuration.architectures:
            raise BadInput(
                f"{file}: model_type is {kind.name!r}, but architectures says {short(name)}; expected"
                f" {kind.configuration.architectures[0]}"
            )


def check_ids(file: Path, ends_file: Path, config: dict, kind: Kind) -> None:
    """Ids of the tokens with a meaning must be there and within the vocabulary. ends_file: where the end tokens are
    named, for messages."""
    ends = config.get("eos_token_id")
    if ends is None or ends == []:
        raise BadInput(f"{file}: eos_token_id is missing; it says where an answer ends")
    for end in ends if isinstance(ends, list) else [ends]:
        check_id(ends_file, "eos_token_id", end, config, kind)
    if kind.configuration.has_mask:
        if not isinstance(config.get("mask_token_id"), int):
            raise BadInput(f"{file}: mask_token_id is missing; a {kind.label} checkpoint names its mask token there")
        check_id(file, "mask_token_id", config["mask_token_id"], config, kind)


def check_id(file: Path, key: str, value: Any, config: dict, kind: Kind) -> None:
    """The value of a key must be the id of a token."""
    keys = kind.configuration.keys
    rows = config.get(keys.padded_vocabulary or "") or config[keys.vocabulary]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < rows:
        raise BadInput(f"{file}: {key} is {short(value)}, which is not an id of this vocabulary of {rows} tokens")


def check_decoding(file: Path, config: dict, kind: Kind) -> None:
    """Settings of generate() must leave the greedy text as it is. config: also that of generation_config.json."""
    for key, allowed in kind.configuration.decoding.items():
        if key in config and not is_among(config[key], allowed):
            raise BadInput(
                f"{file}: {key} is {short(config[key])}, so generate() would give another text; this benchmark decodes"
                f" without it: take the key out to measure the model so"
            )


def check_other_keys(file: Path, config: dict, kind: Kind, who: str, remedy: str) -> None:
    """Keys that nobody has stated may change what the model computes: refused unless they ask for nothing."""
    states = kind.configuration
    read = {key for key in vars(states.keys).values() if isinstance(key, str)}
    read |= {*states.numbers, *states.values, *states.without_effect, *states.decoding, "mask_token_id", "head_dim"}
    read |= set(rope.KEYS) if "rope_type" in states.values else set()
    others = [key for key, value in config.items() if key not in read and value]
    others += rope.other_keys(config) if "rope_type" in states.values else []
    if others:
        raise BadInput(
            f"{file}: {who} does not know the key {min(others)}{remedy}, or take the key out if the model does not"
            " depend on it"
        )
