"""YAML files as plain values, in which no key is given twice. Needs no pydantic (that is yaml_file.py)."""

from pathlib import Path

import yaml

from bench.common import read
from bench.common.errors import BadInput

MERGE = "tag:yaml.org,2002:merge"  # of the key `<<`


class OneOfEachKey(yaml.SafeLoader):
    """Reads YAML whose mappings state each key once; YAML's own loaders let the last one win without a word."""

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        """The mapping that comes next, as it stands in the file: what `<<` brings in may be overridden.

        Raises BadInput, without the file's name, for a key that is given twice.
        """
        node = super().compose_mapping_node(anchor)
        first_lines: dict[object, int] = {}  # by key: the line where it stands first
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE:
                continue
            name = self.construct_object(key)
            line = key.start_mark.line + 1
            if name in first_lines:
                first = first_lines[name]
                raise BadInput(f"line {line}: {key.value} is given twice (first in line {first}); keep one of them")
            first_lines[name] = line
        return node


def yaml_value(file: Path) -> object:
    """The value that a YAML file states. Raises BadInput, also for a key that is given twice."""
    return value_of_text(read.text_of(file), str(file))


def value_of_text(text: str, where: str) -> object:
    """The value that a text states in YAML. Raises BadInput, its line beginning with `where`."""
    try:
        return yaml.load(text, OneOfEachKey)  # a safe loader
    except BadInput as error:
        raise BadInput(f"{where}, {error}") from None
    except RecursionError:
        raise BadInput(f"{where}: not valid YAML: {read.TOO_DEEP}") from None
    except (yaml.YAMLError, ValueError, OverflowError, LookupError, AttributeError, TypeError) as error:
        # Beside its own errors, PyYAML lets those of Python out: of a date in month 13, of a number of 5,000 digits.
        raise BadInput(f"{where}: not valid YAML: {read.shortened(error)}") from None
