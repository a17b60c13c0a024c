"""Small generated tasks whose answers are checked by rule: quality that cannot be argued with.

Two kinds. *One right answer*: the prompt fixes every token, so positions are independent given it and one
denoising step can be as good as many. *Many right answers*: positions depend on each other, and tokens that
are committed in parallel break the answer until the steps are many. ParallelBench (arXiv 2510.04767)
measures the same effect on large models.

A prompt is `NAME ARGUMENTS: BODY`, its words separated by spaces, so the rule can be read off the prompt alone:

    python -m bench.tasks          # one item of each task and level
"""

import hashlib
import itertools
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LEVELS = (1, 2, 3)
TEST_PERCENT = 10  # share of all possible items kept out of training
LETTERS = string.ascii_lowercase
Random = random.Random


@dataclass(frozen=True)
class Item:
    """One prompt with one of its right answers."""

    task: str
    level: int
    prompt: str
    answer: str


@dataclass(frozen=True)
class Task:
    """How items are made and answers checked. `valid` gets prompt arguments, prompt body and answer as words."""

    many_answers: bool
    make: Callable[[Random, int], tuple[str, str]]
    valid: Callable[[list[str], list[str], list[str]], bool]


def letters(rng: Random, level: int, sizes: tuple[tuple[int, int], ...], distinct: bool = True) -> list[str]:
    """Random letters, as many as the level asks for."""
    count = rng.randint(*sizes[level - 1])
    return rng.sample(LETTERS, count) if distinct else rng.choices(LETTERS, k=count)


LISTS = ((4, 6), (7, 10), (11, 14))
SHORT_LISTS = ((4, 4), (5, 6), (7, 10))


def make_copy(rng: Random, level: int) -> tuple[str, str]:
    items = " ".join(letters(rng, level, LISTS, distinct=False))
    return f"Copy: {items}", items


def make_reverse(rng: Random, level: int) -> tuple[str, str]:
    items = letters(rng, level, LISTS, distinct=False)
    return f"Reverse: {' '.join(items)}", " ".join(reversed(items))


def make_sort(rng: Random, level: int) -> tuple[str, str]:
    items = letters(rng, level, LISTS)
    return f"Sort: {' '.join(items)}", " ".join(sorted(items))


def make_lookup(rng: Random, level: int) -> tuple[str, str]:
    """Pairs of a letter and a digit; those of some letters are asked for."""
    pairs = [letter + str(rng.randint(0, 9)) for letter in rng.sample(LETTERS, 2 + 2 * level)]
    asked = rng.sample(pairs, level)
    return f"Lookup {' '.join(pair[0] for pair in asked)}: {' '.join(pairs)}", " ".join(asked)


def make_add(rng: Random, level: int) -> tuple[str, str]:
    a, b = rng.randint(10, 99 if level == 1 else 999), rng.randint(10, 999 if level == 3 else 99)
    return f"Add: {a} + {b}", str(a + b)


def make_shuffle(rng: Random, level: int) -> tuple[str, str]:
    items = letters(rng, level, SHORT_LISTS)
    answer = items
    while answer == items:
        answer = rng.sample(items, len(items))
    return f"Shuffle: {' '.join(items)}", " ".join(answer)


def make_pick(rng: Random, level: int) -> tuple[str, str]:
    items = rng.sample(LETTERS, 3 + 3 * level)
    count = rng.randint(level + 2, 2 * level + 2)
    return f"Pick {count}: {' '.join(items)}", " ".join(rng.sample(items, count))


def make_split(rng: Random, level: int) -> tuple[str, str]:
    total = rng.randint(200, 999) if level == 2 else rng.randint(20, 199)
    parts = 3 if level == 3 else 2
    cuts = [0, *sorted(rng.sample(range(1, total), parts - 1)), total]
    return f"Split {parts}: {total}", " + ".join(str(b - a) for a, b in itertools.pairwise(cuts))


def make_brackets(rng: Random, level: int) -> tuple[str, str]:
    """A random balanced string, cut: the rest is the answer."""
    rest = rng.randint(6 * level - 2, 6 * level + 2)
    length = rest + rng.randint(3, 10)
    length += length % 2
    text, depth = [], 0
    while len(text) < length:
        opens = depth == 0 or (depth < length - len(text) and rng.random() < 0.5)
        depth += 1 if opens else -1
        text.append("(" if opens else ")")
    return f"Brackets {length}: {' '.join(text[:-rest])}", " ".join(text[-rest:])


