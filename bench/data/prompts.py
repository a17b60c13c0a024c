"""Prompt sets: text, reference answer, token ids for each model, and a hash that names the set.

Sources: held-out ShareGPT questions (never seen in training), generated tasks (`bench/data/tasks.py`) and word problems
(`bench/data/problems.py`), or a JSON-lines file of the user's with `prompt` and, for BERTScore, `reference` on each
line. Used sets are kept in `mlruns/prompts/HASH.json`.

Scaling cells want prompts of exactly N tokens: `exact` joins prompts of the source and cuts them. Where answers are to
be as long as the references, such a prompt keeps the reference of the first that was joined.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path

from bench.common import paths, read
from bench.common.errors import BadInput
from bench.data import problems, sharegpt, tasks
from bench.data.prompt import Prompt

CACHE = Path(".cache/prompts")  # of held-out questions, since to read the package takes seconds
CHARS_PER_TOKEN = 4  # a guess at how much text to join; more is added where it falls short
A_LINE = 'a JSON object with "prompt" (and "reference")'  # of a prompt file


def heldout_questions() -> list[tuple[str, str]]:
    """Held-out (question, answer) pairs that begin a conversation, in an order fixed by their hash; cached."""
    key = hashlib.sha256(Path(sharegpt.__file__).read_bytes()).hexdigest()[:12]
    file = CACHE / f"sharegpt-{key}.json"
    if not file.is_file():
        turns = [turn for turn in sharegpt.heldout_turns() if turn.first]
        turns.sort(key=lambda turn: hashlib.sha256(turn.prompt.encode()).hexdigest())
        paths.write(file, json.dumps([(turn.prompt, turn.answer) for turn in turns]))
    return [tuple(pair) for pair in read.json_value(read.text_of(file), file)]


def task_items(count: int) -> list[tuple[str, str]]:
    """(prompt, one right answer) of the first test items; every task and level comes equally often."""
    try:
        return [(item.prompt, item.answer) for item in itertools.islice(tasks.items(0, test=True), count)]
    except ValueError as error:
        raise BadInput(f"PROMPTS={count}: {error}") from error


def problem_items(count: int) -> list[tuple[str, str]]:
    """(prompt, its answer) of the first word problems of the test side; every depth comes equally often."""
    return [(item.prompt, item.answer) for item in itertools.islice(problems.problems(0, test=True), count)]


GENERATED = {"tasks": task_items, "problems": problem_items}  # sources whose answers are checked by rule


def read_file(file: Path) -> list[tuple[str, str | None]]:
    """(prompt, reference or None) of a JSON-lines file. Raises BadInput naming the first bad line."""
    if not file.is_file():
        raise BadInput(f"{file}: prompt file not found; give PROMPTS_FILE= a JSON-lines file")
    return [prompt_of(item, where) for where, item in read.json_lines(file, A_LINE)]


def prompt_of(item: object, where: str) -> tuple[str, str | None]:
    """(prompt, reference or None) of a line's JSON value. where: the line, for messages. Raises BadInput."""
    if not isinstance(item, dict) or "prompt" not in item:
        raise BadInput(f"{where}: expected {A_LINE}")
    prompt, reference = item["prompt"], item.get("reference")
    if not is_filled(prompt) or not (reference is None or is_filled(reference)):
        raise BadInput(f"{where}: prompt and reference must be text that is not empty, or no reference")
    if any("\ud800" <= letter <= "\udfff" for letter in prompt):
        raise BadInput(f"{where}: the prompt holds half of a character (a lone surrogate), which no tokenizer takes")
    return prompt, reference


def is_filled(text: object) -> bool:
    """Whether a value is text that is more than blanks."""
    return isinstance(text, str) and bool(text.strip())


def candidates_of(source: str, count: int) -> list[tuple[str, str | None]]:
    """(prompt, reference or None) of a source, in its order; of generated ones `count`."""
    if source == "sharegpt":
        return heldout_questions()
    return GENERATED[source](count) if source in GENERATED else read_file(Path(source))


def is_own_file(source: str) -> bool:
    """Whether a source is a file of the user's."""
    return source != "sharegpt" and source not in GENERATED


def have_references(source: str) -> bool:
    """Whether every prompt of a source has a reference. Raises BadInput where it cannot be read."""
    return not is_own_file(source) or all(reference is not None for _, reference in read_file(Path(source)))


