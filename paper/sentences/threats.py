"""Threats to validity that a study has, each where it applies."""

from collections.abc import Iterable

import pandas as pd

from bench.analysis import by_card
from bench.analysis.comparison import Comparison
from bench.analysis.runs import are_served, temperature_of
from bench.analysis.study import cards_under
from bench.common.plural import listed
from bench.render import wording
from bench.render.by_card import FEW_CARDS
from paper import facts
from paper.selection import Selection
from paper.sentences import resources
from paper.tables.latex import escape
from paper.values import num, val


def of(selection: Selection, main: Comparison, prefix: str) -> dict[str, str]:
    """A sentence for each threat, by name; empty where it does not apply. prefix: what the names of the numbers of the
    main comparison begin with. `internal`: whether one of the measurement itself applies."""
    findings = selection.findings
    rows = main.rows
    is_random = findings.pair.has_random_weights
    groups = selection.scalings.values()
    has_parts = any(group.is_extrapolated(run) for group in groups for run, _ in group.break_evens)
    said = {
        "cpu": CPU if findings.on_cpu else "",
        "random": escape(facts.RANDOM_NOTE) if is_random else "",
        "size": escape(facts.POCKET_LIMITS) if findings.pair.name in facts.POCKET_PAIRS else "",
        "noise": NO_FLOOR if main.has_both and not resources.spread(main) else "",
        "drift": DRIFT if any(noise.drifted for noise in main.noise) else "",
        "extrapolated": EXTRAPOLATED if has_parts else "",
        "peaks": resources.doubted_peaks(findings),
        "engine": (SERVER if are_served(rows).any() else ENGINE) if main.has_both else "",
        "decoding": decoding(main, selection.other_temperatures.values()),
        "code": escape(facts.dirty_words(rows)) if not rows.empty else "",
        "rounds": TWO_ROUNDS if main.has_both and main.rounds == 2 else "",
        "cards": cards(main, prefix),
        "machine": machines(rows, findings.runs),
    }
    return said | {"internal": "yes" if any(said[name] for name in INTERNAL) else ""}


def cards(main: Comparison, prefix: str) -> str:
    """What each of several cards says by itself, whose rounds the intervals take for values of their own; empty where
    no card has several. prefix: what the names of the comparison's numbers begin with."""
    of_cards = by_card.of_comparison(main)
    if of_cards is None:
        return ""
    each = listed([num(f"{prefix}card_{number}.break_even_steps") for number in range(1, len(of_cards.steps) + 1)])
    over = f"With each card as one value they are {val(f'{prefix}over_cards.break_even_steps')}."
    return (
        f"The {main.rounds} rounds of the main comparison are of {len(of_cards.steps)} cards."
        " Intervals take each round for a value of its own, although rounds of one card share what is the card's, so"
        f" that they may be too narrow. By card time breaks even at {each} steps."
        f" {over if of_cards.over_cards else FEW_CARDS}"
    )


def machines(rows: pd.DataFrame, every: pd.DataFrame) -> str:
    """What some runs were made on, and what it leaves open that every run of the study was made on one card."""
    if rows.empty:
        return ""
    device = escape(wording.machine_of(rows))
    if len(cards_under(every)) == 1:
        return f"All of it ran on a single card, {device}, so that no interval holds what cards differ by."
    return f"All of it ran on one kind of device, {device}."


def decoding(main: Comparison, others: Iterable[Comparison]) -> str:
    """How tokens were chosen, which decides what quality is about. others: comparisons at other temperatures."""
    if main.rows.empty:
        return ""
    temperatures = dict.fromkeys(temperature_of(comparison.rows.iloc[0]) for comparison in (main, *others))
    how = listed([f"at temperature {temperature:g}" if temperature else "greedily" for temperature in temperatures])
    return f"Both models decode {how}; other ways to choose tokens may need other numbers of steps."


# The threats that are about this study's own measurement.
INTERNAL = ("engine", "noise", "rounds", "cards", "drift", "cpu", "extrapolated", "peaks", "code")
CPU = (
    "Nothing vouches that a CPU did nothing else while it was timed. On a CPU a forward over many rows costs several"
    " times one over a single row, which need not hold on a GPU."
)
NO_FLOOR = "How far the noise of the machine reaches is not known for these runs, so that no ratio can be told from it."
DRIFT = "The same cell moved between rounds by more than a table may leave unsaid: single times are rough."
EXTRAPOLATED = (
    "Some times were extrapolated from a part of each call. Their intervals are widened by what that was off where"
    " calls were also made whole, at places that need not be the worst."
)
TWO_ROUNDS = (
    "Intervals over two rounds rest on a single difference each. They are right on average, but a narrow one may be"
    " narrow by chance."
)
SERVER = "A break-even belongs to two programs, one of which is known by its address alone here."
ENGINE = (
    "A break-even belongs to two programs. One that runs either model nearer to its floor moves it; the band at equal"
    " distance says by how much."
)
