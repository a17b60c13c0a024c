"""How often does LLaDA with a cache say what LLaDA says, and a model in a lower precision what it says in its own?

Two questions, on prompts of real text and on tasks. *Its own answer*: which tokens are those that the model itself
writes, up to its first end token? *Along the model's own answer* (teacher forcing): on the canvases that the model
itself went through, how far are the distributions at the block's masked positions from its own? A cache that is
refreshed at every step must say the same; that is the proof that the measurement and the caches are right.

Caches are measured in float32, precisions against the pair's own.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from tqdm import tqdm

from bench.adapters import captured, registry
from bench.adapters.base import left_pad
from bench.adapters.contract import kept_tokens
from bench.adapters.llada import LladaBody
from bench.checks.divergence import Seen, divergence, log_distribution
from bench.data import prompts as prompt_sets
from bench.data.prompt import Prompt
from bench.data.tasks import TASKS
from bench.diffusion import head
from bench.diffusion.denoising import denoise
from bench.diffusion.following import Follower, watched
from bench.diffusion.plans import Turn
from bench.diffusion.sampling import Sampling
from bench.models import kinds
from bench.models.release import release
from bench.records.agreement import SCORER
from bench.records.settings import Agreement
from bench.records.types import Scores
from bench.spec import expand, grid, rules
from bench.spec.cell import IDENTITY_VERSION, Cell
from bench.spec.pair import PairFile
from bench.store.sink import Sink

EXACT = "float32"  # in which caches are measured
SOURCES = {"sharegpt": (32, 16), "tasks": (32, 16)}  # prompts: (tokens of an answer, of a block)
ROWS = {"cpu": 5, "cuda": 2}  # prompts at once: every cache has keys and values of each
# Parameters below which a model takes least time on one thread of a CPU: further ones wait for each other.
FEW_PARAMETERS = 100_000_000
STEPS = (1, 2, 4, 8)  # from one refresh to the next; sixteen are a block
NO_CACHE = "no cache"
CACHES = (  # options of each cache, most exact first
    *({"cache": cache, "refresh": refresh} for cache in ("prefix", "dual")
      for refresh in (*STEPS, "block", "answer", "never")),
    *({"cache": "delayed", "refresh": refresh} for refresh in (*STEPS, "block")),
    *({"cache": "interval", "prompt_every": every if every == 1 else 50, "response_every": every, "ratio": 0.25}
      for every in (*STEPS, 16)),
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    """What to measure: a pair with local directories, on a device, with so many prompts of each source (of the tasks
    one of each kind at least), and which precisions to compare with the pair's own."""

    pair: PairFile
    device: str
    prompts: int
    dtypes: tuple[str, ...]

    @property
    def parameters(self) -> int:
        """Of the larger model."""
        return max(files.describe().shape.parameters for files in self.pair.models.values())

    def prompts_of(self, source: str) -> tuple[Prompt, ...]:
        """The first prompts of a source that fit. Raises BadInput."""
        asked = self.pair.prompts
        encoders = {kind: files.encode for kind, files in self.pair.models.items()}
        count = max(self.prompts, len(TASKS)) if source == "tasks" else self.prompts
        return prompt_sets.select(source, count, asked.max_prompt_tokens, asked.min_reference_chars, encoders)

    def cells(self, source: str, dtypes: Iterable[str]) -> dict[tuple[str, str], Cell]:
        """Both models on a source's prompts, by kind and precision; LLaDA as its authors run it, a step a token.

        Raises BadInput for what a model cannot take.
        """
        asked = self.prompts_of(source)
        length, block = SOURCES[source]
        settings = grid.GridFile(
            kind=SCORER, model=list(self.pair.models), gen_length=length, block_length=block, steps=length,
            dtype=list(dict.fromkeys(dtypes)), head="lean", stop="length",
        )  # fmt: skip
        for model, files in self.pair.models.items():
            rules.check_prompts([prompt.ids[model] for prompt in asked], length, files.describe(), source)
        found = expand.cells_of(settings, self.pair, self.device, asked, prompt_sets.keep(asked), source)
        rules.check_cells(found)
        return {(cell.model, cell.dtype): cell for cell in found}


def agreement_of(cell: Cell, source: str, against: str, options: dict) -> Agreement:
    """What a record is of."""
    return Agreement(
        pair=cell.pair, model=cell.model, dtype=cell.dtype, revision=cell.revision, against=against, source=source,
        prompts=cell.prompts, prompt_hash=cell.prompt_hash, gen_length=cell.gen_length, ran_on=cell.device,
        block_length=cell.block_length, identity_version=IDENTITY_VERSION, **options,
    )  # fmt: skip


