"""What stands in the records of `make agreement`: how often a cache, or a lower precision, says what the model itself
says. Imports no torch.

A record is a `Scores` of one prompt set, a value a prompt.
"""

SCORER = "agreement"
AGES = (0, 1, 2, 4, 8, 16)  # forwards since a renewal, each up to the next: 0, 1, 2 to 3, and so on


def after(age: int) -> str:
    """The name of the divergence at forwards of an age."""
    return f"kl_mean_nats_after_{age}"


def bin_of(age: int) -> int:
    """The one of AGES that an age belongs to."""
    return max(start for start in AGES if start <= age)
