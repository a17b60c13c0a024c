"""Tokenizer and training rows of the pocket pair, from ShareGPT and generated tasks (`bench/data`).

A row is a prompt and an answer. There are three kinds: a question with the start of its answer, in the chat form that
the benchmark uses; plain text, where 64 tokens inside a long answer are followed by the next 128; and a generated task
with a right answer. Rows are stored in `.cache/pair/` and never committed, since the text is not ours.
"""

import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm import tqdm

from bench.data import sharegpt, tasks
from bench.training.recipe import Recipe

CACHE = Path(".cache/pair")  # where `prepare` writes and training reads
BOS = "<|startoftext|>"
EOS = "<|endoftext|>"
MASK = "<|mask|>"
USER = "<|user|>"
ASSISTANT = "<|assistant|>"
SPECIALS = [BOS, EOS, MASK, USER, ASSISTANT]  # the trainer numbers special tokens in this order, from 0
TASK_CHUNK = 20_000  # items that a process makes from one seed
TOKENIZER_ITEMS = 30_000  # task items among the text that the tokenizer learns from
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ bos_token if loop.first }}<|{{ m.role }}|>{{ m.content }}{% endfor %}<|assistant|>"
)


Example = tuple[list[int], list[int], int]  # prompt ids, answer ids, UTF-8 bytes of the answer (0: not counted)


def special_id(name: str) -> int:
    """The token id of a special token."""
    return SPECIALS.index(name)


@dataclass(frozen=True)
class Rows:
    """Training rows: `ids` uint16 [rows, width], prompt then answer then EOS to the full width."""

    ids: np.ndarray
    prompt_lengths: np.ndarray  # [rows]
    answer_lengths: np.ndarray  # [rows], the EOS that ends a whole answer included, padding not
    answer_bytes: np.ndarray  # [rows] UTF-8 bytes of the answer text, 0 where not counted

    def save(self, file: Path) -> None:
        np.savez_compressed(file, **vars(self))

    @classmethod
    def load(cls, file: Path) -> "Rows":
        with np.load(file) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})

    @classmethod
    def join(cls, parts: list["Rows"]) -> "Rows":
        """The rows of all parts, which have the same width."""
        return cls(*(np.concatenate(arrays) for arrays in zip(*(vars(part).values() for part in parts), strict=True)))


def train_tokenizer(texts: list[str], vocabulary: int) -> Tokenizer:
    """Byte-level BPE of `vocabulary` entries, special tokens included; each digit is a token of its own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def chat_text(prompt: str) -> str:
    """A prompt in the pair's chat form, up to where the answer begins."""
    return f"{BOS}{USER}{prompt}{ASSISTANT}"


