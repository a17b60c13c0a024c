"""Where to look next for the largest batch that fits into memory.

A search by tries that are dear: each takes a fresh process up to a minute. Between a batch that fits and one that does
not it bisects, but first it asks the straight line through the two largest peaks, which is usually closer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

CLOSE = 32  # the search ends when the edge lies within a 32nd of the batch
GROWTH = 8  # factor from one try to the next while nothing says where to look
MOST = 1 << 20  # the largest batch that the cost model is asked about
SPARE = 0.97  # the share of the limit that tensors may take; the allocator and the context keep the rest


@dataclass(frozen=True)
class Tries:
    """What has been tried of one line at one length.

    fits: peak GiB of each batch that fits, None where it was not measured; batch 0 is the weights alone. fails: batches
    that do not fit.
    """

    fits: dict[int, float | None]
    fails: frozenset[int]

    @property
    def low(self) -> int:
        """The largest batch that fits; 0 where none does yet."""
        return max(self.fits, default=0)

    @property
    def high(self) -> int | None:
        """The smallest batch that does not fit; None where none was tried."""
        return min(self.fails, default=None)


def predicted(tries: Tries, limit_gib: float | None) -> int | None:
    """The batch at which the line through the two largest peaks meets the limit; None where there is no such line."""
    peaks = sorted((batch, gib) for batch, gib in tries.fits.items() if gib is not None)
    if limit_gib is None or len(peaks) < 2:
        return None
    (smaller_batch, smaller_gib), (larger_batch, larger_gib) = peaks[-2:]
    if larger_gib <= smaller_gib:
        return None
    return int(
        larger_batch + (SPARE * limit_gib - larger_gib) * (larger_batch - smaller_batch) / (larger_gib - smaller_gib)
    )


def next_batch(tries: Tries, limit_gib: float | None = None, first: int = GROWTH) -> int | None:
    """The batch to try next; None where the search is at its end: not even one row fits, or the edge is close enough.

    limit_gib: what there is of memory; None where nobody says. first: the very first batch to try.
    """
    low = tries.low
    high = tries.high
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


def modelled(peak_gib: Callable[[int], float], limit_gib: float | None) -> int:
    """The batch at which the cost model's peaks meet the limit, at least 1; GROWTH where there is no limit.

    peak_gib: the peak of a batch, rising with it.
    """
    if limit_gib is None:
        return GROWTH
    return max(1, bisect_right(range(1, MOST), SPARE * limit_gib, key=peak_gib))
