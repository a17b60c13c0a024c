"""The options of a generation."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """The options of a generation.

    steps: of the whole answer; for a sampler that does not know its steps beforehand the most, and None stands for as
    many as there are tokens. confidence_eos_eot: what to do with the confidence of end tokens. `off`: nothing.
    `official`: what the official flag really does, which is to remove end tokens from the distribution: both of them at
    temperature 0, only the end-of-turn token above it. `intent`: what the flag's name says, both end tokens get
    confidence 0. sampler, cache and head are names: keys of SAMPLERS (`samplers.py`), of CACHES (`caches/registry.py`),
    and one of `official`, `official-old` and `lean`. What belongs to one sampler or cache alone is None elsewhere; in
    what range it may be: `choices.py`.
    """

    steps: int | None
    gen_length: int
    block_length: int
    mask_id: int
    temperature: float = 0.0
    remasking: str = "low_confidence"  # or random
    cfg_scale: float = 0.0
    logits_eos_inf: bool = False
    confidence_eos_eot: str = "off"
    eos_id: int | None = None
    eot_id: int | None = None
    head: str = "official"
    sampler: str = "fixed"
    cache: str = "none"
    threshold: float | None = None  # of threshold and klass: the least confidence
    factor: float | None = None
    gamma: float | None = None  # of entropy, in nats
    kl_threshold: float | None = None  # of klass, in nats
    history: int = 2  # of klass: for so many forwards a distribution must have been calm
    tokens_per_step: int | None = None  # of imposed
    refresh: str | int | None = None  # of a cache: never, block, answer, or every so many steps
    prompt_every: int | None = None  # of interval: steps from one renewal of the prompt to the next
    response_every: int | None = None  # and of the answer
    ratio: float | None = None  # of interval: the share of the answer that is renewed in between
    early_stop: bool = False
    ends: tuple[int, ...] = ()  # of early_stop: the tokens that end an answer, of which the first fills what is behind

    @property
    def blocks(self) -> int:
        return self.gen_length // self.block_length
