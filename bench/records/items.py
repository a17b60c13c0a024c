"""An answer to one request of a task of lm-evaluation-harness, as it stands in a study's file (bench/accuracy)."""

from dataclasses import dataclass, field, fields

from bench.records.machine import fields_of, stated
from bench.records.settings import Settings, settings_of


@dataclass(frozen=True)
class Item:
    """One request, answered. It is on disk as soon as it is answered, so that a run goes on where it was stopped.

    A question that is answered in text is one request; one with choices has a request for each choice.
    """

    study: str
    cell_id: str
    index: int  # of the question in its task, from 0
    request: int  # of the question's requests, from 0
    prompt_hash: str  # of the text that was given, shots and chat form included
    seconds: float  # wall time of the call that answered it, over the rows of that call
    rows: int  # requests that the call answered together
    cell: Settings | None = None  # in the first item of a run alone: it would be most of every line
    text: str | None = None  # the answer up to its end token, not yet cut at the task's stop strings
    tokens: int | None = None  # of the answer, the end token included
    nfe: int | None = None  # forwards of the call
    log_likelihood: float | None = None  # nats, of the given continuation; for a model with steps a lower bound
    standard_error: float | None = None  # of the same, Monte-Carlo; 0 where it is exact
    is_greedy: bool | None = None  # whether the continuation is what greedy decoding gives; None where not asked
    # By "metric,filter": lm-eval's score of the question, with the request that was answered last of it.
    outcome: dict[str, float] = field(default_factory=dict)
    device: str = ""  # name of the card or processor
    git: str = ""  # commit of the code that measured
    ended_s: float = 0.0  # seconds since 1970

    @classmethod
    def from_json(cls, raw: dict) -> "Item":
        cell = settings_of(raw["cell"]) if "cell" in raw else None
        return cls(**fields_of(cls, raw) | {"cell": cell})

    def to_json(self) -> dict:
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {"record": "item"} | stated(values | {"cell": self.cell and self.cell.settings()})
