"""Several things in words."""

from collections.abc import Sequence


def counted(count: int, what: str) -> str:
    """ "3 cells", "1 cell": a number of things."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def listed(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