def chat_ids(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """Token ids of a prompt in the pair's chat form (the same as CHAT_TEMPLATE renders)."""
    return tokenizer.encode(chat_text(prompt), add_special_tokens=False).ids


def examples_of(
    turn: sharegpt.Turn, tokenizer: Tokenizer, prompt_tokens: int, answer_tokens: int, width: int
) -> Iterator[Example]:
    """The examples of one turn: the chat row, then windows of a long answer, its text before the window as a prompt."""
    eos = tokenizer.token_to_id(EOS)
    answer = tokenizer.encode(turn.answer, add_special_tokens=False).ids
    answer.append(eos)
    prompt = chat_ids(tokenizer, turn.prompt)
    if len(prompt) <= prompt_tokens:
        part = answer[: width - len(prompt)]
        yield prompt, part, len(tokenizer.decode(part).encode())
        start = len(part)
    else:
        start = prompt_tokens
    while len(answer) - start > answer_tokens // 4:
        part = answer[start : start + answer_tokens]
        yield answer[start - prompt_tokens : start], part, 0
        start += answer_tokens


def padded(examples: list[Example], width: int, eos: int) -> Rows:
    """Rows of examples, EOS-padded to `width`."""
    ids = np.full((len(examples), width), eos, dtype=np.uint16)
    for row, (prompt, answer, _) in enumerate(examples):
        ids[row, : len(prompt) + len(answer)] = prompt + answer
    return Rows(
        ids,
        prompt_lengths=np.array([len(prompt) for prompt, _, _ in examples], dtype=np.int32),
        answer_lengths=np.array([len(answer) for _, answer, _ in examples], dtype=np.int32),
        answer_bytes=np.array([count for _, _, count in examples], dtype=np.int32),
    )


def pack(turns: list[sharegpt.Turn], tokenizer: Tokenizer, prompt_tokens: int, answer_tokens: int) -> Rows:
    """All rows of the turns, EOS-padded to prompt_tokens + answer_tokens."""
    width = prompt_tokens + answer_tokens
    examples: list[Example] = []
    for turn in tqdm(turns, desc="rows", unit="turn", mininterval=2):
        examples.extend(examples_of(turn, tokenizer, prompt_tokens, answer_tokens, width))
    return padded(examples, width, tokenizer.token_to_id(EOS))


def task_chunk(tokenizer_file: str, recipe: Recipe, seed: int) -> Rows:
    """TASK_CHUNK training items of one seed, rows of the recipe's prompt and answer tokens.

    Raises ValueError if an item is longer than these: the recipe would cut its answer.
    """
    tokenizer = Tokenizer.from_file(tokenizer_file)
    eos = tokenizer.token_to_id(EOS)
    items = list(itertools.islice(tasks.items(seed, test=False, shares=recipe.task_shares), TASK_CHUNK))
    prompts = tokenizer.encode_batch([chat_text(item.prompt) for item in items])
    answers = tokenizer.encode_batch([item.answer for item in items])
    examples: list[Example] = [
        (prompt.ids, [*answer.ids, eos], len(item.answer))
        for prompt, answer, item in zip(prompts, answers, items, strict=True)
    ]
    longest_prompt = max(len(prompt) for prompt, _, _ in examples)
    longest_answer = max(len(answer) for _, answer, _ in examples)
    if longest_prompt > recipe.task_prompt_tokens or longest_answer > recipe.task_answer_tokens:
        raise ValueError("a task item is longer than the recipe's task_prompt_tokens or task_answer_tokens")
    return padded(examples, recipe.task_prompt_tokens + recipe.task_answer_tokens, eos)


def task_rows(recipe: Recipe, tokenizer_file: Path) -> Rows:
    """The recipe's count of generated training items, made by all processors; the same rows on any machine."""
    make = partial(task_chunk, str(tokenizer_file), recipe)
    chunks = recipe.task_items // TASK_CHUNK
    with ProcessPoolExecutor() as pool:
        return Rows.join(list(tqdm(pool.map(make, range(1, chunks + 1)), desc="tasks", total=chunks, mininterval=2)))


def prepare(recipe: Recipe, folder: Path) -> None:
    """Write tokenizer.json, train.npz, heldout.npz and counts.json to `folder`, once."""
    if (folder / "counts.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    turns, counts = sharegpt.load_turns()
    train = [turn for turn in turns if not sharegpt.is_test(turn.conversation)]
    heldout = [turn for turn in turns if turn.first and sharegpt.is_test(turn.conversation)]
    texts = [text for turn in train for text in (turn.prompt, turn.answer)]
    items = itertools.islice(tasks.items(0, test=False), TOKENIZER_ITEMS)
    texts += [f"{item.prompt}\n{item.answer}" for item in items]
    tokenizer = train_tokenizer(texts, recipe.vocabulary)
    tokenizer.save(str(folder / "tokenizer.json"))
    for name, part in (("train", train), ("heldout", heldout)):
        rows = pack(part, tokenizer, recipe.prompt_tokens, recipe.answer_tokens)
        if name == "heldout":  # chat rows alone, since that is what the benchmark asks for
            keep = rows.answer_bytes > 0
            rows = Rows(*(array[keep] for array in vars(rows).values()))
        rows.save(folder / f"{name}.npz")
        counts[f"{name} rows"] = len(rows.ids)
        counts[f"{name} chat rows"] = int((rows.answer_bytes > 0).sum())
        counts[f"{name} answer tokens"] = int(rows.answer_lengths.sum())
    (folder / "counts.json").write_text(json.dumps(counts, indent=1))
