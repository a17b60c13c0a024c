"""Generated word problems with the working written out: what GSM8K is to a large model, in a size for small ones.

    Problem: Mia has 12 apples. She buys 3 bags with 4 apples each. Then she gives 9 apples to Tom. How many apples does
    she have now?

    3*4=12
    12+12=24
    24-9=15
    Answer: 15

Each line of the working leans on the line before, so the order in which tokens are written matters, and the text ends
by itself. The *depth* of a problem is how many lines its working has. Only the number after `Answer:` is checked, and
it follows from the sentences of the prompt alone.

A problem's *structure* is the order of its events. Test problems have structures and numbers that no training problem
has: a training problem shares neither the structure nor the numbers of any problem on the test side, and problems that
would share one of the two are left out of both.
"""

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

HEAD = "Problem:"  # what a prompt begins with
DEPTHS = (2, 3, 4, 5, 6)  # lines of working
TEST_PERCENT = 20  # share of structures, and of lists of numbers, that are on the test side
LARGEST = 999  # no number in a working is larger
ANSWER = "Answer:"
PEOPLE = {
    "Alice": "she", "Anna": "she", "Jack": "he", "James": "he", "Jim": "he", "John": "he", "Kate": "she",
    "Maria": "she", "Mary": "she", "Sam": "he",
}  # fmt: skip
THINGS = ("apples", "books", "cards", "flowers", "games", "images", "pictures", "plants", "songs", "stories", "tools")
Random = random.Random


@dataclass(frozen=True)
class Event:
    """Something that changes how many things a person has.

    text: the sentence; `{n}` and `{m}` are numbers, and `{things}`, `{who}` and `{friend}` words. working: what is done
    with the count and the numbers, a line each, of `+-*/`: `*+` multiplies n by m and adds the product to the count.
    """

    text: str
    working: str


EVENTS = (
    Event("{who} buys {n} more.", "+"),
    Event("{who} finds {n} {things}.", "+"),
    Event("{friend} gives {who} {n}.", "+"),
    Event("{who} wins {n} in a game.", "+"),
    Event("{who} buys {n} bags with {m} {things} each.", "*+"),
    Event("{n} friends bring {m} {things} each.", "*+"),
    Event("{who} loses {n}.", "-"),
    Event("{who} gives {n} to {friend}.", "-"),
    Event("{who} sells {n} {things}.", "-"),
    Event("{friend} takes {n} of them.", "-"),
    Event("{n} friends take {m} each.", "*-"),
    Event("{who} sells {n} bags with {m} each.", "*-"),
    Event("A week later {who} has {n} times as many.", "*"),
    Event("{who} makes {n} {things} out of each.", "*"),
    Event("{who} makes {n} equal parts and keeps one.", "/"),
    Event("{n} friends share them all, and {who} is one of them.", "/"),
)
FIRST = "{who} has {n} {things}."
QUESTION = "How many {things} does {who} have now?"


@dataclass(frozen=True)
class Problem:
    """A word problem. structure: places in EVENTS. numbers: as they come in the prompt, the first count among them."""

    prompt: str
    answer: str
    structure: tuple[int, ...]
    numbers: tuple[int, ...]

    @property
    def depth(self) -> int:
        """Lines of its working."""
        return sum(len(EVENTS[place].working) for place in self.structure)


def pattern_of(text: str) -> re.Pattern:
    """What a sentence looks like whoever and whatever it is about, its numbers as groups."""
    pattern = re.escape(text)
    for word in ("who", "friend", "things"):
        pattern = pattern.replace(re.escape(f"{{{word}}}"), "[A-Za-z]+")
    return re.compile(pattern.replace(re.escape("{n}"), r"(\d+)").replace(re.escape("{m}"), r"(\d+)"))


PATTERNS = tuple(pattern_of(event.text) for event in EVENTS)
FIRST_PATTERN = pattern_of(FIRST)


