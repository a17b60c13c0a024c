"""What the cost model says of LLaDA's caches at an imposed number of tokens a step, beside LLaMA. Imports no torch."""

from dataclasses import dataclass, replace

from bench.cost import floors
from bench.cost.floors import Ceilings
from bench.cost.predictions import Models, Place, at_batch


@dataclass(frozen=True)
class Decoder:
    """A cache, when it is refreshed, and how many tokens each step commits in a row."""

    cache: str = "none"
    refresh: str | int | None = None
    tokens_per_step: int = 1


@dataclass(frozen=True)
class Decoding:
    """A pair's models at some ceilings; answers in blocks of `block_length`."""

    models: Models
    ceilings: Ceilings
    block_length: int = 32

    def seconds(self, place: Place, decoder: Decoder) -> float:
        """Seconds of a whole call of the diffusion model."""
        workload = replace(
            self.models.workload(self.models.diffusion, place, place.gen_length, self.block_length),
            sampler="imposed",
            tokens_per_step=decoder.tokens_per_step,
            cache=decoder.cache,
            refresh=decoder.refresh,
        )
        return floors.call_s(workload, self.models.shapes[self.models.diffusion], self.ceilings, place.prompt_tokens)

    def reference_s(self, place: Place) -> float:
        """Seconds of a whole call of the autoregressive model."""
        return self.models.seconds(self.models.autoregressive, place, self.ceilings)

    def throughput_ratio(self, place: Place, decoder: Decoder) -> float:
        """The diffusion model's tokens a second over those of the autoregressive model."""
        return self.reference_s(place) / self.seconds(place, decoder)

    def speedup(self, place: Place, decoder: Decoder, over: Decoder) -> float:
        """A decoder's tokens a second over another one's."""
        return self.seconds(place, over) / self.seconds(place, decoder)

    def later_step_s(self, place: Place, decoder: Decoder) -> float:
        """Seconds of a step that is not the first of its block: what one step more costs."""
        half, whole = (replace(decoder, tokens_per_step=tokens) for tokens in (2, 1))
        return (self.seconds(place, whole) - self.seconds(place, half)) / (place.gen_length / 2)

    def step_ratio(self, place: Place, decoder: Decoder) -> float:
        """The time of such a step over its time at batch 1."""
        return self.later_step_s(place, decoder) / self.later_step_s(at_batch(place, 1), decoder)

    def parity_tokens_per_step(self, place: Place, decoder: Decoder, reference_s: float) -> float:
        """Tokens a step, no whole number, at which a call takes as long as the autoregressive model's; infinite where
        it takes longer with one step a block. Time is a straight line over the steps."""
        fewest = place.gen_length // self.block_length
        least = self.seconds(place, replace(decoder, tokens_per_step=self.block_length))
        steps = fewest + (reference_s - least) / self.later_step_s(place, decoder)
        return place.gen_length / steps if steps >= fewest else float("inf")
