"""How far a run is and how long the rest will take: one bar for all that a command does, scoring and table included.

A run is cut into parts, each with an estimate of its seconds (bench/runner/estimate.py). The estimates may all be wrong
by the same factor, since nobody knows beforehand how fast a machine is. So what a part took corrects the estimates of
the parts of its kind, and no time is shown while too much is left of which nothing has been learned.
"""

from __future__ import annotations

import math
import shutil
import sys
import threading
import time
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field

from tqdm import tqdm

from bench.models import kinds
from bench.spec.cell import Cell

ROUNDING = 1e-9  # by which the total is larger, since the sum of many parts may exceed it in its last digits
START = "start"  # kinds of parts that are no cells: a fresh process until its first cell,
SCORING = "scoring"  # the scores of all texts,
REPORT = "report"  # and the table at the end
AT_THE_END = (SCORING, REPORT)  # one process does them, on whatever the cells ran
GUESSED = (START, *AT_THE_END)  # whose estimates are shown before one of them has ended
NOISE_CHECK = "noise check"  # the kind of the sentinel's cells, which are too short to learn a model's speed from
LEAST_SHARE = 0.25  # of a running part that must be done before it counts as a lesson
MOST_UNKNOWN = 0.3  # share of what is left that may be of models of which nothing has been learned yet
MOST_FACTOR = 4.0  # by which the speed of the models may correct the guesses, and its inverse
SMOOTHING_S = 20.0  # in which the time shown moves most of the way to a better one, so that it does not jump
MOST_DESCRIPTION_COLUMNS = 44  # of what runs now; fewer on a narrow terminal,
OTHER_COLUMNS = 46  # which the numbers need
OVERDUE_S = 10.0  # by which a part may take longer than was thought before no time is shown any more
TICK_S = 1.0  # how often the bar is drawn anew on a terminal
LOG_S = 30.0  # how often it is written into a file at most, beside once for each cell
BAR_FORMAT = "{desc} {percentage:3.0f}% |{bar:6}| {elapsed} gone{postfix}"


@dataclass
class Part:
    """A part of a run.

    kind: estimates of one kind of parts are wrong by the same factor. seconds: estimated, of the whole part. share: how
    much is done, 0 to 1. moved_s: since when so much is done. began_s: when it began; took_s: how long it took; both
    None as long as that is not so.
    """

    kind: str
    seconds: float
    share: float = 0.0
    moved_s: float = 0.0
    began_s: float | None = None
    took_s: float | None = None


def kind_of(cell: Cell) -> str:
    """The kind of part that a cell is."""
    return NOISE_CHECK if cell.twin else cell.model


@dataclass
class TimeLeft:
    """The seconds that are left of a run, by the parts that have ended. All times are seconds of one clock.

    lanes: how many processes run side by side, each on a card. end_s: the end of the run as it was last told;
    updated_s: when.
    """

    parts: dict[Hashable, Part]
    lanes: int = 1
    end_s: float | None = None
    updated_s: float = 0.0

    def begin(self, key: Hashable, now_s: float) -> None:
        part = self.parts[key]
        part.began_s = part.moved_s = now_s

    def move(self, key: Hashable, share: float, now_s: float) -> None:
        """Say that so much of a part is done; of one that did not begin (it is left out), nothing is learned."""
        part = self.parts[key]
        if share == part.share:
            return
        part.share = min(1.0, share)
        part.moved_s = now_s
        if share >= 1 and part.began_s is not None and part.took_s is None:
            part.took_s = now_s - part.began_s

    def factor(self, kinds_of_parts: Collection[str]) -> float | None:
        """By what the estimates of some kinds of parts were wrong; None while nothing says so."""
        spent_s = estimated_s = 0.0
        for part in self.parts.values():
            if part.kind not in kinds_of_parts or part.began_s is None or part.share < LEAST_SHARE:
                continue
            spent_s += part.moved_s - part.began_s if part.took_s is None else part.took_s
            estimated_s += part.seconds * part.share
        return spent_s / estimated_s if estimated_s else None

    def computed_s(self, now_s: float) -> float | None:
        """Seconds left, the estimates corrected; None while nobody can say, and at the end."""
        left = [part for part in self.parts.values() if part.share < 1 and part.seconds]
        factors = {kind: self.factor([kind]) for kind in {part.kind for part in left}}
        of_models = self.factor({part.kind for part in self.parts.values()} - set(GUESSED))
        unknown_s = sum(part.seconds for part in left if factors[part.kind] is None and part.kind not in GUESSED)
        most_unknown_s = 0.0 if of_models is None else MOST_UNKNOWN * sum(part.seconds for part in left)
        if not left or unknown_s > most_unknown_s:
            return None
        # A machine that is slow with models is slow otherwise, too.
        otherwise = min(MOST_FACTOR, max(1 / MOST_FACTOR, of_models or 1.0))
        left_s = 0.0
        for part in left:
            rest_s = part.seconds * (1 - part.share) * (factors[part.kind] or otherwise)
            if part.began_s is not None:
                rest_s -= now_s - part.moved_s
                if rest_s < -OVERDUE_S and part.share == 0:
                    return None  # it takes longer than was thought, and has not said yet how far it is
            left_s += max(0.0, rest_s) / (1 if part.kind in AT_THE_END else self.lanes)
        return left_s

    def shown_s(self, now_s: float) -> float | None:
        """Seconds left as they are shown: a new estimate moves them by and by."""
        computed_s = self.computed_s(now_s)
        if computed_s is None:
            return None
        end_s = now_s + computed_s
        if self.end_s is None:
            self.end_s = end_s
        else:
            self.end_s += (1 - math.exp(-(now_s - self.updated_s) / SMOOTHING_S)) * (end_s - self.end_s)
        self.updated_s = now_s
        return max(0.0, self.end_s - now_s)


