"""Which runs of two studies measured the same thing: those whose settings are equal, on whatever machine, by whatever
commit, with whatever revision of the weights.

What the settings leave open is said of each pair: other prompts, or other weights.
"""

from dataclasses import dataclass, fields

import pandas as pd

from bench.analysis.lines import DEFAULTS
from bench.records.settings import REFERENCE, Likelihood
from bench.spec import sentinel
from bench.spec.cell import Cell

# Settings that name places, prompts, weights or the machine, or that change nothing that is measured.
OPEN = frozenset((
    "weights", "tokenizer", "revision", "former_revision", "identity_version", "device", "prompt_hash", "prompt_ids",
    "answer_lengths", "repeat_prompts", "time_limit_s", "first", "twin", "watches", "text_hash",
))  # fmt: skip
SETTINGS = tuple(
    name
    for name in dict.fromkeys(field.name for kind in (Cell, Likelihood) for field in fields(kind))
    if name not in OPEN
)
NO_CELLS = (sentinel.KIND, REFERENCE)  # kinds of runs that are no measurement of a setting
DIFFERENCES = {"prompt_hash": "other prompts", "text_hash": "another text", "revision": "other weights"}


@dataclass(frozen=True)
class Match:
    """A run of each of two studies with equal settings. differences: what of it is not equal all the same, in words."""

    before: pd.Series
    after: pd.Series
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matching:
    """The runs of two studies: those with a partner, and those without one."""

    matches: list[Match]
    only_before: pd.DataFrame
    only_after: pd.DataFrame


def text_of(run: pd.Series, name: str) -> str:
    """A setting of a run as text, numbers alike whether they are whole or not; empty where it does not apply."""
    value = run.get(name)
    if value is None or pd.isna(value) or value == "":
        return DEFAULTS.get(name, "")
    return value if isinstance(value, str) else f"{value:g}"


def key_of(run: pd.Series, names: tuple[str, ...] = SETTINGS) -> tuple[str, ...]:
    """Some settings of a run, equal for runs that have them in common."""
    return tuple(text_of(run, name) for name in names)


def match(before: pd.DataFrame, after: pd.DataFrame) -> Matching:
    """Pair the runs of two studies: first those that differ in nothing, then those of equal settings.

    A setting that several runs of a study have (of two revisions, say) is paired only where they differ in nothing.
    """
    rest = [runs[~runs["kind"].isin(NO_CELLS)] for runs in (before, after)]
    matches: list[Match] = []
    for names in ((*SETTINGS, *DIFFERENCES), SETTINGS):
        by_key = [grouped(runs, names) for runs in rest]
        for key in by_key[0]:
            runs = [by_key[0][key], by_key[1].get(key, [])]
            if [len(each) for each in runs] == [1, 1]:
                matches.append(Match(runs[0][0], runs[1][0], differences_of(runs[0][0], runs[1][0])))
        taken = {run["run_id"] for pair in matches for run in (pair.before, pair.after)}
        rest = [runs[~runs["run_id"].isin(taken)] for runs in rest]
    return Matching(matches, *rest)


def grouped(runs: pd.DataFrame, names: tuple[str, ...]) -> dict[tuple[str, ...], list[pd.Series]]:
    """Runs by these settings."""
    by_key: dict[tuple[str, ...], list[pd.Series]] = {}
    for _, run in runs.iterrows():
        by_key.setdefault(key_of(run, names), []).append(run)
    return by_key


def differences_of(before: pd.Series, after: pd.Series) -> tuple[str, ...]:
    """What two runs of equal settings do not share, in words."""
    return tuple(words for name, words in DIFFERENCES.items() if text_of(before, name) != text_of(after, name))
