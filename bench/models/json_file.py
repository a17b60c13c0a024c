"""A JSON object in a file of a model directory, or a line that says why there is none."""

from pathlib import Path

from bench.common import read
from bench.common.errors import BadInput

POINTER = b"version https://git-lfs"  # how the small file begins that git-lfs leaves where it fetched nothing
POINTER_REMEDY = "is a git-lfs pointer, not the file itself; run `git lfs pull` in its directory, or download it again"


def read_json(file: Path) -> dict:
    """The JSON object in a file. Raises BadInput where there is something else (also bench/common/read.py)."""
    try:
        is_git_lfs_pointer = is_pointer(file)
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror})") from error
    if is_git_lfs_pointer:
        raise BadInput(f"{file}: {POINTER_REMEDY}")
    return read.json_object(file)


def is_pointer(file: Path) -> bool:
    """Whether a file is what git-lfs left in the place of one that it did not fetch. Raises OSError."""
    with open(file, "rb") as stream:
        return stream.read(len(POINTER)) == POINTER
