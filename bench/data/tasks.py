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


LISTS = ((4, 6), (7, 10), (11, 14))  # the fewest and the most letters, by level
SHORT_LISTS = ((4, 4), (5, 6), (7, 10))  # the same, for tasks that are harder


def make_copy(rng: Random, level: int) -> tuple[str, str]:
    """Letters to be repeated."""
    items = " ".join(letters(rng, level, LISTS, distinct=False))
    return f"Copy: {items}", items


def make_reverse(rng: Random, level: int) -> tuple[str, str]:
    """Letters to be written backwards."""
    items = letters(rng, level, LISTS, distinct=False)
    return f"Reverse: {' '.join(items)}", " ".join(reversed(items))


def make_sort(rng: Random, level: int) -> tuple[str, str]:
    """Letters to be put into the order of the alphabet."""
    items = letters(rng, level, LISTS)
    return f"Sort: {' '.join(items)}", " ".join(sorted(items))


def make_lookup(rng: Random, level: int) -> tuple[str, str]:
    """Pairs of a letter and a digit; those of some letters are asked for."""
    pairs = [letter + str(rng.randint(0, 9)) for letter in rng.sample(LETTERS, 2 + 2 * level)]
    asked = rng.sample(pairs, level)
    return f"Lookup {' '.join(pair[0] for pair in asked)}: {' '.join(pairs)}", " ".join(asked)


def make_add(rng: Random, level: int) -> tuple[str, str]:
    """Two whole numbers to be added."""
    first = rng.randint(10, 99 if level == 1 else 999)
    second = rng.randint(10, 999 if level == 3 else 99)
    return f"Add: {first} + {second}", str(first + second)


def make_shuffle(rng: Random, level: int) -> tuple[str, str]:
    """Letters to be put into any other order."""
    items = letters(rng, level, SHORT_LISTS)
    answer = items
    while answer == items:
        answer = rng.sample(items, len(items))
    return f"Shuffle: {' '.join(items)}", " ".join(answer)


def make_pick(rng: Random, level: int) -> tuple[str, str]:
    """Letters of which some, any, are to be named."""
    items = rng.sample(LETTERS, 3 + 3 * level)
    count = rng.randint(level + 2, 2 * level + 2)
    return f"Pick {count}: {' '.join(items)}", " ".join(rng.sample(items, count))


def make_split(rng: Random, level: int) -> tuple[str, str]:
    """A number to be written as a sum of some parts, none of them 0."""
    total = rng.randint(200, 999) if level == 2 else rng.randint(20, 199)
    parts = 3 if level == 3 else 2
    cuts = [0, *sorted(rng.sample(range(1, total), parts - 1)), total]
    return f"Split {parts}: {total}", " + ".join(str(end - start) for start, end in itertools.pairwise(cuts))


def make_brackets(rng: Random, level: int) -> tuple[str, str]:
    """The beginning of a random string of balanced brackets: the rest is the answer."""
    rest = rng.randint(6 * level - 2, 6 * level + 2)
    length = rest + rng.randint(3, 10)
    length += length % 2
    text: list[str] = []
    depth = 0  # brackets that are open
    while len(text) < length:
        opens = depth == 0 or (depth < length - len(text) and rng.random() < 0.5)
        depth += 1 if opens else -1
        text.append("(" if opens else ")")
    return f"Brackets {length}: {' '.join(text[:-rest])}", " ".join(text[-rest:])


def make_latin(rng: Random, level: int) -> tuple[str, str]:
    """A Latin square to be written, of these letters.

    Rows are drawn until no column repeats a letter; by Hall's theorem a next row always exists.
    """
    items = rng.sample(LETTERS, 3 if level < 3 else 4)
    rows: list[list[str]] = []
    while len(rows) < len(items):
        row = rng.sample(items, len(items))
        if all(row[i] != other[i] for other in rows for i in range(len(items))):
            rows.append(row)
    return f"Latin: {' '.join(items)}", " / ".join(" ".join(row) for row in rows)


def is_lookup(asked: list[str], body: list[str], answer: list[str]) -> bool:
    """Whether an answer has the pairs of the letters that are asked for, in the order in which they are asked."""
    return answer == [pair for letter in asked for pair in body if pair[0] == letter]


def is_shuffle(_: list[str], body: list[str], answer: list[str]) -> bool:
    """Whether an answer has the same letters in another order."""
    return sorted(answer) == sorted(body) and answer != body


def is_pick(arguments: list[str], body: list[str], answer: list[str]) -> bool:
    """Whether an answer names as many different letters as asked, all of them given."""
    return len(answer) == int(arguments[0]) == len(set(answer)) and set(answer) <= set(body)


def is_whole_number(word: str) -> bool:
    """Whether a word is a whole number above 0, written as usual."""
    return word.isascii() and word.isdecimal() and word[0] != "0"


def is_split(arguments: list[str], body: list[str], answer: list[str]) -> bool:
    """Whether an answer is a sum of as many whole numbers above 0 as asked, which gives the number."""
    numbers = answer[::2]
    signs = answer[1::2]
    most_digits = len(body[0])  # no part is larger than the whole
    are_numbers = all(is_whole_number(word) and len(word) <= most_digits for word in numbers)
    is_sum = are_numbers and set(signs) <= {"+"}
    return is_sum and len(answer) == 2 * int(arguments[0]) - 1 and sum(map(int, numbers)) == int(body[0])


def is_balanced(arguments: list[str], body: list[str], answer: list[str]) -> bool:
    """Whether brackets and answer together are balanced and as long as asked."""
    text = body + answer
    depth = 0  # brackets that are open
    for symbol in text:
        depth += {"(": 1, ")": -1}.get(symbol, -len(text) - 1)
        if depth < 0:
            return False
    return depth == 0 and len(text) == int(arguments[0])


def is_latin(_: list[str], body: list[str], answer: list[str]) -> bool:
    """Whether an answer is a square in which each row and each column has every letter once."""
    rows = [row.split() for row in " ".join(answer).split(" / ")]
    lines = [*rows, *map(list, zip(*rows, strict=False))]
    return (
        len(rows) == len(body) and all(sorted(line) == sorted(body) for line in lines) and len(lines) == 2 * len(body)
    )


TASKS = {
    "copy": Task(False, make_copy, lambda _, body, answer: answer == body),
    "reverse": Task(False, make_reverse, lambda _, body, answer: answer == body[::-1]),
    "sort": Task(False, make_sort, lambda _, body, answer: answer == sorted(body)),
    "lookup": Task(False, make_lookup, is_lookup),
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


def is_task(prompt: str) -> bool:
    """Whether a prompt asks for one of the tasks."""
    try:
        task_of(prompt)
    except ValueError:
        return False
    return True


def task_at(index: int) -> str:
    """The task of the test item at a place, from 0, in the order in which `items` gives them: each in turn."""
    return list(TASKS)[index % len(TASKS)]


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
    rng = Random(seed)
    seen: set[str] = set()  # prompts of test items
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
