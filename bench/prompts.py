"""Prompt sets: text, reference answer, token ids for each model, and a hash that names the set.

Sources: held-out ShareGPT questions (never seen in training), generated tasks (`bench/tasks.py`), or a
JSON-lines file of the user's with `prompt` and, for BERTScore, `reference` on each line. Used sets are kept in
`mlruns/prompts/HASH.json`.

Scaling cells want prompts of exactly N tokens: `exact` joins prompts of the source and cuts them.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from bench import records, sharegpt, tasks
from bench.cell import Prompt
from bench.errors import BadInput

CACHE = Path(".cache/prompts")


def tokenizer_directory(name: str) -> str:
    """A directory as it is; `package:NAME` is the directory of an installed package."""
    if not name.startswith("package:"):
        return name
    found = find_spec(name.removeprefix("package:"))
    if found is None:
        raise BadInput(f"{name}: the package is not installed; run `make setup`")
    return str(Path(found.origin).parent)


@cache
def tokenizer(directory: str):
    """The tokenizer of a directory, with its chat template if it has one. Raises BadInput if there is none."""
    file = Path(directory) / "tokenizer.json"
    if not file.is_file():
        raise BadInput(f"{directory}: no tokenizer there (tokenizer.json is missing)")
    from transformers import PreTrainedTokenizerFast

    if (file.parent / "tokenizer_config.json").is_file():
        return PreTrainedTokenizerFast.from_pretrained(directory)
    return PreTrainedTokenizerFast(tokenizer_file=str(file))


def encode(directory: str, prompt: str) -> list[int]:
    """Token ids of a user's message in the model's chat form; plain text for a model that has no template."""
    tok = tokenizer(directory)
    if tok.chat_template is None:
        return tok(prompt)["input_ids"]  # with bos if the tokenizer adds one
    message = [{"role": "user", "content": prompt}]
    return list(tok.apply_chat_template(message, add_generation_prompt=True)["input_ids"])


def kept_ids(record: dict) -> list[list[int]]:
    """Token ids of a round's generations, each up to its first EOS, that one included."""
    kept = [count for call in record["calls"] for count in call["kept"]]
    return [row[:count] for row, count in zip(record["sequences"], kept, strict=True)]


def decode(directory: str, record: dict) -> list[str]:
    """Texts of a round's generations, each up to its first EOS."""
    return [text.strip() for text in tokenizer(directory).batch_decode(kept_ids(record), skip_special_tokens=True)]


def cut(directory: str, text: str, tokens: int) -> str:
    """The first `tokens` tokens of a text, as text: references are as long as an answer may be."""
    tok = tokenizer(directory)
    return tok.decode(tok(text, add_special_tokens=False)["input_ids"][:tokens], skip_special_tokens=True).strip()


