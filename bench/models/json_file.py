"""A JSON object in a file, or one line that says why there is none."""

import json
from pathlib import Path

from bench.common.errors import BadInput

POINTER = b"version https://git-lfs"  # how the small file begins that git-lfs leaves where it fetched nothing
POINTER_REMEDY = "is a git-lfs pointer, not the file itself; run `git lfs pull` in its directory, or download it again"


def read_json(file: Path) -> dict:
    """The JSON object in a file, with or without a byte-order mark. Raises BadInput where there is something else."""
    try:
        content = file.read_bytes()
        if content.startswith(POINTER):
            raise BadInput(f"{file}: {POINTER_REMEDY}")
        value = json.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, no JSON, a number of thousands of digits, deep nesting
        raise BadInput(f"{file}: not valid JSON ({' '.join(str(error).split())})") from error
    if not isinstance(value, dict):
        raise BadInput(f"{file}: not a JSON object")
    return value
