"""The sources of the paper, and the text that they make with the numbers of a study: what LaTeX would print, without
its commands for layout."""

import re
from pathlib import Path

from tests.conftest import REPO

DEFINITION = re.compile(r"\\expandafter\\def\\csname (num|val)@(.+?)\\endcsname\{(.*)\}$", re.MULTILINE)
FIGURE = re.compile(r"\\figurehere\{(\w+)\}\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
CALL = re.compile(r"\\(known|say|num|val)\{")
INPUT = re.compile(r"\\input\{(sections/\w+)\}")


def sources() -> str:
    """main.tex with its sections in place, without comments."""
    text = (REPO / "paper/main.tex").read_text()
    text = INPUT.sub(lambda match: (REPO / f"paper/{match[1]}.tex").read_text(), text)
    return re.sub(r"(?<!\\)%.*", "", text)


def body() -> str:
    """The sources behind the preamble."""
    return sources().split("\\begin{document}")[1]


def captions_of_figures() -> dict[str, str]:
    """Every figure's caption in the sources, by name."""
    return {name: " ".join(caption.split()) for name, caption in FIGURE.findall(sources())}


def definitions(build: Path) -> dict[tuple[str, str], str]:
    """What a build's numbers.tex defines, by kind (num, val) and name."""
    text = (build / "numbers.tex").read_text(encoding="utf-8")
    return {(kind, name): value for kind, name, value in DEFINITION.findall(text)}


def argument(text: str, start: int) -> tuple[str, int]:
    """The text in braces whose first letter stands at `start`, and where it ends behind the brace."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0) if text[place - 1] != "\\" else 0
        if depth == 0:
            return text[start:place], place + 1
    raise AssertionError(f"a brace is open: {text[start : start + 60]}")


def expanded(text: str, known: dict[tuple[str, str], str]) -> str:
    """A text with its macros replaced. Raises AssertionError where a number or sentence that stands without a condition
    is not there."""
    while match := CALL.search(text):
        name, end = argument(text, match.end())
        kind = match[1]
        if kind == "known":
            while text[end].isspace():
                end += 1
            inner, end = argument(text, end + 1)
            replaced = inner if ("num", name) in known else ""
        elif kind == "say":
            replaced = known.get(("num", name), "")
        else:
            assert (kind, name) in known, f"\\{kind}{{{name}}} is not defined"
            replaced = known[kind, name]
        text = text[: match.start()] + replaced + text[end:]
    return text


def text_of(build: Path) -> str:
    """What the paper of a build says, in one line."""
    with_captions = re.sub(r"\\figurehere\{(\w+)\}", r"\\known{figure_\1}", body())
    return " ".join(expanded(with_captions, definitions(build)).split())
