"""Tokenizer and training rows of the pocket pair, from ShareGPT and generated tasks (`bench/data`).

A row is a prompt and an answer. There are four kinds: a question with the start of its answer, in the chat form that
the benchmark uses; plain text, where 64 tokens inside a long answer are followed by the next 128; a generated task with
a right answer; and a generated word problem with its working. Rows are stored in `.cache/pair/` and never committed,
since the text is not ours.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm import tqdm

from bench.data import problems, sharegpt, tasks
from bench.training.recipe import Recipe

CACHE = Path(".cache/pair")  # where `prepare` writes and training reads
BOS = "<|startoftext|>"
EOS = "<|endoftext|>"
MASK = "<|mask|>"
USER = "<|user|>"
ASSISTANT = "<|assistant|>"
SPECIALS = [BOS, EOS, MASK, USER, ASSISTANT]  # the trainer numbers special tokens in this order, from 0
CHUNK = 20_000  # items that a process makes from one seed
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


def rows_of_answers(tokenizer: Tokenizer, items: list[tuple[str, str]], prompt_tokens: int, answer_tokens: int) -> Rows:
    """Rows of (prompt, answer) in the chat form; an item whose prompt or answer is longer is left out."""
    eos = tokenizer.token_to_id(EOS)
    prompts = tokenizer.encode_batch([chat_text(prompt) for prompt, _ in items])
    answers = tokenizer.encode_batch([answer for _, answer in items])
    examples: list[Example] = [
        (prompt.ids, [*answer.ids, eos], len(text))
        for prompt, answer, (_, text) in zip(prompts, answers, items, strict=True)
        if len(prompt.ids) <= prompt_tokens and len(answer.ids) < answer_tokens
    ]
    return padded(examples, prompt_tokens + answer_tokens, eos)


def task_chunk(tokenizer_file: str, recipe: Recipe, seed: int) -> Rows:
    """CHUNK training items of one seed, rows of the recipe's prompt and answer tokens.

    Raises ValueError if an item is longer than these: the recipe would leave it out.
    """
    made = itertools.islice(tasks.items(seed, test=False, shares=recipe.task_shares), CHUNK)
    items = [(item.prompt, item.answer) for item in made]
    tokenizer = Tokenizer.from_file(tokenizer_file)
    rows = rows_of_answers(tokenizer, items, recipe.task_prompt_tokens, recipe.task_answer_tokens)
    if len(rows.ids) < len(items):
        raise ValueError("a task item is longer than the recipe's task_prompt_tokens or task_answer_tokens")
    return rows


def problem_chunk(tokenizer_file: str, recipe: Recipe, seed: int) -> Rows:
    """CHUNK training problems of one seed, less those that are longer than the recipe allows."""
    items = [(made.prompt, made.answer) for made in itertools.islice(problems.problems(seed, test=False), CHUNK)]
    tokenizer = Tokenizer.from_file(tokenizer_file)
    return rows_of_answers(tokenizer, items, recipe.problem_prompt_tokens, recipe.problem_answer_tokens)


def generated_rows(chunk: Callable[[str, Recipe, int], Rows], recipe: Recipe, tokenizer_file: Path, count: int) -> Rows:
    """Rows of `count` generated items, made by all processors in chunks; the same rows on any machine."""
    make = partial(chunk, str(tokenizer_file), recipe)
    seeds = range(1, count // CHUNK + 1)
    with ProcessPoolExecutor() as pool:
        return Rows.join(list(tqdm(pool.map(make, seeds), desc=chunk.__name__, total=len(seeds), mininterval=2)))


def task_rows(recipe: Recipe, tokenizer_file: Path) -> Rows:
    """The recipe's count of items of tasks."""
    return generated_rows(task_chunk, recipe, tokenizer_file, recipe.task_items)


def problem_rows(recipe: Recipe, tokenizer_file: Path) -> Rows:
    """The recipe's count of word problems."""
    return generated_rows(problem_chunk, recipe, tokenizer_file, recipe.problem_items)


def tokenizer_texts(turns: list[sharegpt.Turn]) -> list[str]:
    """What a tokenizer is trained on: the text, and items of the tasks."""
    texts = [text for turn in turns for text in (turn.prompt, turn.answer)]
    items = itertools.islice(tasks.items(0, test=False), TOKENIZER_ITEMS)
    return texts + [f"{item.prompt}\n{item.answer}" for item in items]


def prepare(recipe: Recipe, folder: Path) -> None:
    """Write tokenizer.json, train.npz, heldout.npz and counts.json to `folder`, once. A tokenizer.json that is there
    already is kept, since weights that are trained on need the tokenizer that they know."""
    if (folder / "counts.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    turns, counts = sharegpt.load_turns()
    train = [turn for turn in turns if not sharegpt.is_test(turn.conversation)]
    heldout = [turn for turn in turns if turn.first and sharegpt.is_test(turn.conversation)]
    tokenizer_file = folder / "tokenizer.json"
    if not tokenizer_file.is_file():
        train_tokenizer(tokenizer_texts(train), recipe.vocabulary).save(str(tokenizer_file))
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
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
