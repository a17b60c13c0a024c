"""The values of a grid's axis."""


def as_list(value: object) -> list:
    """A list as it is, a single value as a list of that value."""
    return list(value) if isinstance(value, list) else [value]
