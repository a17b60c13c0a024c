"""What the cost model says before anything runs: of published cards, and where time and memory turn. Imports no torch.

    python -m bench.predictions [--pair NAME] [--prompt N]      # on the cards of configs/devices.yaml

A prediction is a floor: no host, no kernel below its ceiling. Two floors err alike, so a ratio of two is closer than
either.
"""

from dataclasses import dataclass, field, replace

import pandas as pd

from bench.cost import floors, peak_memory
from bench.cost.cards import Device
from bench.cost.floors import Ceilings
from bench.cost.workload import Workload
from bench.models import kinds
from bench.models.shape import Shape
from bench.spec.pair import PairFile

MOST_BATCH = 1 << 20  # the largest batch that a search looks at
PROMPT_TOKENS = 128  # tokens of a prompt, where no length is given


@dataclass(frozen=True)
class Place:
    """A point at which the models are compared: batch, tokens, LLaDA's head, and the engine that runs them."""

    batch: float
    gen_length: int
    prompt_tokens: int
    head: str = "lean"
    engine: str = "captured"


@dataclass(frozen=True)
class Models:
    """The shapes of a pair's models, how they are held, and what a host adds to a forward of each."""

    shapes: dict[str, Shape]
    dtype: str
    device: str = "cuda"
    host_s: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, pair: PairFile, device: str = "cuda", host_s: dict[str, float] | None = None) -> "Models":
        """The models of a pair, read from their configurations. host_s: seconds that the host adds to a forward."""
        shapes = {kind: files.describe().shape for kind, files in pair.models.items()}
        return cls(shapes, pair.dtype, device, host_s or {})

    @property
    def autoregressive(self) -> str:
        """The kind of the pair's model that writes token by token."""
        return next(kind for kind in self.shapes if kinds.role_of(kind) == kinds.AUTOREGRESSIVE)

    @property
    def diffusion(self) -> str:
        """The kind of the pair's model that denoises in steps."""
        return next(kind for kind in self.shapes if kinds.role_of(kind) == kinds.DIFFUSION)

    def workload(self, model: str, place: Place, steps: int = 1, block_length: int = 32) -> Workload:
        """One call at a place. `steps`, `block_length` and the place's head count for a model with denoising steps."""
        call = Workload(model, place.gen_length, place.batch, dtype=self.dtype, device=self.device, engine=place.engine)
        if not kinds.has_steps(model):
            return call
        return replace(call, steps=steps, block_length=block_length, head=place.head)

    def seconds(self, model: str, place: Place, ceilings: Ceilings) -> float:
        """Seconds of a whole call of a model that writes token by token, or of one denoising step of the other."""
        own = replace(ceilings, host_s=self.host_s.get(model, 0.0), overlaps=self.device != "cpu")
        return floors.call_s(self.workload(model, place), self.shapes[model], own, place.prompt_tokens)

    def break_even_steps(self, place: Place, ceilings: Ceilings) -> float:
        """Steps at which LLaDA takes as long as LLaMA, prefill included; no whole number."""
        return self.seconds(self.autoregressive, place, ceilings) / self.seconds(self.diffusion, place, ceilings)

    def latency_ratio(self, place: Place, ceilings: Ceilings, tokens_per_step: float) -> float:
        """LLaDA's latency over LLaMA's. Outputs are equally long, so that of throughput is its inverse."""
        return place.gen_length / tokens_per_step / self.break_even_steps(place, ceilings)

    def turning_batch(self, place: Place, ceilings: Ceilings, tokens_per_step: float) -> float:
        """The batch from which on LLaDA is the slower one; 1 if it always is, infinite if it never is."""
        low = 1.0
        high = float(MOST_BATCH)
        ratio = lambda batch: self.latency_ratio(at_batch(place, batch), ceilings, tokens_per_step)  # noqa: E731
        if ratio(low) >= 1 or ratio(high) < 1:
            return low if ratio(low) >= 1 else float("inf")
        while high / low > 1.0001:
            middle = (low * high) ** 0.5
            low, high = (low, middle) if ratio(middle) >= 1 else (middle, high)
        return (low * high) ** 0.5

    def largest_batch(self, model: str, place: Place, bytes_: float) -> int:
        """The largest batch whose peak fits into so many bytes; 0 where not even one does."""

        def fits(batch: int) -> bool:
            workload = self.workload(model, at_batch(place, batch))
            return peak_memory.peak(workload, self.shapes[model], place.prompt_tokens).total <= bytes_

        low, high = 0, MOST_BATCH
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def surface(
        self,
        ceilings: Ceilings,
        batches: list[int],
        lengths: list[int],
        prompt_tokens: int,
        head: str = "lean",
        engine: str = "captured",
    ) -> pd.DataFrame:
        """Break-even steps over batch (rows, largest first) and output length (columns)."""
        rows = {
            batch: [self.break_even_steps(Place(batch, n, prompt_tokens, head, engine), ceilings) for n in lengths]
            for batch in sorted(batches, reverse=True)
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=lengths)


def at_batch(place: Place, batch: float) -> Place:
    return replace(place, batch=batch)


CELLS = ((1, 128), (1, 1024), (32, 128), (32, 1024))  # (batch, tokens) of the printed table


def table(models: Models, cards: dict[str, Device], prompt_tokens: int) -> pd.DataFrame:
    """A row for each card and cell: a token and a denoising step in ms, break-even steps, and the largest batches.

    Largest batches are those that memory holds, of the model with steps for each rung of the head.
    """
    rows = []
    reference = kinds.label_of(models.autoregressive)
    diffusion = kinds.label_of(models.diffusion)
    for card, device in cards.items():
        for batch, length in CELLS:
            place = Place(batch, length, prompt_tokens)
            even = models.break_even_steps(place, device.ceilings)
            row = {
                "card": card,
                "batch": batch,
                "tokens": length,
                f"{reference} token ms": 1e3 * models.seconds(models.autoregressive, place, device.ceilings) / length,
                f"{diffusion} step ms": 1e3 * models.seconds(models.diffusion, place, device.ceilings),
                "break-even steps": even,
            }
            most = models.largest_batch(models.autoregressive, place, device.memory_bytes)
            row[f"largest batch, {reference}"] = most
            for head in ("lean", "official"):
                rung = replace(place, head=head)
                row[f"{diffusion} {head}"] = models.largest_batch(models.diffusion, rung, device.memory_bytes)
            rows.append(row)
    return pd.DataFrame(rows)
