r"""Numbers of results.json as the text of the paper prints them, and the macros that stand for them in sentences.

A sentence holds `\num{NAME}` or `\val{NAME}`, never the digits of a measurement: LaTeX puts in what numbers.tex has.
"""

import math
import re

from bench.analysis.doubt import cannot_be_told, may_be_equal
from bench.common.stats import UNBOUNDED, Estimate

NAME = re.compile(r"[\w.:-]+", re.ASCII)  # of a number that the text of the paper can ask for
DIGITS = 3  # of a number in the text
Numbers = dict[str, dict]  # as results.json has them


def val(name: str) -> str:
    """The macro of a number with its interval."""
    return f"\\val{{{name}}}"


def num(name: str) -> str:
    """The macro of a number without its interval."""
    return f"\\num{{{name}}}"


def decimals(name: str, value: float) -> int:
    """How many decimal places a number has in the text: three digits in all, of steps one below 10 and none above, of
    differences of quality three places."""
    if name.endswith("difference"):
        return DIGITS
    if name.endswith(("steps", "steps_at_equal_distance")):
        return 1 if abs(value) < 10 else 0
    if value == 0 or not math.isfinite(value):
        return 0
    return max(0, DIGITS - 1 - math.floor(math.log10(abs(value))))


def value_text(name: str, number: dict) -> str:
    """ "26", "1,508", "0.142": a number of results.json; a whole one, which was counted, as it is."""
    value = number["value"]
    if float(value).is_integer() and number.get("low") is None:
        return f"{value:,.0f}"
    return f"{value:,.{decimals(name, value)}f}"


def interval_text(name: str, number: dict) -> str:
    """ "26 [15, 45]": a number with its interval, where there is one that says something at these digits."""
    text = value_text(name, number)
    low, high = number.get("low"), number.get("high")
    if low is None:
        return text
    places = decimals(name, number["value"])
    ends = [f"{low:,.{places}f}", "unbounded"]
    if high is not None and high <= UNBOUNDED * max(1.0, abs(number["value"])):
        ends[1] = f"{high:,.{places}f}"
    return text if ends == [text, text] else f"{text} [{', '.join(ends)}]"


def estimate(numbers: Numbers, name: str) -> Estimate:
    """A number of results.json as an estimate."""
    number = numbers[name]
    high = math.inf if number["high"] is None and number["low"] is not None else number["high"]
    return Estimate(number["value"], number["low"], high)


def has(numbers: Numbers, *names: str) -> bool:
    """Whether all of these numbers are there."""
    return all(name in numbers for name in names)


def direction(ratio: Estimate, floor: Estimate | None, higher: str, lower: str, equal: str) -> str:
    """One of three phrases: whether a ratio is above 1, below 1, or may be noise alone (floor: the sentinel's A/A)."""
    if cannot_be_told(ratio, floor):
        return equal
    return higher if ratio.value > 1 else lower


def stands_out(ratio: Estimate, floor: Estimate | None) -> bool:
    """Whether a table may print a ratio of two models in bold: its interval excludes 1, and the same cell twice (floor)
    is known to differ by less."""
    if ratio.low is None or floor is None or floor.low is None:
        return False
    return not may_be_equal(ratio, floor)
