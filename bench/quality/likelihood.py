"""Likelihood of held-out text in bits per byte, once for each model of a pair: it does not depend on the steps.

Total nats / ln 2 / bytes of the answers. Exact for LLaMA (an answer and, where it is whole, one EOS); an upper bound
for LLaDA (an answer and, where it is whole, its EOS padding to a canvas of fixed size) with its Monte-Carlo error.
A bound: it never says that the autoregressive model models text better. The cuts are in characters, so that models
with different tokenizers are asked about the same bytes.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm

from bench.common import stats
from bench.common.errors import BadInput
from bench.data import prompts, tokenizers, wikitext
from bench.diffusion.likelihood import log_likelihood_bound
from bench.models import kinds, weights
from bench.models.checkpoint import Checkpoint
from bench.records import former
from bench.records.settings import Likelihood
from bench.records.types import Scores
from bench.spec import rules
from bench.spec.cell import IDENTITY_VERSION
from bench.spec.pair import ModelFile, PairFile
from bench.store.sink import Sink

CONTEXT_CHARS = 150  # of what stands before a text, at most
ANSWER_CHARS = 320  # of the text that is predicted, at most
CANVAS_TOKENS = 128  # a whole answer's EOS padding is scored up to here
SAMPLES = 32  # noisy versions of each answer for LLaDA's bound
SEED = 0


@dataclass(frozen=True)
class Passage:
    """A text to predict and what stands before it: a user's message (`chat`) or plain text."""

    context: str
    answer: str
    chat: bool
    whole: bool  # the answer ends where its author ended it


def cut(text: str, chars: int) -> str:
    """At most `chars` characters, up to the end of a word; inside a word where nothing but blanks would be left.

    Some scripts put no blanks between words, and an address or a table has none.
    """
    if len(text) <= chars:
        return text
    words = text[: max(0, text.rfind(" ", 0, chars + 1))]
    return words if words.strip() else text[:chars]


def sharegpt(count: int) -> list[Passage]:
    """The first held-out questions short enough to be asked, with their answers."""
    passages = []
    for question, answer in prompts.heldout_questions():
        if len(question) <= CONTEXT_CHARS:
            part = cut(answer, ANSWER_CHARS)
            passages.append(Passage(question, part, chat=True, whole=part == answer))
    return passages[:count]


def plain(paragraphs: Iterable[str], count: int) -> list[Passage]:
    """Windows of plain text: the start of each long paragraph, and what comes after it."""
    passages = []
    for text in paragraphs:
        context = cut(text.strip(), CONTEXT_CHARS)
        rest = text.strip()[len(context) :]
        answer = cut(rest, ANSWER_CHARS)
        if len(rest) >= ANSWER_CHARS and answer.strip() and len(passages) < count:
            passages.append(Passage(context, answer, chat=False, whole=False))
    return passages


def read(source: str, count: int) -> list[Passage]:
    """At most `count` passages of a source. Raises BadInput if there is none."""
    passages = sharegpt(count) if source == "sharegpt" else plain(wikitext.paragraphs_of(source), count)
    if not passages:
        raise BadInput(f"{source}: no paragraph has {CONTEXT_CHARS + ANSWER_CHARS} characters")
    return passages


def token_ids(passage: Passage, tokenizer: str) -> tuple[list[int], list[int]]:
    """(context, answer) as token ids, no EOS yet."""
    tok = tokenizers.tokenizer(tokenizer)
    context = tokenizers.encode(tokenizer, passage.context) if passage.chat else tok(passage.context)["input_ids"]
    return list(context), tok(passage.answer, add_special_tokens=False)["input_ids"]


def check(files: ModelFile, passages: list[Passage], source: str) -> None:
    """Every passage must have an answer, fit the model's positions and keep to its vocabulary. Loads no weights.

    Raises BadInput. source: the name of the text, for messages.
    """
    about = files.describe()
    for number, passage in enumerate(passages, 1):
        context, answer = token_ids(passage, files.tokenizer_directory)
        end_tokens = max(1, 0 if about.causal else CANVAS_TOKENS - len(answer)) if passage.whole else 0
        what = f"TEXT={source}: passage {number}"
        rules.check_ids(answer, 0, about, what, "give another text")
        rules.check_ids(context, len(answer) + end_tokens, about, what, "give another text")