def duration(seconds: float) -> str:
    """ "about 5 min": so many seconds in words, no finer than an estimate is."""
    minutes = math.ceil(seconds / 60)
    if minutes <= 1:
        return "under a minute"
    if minutes < 90:
        return f"about {minutes} min"
    return f"about {round(minutes / 30) / 2:g} h"


@dataclass
class Bar:
    """The bar of a run, on standard error; threads may share it.

    parts: all that it will do, by key, in order. lanes: how many processes run side by side.
    """

    parts: dict[Hashable, Part]
    clock: Callable[[], float] = time.monotonic
    lanes: int = 1
    lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)
    left: TimeLeft = field(init=False)
    bar: tqdm = field(init=False)
    description_columns: int = field(init=False)
    closed: threading.Event = field(default_factory=threading.Event, init=False)

    def __post_init__(self) -> None:
        self.left = TimeLeft(self.parts, self.lanes)
        is_terminal = sys.stderr.isatty()
        total_s = sum(part.seconds for part in self.parts.values())
        columns, rows = shutil.get_terminal_size((100, 24))  # tqdm draws nothing where a terminal tells no size
        self.description_columns = min(MOST_DESCRIPTION_COLUMNS, max(0, columns - OTHER_COLUMNS))
        self.bar = tqdm(
            desc=self.fitted("starting"),
            total=max(total_s, ROUNDING) * (1 + ROUNDING),
            bar_format=BAR_FORMAT,
            ncols=columns,
            nrows=rows,
            mininterval=TICK_S if is_terminal else LOG_S,
        )
        if is_terminal:
            threading.Thread(target=self.tick, daemon=True).start()

    def fitted(self, description: str) -> str:
        """A description in as many columns as there are for it."""
        return description[: self.description_columns].ljust(self.description_columns)

    def tick(self) -> None:
        """Draw the bar again and again, since a long call would leave its time standing (a thread of its own)."""
        while not self.closed.wait(TICK_S):
            with self.lock:
                self.show_time()
                self.bar.refresh()

    def show_time(self) -> None:
        left_s = self.left.shown_s(self.clock())
        self.bar.set_postfix_str("" if left_s is None else f"{duration(left_s)} left", refresh=False)

    def begin(self, key: Hashable, description: str) -> None:
        """Show what runs now."""
        with self.lock:
            self.left.begin(key, self.clock())
            self.show_time()
            self.bar.set_description_str(self.fitted(description), refresh=True)

    def advance(self, key: Hashable, share: float) -> None:
        """Move to a share (0 to 1) of a part."""
        with self.lock:
            before = self.parts[key].share
            self.left.move(key, share, self.clock())
            self.show_time()
            self.bar.update(self.parts[key].seconds * (self.parts[key].share - before))

    def extend(self, parts: dict[Hashable, Part]) -> None:
        """Add parts that have come up meanwhile; one that is there already is done once more, from its beginning."""
        with self.lock:
            for key, part in parts.items():
                replaced = self.parts.get(key)
                done_s = replaced.seconds * replaced.share if replaced else 0.0
                self.bar.total += part.seconds - (replaced.seconds - done_s if replaced else 0.0)
                self.parts[key] = part

    def close(self) -> None:
        """Leave the bar as it stands."""
        self.closed.set()
        self.bar.close()


def round_text(round_: int, rounds: int) -> str:
    """ "round 2/3: ", nothing where there is one round alone."""
    return f"round {round_}/{rounds}: " if rounds > 1 else ""


def start_text(cells: list[Cell], round_: int, rounds: int) -> str:
    """What is shown until a process has begun its first cell."""
    name = NOISE_CHECK if cells[0].twin else kinds.label_of(cells[0].model)
    return f"{round_text(round_, rounds)}starting {name}"
