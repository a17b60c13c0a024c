"""What the file of a study may say: the few questions that it was run to answer, declared before it ran.

configs/studies/STUDY.yaml, by the name of the MLflow experiment. Whatever else a study says is descriptive.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bench.common.yaml_file import Strict, read_yaml
from bench.spec.grid import Head
from bench.spec.pair import Metric, Whole

STUDIES = Path("configs/studies")
MOST_ENDPOINTS = 6  # more questions leave each of them little chance once they are adjusted for being several
FEWEST_ROUNDS = 5


class Endpoint(Strict):
    """One question: is a quantity other than a stated value?"""

    quantity: Literal["latency_ratio", "break_even_steps", "quality"]
    against: float = Field(default=1.0, gt=0)  # the value that the quantity has where there is no difference
    steps: Whole | None = None  # of LLaDA, for latency_ratio
    batch: Whole = 1
    gen_length: Whole = 128
    prompt_tokens: Whole | None = None  # where prompts are cut to one length
    engine: Literal["eager", "captured"] = "captured"  # one that both models have
    head: Head = "lean"
    metric: Metric | None = None  # for quality: within the pair's margin of LLaMA's at the most steps that were run?

    @model_validator(mode="after")
    def says_what_it_needs(self) -> "Endpoint":
        """Refuse an endpoint that lacks what its quantity is about."""
        if (self.steps is not None) != (self.quantity == "latency_ratio"):
            raise ValueError("steps: belongs to latency_ratio, which needs it")
        if (self.metric is not None) != (self.quantity == "quality"):
            raise ValueError("metric: belongs to quality, which needs it")
        return self


class StudyFile(Strict):
    """configs/studies/STUDY.yaml: when its endpoints were declared, on how many rounds and cards they rest."""

    declared: datetime  # UTC; runs that began earlier make the endpoints descriptive
    rounds: Annotated[int, Field(ge=FEWEST_ROUNDS, strict=True)] = FEWEST_ROUNDS
    cards: Whole = 1
    endpoints: Annotated[dict[str, Endpoint], Field(min_length=1, max_length=MOST_ENDPOINTS)]


def read(study: str, folder: Path = STUDIES) -> StudyFile | None:
    """What was declared of a study; None where there is no file of its name. Raises BadInput naming file, key, rule."""
    file = folder / f"{study}.yaml"
    return read_yaml(file, StudyFile, "study", folder) if file.is_file() else None