def select(
    source: str, count: int, max_tokens: int | None, min_reference: int, encoders: dict[str, Callable[[str], list[int]]]
) -> tuple[Prompt, ...]:
    """The first `count` prompts of a source that fit. encoders: text to token ids, by model name.

    source: "sharegpt", "tasks", "problems" or the path of a JSON-lines file; but for the first they are taken as they
    are: a prompt of theirs is never dropped. Raises BadInput if none is left, or fewer than asked for.
    """
    is_filtered = source == "sharegpt"
    candidates = candidates_of(source, count)
    chosen: list[Prompt] = []
    for text, reference in candidates:
        if is_filtered and len(reference) < min_reference:
            continue
        ids = {model: to_ids(text) for model, to_ids in encoders.items()}
        if is_filtered and max_tokens and max(map(len, ids.values())) > max_tokens:
            continue
        chosen.append(Prompt(text, reference, ids))
        if len(chosen) == count:
            break
    if not chosen:
        raise BadInput(f"{source}: the prompt set is empty; no prompt passes the pair's limits")
    if len(chosen) < count and not is_own_file(source):
        raise BadInput(
            f"{source}: only {len(chosen)} prompts pass the pair's limits; set PROMPTS={len(chosen)} or less"
        )
    return tuple(chosen)


def exact(
    source: str,
    count: int,
    tokens: int,
    encoders: dict[str, Callable[[str], list[int]]],
    with_references: bool = False,
) -> tuple[Prompt, ...]:
    """`count` prompts of exactly `tokens` ids for each model: the source's prompts joined in order, then cut.

    Each prompt goes on where the one before ended, and round again from the first when the source is used up. Both
    models read the same text; what a tokenizer needs more tokens for is cut earlier. Ids of the chat form stay around
    the cut text. Such prompts are timed, never scored. with_references: each keeps the reference of the first prompt
    that was joined for it, whose length is that of a real answer; otherwise it has none. Raises BadInput for fewer
    tokens than the chat form has, or no prompts.
    """
    questions = heldout_questions() if source == "sharegpt" else read_file(Path(source))
    if not questions:
        raise BadInput(f'{source}: holds no prompts; give JSON lines with a text under "prompt"')
    beginnings = itertools.cycle([(text[: CHARS_PER_TOKEN * tokens], reference) for text, reference in questions])
    others = (text for text, _ in beginnings)
    endings = {model: chat_ending(to_ids) for model, to_ids in encoders.items()}
    if tokens < (least := max(len(to_ids("a")) for to_ids in encoders.values())):
        raise BadInput(f"prompt_tokens {tokens}: a message of this pair has at least {least} tokens")
    prompts = []
    for _ in range(count):
        first, reference = next(beginnings)
        text, ids = long_enough(itertools.chain([first], others), tokens, encoders)
        cut_ids = {model: row[: tokens - len(endings[model])] + endings[model] for model, row in ids.items()}
        prompts.append(Prompt(text, reference if with_references else None, cut_ids))
    return tuple(prompts)


def long_enough(
    texts: Iterator[str], tokens: int, encoders: dict[str, Callable[[str], list[int]]]
) -> tuple[str, dict[str, list[int]]]:
    """(text, its ids for each model): the next texts joined until each model has at least so many ids of them.

    Raises BadInput where more text gives a model no more ids.
    """
    text = ""
    ids: dict[str, list[int]] = {model: [] for model in encoders}
    while min(map(len, ids.values())) < tokens:
        text += joined(texts, CHARS_PER_TOKEN * tokens)
        before = ids
        ids = {model: to_ids(text) for model, to_ids in encoders.items()}
        for model, row in ids.items():
            if len(row) <= len(before[model]):
                raise BadInput(f"the tokenizer or the chat template of {model} leaves out the user's message")
    return text, ids


def joined(texts: Iterator[str], least: int) -> str:
    """The next texts with blanks between them, at least so many characters."""
    text = ""
    while len(text) < least:
        text += next(texts) + " "
    return text


def chat_ending(to_ids: Callable[[str], list[int]]) -> list[int]:
    """What the chat form puts behind any message; empty for a model that has none."""
    of_letter = to_ids("a")
    of_digit = to_ids("1")
    backwards = zip(reversed(of_letter), reversed(of_digit), strict=False)
    shared = sum(1 for _ in itertools.takewhile(lambda ids: ids[0] == ids[1], backwards))
    return of_letter[len(of_letter) - shared :]


def keep(prompts: tuple[Prompt, ...], with_ids: bool = False) -> str:
    """Store a prompt set; returns its hash, over texts and references, and over token ids where these were cut.

    Where the same texts were kept with other token ids, this set is kept beside them, and nothing is lost.
    """
    text = json.dumps([(prompt.text, prompt.reference, *([prompt.ids] if with_ids else [])) for prompt in prompts])
    name = hashlib.sha256(text.encode()).hexdigest()[:12]
    content = json.dumps([asdict(prompt) for prompt in prompts])
    file = paths.ROOT / "prompts" / f"{name}.json"
    if file.is_file() and file.read_bytes() != content.encode():
        file = file.with_name(f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.json")
    if not file.is_file():
        paths.write(file, content)
    return name


@cache
def stored(prompt_hash: str) -> tuple[Prompt, ...]:
    """A prompt set that was used here; empty if its file is gone."""
    file = paths.ROOT / "prompts" / f"{prompt_hash}.json"
    if not file.is_file():
        return ()
    return tuple(Prompt(**prompt) for prompt in read.json_value(read.text_of(file), file))
