"""What the calls to a server tell: the first text, the gaps between tokens, and where counts of tokens differ.

What arrives at once is a piece of text, which may be several tokens. So the time of a token is what the whole answer
took behind its first piece, over its tokens; gaps between pieces are gaps between tokens only where each piece is one.
"""

import itertools
import statistics
from collections.abc import Iterator

import numpy as np

from bench.models.server import Counted
from bench.records.types import Call


def latencies(call: Call) -> dict[str, float]:
    """Milliseconds under the names of bench/records/metrics.py, each the median over the answers of a call; what cannot
    be told is left out."""
    times = {"ttft": [], "tpot": []}
    for pieces, end_ms, tokens in answers(call):
        times["ttft"].append(pieces[0])
        if tokens > 1:
            times["tpot"].append((end_ms - pieces[0]) / (tokens - 1))
    values = {name: statistics.median(of_rows) for name, of_rows in times.items() if of_rows}
    if gaps := gaps_of_tokens(call):
        values["itl_p50"] = statistics.median(statistics.median(row) for row in gaps)
        values["itl_p95"] = statistics.median(float(np.percentile(row, 95)) for row in gaps)
    return values


def answers(call: Call) -> Iterator[tuple[list[float], float, int]]:
    """(times of its pieces, time of its end, tokens that count) of each answer that has text."""
    for row, tokens in enumerate(call.kept):
        if pieces := call.marks.get(f"chunk.{row}"):
            yield pieces, call.marks[f"end.{row}"][0], tokens


def gaps_of_tokens(call: Call) -> list[list[float]]:
    """The gaps between the tokens of each answer; none where a piece of any answer is not one token."""
    gaps = []
    for row, tokens in enumerate(call.kept):
        pieces = call.marks.get(f"chunk.{row}", [])
        if len(pieces) != tokens - call.counted.ended[row]:  # the end token is no text
            return []
        gaps.append([later - earlier for earlier, later in itertools.pairwise(pieces)])
    return [row for row in gaps if row]


def counts_differ(counted: Counted) -> bool:
    """Whether the server counts an answer's tokens otherwise than the pair's tokenizer, but for the end token."""
    return any(
        usage is not None and usage not in {tokens, tokens - ended}
        for usage, tokens, ended in zip(counted.usage, counted.tokens, counted.ended, strict=True)
    )


def prompts_differ(counted: Counted) -> bool:
    """Whether a prompt reached the server as other tokens than the pair's, as far as can be told."""
    by_usage = (
        usage is not None and usage != sent for usage, sent in zip(counted.prompt_usage, counted.sent, strict=True)
    )
    return any(counted.other_text) or any(by_usage)
