"""The frontiers of two studies side by side, as sentences and a table: the first study is called a, the second b."""

from collections.abc import Iterable

import pandas as pd

from bench.analysis.edges import Edge
from bench.analysis.two_frontiers import TwoEdges
from bench.render.scaling import batch_text, edge_note, gib_text, largest_text, order_of_lines
from bench.render.two_studies_names import with_other_settings
from bench.render.wording import MISSING, limit_words, line_name

TITLE = "Largest batch that fits"
WITHIN = "A search ends within a 32nd of the batch, so a ratio from 0.97 to 1.03 may be no difference at all."


def sentences(edges: list[TwoEdges]) -> list[str]:
    """Where the searches ended: for each limit of memory those of both studies, then those that one has alone."""
    result = []
    rows = named(edges)
    for limit_gib in sorted({each.limit_gib for each in edges}, key=order_of_limits):
        same_limit = [(name, each) for name, each in rows if each.limit_gib == limit_gib]
        what = f"{TITLE} {limit_words(limit_gib)}".strip()
        for words, own in (
            ("b over a", [(name, each) for name, each in same_limit if each.is_in_both]),
            ("only in a", [(name, each) for name, each in same_limit if not each.after]),
            ("only in b", [(name, each) for name, each in same_limit if not each.before]),
        ):
            if own:
                result.append(f"{what}, {words}: {'; '.join(line_texts(own))}.")
    return [*result, *filter(None, [precision(edges)])]


def order_of_limits(limit_gib: float | None) -> float:
    """Sorts limits of memory; all that a device has comes last."""
    return float("inf") if limit_gib is None else limit_gib


def precision(edges: list[TwoEdges]) -> str:
    """How far ratios may be off; empty where there is none."""
    return WITHIN if any(each.ratio for each in edges) else ""


def line_texts(rows: list[tuple[str, TwoEdges]]) -> list[str]:
    """ "LLaMA: 128 tokens 238 to 268 (1.13), 2,048 tokens 32 to 32 (1.00)", a text for each line."""
    by_name: dict[str, list[str]] = {}
    for name, each in rows:
        by_name.setdefault(name, []).append(f"{each.edge.gen_length:,} tokens {found_text(each)}")
    return [f"{name}: {', '.join(lengths)}" for name, lengths in by_name.items()]


def named(edges: Iterable[TwoEdges]) -> list[tuple[str, TwoEdges]]:
    """(name of its line, edge), in the order in which they are shown. Where two lines would be called the same at one
    length and limit, those settings are named in which their searches differ."""
    in_order = sorted(edges, key=order_of)
    result = []
    for each in in_order:
        place = (each.edge.gen_length, each.limit_gib)
        beside = [other for other in in_order if (other.edge.gen_length, other.limit_gib) == place]
        names = [line_name(other.edge.line) for other in beside]
        result.append((with_other_settings(each.search, names, [other.search for other in beside]), each))
    return result


def order_of(each: TwoEdges) -> tuple:
    """Sorts edges by line, length and limit."""
    return *order_of_lines(each.edge.line), each.edge.gen_length, order_of_limits(each.limit_gib)


def found_text(each: TwoEdges) -> str:
    """ "238 to 268 (1.13)": the largest batch of either study and their ratio; of one study its own."""
    text = " to ".join(largest_text(edge) for edge in (each.before, each.after) if edge)
    remarks = [*([f"{each.ratio:.2f}"] if each.ratio else []), *each.differences]
    return f"{text} ({', '.join(remarks)})" if remarks else text


def table(edges: list[TwoEdges]) -> pd.DataFrame:
    """A row for each line and length, with the edge in both studies; a study without a frontier has no columns."""
    rows = named(edges)
    columns = {"line": [name for name, _ in rows], "tokens": [f"{each.edge.gen_length}" for _, each in rows]}
    if any(each.limit_gib for each in edges):
        columns["limit GiB"] = ["none" if each.limit_gib is None else f"{each.limit_gib:g}" for _, each in rows]
    for letter, of_study in (("a", [each.before for _, each in rows]), ("b", [each.after for _, each in rows])):
        columns |= columns_of(letter, of_study) if any(of_study) else {}
    if any(each.is_in_both for each in edges):
        columns["b over a"] = [MISSING if each.ratio is None else f"{each.ratio:.2f}" for _, each in rows]
    notes = [note_of(each) for _, each in rows]
    return pd.DataFrame(columns | ({"note": notes} if any(notes) else {}))


def columns_of(letter: str, edges: list[Edge | None]) -> dict[str, list[str]]:
    """The edges of one study, by heading."""
    return {
        f"{letter} fits": [MISSING if edge is None else batch_text(edge.fits, "none") for edge in edges],
        f"{letter} peak GiB": [MISSING if edge is None else gib_text(edge.peak_gib) for edge in edges],
        f"{letter} fails": [MISSING if edge is None else batch_text(edge.fails, "untried") for edge in edges],
    }


def note_of(each: TwoEdges) -> str:
    """What the two edges do not share, and whose search is not at its end."""
    sides = (("a", each.before), ("b", each.after))
    unfinished = [f"{letter}'s {edge_note(edge)}" for letter, edge in sides if edge and not edge.is_found]
    return ", ".join([*each.differences, *unfinished])
