"""Where to look next for the largest batch that fits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

CLOSE = 32  # a batch is known within a 32nd of it
GROWTH = 8  # from one try to the next while nothing says where to look
MOST = 1 << 20  # batch
SPARE = 0.97  # of the limit: what the allocator and the context keep


@dataclass(frozen=True)
class Tries:
    """What is known of one line at one length: peak GiB of each batch that fits (None: not measured), and those that
    do not. Batch 0 is the weights alone."""

    fits: dict[int, float | None]
    fails: frozenset[int]

    @property
    def low(self) -> int:
        return max(self.fits, default=0)

    @property
    def high(self) -> int | None:
        return min(self.fails, default=None)


def predicted(tries: Tries, limit_gib: float | None) -> int | None:
    """The batch at which the line through the two largest peaks meets the limit; None where there is no such line."""
    known = sorted((batch, peak) for batch, peak in tries.fits.items() if peak is not None)[-2:]
    if limit_gib is None or len(known) < 2 or known[1][1] <= known[0][1]:
        return None
    (first, less), (second, more) = known
    return int(second + (SPARE * limit_gib - more) * (second - first) / (more - less))


def next_batch(tries: Tries, limit_gib: float | None = None, first: int = GROWTH) -> int | None:
    """The batch to try next, `first` of all; None where the search is at its end: nothing fits, or the edge is known
    closely enough."""
    low, high = tries.low, tries.high
    step = max(1, low // CLOSE)
    if high is not None and high - low <= step:
        return None
    guess = predicted(tries, limit_gib)
    if high is None and low == 0:
        return first
    if high is None:
        return min(max(guess, low + step), GROWTH * GROWTH * low) if guess else GROWTH * low
    if low == 0 or (guess and guess >= high):  # too much: a little less, and with each failure twice as much less
        guess = high - max(1, high // CLOSE) * 2 ** (len(tries.fails) - 1)
    return guess if guess and low < guess < high else (low + high) // 2


def modelled(gib: Callable[[int], float], limit_gib: float | None) -> int:
    """Where peaks of the cost model put the edge, at least 1; GROWTH where nothing says how much memory there is."""
    return GROWTH if limit_gib is None else max(1, bisect_right(range(1, MOST), SPARE * limit_gib, key=gib))