def check(task: Task) -> None:
    """Raise BadInput, before anything loads, for what cannot be measured."""
    for source in SOURCES:
        task.cells(source, (EXACT, task.pair.dtype, *task.dtypes))


def measure(task: Task, sink: Sink) -> Iterator[tuple[Agreement, Scores]]:
    """Every agreement of a task, measured where the study does not have it; each is on disk before it is told."""
    if task.device == "cpu" and task.parameters < FEW_PARAMETERS:
        torch.set_num_threads(1)
    for source in SOURCES:
        yield from taken(source, sink, caches(task, source, sink))
        for model in task.pair.models:
            yield from taken(source, sink, precisions(task, source, model, sink))


Wanted = dict[Agreement, dict[str, list]]


def taken(source: str, sink: Sink, measured: Wanted) -> Iterator[tuple[Agreement, Scores]]:
    """Put what was measured on record. Those without values are there already."""
    for about, values in measured.items():
        if values:
            sink.take(Scores(sink.study, about.cell_id, SCORER, values, about, ended_s=time.time()))
        yield about, sink.known()[about.cell_id].scores[SCORER]


def caches(task: Task, source: str, sink: Sink) -> Wanted:
    """Every cache against none, in float32."""
    model = next(kind for kind in task.pair.models if kinds.has_steps(kind))
    cell = task.cells(source, [EXACT])[model, EXACT]
    wanted: Wanted = {agreement_of(cell, source, NO_CACHE, options): {} for options in CACHES}
    missing = [about for about in wanted if about.cell_id not in sink.known()]
    if not missing:
        return wanted
    adapter = registry.create(model)
    adapter.load(cell)
    plain = adapter.options()
    asked = [replace(plain, **options_of(about)) for about in missing]
    rows = Rows.of(adapter, [prompt.ids[model] for prompt in task.prompts_of(source)])
    for batch in rows.batches(f"{source}: caches"):
        body = body_of(adapter.model, batch[0], plain)
        seen = along(body, plain, batch, [(body, options) for options in asked])
        answers = [denoise(body, *batch, options).canvas for options in asked]
        add(wanted, missing, seen, answers, rows)
    release_of(adapter)
    return wanted


def body_of(model, ids: Tensor, options: Sampling) -> head.Body:
    """A model in float32 for prompts [rows, prompt length]; on a CPU in the captured engine's functions, which take
    half as long."""
    if ids.device.type == "cpu":
        return captured.StaticBody(model, len(ids), ids.shape[1] + options.gen_length)
    return LladaBody(model)


def options_of(about: Agreement) -> dict:
    """The options of an agreement's cache."""
    names = ("cache", "refresh", "prompt_every", "response_every", "ratio")
    return {name: getattr(about, name) for name in names if getattr(about, name) is not None}


@dataclass(frozen=True)
class Rows:
    """Prompts in batches, and the tokens that end an answer."""

    prompts: list[list[int]]
    ends: tuple[int, ...]
    pad: int
    device: str

    @classmethod
    def of(cls, adapter: registry.Adapter, prompts: list[list[int]]) -> "Rows":
        return cls(prompts, adapter.special().ends, adapter.checkpoint.eos_ids[0], adapter.cell.device)

    def batches(self, what: str) -> Iterator[tuple[Tensor, Tensor | None]]:
        """(ids [rows, prompt length], mask that is 0 on padding, or None) of each batch."""
        count = ROWS[self.device]
        starts = range(0, len(self.prompts), count)
        for start in tqdm(starts, desc=what, unit="batch", mininterval=1):
            yield left_pad(self.prompts[start : start + count], self.pad, self.device)


@dataclass(frozen=True)
class Along:
    """What others said along a model's own answers: its canvas at the end, and each one's divergence."""

    canvas: Tensor  # [rows, canvas]
    prompt_length: int
    seen: list[Seen]


def along(body: head.Body, options: Sampling, batch: tuple, others: list[tuple[head.Body, Sampling]]) -> Along:
    """Let a model answer, and ask others at each of its steps."""
    followers = [Follower(other, *batch, own) for other, own in others]
    seen = [Seen(options.block_length) for _ in others]

    def see(turn: Turn, ids: Tensor, logits: Tensor) -> None:
        begin = batch[0].shape[1] + turn.block * options.block_length
        masked = ids[:, begin : begin + options.block_length] == options.mask_id
        own = log_distribution(logits[masked])
        for follower, of_one in zip(followers, seen, strict=True):
            said = follower.logits(turn, ids)
            of_one.take(turn.block, masked, divergence(own, log_distribution(said[masked])), follower.age)

    denoised = watched(body, *batch, options, see)
    return Along(denoised.canvas, batch[0].shape[1], seen)


