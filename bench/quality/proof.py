"""One real call of each scorer on a plain sentence, before anything is measured: can it score at all?

A judge must be causal, have weights for all of its tensors, a tokenizer whose ids it knows, and positions enough for
most prompts with an answer of full length. BERTScore's encoder must find a sentence like itself, and less like another.
What has passed is kept beside the judge's other facts, and is called again only where a file, a version of a library or
the prompts are others.
"""

import hashlib
import json
import math
import os
import statistics
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.common.characters import half_character
from bench.common.errors import BadInput
from bench.data.prompts import stored
from bench.quality import judge as judges
from bench.quality import models
from bench.quality.rows import reason_of
from bench.records.settings import HumanReferences
from bench.records.types import is_judge
from bench.spec.cell import Cell

QUESTION = "What is a business plan?"
SENTENCE = "A business plan describes the goals of a company, the market it serves and how it will earn money."
OTHER_SENTENCE = "Rain fell on the old bridge all night, and in the morning the river was brown."
LIBRARIES = ("torch", "transformers", "tokenizers", "bert_score")
LEAST_LIKENESS = 0.99  # BERTScore F1 of a sentence with itself
LOG = judges.CACHE / "check.log"  # what libraries said during the last check
SAME_LOGITS = 1e-3  # largest difference of logits that should not differ, as a share of their spread


@dataclass(frozen=True)
class Need:
    """What is to be scored: which scorers, and of which prompts with answers of how many tokens."""

    encoder: str
    judge: str
    scorers: frozenset[str]  # names as in records; others are not called
    prompts: frozenset[tuple[str, int]]  # (hash of a prompt set, tokens of an answer) that a judge reads

    @property
    def judge_name(self) -> str:
        """The judge as a record names it; empty where none is needed."""
        return next(filter(is_judge, self.scorers), "")

    @property
    def needs_encoder(self) -> bool:
        return f"bertscore-{self.encoder}" in self.scorers

    @property
    def key(self) -> str:
        """Names everything that the outcome depends on."""
        folders = (models.encoder_directory(self.encoder), judges.packaged_folder())
        files = [places_of(folder) for folder in folders]
        called = [self.judge_name, self.encoder if self.needs_encoder else ""]
        parts = [called, sorted(self.prompts), files, [version_of(library) for library in LIBRARIES]]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def need_of(encoder: str, judge: str, wanted: list[tuple[Cell | HumanReferences, list[str]]]) -> Need:
    """What some texts need. wanted: their settings, with the names of the scorers that are to score them."""
    return Need(
        encoder,
        judge,
        frozenset(name for _, names in wanted for name in names),
        frozenset((cell.prompt_hash, cell.gen_length) for cell, names in wanted if any(map(is_judge, names))),
    )


def places_of(folder: Path) -> list[str]:
    """The files of a folder, by path, size and time of change; none where there is no folder."""
    return [judges.place(file) for file in sorted(folder.glob("*")) if file.is_file()]


