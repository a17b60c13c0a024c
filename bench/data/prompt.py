"""A prompt, as people and as the models see it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prompt:
    """A prompt and the answer that a person or a rule gave to it."""

    text: str  # the user's message
    reference: str | None  # None where nobody wrote an answer
    ids: dict[str, list[int]]  # token ids of the message in each model's chat form, by model name
