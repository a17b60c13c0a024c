"""Numbers of things in words."""


def counted(count: int, what: str) -> str:
    """ "3 cells", "1 cell": a number of things."""
    return f"{count} {what}{'' if count == 1 else 's'}"