def version_of(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:  # the call will say so
        return "absent"


def is_proven(need: Need) -> bool:
    """Whether there is nothing to call, or what would be called has passed here before."""
    if not (need.judge_name or need.needs_encoder):
        return True
    return need.key in judges.read_kept("proofs")


def prove(need: Need) -> None:
    """Call each scorer that is needed. Raises BadInput, in one line, for one that cannot score."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries, about models; what matters is checked here
        if need.needs_encoder:
            prove_encoder(need.encoder)
        if need.judge_name:
            prove_judge(need.judge, need.prompts)
    judges.keep("proofs", {need.key: True})


def prove_apart(need: Need) -> bool:
    """`prove` for a process of its own. Returns True; raises BadInput, in one line, for a scorer that cannot score.

    What libraries write to standard error goes to a file, so that what is wrong stands alone on the terminal.
    """
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with open(LOG, "w") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    prove(need)
    return True


def prove_encoder(encoder: str) -> None:
    """Raise BadInput unless BERTScore can tell a sentence from another."""
    folder = models.encoder_directory(encoder)
    try:
        same, other = models.BertScore(encoder)([SENTENCE, OTHER_SENTENCE], [SENTENCE, SENTENCE])
    except Exception as error:  # whatever the libraries raise
        raise BadInput(f"BERTScore's encoder {encoder} ({folder}) cannot score: {reason_of(error)}") from error
    if not (same >= LEAST_LIKENESS and math.isfinite(other) and other < same):
        raise BadInput(
            f"BERTScore's encoder {encoder} ({folder}) cannot score: a sentence has {same:.3f} with itself and"
            f" {other:.3f} with another; install it again"
        )


def prove_judge(name: str, prompts: Iterable[tuple[str, int]]) -> None:
    """Raise BadInput unless a judge can judge. prompts: (hash of a prompt set, tokens of an answer)."""
    begin = f"JUDGE={name} cannot judge: "
    remedy = "; give another, or JUDGE=none"
    if name == judges.PACKAGED:
        remedy = f"; remove {judges.packaged_folder()} to have it unpacked again, or give JUDGE=none"
    try:
        judge = judges.Judge(name)
        fault = fault_of_weights(judge) or fault_of_tokenizer(judge) or fault_of_positions(judge, prompts)
        fault = fault or fault_of_answers(judge)
    except Exception as error:  # whatever transformers raises
        raise BadInput(f"{begin}{reason_of(error)}{remedy}") from error
    if fault:
        raise BadInput(f"{begin}{fault}{remedy}")


def fault_of_weights(judge: judges.Judge) -> str:
    """Tensors that the files lack: transformers would make them up at random."""
    missing = sorted(judge.loading["missing_keys"])
    return f"its files lack {len(missing)} tensors of the model ({missing[0]})" if missing else ""


def fault_of_tokenizer(judge: judges.Judge) -> str:
    """Ids beyond the model's vocabulary, or a tokenizer that does not know the words of a plain sentence."""
    largest = max(judge.tokenizer.get_vocab().values(), default=-1)
    rows = judge.model.get_input_embeddings().weight.shape[0]
    if largest >= rows:
        return f"its tokenizer has ids up to {largest}, the model a vocabulary of {rows}"
    ids = judge.tokenizer(SENTENCE, add_special_tokens=False)["input_ids"]
    if not ids or set(ids) == {judge.tokenizer.unk_token_id}:
        return "its tokenizer knows no word of a plain sentence"
    return ""


def fault_of_positions(judge: judges.Judge, prompts: Iterable[tuple[str, int]]) -> str:
    """Too few positions for the median prompt with an answer of full length."""
    lengths = [
        len(judge.head(prompt.text)) + tokens
        for prompt_hash, tokens in prompts
        for prompt in stored(prompt_hash)
        if not half_character(prompt.text)  # which its row says
    ]  # fmt: skip
    of_sentence = len(judge.head(QUESTION)) + len(judge.tokenizer(SENTENCE, add_special_tokens=False)["input_ids"])
    needed = max(of_sentence, math.ceil(statistics.median(lengths or [0])))
    if needed > judge.positions:
        return f"it has {judge.positions} positions, and a typical prompt with its answer takes {needed}"
    judge.logits((judge.head(QUESTION) * needed)[:needed], 1)  # raises where its configuration promises too much
    return ""


def fault_of_answers(judge: judges.Judge) -> str:
    """A likelihood that is no number, or logits that depend on what comes later."""
    nats, tokens = judge(QUESTION, SENTENCE)
    if not nats > 0:
        return f"it gives a plain sentence of {tokens} tokens {nats:g} nats"
    ids = [*judge.head(QUESTION), *judge.tokenizer(SENTENCE, add_special_tokens=False)["input_ids"]]
    changed = [*ids[:-1], ids[-2] if ids[-2] != ids[-1] else ids[0]]
    before, after = (judge.logits(row, len(row))[:-1] for row in (ids, changed))
    spread = float((before.max() - before.min()).abs())
    if float((before - after).abs().max()) > SAME_LOGITS * spread:
        return "it is not causal: what it says of a word depends on the words behind it"
    return ""
