"""What a record says that was measured: a cell, the human references of a prompt set, the likelihood of a text, how far
a model agrees with itself, or a server under load.

Only a cell generates text that is kept. References have scores alone, and a likelihood is a score of a model on
held-out text. All have `pair`, `kind`, `model` and `settings()`, which is what MLflow shows as a run's parameters.
"""

from dataclasses import dataclass, fields
from typing import ClassVar

from bench.spec.cell import Cell, identity

REFERENCE = "reference"
LIKELIHOOD = "likelihood"
AGREEMENT = "agreement"
LOAD = "load"
# What stands for the settings that an old record does not state.
UNSTATED = {
    "pair": "", "kind": "", "model": "", "weights": "", "tokenizer": "", "revision": "", "dtype": "float32",
    "device": "cpu", "engine": "eager", "gen_length": 0, "batch_size": 1, "prompts": 0, "prompt_hash": "",
    "repeat_prompts": 0, "stop": "eos", "temperature": 0.0, "seed": 0, "time_limit_s": 0.0,
}  # fmt: skip


class Measured:
    """What was measured that is no cell: its settings are its fields, and name it."""

    unnamed: ClassVar[str] = "identity_version"  # the field that is not part of the name

    @property
    def cell_id(self) -> str:
        """Twelve hex digits that name what was measured."""
        return identity({name: value for name, value in self.settings().items() if name != self.unnamed})

    def settings(self) -> dict:
        """All fields that apply, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class HumanReferences(Measured):
    """The human answers to a prompt set, cut to the length that a cell's answers may have: scored like a cell's."""

    pair: str
    tokenizer: str  # directory of the tokenizer that they are cut with
    gen_length: int  # tokens of an answer at most
    prompts: int
    prompt_hash: str
    kind: str = REFERENCE
    model: str = "human"
    unnamed: ClassVar[str] = "tokenizer"  # it is a place on this machine

    @classmethod
    def beside(cls, cell: Cell) -> "HumanReferences":
        """The references that a cell's answers are compared with."""
        return cls(cell.pair, cell.tokenizer, cell.gen_length, cell.prompts, cell.prompt_hash)


@dataclass(frozen=True)
class Likelihood(Measured):
    """One model's likelihood of one held-out text."""

    pair: str
    model: str
    dtype: str
    revision: str  # hash of weights, configuration and tokenizer
    text: str  # name of the source
    texts: int  # how many passages of it
    text_hash: str
    samples: int | None = None  # noisy versions of each passage, where the likelihood is a Monte-Carlo bound
    canvas: int | None = None  # tokens to which a whole passage is padded, where it is
    identity_version: int | None = None  # of the code that measured; None: the first (bench/records/former.py)
    kind: str = LIKELIHOOD


@dataclass(frozen=True)
class Agreement(Measured):
    """How far a model with a cache, or in a lower precision, agrees with itself without one, or in its own."""

    pair: str
    model: str
    dtype: str
    revision: str  # hash of weights, configuration and tokenizer
    against: str  # what it is compared with: `no cache`, or a precision
    source: str  # of the prompts
    prompts: int
    prompt_hash: str
    gen_length: int
    ran_on: str  # cpu or cuda
    block_length: int | None = None
    cache: str | None = None
    refresh: str | int | None = None
    prompt_every: int | None = None
    response_every: int | None = None
    ratio: float | None = None
    identity_version: int | None = None  # of the code that measured
    kind: str = AGREEMENT


@dataclass(frozen=True)
class Load(Measured):
    """A server behind an address, with so many requests under way at once."""

    pair: str  # whose prompts it is asked
    model: str  # as the server calls it
    server: str  # its address, without a user or a password
    endpoint: str  # chat or completions
    counted_by: str  # the kind of the pair's model whose tokenizer counts the tokens of the answers
    concurrency: int  # requests under way at once
    requests: int  # of all
    prompts: int
    prompt_hash: str
    gen_length: int  # tokens of an answer at most
    temperature: float
    ttft_limit_s: float  # an answer is good whose first token comes within this,
    gap_limit_ms: float  # and whose further tokens take no longer than this on average
    kind: str = LOAD


Settings = Cell | HumanReferences | Likelihood | Agreement | Load
UNSTATED_TEXTS = {"dtype": "", "revision": "", "text": "", "texts": 0, "text_hash": ""}
UNSTATED_AGREEMENT = {"against": "", "source": "", "ran_on": ""}
UNSTATED_LOAD = {
    "server": "", "endpoint": "", "counted_by": "", "concurrency": 0, "requests": 0, "ttft_limit_s": 0.0,
    "gap_limit_ms": 0.0,
}  # fmt: skip


def settings_of(stated: dict) -> Settings:
    """The settings in a record. Fields that this code does not know are passed over, and old records may lack some."""
    kinds = {REFERENCE: HumanReferences, LIKELIHOOD: Likelihood, AGREEMENT: Agreement, LOAD: Load}
    kind = kinds.get(stated.get("kind"), Cell)
    names = {field.name for field in fields(kind)}
    # Of a cell `server` means another thing, and an old one that states none has none.
    whole = UNSTATED | UNSTATED_TEXTS | UNSTATED_AGREEMENT | (UNSTATED_LOAD if kind is Load else {}) | stated
    return kind(**{name: value for name, value in whole.items() if name in names})
