"""How many tokens each step of a block commits, for samplers that know it beforehand. Imports no torch."""


def schedule(masked: int, steps: int, tokens_per_step: int | None = None) -> list[int]:
    """How many of `masked` tokens each step commits: evenly, the remainder one each to the first steps.

    With more steps than tokens the last steps commit none, and still cost a forward.
    """
    return [masked // steps + (step < masked % steps) for step in range(steps)]


def imposed_schedule(masked: int, steps: int, tokens_per_step: int) -> list[int]:
    """How many of `masked` tokens each step commits: tokens_per_step, the last step what is left."""
    return [min(tokens_per_step, masked - made) for made in range(0, masked, tokens_per_step)]
