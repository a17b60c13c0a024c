"""Two studies side by side, as sentences and tables: the first is called a, the second b, ratios are b over a."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.analysis import matching
from bench.analysis.comparison import LATENCY
from bench.analysis.matching import Match
from bench.analysis.runs import reason_left_out
from bench.analysis.two_studies import BY_ROUND, LEAST, Change, Pair, TwoStudies, Verdict
from bench.common.plural import counted
from bench.models import kinds
from bench.records import catalogue
from bench.render import noise as render_noise
from bench.render import two_frontiers, wording
from bench.render import two_studies_predicted as predicted
from bench.render.two_studies_names import name_of, parts_of, with_other_settings

MOST_SHOWN = 5  # changes of a kind that are printed without VERBOSE=1
BETTER_AND_WORSE = {  # in words, by metric; of scores they are `better` and `worse`
    "latency/latency_ms": ("shorter", "longer"),
    "throughput/tokens_per_s": ("higher", "lower"),
    "memory/allocated_gib": ("lower", "higher"),
    "memory/resident_gib": ("lower", "higher"),
    "energy/j": ("lower", "higher"),
}
MARKS = {Verdict.BETTER: " +", Verdict.WORSE: " -", Verdict.NOISE: "", Verdict.UNSURE: " ?"}
UNCHECKED = "*"  # stands behind a change of which the noise is not known in both studies
MORE = "(VERBOSE=1 prints them)"  # said where changes are left out
NOT_LISTED = ("throughput/tokens_per_s",)  # whose changes are those of latency, so that VERBOSE=1 alone lists them
LEGEND = (
    f"+ better and - worse beyond noise, ? one round (no interval), {UNCHECKED} by the rounds alone, since no noise"
    " check of this model and engine ran in both; scores: b less a"
)


@dataclass(frozen=True)
class Named:
    """Cells of one kind. common: what all of them have in common, in words; names: of each, what is its own."""

    kind: str
    pairs: list[Pair]
    common: str
    names: list[str]


def named(kind: str, pairs: list[Pair]) -> Named:
    """The cells of a kind with their names: what all share is said once, and other settings are named only where two
    cells would be called the same."""
    runs = [pair.match.before for pair in pairs]
    rows = [parts_of(run) for run in runs]
    own = [place for place in range(len(rows[0])) if place == 0 or is_own(rows, place)]
    names = [", ".join(row[place] for place in own if row[place]) for row in rows]
    shared = [next(filter(None, column), "") for column in zip(*rows, strict=True)]
    common = ", ".join(part for place, part in enumerate(shared) if place not in own and part)
    return Named(kind, pairs, common, [with_other_settings(run, names, runs) for run in runs])


def is_own(rows: list[list[str]], place: int) -> bool:
    """Whether a part tells cells apart: it differs between the cells that have it, or a model has it in some alone."""
    of_models = {model: {row[place] for row in rows if row[0] == model} for model in {row[0] for row in rows}}
    stated = {row[place] for row in rows} - {""}
    return len(stated) > 1 or any(len(parts) > 1 for parts in of_models.values())


def by_kind(pairs: Iterable[Pair]) -> list[Named]:
    """Cells by the grid that they belong to, in the order of the first study."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.match.before["kind"], []).append(pair)
    return [named(kind, sorted(group, key=order_of)) for kind, group in groups.items()]


def order_of(pair: Pair) -> tuple:
    """Sorts cells: by model, engine and head, then by batch, length and steps."""
    run = pair.match.before
    numbers = [0.0 if pd.isna(run.get(name)) else float(run[name]) for name in ("batch_size", "gen_length", "steps")]
    return (kinds.has_steps(run["model"]), *(matching.text_of(run, name) for name in ("engine", "head")), *numbers)


def metrics_of(pairs: Iterable[Pair]) -> list[str]:
    """The metrics that change in some cells, in the order in which they are shown."""
    there = {change.metric for pair in pairs for change in pair.changes}
    return [metric for metric in (*BY_ROUND, *sorted(there - set(BY_ROUND))) if metric in there]


def heading(metric: str) -> str:
    """A metric as it stands above a column."""
    return catalogue.of(metric).heading.removesuffix(" ms")


