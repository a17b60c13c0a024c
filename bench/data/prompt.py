"""One prompt as both people and the models see it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prompt:
    """One prompt as both people and the model see it. `reference` is None where nobody wrote an answer."""

    text: str
    reference: str | None
    ids: dict[str, list[int]]  # by model name
