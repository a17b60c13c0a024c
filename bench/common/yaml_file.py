"""YAML files into validated objects; a broken rule is one line naming file, key and rule."""

import re
from pathlib import Path
from types import NoneType
from typing import ClassVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.common import yaml_reader
from bench.common.errors import BadInput


class Strict(BaseModel):
    """What a file may say: unknown keys are refused, and nothing can be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    further: ClassVar[type["Strict"] | None] = None  # what stands under keys that are no fields, where there may be any


def read_yaml(file: Path, schema: type[Strict], what: str, where: Path) -> Strict:
    """A validated YAML file. what: its name in messages, such as `grid`. where: the folder that holds such files.

    Raises BadInput naming file, key and rule.
    """
    if not file.is_file():
        names = ", ".join(sorted(path.stem for path in where.glob("*.yaml"))) or "none"
        raise BadInput(f"{file}: no such {what}; there are: {names}")
    data = yaml_reader.yaml_value(file)
    if not isinstance(data, dict) or not data:
        raise BadInput(f"{file}: the {what} is empty; it must be a mapping of keys to values")
    return validate(data, schema, file)


def validate(data: dict, schema: type[Strict], file: Path) -> Strict:
    """The schema's object. Raises BadInput with the first broken rule: file, key, what is wrong."""
    for key in data:
        if not isinstance(key, str):
            raise BadInput(f"{file}: {key}: keys must be text; known keys: {', '.join(schema.model_fields)}")
    try:
        return schema(**data)
    except ValidationError as error:
        first = most_fitting(error.errors(), data)
        inner = [str(part) for part in first["loc"] if not BRANCH.search(str(part))]
        message = ": ".join(
            [str(file), *([".".join(inner)] if inner else []), first["msg"].removeprefix("Value error, ")]
        )
        if first["type"] == "extra_forbidden":
            message += f"; known keys: {', '.join(fields_at(schema, first['loc'][:-1]))}"
        raise BadInput(message) from error


BRANCH = re.compile(r"\[|^(constrained-)?(int|float|str)$")  # how pydantic names the branches of a union


def most_fitting(errors: list[dict], data: dict) -> dict:
    """Of the errors about one key, that of the union's branch which fits what was given: a list or one value."""
    if not errors[0]["loc"]:
        return errors[0]  # a rule about several keys
    key = errors[0]["loc"][0]
    about = [error for error in errors if error["loc"][0] == key]
    is_list = isinstance(data.get(key), list)
    fitting = [error for error in about if any(str(part).startswith("list[") for part in error["loc"][1:]) == is_list]
    return (fitting or about)[0]


def fields_at(schema: type[Strict], path: tuple) -> list[str]:
    """The keys that a schema has for the mapping at `path` inside it, which may lead through mappings and lists."""
    for part in path:
        if not hasattr(schema, "model_fields"):
            schema = get_args(schema)[-1]
        else:
            schema = schema.model_fields[part].annotation if part in schema.model_fields else schema.further
        if NoneType in get_args(schema):  # what may be left out
            schema = get_args(schema)[0]
    return list(schema.model_fields)