def add(wanted: Wanted, missing: list[Agreement], found: Along, answers: list[Tensor], rows: Rows) -> None:
    """Add the values of a batch's prompts. answers: the canvas that each of the missing ones wrote by itself."""
    own = found.canvas[:, found.prompt_length :]
    kept = kept_tokens(own, rows.ends, "eos")
    for about, seen, canvas in zip(missing, found.seen, answers, strict=True):
        values = seen.values(kept) | tokens_equal(own, canvas[:, found.prompt_length :], kept)
        for name, of_prompts in values.items():
            wanted[about].setdefault(name, []).extend(of_prompts)


def tokens_equal(own: Tensor, other: Tensor, kept: list[int]) -> dict[str, list[float | None]]:
    """Of each answer [rows, tokens] up to its end the share of equal tokens, and how many stand before the first that
    differs; None where none does."""
    same = [(row[:count] == its[:count]) for row, its, count in zip(own, other, kept, strict=True)]
    firsts = [None if row.all() else float(row.int().argmin()) for row in same]
    return {"token_share": [float(row.float().mean()) for row in same], "first_divergence": firsts}


def precisions(task: Task, source: str, model: str, sink: Sink) -> Wanted:
    """A model in lower precisions against the pair's own."""
    cells = task.cells(source, (task.pair.dtype, *task.dtypes))
    own = cells[model, task.pair.dtype]
    wanted: Wanted = {agreement_of(cells[model, dtype], source, own.dtype, {}): {} for dtype in task.dtypes}
    missing = [about for about in wanted if about.cell_id not in sink.known()]
    if not missing:
        return wanted
    adapters = [registry.create(model) for _ in range(1 + len(missing))]
    for adapter, cell in zip(adapters, [own, *(cells[model, about.dtype] for about in missing)], strict=True):
        adapter.load(cell)
    rows = Rows.of(adapters[0], [prompt.ids[model] for prompt in task.prompts_of(source)])
    compare = denoised_along if kinds.has_steps(model) else decoded_along
    for batch in rows.batches(f"{source}: {model} in {', '.join(about.dtype for about in missing)}"):
        found, answers = compare(adapters, batch)
        add(wanted, missing, found, answers, rows)
    release_of(*adapters)
    return wanted


def denoised_along(adapters: list, batch: tuple) -> tuple[Along, list[Tensor]]:
    """What LLaDA in other precisions says along its answers in the first one, and the canvases that they write."""
    own, *others = adapters
    options = own.options()
    found = along(LladaBody(own.model), options, batch, [(LladaBody(other.model), options) for other in others])
    return found, [denoise(LladaBody(other.model), *batch, options).canvas for other in others]


@torch.inference_mode()
def decoded_along(adapters: list, batch: tuple) -> tuple[Along, list[Tensor]]:
    """The same of LLaMA: what it says of each token behind the answer's tokens before it."""
    ids, mask = batch
    shown = torch.ones_like(ids) if mask is None else mask
    prompts = [row[keep.bool()].tolist() for row, keep in zip(ids, shown, strict=True)]
    answers = [adapter.generate(prompts, lambda kind: None).sequences for adapter in adapters]
    length = answers[0].shape[1]
    own = log_distribution(given(adapters[0].model, prompts, answers[0]))  # [rows * tokens, vocabulary]
    everywhere = torch.ones(len(prompts), length, dtype=torch.bool, device=ids.device)
    seen = []
    for adapter in adapters[1:]:
        said = log_distribution(given(adapter.model, prompts, answers[0]))
        seen.append(Seen(length))
        seen[-1].take(0, everywhere, divergence(own, said), None)
    canvases = [torch.cat([ids, answer], dim=1) for answer in answers]
    return Along(canvases[0], ids.shape[1], seen), canvases[1:]


def given(model, prompts: list[list[int]], answers: Tensor) -> Tensor:
    """A causal model's logits of each token of some answers [rows, tokens], given those before it: [rows * tokens,
    vocabulary]. A prompt at a time, since padding would change nothing but the rounding."""
    rows = [torch.cat([answers.new_tensor(prompt), answer]) for prompt, answer in zip(prompts, answers, strict=True)]
    length = answers.shape[1]
    return torch.cat([model(row[None, :-1], use_cache=False, logits_to_keep=length).logits[0] for row in rows])


def release_of(*adapters) -> None:
    """Let go of models."""
    device = adapters[0].cell.device
    for adapter in adapters:
        adapter.model = None
    release(device)
