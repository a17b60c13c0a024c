"""What the cost model needs to know of one generation call: no paths, no prompts, nothing that names a study."""

from dataclasses import dataclass, fields

from bench.models.kinds import KINDS, Kind
from bench.spec.cell import Cell


@dataclass(frozen=True)
class Workload:
    """One generation call, as far as its time and its memory depend on it.

    The fields have the names and the meaning of those of a cell (bench/spec/cell.py). A field that is None does not
    apply. batch_size may be a fraction where a curve over batches is drawn.
    """

    model: str  # the kind of model, a key of bench/models/kinds.py
    gen_length: int
    batch_size: float = 1
    dtype: str = "bfloat16"
    device: str = "cuda"
    engine: str = "eager"
    steps: int | None = None
    block_length: int | None = None
    head: str | None = None
    cfg_scale: float | None = None
    temperature: float = 0.0
    remasking: str | None = None
    attention: str | None = None
    sampler: str | None = None
    cache: str | None = None
    tokens_per_step: int | None = None
    refresh: str | int | None = None
    prompt_every: int | None = None
    response_every: int | None = None
    ratio: float | None = None

    @classmethod
    def of(cls, cell: Cell) -> "Workload":
        """One call of a cell."""
        return cls(**{field.name: getattr(cell, field.name) for field in fields(cls)})


def kind_of(workload: Workload) -> Kind:
    """What the workload's kind of model is capable of."""
    return KINDS[workload.model]


def is_official(workload: Workload) -> bool:
    """Whether every step is a forward over the whole canvas, under the authors' schedule."""
    return workload.sampler in (None, "fixed") and workload.cache in (None, "none")