def working_of(count: int, event: Event, numbers: list[int]) -> tuple[int, list[str]]:
    """(the count after an event, the lines that work it out)."""
    lines = []
    amount = numbers[0]
    if len(event.working) == 2:
        amount = numbers[0] * numbers[1]
        lines.append(f"{numbers[0]}*{numbers[1]}={amount}")
    sign = event.working[-1]
    after = {"+": count + amount, "-": count - amount, "*": count * amount, "/": count // amount}[sign]
    lines.append(f"{count}{sign}{amount}={after}")
    return after, lines


def numbers_for(rng: Random, event: Event, count: int) -> list[int] | None:
    """Numbers with which an event leaves a whole count from 1 to LARGEST; None where there are none."""
    if len(event.working) == 2:
        first, second = rng.randint(2, 9), rng.randint(2, 9)
        after = count + first * second if event.working == "*+" else count - first * second
        return [first, second] if 0 < after <= LARGEST else None
    if event.working == "+":
        most = min(99, LARGEST - count)
        return [rng.randint(2, most)] if most >= 2 else None
    if event.working == "-":
        most = min(99, count - 1)
        return [rng.randint(2, most)] if most >= 2 else None
    if event.working == "*":
        fitting = [n for n in range(2, 10) if count * n <= LARGEST]
    else:
        fitting = [n for n in range(2, 10) if count % n == 0 and count > n]
    return [rng.choice(fitting)] if fitting else None


def structure_of(rng: Random, depth: int) -> tuple[int, ...]:
    """Random events, none twice, whose workings have `depth` lines together."""
    while True:
        places = rng.sample(range(len(EVENTS)), depth)
        taken, lines = [], 0
        for place in places:
            taken.append(place)
            lines += len(EVENTS[place].working)
            if lines >= depth:
                break
        if lines == depth:
            return tuple(taken)


def written(rng: Random, structure: tuple[int, ...]) -> Problem | None:
    """A problem of a structure, with random people, things and numbers; None where the numbers drawn do not fit."""
    name, friend = rng.sample(list(PEOPLE), 2)
    things = rng.choice(THINGS)
    count = rng.randint(2, 99)
    numbers = [count]
    sentences = [FIRST.format(who=name, n=count, things=things)]
    lines: list[str] = []
    for place in structure:
        event = EVENTS[place]
        drawn = numbers_for(rng, event, count)
        if drawn is None:
            return None
        count, working = working_of(count, event, drawn)
        lines += working
        numbers += drawn
        named = dict(zip("nm", drawn, strict=False))
        sentence = event.text.format(who=subject(event, name), friend=friend, things=things, **named)
        sentences.append(sentence[0].upper() + sentence[1:])
    sentences.append(QUESTION.format(who=name, things=things))
    answer = "\n".join([*lines, f"{ANSWER} {count}"])
    return Problem(f"{HEAD} {' '.join(sentences)}", answer, structure, tuple(numbers))


def subject(event: Event, name: str) -> str:
    """How a sentence about an event calls the person: `she` or `he`, or by name after another word."""
    pronoun = PEOPLE[name]
    return name if event.text.startswith("{friend}") else pronoun


def solution(prompt: str) -> int:
    """The count that the sentences of a prompt lead to. Raises ValueError where a sentence is none of a problem's."""
    first, *sentences, _ = sentences_of(prompt)
    start = FIRST_PATTERN.fullmatch(first)
    if not start:
        raise ValueError(f"{first!r} does not say how many there are at first")
    count = int(start[1])
    for sentence in sentences:
        event, numbers = event_of(sentence)
        count, _ = working_of(count, event, numbers)
    return count


def sentences_of(prompt: str) -> list[str]:
    """The sentences of a problem: how many there are at first, the events, the question."""
    return [sentence.strip() for sentence in re.findall(r"[^.?]+[.?]", prompt.removeprefix(HEAD))]


def event_of(sentence: str) -> tuple[Event, list[int]]:
    """The event that a sentence tells, and its numbers. Raises ValueError if it tells none."""
    for event, pattern in zip(EVENTS, PATTERNS, strict=True):
        if match := pattern.fullmatch(sentence):
            return event, [int(number) for number in match.groups()]
    raise ValueError(f"{sentence!r} is no sentence of a problem")


def is_problem(prompt: str) -> bool:
    """Whether a prompt asks for the answer to a word problem."""
    return prompt.startswith(HEAD)


def is_valid(prompt: str, answer: str) -> bool:
    """Whether an answer ends with the right number after `Answer:`. The working is not checked."""
    _, marker, last = answer.rpartition(ANSWER)
    return bool(marker) and last.strip() == str(solution(prompt))


def depth_of(prompt: str) -> int:
    """Lines of the working of a problem, from its prompt alone."""
    return sum(len(event_of(sentence)[0].working) for sentence in sentences_of(prompt)[1:-1])


def is_on_test_side(values: tuple[int, ...]) -> bool:
    """Whether a structure, or a list of numbers, is on the test side, by its hash."""
    return int.from_bytes(hashlib.sha256(repr(values).encode()).digest()[:4], "big") % 100 < TEST_PERCENT


def problems(seed: int, test: bool) -> Iterator[Problem]:
    """Endless problems of the training or the test side, depths in turn; those of the test side are distinct."""
    rng = Random(seed)
    seen: set[str] = set()  # prompts of test problems
    while True:
        for depth in DEPTHS:
            problem = draw(rng, depth, test, seen)
            if test:
                seen.add(problem.prompt)
            yield problem


def draw(rng: Random, depth: int, test: bool, seen: set[str]) -> Problem:
    """A problem of a depth and side whose prompt was not seen. Both structure and numbers are of that side."""
    while True:
        structure = structure_of(rng, depth)
        if is_on_test_side(structure) != test:
            continue
        problem = written(rng, structure)
        if problem and is_on_test_side(problem.numbers) == test and problem.prompt not in seen:
            return problem