def ratio_text(change: Change | None) -> str:
    """ "0.82 [0.80, 0.85] +": a ratio, or a difference of scores, with its mark."""
    if change is None:
        return wording.MISSING
    digits = 2 if change.metric in BY_ROUND else 3
    return f"{change.ratio.text(digits)}{MARKS[change.verdict]}{doubt_of(change)}"


def table(group: Named) -> pd.DataFrame:
    """A row a cell, a column a metric; behind the latency the ratio of it that is predicted."""
    columns = {"cell": group.names}
    for metric in metrics_of(group.pairs):
        columns[heading(metric)] = [ratio_text(pair.change(metric)) for pair in group.pairs]
        columns |= predicted.column_behind(metric, group.pairs)
    notes = notes_of(group)
    return pd.DataFrame(columns | ({"note": notes} if any(notes) else {}))


def notes_of(group: Named) -> list[str]:
    """What is not equal in each cell; nothing where it is the same for all of them, which is said once."""
    notes = [", ".join(pair.match.differences) for pair in group.pairs]
    return notes if len(set(notes)) > 1 else [""] * len(notes)


def study_lines(two: TwoStudies) -> list[str]:
    """What each study is: machine, commits, runs; where they differ, the settings of torch's allocator."""
    lines = []
    allocators = [wording.allocator_words(runs) for runs in two.runs]
    for letter, name, runs, allocator in zip("ab", two.names, two.runs, allocators, strict=True):
        facts = [
            f"on {', '.join(sorted(set(runs['device'].dropna())))}",
            f"commits {', '.join(sorted({word for text in runs['git'].dropna() for word in text.split()}))}",
            counted(len(runs), "run"),
            *([allocator] if allocator and len(set(allocators)) > 1 else []),
        ]
        lines.append(f"{letter} = {name}: {'; '.join(facts)}")
    return lines


def coverage_lines(two: TwoStudies) -> list[str]:
    """How much is in both studies, and what only one of them has, by grid; nothing of studies without cells."""
    if not (two.pairs or two.failed or len(two.only_before) or len(two.only_after)):  # tries of the frontier alone
        return []
    first = f"{counted(len(two.pairs), 'cell')} measured in both"
    differences = [words for pair in two.pairs for words in pair.match.differences]
    counts = [f"{differences.count(words)} with {words}" for words in dict.fromkeys(differences)]
    lines = [f"{first} ({', '.join(counts)})." if counts else f"{first}."]
    for letter, runs in (("a", two.only_before), ("b", two.only_after)):
        by = ", ".join(f"{kind} {count}" for kind, count in runs["kind"].value_counts(sort=False).items())
        if by:
            lines.append(f"Only in {letter}: {counted(len(runs), 'cell')} ({by}).")
    one_sided = [match for match in two.failed if bool(match.before["reason"]) != bool(match.after["reason"])]
    lines += [f"Left out on one side: {failure_text(match)}." for match in one_sided]
    if both := len(two.failed) - len(one_sided):
        lines.append(f"Left out on both sides: {counted(both, 'cell')}.")
    return lines


def failure_text(match: Match) -> str:
    """A cell that counts in one study alone, with the reason."""
    letter, run = ("a", match.before) if match.before["reason"] else ("b", match.after)
    return f"{run['kind']}, {name_of(run)}: in {letter} {reason_left_out(run)[: wording.NOTE_LENGTH]}"