def write(file: Path, text: str) -> None:
    """Write a whole file or none of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text(text)
    part.replace(file)


def heldout_questions() -> list[tuple[str, str]]:
    """Held-out (question, answer) pairs that begin a conversation, in an order fixed by their hash; cached."""
    key = hashlib.sha256(Path(sharegpt.__file__).read_bytes()).hexdigest()[:12]
    file = CACHE / f"sharegpt-{key}.json"
    if not file.is_file():
        turns = [turn for turn in sharegpt.heldout_turns() if turn.first]
        turns.sort(key=lambda turn: hashlib.sha256(turn.prompt.encode()).hexdigest())
        write(file, json.dumps([(turn.prompt, turn.answer) for turn in turns]))
    return [tuple(pair) for pair in json.loads(file.read_text())]


def task_items(count: int) -> list[tuple[str, str]]:
    """(prompt, one right answer) of the first test items; every task and level comes equally often."""
    try:
        return [(item.prompt, item.answer) for item in itertools.islice(tasks.items(0, test=True), count)]
    except ValueError as error:
        raise BadInput(f"PROMPTS={count}: {error}") from error


def read_file(file: Path) -> list[tuple[str, str | None]]:
    """(prompt, reference or None) of a JSON-lines file. Raises BadInput naming the first bad line."""
    if not file.is_file():
        raise BadInput(f"{file}: prompt file not found; give PROMPTS_FILE= a JSON-lines file")
    found = []
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: not UTF-8 text ({error})") from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            prompt, reference = item["prompt"], item.get("reference")
        except (json.JSONDecodeError, TypeError, KeyError, AttributeError):
            raise BadInput(f'{file}, line {number}: expected a JSON object with "prompt" (and "reference")') from None
        if not all(
            isinstance(text, str) and text.strip() for text in (prompt, "-" if reference is None else reference)
        ):
            raise BadInput(
                f"{file}, line {number}: prompt and reference must be text that is not empty, or no reference"
            )
        found.append((prompt, reference))
    return found


def select(
    source: str, count: int, max_tokens: int | None, min_reference: int, encoders: dict[str, Callable[[str], list[int]]]
) -> tuple[Prompt, ...]:
    """The first `count` prompts of a source that fit. encoders: text to token ids, by model name.

    source: "sharegpt", "tasks" or the path of a JSON-lines file; the last two are taken as they are: a prompt of
    theirs is never dropped. Raises BadInput if none is left, or fewer than asked for.
    """
    own_file, filtered = source not in ("sharegpt", "tasks"), source == "sharegpt"
    candidates = read_file(Path(source)) if own_file else heldout_questions() if filtered else task_items(count)
    found: list[Prompt] = []
    for text, reference in candidates:
        if filtered and len(reference) < min_reference:
            continue
        ids = {model: to_ids(text) for model, to_ids in encoders.items()}
        if filtered and max_tokens and max(map(len, ids.values())) > max_tokens:
            continue
        found.append(Prompt(text, reference, ids))
        if len(found) == count:
            break
    if not found:
        raise BadInput(f"{source}: the prompt set is empty; no prompt passes the pair's limits")
    if len(found) < count and not own_file:
        raise BadInput(f"{source}: only {len(found)} prompts pass the pair's limits; set PROMPTS={len(found)} or less")
    return tuple(found)


CHARS_PER_TOKEN = 4  # a guess at how much text to join; more is added where it falls short


def exact(source: str, count: int, tokens: int, encoders: dict[str, Callable[[str], list[int]]]) -> tuple[Prompt, ...]:
    """`count` prompts of exactly `tokens` ids for each model: the source's prompts joined in order, then cut.

    Each prompt goes on where the one before ended, and round again from the first when the source is used up. Both
    models read the same text; what a tokenizer needs more tokens for is cut earlier. Ids of the chat form stay around
    the cut text. No references: such prompts are timed, never scored. Raises BadInput for fewer tokens than the chat
    form has, or no prompts.
    """
    questions = heldout_questions() if source == "sharegpt" else read_file(Path(source))
    known = [text[: CHARS_PER_TOKEN * tokens] for text, _ in questions]
    if not known:
        raise BadInput(f'{source}: holds no prompts; give JSON lines with a text under "prompt"')
    texts = itertools.cycle(known)
    endings = {model: chat_ending(to_ids) for model, to_ids in encoders.items()}
    if tokens < (least := max(len(to_ids("a")) for to_ids in encoders.values())):
        raise BadInput(f"prompt_tokens {tokens}: a message of this pair has at least {least} tokens")
    found = []
    for _ in range(count):
        text, ids = "", {model: [] for model in encoders}
        while min(map(len, ids.values())) < tokens:
            text += joined(texts, CHARS_PER_TOKEN * tokens)
            ids = {model: to_ids(text) for model, to_ids in encoders.items()}
        cut_ids = {model: row[: tokens - len(endings[model])] + endings[model] for model, row in ids.items()}
        found.append(Prompt(text, None, cut_ids))
    return tuple(found)


def joined(texts: Iterator[str], least: int) -> str:
    """The next texts with blanks between them, at least so many characters."""
    text = ""
    while len(text) < least:
        text += next(texts) + " "
    return text


def chat_ending(to_ids: Callable[[str], list[int]]) -> list[int]:
    """What the chat form puts behind any message; empty for a model that has none."""
    one, other = to_ids("a"), to_ids("1")
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one[::-1], other[::-1])))  # noqa: B905
    return one[len(one) - same :]


def keep(prompts: tuple[Prompt, ...], with_ids: bool = False) -> str:
    """Store a prompt set; returns its hash, over texts and references, and over token ids where these were cut."""
    text = json.dumps([(prompt.text, prompt.reference, *([prompt.ids] if with_ids else [])) for prompt in prompts])
    name = hashlib.sha256(text.encode()).hexdigest()[:12]
    file = records.ROOT / "prompts" / f"{name}.json"
    if not file.is_file():
        write(file, json.dumps([asdict(prompt) for prompt in prompts]))
    return name


@cache
def stored(prompt_hash: str) -> tuple[Prompt, ...]:
    """A prompt set that was used here; empty if its file is gone."""
    file = records.ROOT / "prompts" / f"{prompt_hash}.json"
    if not file.is_file():
        return ()
    return tuple(Prompt(**prompt) for prompt in json.loads(file.read_text()))