def make_latin(rng: Random, level: int) -> tuple[str, str]:
    """Rows drawn until no column repeats a letter; Hall's theorem says that a next row always exists."""
    items = rng.sample(LETTERS, 3 if level < 3 else 4)
    rows: list[list[str]] = []
    while len(rows) < len(items):
        row = rng.sample(items, len(items))
        if all(row[i] != other[i] for other in rows for i in range(len(items))):
            rows.append(row)
    return f"Latin: {' '.join(items)}", " / ".join(" ".join(row) for row in rows)


def is_shuffle(_: list[str], body: list[str], answer: list[str]) -> bool:
    return sorted(answer) == sorted(body) and answer != body


def is_pick(arguments: list[str], body: list[str], answer: list[str]) -> bool:
    return len(answer) == int(arguments[0]) == len(set(answer)) and set(answer) <= set(body)


def is_split(arguments: list[str], body: list[str], answer: list[str]) -> bool:
    numbers, signs = answer[::2], answer[1::2]
    most_digits = len(body[0])  # a longer number is wrong whatever it is, and Python refuses to read 5,000 digits
    are_whole = all(n.isascii() and n.isdecimal() and n[0] != "0" and len(n) <= most_digits for n in numbers)
    return (
        are_whole
        and set(signs) <= {"+"}
        and len(answer) == 2 * int(arguments[0]) - 1
        and sum(map(int, numbers)) == int(body[0])
    )


def is_balanced(arguments: list[str], body: list[str], answer: list[str]) -> bool:
    text, depth = body + answer, 0
    for symbol in text:
        depth += {"(": 1, ")": -1}.get(symbol, -len(text) - 1)
        if depth < 0:
            return False
    return depth == 0 and len(text) == int(arguments[0])


def is_latin(_: list[str], body: list[str], answer: list[str]) -> bool:
    rows = [row.split() for row in " ".join(answer).split(" / ")]
    lines = [*rows, *map(list, zip(*rows, strict=False))]
    return (
        len(rows) == len(body) and all(sorted(line) == sorted(body) for line in lines) and len(lines) == 2 * len(body)
    )


TASKS = {
    "copy": Task(False, make_copy, lambda _, body, answer: answer == body),
    "reverse": Task(False, make_reverse, lambda _, body, answer: answer == body[::-1]),
    "sort": Task(False, make_sort, lambda _, body, answer: answer == sorted(body)),
    "lookup": Task(
        False, make_lookup, lambda asked, body, answer: answer == [p for a in asked for p in body if p[0] == a]
    ),
    "add": Task(False, make_add, lambda _, body, answer: answer == [str(int(body[0]) + int(body[2]))]),
    "shuffle": Task(True, make_shuffle, is_shuffle),
    "pick": Task(True, make_pick, is_pick),
    "split": Task(True, make_split, is_split),
    "brackets": Task(True, make_brackets, is_balanced),
    "latin": Task(True, make_latin, is_latin),
}


def task_of(prompt: str) -> str:
    """The task that a prompt asks for. Raises ValueError if it is none."""
    name = prompt.split(":")[0].split(" ")[0].lower()
    if name not in TASKS or ":" not in prompt:
        raise ValueError(f"{prompt!r} is not a prompt of {', '.join(TASKS)}")
    return name


def is_valid(prompt: str, answer: str) -> bool:
    """Whether the answer is right, by the rule of the prompt's task. White space between words does not matter."""
    head, body = prompt.split(":")
    return TASKS[task_of(prompt)].valid(head.split()[1:], body.split(), answer.split())


def is_test(item: Item) -> bool:
    """Whether an item is held out: by its words whatever their order, so that no reordering of one is trained on.

    Of brackets the order is the item.
    """
    words = item.prompt if item.task == "brackets" else " ".join(sorted(item.prompt.split()))
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:4], "big") % 100 < TEST_PERCENT


def items(seed: int, test: bool, shares: dict[str, int] | None = None) -> Iterator[Item]:
    """Endless items of the training or the test side, levels and tasks in turn; those of the test side are distinct.

    shares: how often a task comes in each turn, where that is not once.
    """
    rng, seen = Random(seed), set()
    turn = [name for name in TASKS for _ in range((shares or {}).get(name, 1))]
    while True:
        for level in LEVELS:
            for name in turn:
                item = draw(rng, name, level, test, seen)
                if test:
                    seen.add(item.prompt)
                yield item


def draw(rng: Random, name: str, level: int, test: bool, seen: set[str]) -> Item:
    """One item of the wanted side that was not seen. Raises ValueError when there seems to be none left."""
    for _ in range(100_000):
        item = Item(name, level, *TASKS[name].make(rng, level))
        if is_test(item) == test and item.prompt not in seen:
            return item
    raise ValueError(f"there are no more test items of {name}, level {level}; ask for fewer prompts")