@torch.inference_mode()
def exact_nats(model, context: list[int], answer: list[int]) -> float:
    """-log p(answer | context) of an autoregressive model."""
    ids = torch.tensor([[*context, *answer]], device=model.device)
    logits = model(ids, use_cache=False, logits_to_keep=len(answer) + 1).logits[0, :-1]
    return float(F.cross_entropy(logits.float(), ids[0, -len(answer) :], reduction="sum"))


def nats_of(model, about: Checkpoint, passage: Passage, tokenizer: str, samples: int) -> tuple[float, float]:
    """(nats, standard error) of a passage's answer; `about`: the model's checkpoint."""
    context, answer = token_ids(passage, tokenizer)
    eos = about.eos_ids[0]
    if about.causal:
        return exact_nats(model, context, [*answer, eos] if passage.whole else answer), 0.0
    if passage.whole:
        answer = answer + [eos] * (CANVAS_TOKENS - len(answer))
    tensors = (torch.tensor(ids, device=model.device) for ids in (context, answer))
    bound = log_likelihood_bound(
        lambda canvas, mask: model(canvas, attention_mask=mask, use_cache=False).logits,
        *tensors, about.mask_id, samples=samples,
    )  # fmt: skip
    return -bound.nats, bound.standard_error


@dataclass(frozen=True)
class Nats:
    """Negative log-likelihood of some texts by one model, a value a text."""

    nats: tuple[float, ...]
    standard_errors: tuple[float, ...]  # of the nats, Monte-Carlo; 0 where they are exact
    text_bytes: list[int]


def score(files: ModelFile, dtype: str, passages: list[Passage], device: str, samples: int = SAMPLES) -> Nats:
    """The likelihood of each passage's answer by one model. samples: noisy versions of each answer, for a bound."""
    about = files.describe()
    model = weights.load(about, device, getattr(torch, dtype))
    torch.manual_seed(SEED)
    bar = tqdm(passages, desc=f"{about.kind} bits per byte", unit="text", mininterval=1)
    pairs = [nats_of(model, about, passage, files.tokenizer_directory, samples) for passage in bar]
    nats, errors = zip(*pairs, strict=True)
    sizes = [len(passage.answer.encode()) for passage in passages]
    return Nats(nats, errors, sizes)


def cell_of(kind: str, pair: PairFile, source: str, passages: list[Passage]) -> Likelihood:
    """What was measured: one run in MLflow."""
    files = pair.models[kind]
    text = json.dumps([vars(passage) for passage in passages])
    is_bound = kinds.has_steps(kind)
    return Likelihood(
        pair=pair.name, model=kind, dtype=pair.dtype,
        revision=files.revision(),
        text=Path(source).name, texts=len(passages), text_hash=hashlib.sha256(text.encode()).hexdigest()[:12],
        samples=SAMPLES if is_bound else None, canvas=CANVAS_TOKENS if is_bound else None,
        identity_version=IDENTITY_VERSION,
    )  # fmt: skip


def measure(pair: PairFile, passages: dict[str, list[Passage]], device: str, sink: Sink) -> Iterator[str]:
    """Score each source's passages by both models, where the study has no such record; yield a line for each.

    pair: with local directories (bench.spec.pair.fetch). passages: by source. Each record is on disk before its line.
    Raises BadInput, before anything loads, where a model cannot take a passage.
    """
    for source, of_source in passages.items():
        for model in pair.models:
            files = pair.models[model]
            check(files, of_source, source)
            cells = [cell_of(model, pair, source, of_source)]
            former.check(sink.study, cells, sink.known(), files.former_revision())
    for source, of_source in passages.items():
        for model in pair.models:
            cell = cell_of(model, pair, source, of_source)
            entry = sink.known().get(cell.cell_id)
            if entry is None:
                nats = score(pair.models[model], pair.dtype, of_source, device)
                sink.take(Scores(sink.study, cell.cell_id, "likelihood", {}, cell, ended_s=time.time(), **vars(nats)))
                entry = sink.known()[cell.cell_id]
            yield line_of(model, cell.text, entry.scores["likelihood"])


def line_of(model: str, source: str, record: Scores) -> str:
    """One model's likelihood of one source in words."""
    bits = stats.bits_per_byte(record.nats, record.text_bytes).value
    error = stats.bits_per_byte_error(record.standard_errors, record.text_bytes)
    quality = f"upper bound, Monte-Carlo error {error:.4f}" if kinds.has_steps(model) else "exact"
    return f"{model:6} {source:12} {bits:.4f} bits per byte ({quality}; {len(record.text_bytes)} texts)"
