"""A cell: one fully resolved configuration, and the work folder that carries cells to a worker.

No pydantic here: a bare GPU machine reads work folders with the standard library alone.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from bench.common import dtypes
from bench.diffusion import choices
from bench.models import engines, kinds

# What does not change a result: places, patience, order, and how the cell is named.
NOT_HASHED = (
    "weights", "tokenizer", "time_limit_s", "first", "former_revision", "identity_version", "api_key_env",
)  # fmt: skip
# What can differ while the same captured step is replayed.
NOT_CAPTURED = (
    *NOT_HASHED, "kind", "prompts", "prompt_hash", "prompt_ids", "repeat_prompts", "seed", "steps", "steps_timed",
    "tokens_timed", "stop", "answer_lengths", "calls_only",
)  # fmt: skip
# How an answer ends: `eos` by the model's end token, `length` after exactly gen_length tokens, `references` after as
# many tokens as the prompt's reference has, gen_length at most. The last two ignore end tokens.
STOPS = {"eos": "natural end", "length": "forced length", "references": "answers as long as the references"}
ENDS = "ends"  # the kind of cells that differ in how answers end; they are timed and never scored
FRONTIER = "frontier"  # the kind of cells that are tries of a search, which may run out of memory
IDENTITY_VERSION = 2  # from 2 on a cell's name counts all bytes of weights and tokenizer, and the prompts' token ids
# Kinds of cells that differ in model and steps, so that length and batch need not be said of each.
OF_ONE_SHAPE = ("baseline", "sweep", "smoke", "tasks", "problems", "sentinel", "accuracy")
CHECKED = ("tasks", "problems")  # kinds of cells with generated prompts whose answers are checked by rule
TWIN_PLACES = {"a": "before", "b": "after"}  # of the sentinel's twins: run before or after the models of a round
UNSTATED = "unstated"  # the precision of a model that a server does not tell
WARMUP_PASSES = 3  # short passes before a cell's calls are timed
WARMUP_FORWARDS = 4  # of each such pass, or all of a call's where it has fewer


def identity(settings: dict) -> str:
    """Twelve hex digits that name what was measured."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Cell:
    """What one measurement needs to know. A field that is None does not apply to the model."""

    pair: str
    kind: str  # the grid's name: baseline, sweep, smoke, ...
    model: str  # llama | llada
    weights: str  # directory of the checkpoint, or the address of a server
    tokenizer: str  # directory of its tokenizer
    revision: str  # hash of weights, configuration and tokenizer
    dtype: str  # float32 | bfloat16 | float16 | int8 | float8 (the two: bench/common/dtypes.py), or UNSTATED
    device: str  # cpu | cuda, or server: somebody else's, whatever it is
    engine: str  # eager | captured | generate | generate-static (bench/models/engines.py), or server
    gen_length: int  # tokens to generate at most
    batch_size: int
    prompts: int
    prompt_hash: str  # of their texts and references
    repeat_prompts: int  # how many of the prompts later rounds time again
    stop: str  # how an answer ends: STOPS
    temperature: float
    seed: int
    time_limit_s: float
    steps: int | None = None
    block_length: int | None = None
    sampler: str | None = None
    remasking: str | None = None
    cache: str | None = None
    head: str | None = None  # official unless said: lean | official-old (bench/diffusion/samplers.py)
    cfg_scale: float | None = None
    logits_eos_inf: bool | None = None
    confidence_eos_eot: str | None = None
    random_seed: int | None = None  # weights made from this seed, not trained: no quality
    prompt_tokens: int | None = None  # every prompt is cut to exactly as many; None: prompts as they are
    steps_timed: int | None = None  # LLaDA's first steps alone are run; the schedule is that of all of them
    tokens_timed: int | None = None  # LLaMA's first and last tokens alone, half of each; the cache grows in full
    peaks_only: bool | None = None  # memory is asked, not time: no warm-up, and no clock is believed
    calls_only: bool | None = None  # of a GPU neither energy nor kernels are measured beside the calls
    attention: str | None = None  # math: plain products and a softmax; None: torch's fused kernels
    fill: str | None = None  # heavy-tailed | zero: what matrices are filled with; None: the model's own weights
    limit_gib: float | None = None  # memory that the cell may have, where that is less than the device's
    prompt_ids: str | None = None  # hash of the prompts' token ids; None: see bench/spec/prompt_ids.py
    answer_lengths: str | None = None  # stop references: tokens of each prompt's answer, in order, such as "61 256 7"
    former_revision: str | None = None  # what earlier code called `revision`, where that is another
    identity_version: int | None = None  # IDENTITY_VERSION of the code that made the cell; None: the first
    threshold: float | None = None  # from here on what belongs to one sampler or cache (bench/diffusion/choices.py)
    factor: float | None = None
    gamma: float | None = None
    kl_threshold: float | None = None
    tokens_per_step: int | None = None  # of the sampler imposed; elsewhere a grid's way to state steps
    refresh: str | int | None = None  # never, block, answer, or every so many steps
    prompt_every: int | None = None
    response_every: int | None = None
    ratio: float | None = None
    early_stop: bool | None = None  # LLaDA ends when everything up to an end token is committed
    first: bool | None = None  # comes before the other cells of a round
    twin: str | None = None  # of the sentinel: `a` runs before the models of a round, `b`, the same, after them
    watches: str | None = None  # of the sentinel: the identity of the cells that it runs beside
    task: str | None = None  # kind accuracy: the recipe's name (configs/recipes), and from here on what belongs to it
    template: str | None = None  # of the recipe's prompt templates
    shots: int | None = None  # worked examples before each question
    samples: int | None = None  # noisy versions of each continuation, where a likelihood is a Monte-Carlo bound
    server: str | None = None  # JSON: which server's model is asked, and how (bench/models/server.py); None: ours
    api_key_env: str | None = None  # name of the variable that holds the server's key, never the key

    @property
    def cell_id(self) -> str:
        """Twelve hex digits that name this configuration."""
        return identity({k: v for k, v in self.settings().items() if k not in NOT_HASHED})

    @property
    def capture(self) -> str:
        """Names the captured step that the cell replays; on other engines a cell shares nothing."""
        if self.engine != "captured":
            return self.cell_id
        return identity({k: v for k, v in self.settings().items() if k not in NOT_CAPTURED})

    @property
    def label(self) -> str:
        """The cell as a person would call it: `LLaMA`, `LLaDA, 16 steps, tasks`, `noise check of LLaDA, before`."""
        engine = "" if self.engine == "eager" else engines.label_of(self.engine, self.device)
        if self.twin:
            name = f"noise check of {kinds.label_of(self.model)}"
            return ", ".join(filter(None, (name, TWIN_PLACES[self.twin], engine)))
        parts = [
            kinds.label_of(self.model),
            self.decoder_label,
            self.kind if self.kind in CHECKED else "",
            f"blocks of {self.block_length}" if self.kind == "problems" and self.block_length else "",
            f"{self.task}, template {self.template}" if self.task else "",
            STOPS[self.stop] if self.kind == ENDS else "",
            *((f"{self.gen_length} tokens", f"batch {self.batch_size}") if self.kind not in OF_ONE_SHAPE else ()),
            f"{self.head or 'official'} head" if self.head or (engine and kinds.has_steps(self.model)) else "",
            engine,
            f"{self.attention} attention" if self.attention else "",
            f"{self.fill} weights" if self.fill else "",
            f"{self.timed} forwards timed" if self.timed else "",
        ]
        return ", ".join(filter(None, parts))

    @property
    def decoder_label(self) -> str:
        """How LLaDA decodes: `16 steps`, `threshold 0.9, dual cache (block), early stop`; empty for a model without
        steps."""
        if not self.steps:
            return ""
        steps = f"{self.steps} steps" if self.sampler in (None, "fixed") else ""
        return ", ".join(filter(None, (steps, choices.label(vars(self)))))

    @property
    def knows_forwards(self) -> bool:
        """Whether the number of forwards of a model with denoising steps is known before it runs."""
        return choices.SAMPLERS[self.sampler or "fixed"].schedule is not None and not self.early_stop

    @property
    def float_dtype(self) -> str:
        """The dtype of activations and of weights that are not quantised."""
        return dtypes.float_dtype_of(self.dtype)

    @property
    def product_dtype(self) -> str:
        """The dtype in which products are computed."""
        return dtypes.product_dtype_of(self.dtype)

    def settings(self) -> dict:
        """All fields that apply, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def forwards(self) -> int:
        """Forwards of one generation call as it is run: an upper bound where a text may end early."""
        return self.timed or self.steps or self.gen_length

    def lengths(self) -> list[int] | None:
        """Tokens of each prompt's answer, in the order of the prompts; None where they are not stated."""
        return None if self.answer_lengths is None else list(map(int, self.answer_lengths.split()))

    @property
    def timed(self) -> int | None:
        """Forwards that stand for all of a call's; None where all are run."""
        return self.steps_timed or self.tokens_timed

    def whole(self) -> "Cell":
        """The cell that runs all of its forwards."""
        return replace(self, steps_timed=None, tokens_timed=None)


def unlisted_cell(kind: str, model: str, device: str, **settings: object) -> Cell:
    """A cell that no grid spans, for code that runs an adapter by itself.

    settings: the fields that matter. The others are such that nothing is read from disk, and the text has its full
    length.
    """
    defaults = {
        "pair": kind,
        "weights": "",
        "tokenizer": "",
        "revision": "",
        "dtype": "float32",
        "engine": "eager",
        "gen_length": 32,
        "batch_size": 1,
        "prompts": 1,
        "prompt_hash": "",
        "repeat_prompts": 1,
        "stop": "length",
        "temperature": 0.0,
        "seed": 0,
        "time_limit_s": 3600.0,
    }
    return Cell(kind=kind, model=model, device=device, **(defaults | settings))