def metric_lines(two: TwoStudies, metric: str, is_verbose: bool) -> list[str]:
    """How many cells changed in a metric and which; how the ratios lie, by model."""
    found = [
        (pair, f"{group.kind}, {name}", change)
        for group in by_kind(two.pairs)
        for pair, name in zip(group.pairs, group.names, strict=True)
        if (change := pair.change(metric)) is not None
    ]
    words = dict(zip((Verdict.BETTER, Verdict.WORSE), BETTER_AND_WORSE.get(metric, ("better", "worse")), strict=True))
    counts = [f"{sum(change.verdict == verdict for *_, change in found)} {word}" for verdict, word in words.items()]
    for verdict, phrase in (
        (Verdict.NOISE, f"within noise or {LEAST:.0%}"),
        (Verdict.UNSURE, "of one round, so unsure"),
    ):
        if number := sum(change.verdict == verdict for *_, change in found):
            counts.append(f"{number} {phrase}")
    of_cells = f"{catalogue.of(metric).heading}, of {counted(len(found), 'cell')}"
    lines = [f"{of_cells}: {', '.join(counts)}. {spread(found, metric)}"]
    lines += predicted.lines(two) if metric == LATENCY else []
    for verdict, word in words.items():
        changed = sorted((each for each in found if each[2].verdict == verdict), key=size_of_change, reverse=True)
        most = len(changed) if is_verbose else 0 if metric in NOT_LISTED else MOST_SHOWN
        lines += [f"  {word}: {name}: {change_text(change)}" for _, name, change in changed[:most]]
        if most and len(changed) > most:
            lines.append(f"  {word}: {len(changed) - most} more {MORE}")
    return lines


def size_of_change(found: tuple[Pair, str, Change]) -> float:
    """How far a ratio is from 1, whichever way; of scores how far the difference is from 0."""
    _, _, change = found
    value = change.ratio.value
    return max(value, 1 / value) if change.metric in BY_ROUND else abs(value)


def change_text(change: Change) -> str:
    """ "607.4 to 500.1, 0.82 [0.80, 0.85]"."""
    digits = catalogue.of(change.metric).digits
    both = f"{change.before.value:.{digits}f} to {change.after.value:.{digits}f}"
    return f"{both}, {change.ratio.text(2 if change.metric in BY_ROUND else 3)}{doubt_of(change)}"


def doubt_of(change: Change) -> str:
    """The mark of a change of which the noise is not known."""
    return UNCHECKED if not change.is_checked and change.verdict in (Verdict.BETTER, Verdict.WORSE) else ""


def spread(found: Sequence[tuple[Pair, str, Change]], metric: str) -> str:
    """Where the ratios of each model lie."""
    values = [(pair, change.ratio.value) for pair, _, change in found]
    what, digits = ("b over a", 2) if metric in BY_ROUND else ("b less a", 3)
    return f"{what}, median (range): {predicted.medians(values, digits)}."


def noise_lines(two: TwoStudies) -> list[str]:
    """What the sentinels of each study say."""
    return [
        f"{letter}: {sentence}"
        for letter, noises in zip("ab", two.noises, strict=True)
        for sentence in render_noise.sentences(noises)
    ]


def only_lines(two: TwoStudies) -> list[str]:
    """The cells that one study has alone, a line each."""
    return [
        f"only in {letter}: {run['kind']}, {name_of(run)}"
        for letter, runs in (("a", two.only_before), ("b", two.only_after))
        for _, run in runs.iterrows()
    ]


def lines(two: TwoStudies, is_verbose: bool = False) -> list[str]:
    """All that a terminal shows. is_verbose: with the tables and every cell that only one study has."""
    result = [*study_lines(two), *coverage_lines(two)]
    if is_verbose:
        result += only_lines(two)
        for group in by_kind(two.pairs):
            result += ["", f"{group.kind}: {group.common}", table(group).to_string(index=False)]
        result += ["", f"In the tables: {LEGEND}."] if two.pairs else []
    if two.edges:
        result += ["", *two_frontiers.sentences(two.edges)]
        result += ["", two_frontiers.table(two.edges).to_string(index=False)] if is_verbose else []
    for metric in metrics_of(two.pairs):
        result += ["", *metric_lines(two, metric, is_verbose)]
    if not two.pairs and two.edges:  # nothing is said that noise could explain
        return result
    has_doubt = any(doubt_of(change) for pair in two.pairs for change in pair.changes)
    return [*result, "", *([DOUBT] if has_doubt else []), *noise_lines(two), CHANCE]


DOUBT = f"{UNCHECKED} by the rounds of both studies alone: no noise check of this model and engine ran in both."


CHANCE = (
    "A change counts where its 95 % interval excludes 1 and its ratio lies outside both studies' noise; of intervals of"
    " unchanged cells about one in twenty excludes 1 by chance."
)
