"""The time left: none before there is one, and then close to what is really left, whatever the estimates were."""

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.runner import progress
from bench.runner.progress import OTHER_COLUMNS, REPORT, SCORING, START, Bar, Part, TimeLeft, duration
from tests.conftest import REPO

TICK_S = 5.0


def parts_of(estimates: list[tuple[str, float]]) -> dict[int, Part]:
    return {number: Part(kind, seconds) for number, (kind, seconds) in enumerate(estimates)}


def played(parts: dict[int, Part], took_s: dict[int, float]) -> list[tuple[float, float | None]]:
    """(seconds that are really left, seconds that are told) at every tick of a run whose parts take so long, each told
    of in quarters, when they end."""

    def quarters(key: int, spent_s: float) -> int:
        return int(4 * spent_s / took_s[key] + 1e-6)

    left = TimeLeft(parts)
    now_s = 0.0
    told = []
    for key, seconds in took_s.items():
        left.begin(key, now_s)
        end_s = now_s + seconds
        start_s = now_s
        while now_s < end_s:
            quarter_s = start_s + seconds * (quarters(key, now_s - start_s) + 1) / 4
            now_s = min(end_s, now_s + TICK_S, quarter_s)
            left.move(key, quarters(key, now_s - start_s) / 4, now_s)
            told.append((sum(took_s.values()) - now_s, left.shown_s(now_s)))
        left.move(key, 1.0, now_s)
    return told


@pytest.mark.parametrize(("of_the_other_s", "left_s"), [(30.0, 260.0), (60.0, None)])
def test_a_model_of_which_nothing_is_known_may_be_a_small_part_of_what_is_left(of_the_other_s, left_s):
    left = TimeLeft(parts_of([("llada", 100.0), ("llada", 100.0), ("llama", of_the_other_s), (SCORING, 0.0)]))
    left.begin(0, 0.0)
    left.move(0, 1.0, 200.0)
    assert left.shown_s(200.0) == left_s


def test_no_time_is_left_at_the_end_also_where_nothing_was_scored():
    left = TimeLeft(parts_of([("llada", 10.0), (SCORING, 0.0)]))
    left.begin(0, 0.0)
    left.move(0, 1.0, 10.0)
    assert left.shown_s(10.0) is None


def test_nothing_is_shown_before_a_cell_of_each_model_has_ended():
    parts = parts_of([(START, 8), ("noise check", 2), (START, 8), ("llama", 30), (START, 8), ("llada", 60)])
    left = TimeLeft(parts)
    for key, now_s in enumerate((0.0, 20.0, 25.0, 45.0, 120.0)):
        left.begin(key, now_s)
        assert left.shown_s(now_s) is None
        left.move(key, 1.0, now_s + 5)
    left.begin(5, 130.0)
    left.move(5, 0.2, 138.0)
    assert left.shown_s(138.0) is None
    left.move(5, 0.5, 170.0)
    assert left.shown_s(170.0) == pytest.approx(40.0)


@pytest.mark.parametrize(("took_s", "left_s"), [(10, 55), (20, 110), (900, 220)])
def test_scoring_and_report_are_guessed_by_the_speed_of_the_models(took_s, left_s):
    left = TimeLeft(parts_of([("llama", 10), (SCORING, 50), (REPORT, 5)]))
    left.begin(0, 0.0)
    left.move(0, 1.0, took_s)
    assert left.shown_s(took_s) == pytest.approx(left_s)


def test_no_time_is_shown_while_a_part_is_overdue_and_says_nothing():
    left = TimeLeft(parts_of([("llama", 10), (SCORING, 50)]))
    left.begin(0, 0.0)
    left.move(0, 1.0, 10.0)
    left.begin(1, 10.0)
    assert left.shown_s(40.0) == pytest.approx(20.0)
    assert left.shown_s(69.0) == pytest.approx(0.0, abs=1.0)
    assert left.shown_s(71.0) is None
    left.move(1, 0.5, 110.0)
    assert left.shown_s(110.0) == pytest.approx(100.0, rel=0.2)


def test_cells_that_are_left_out_teach_nothing():
    left = TimeLeft(parts_of([("llada", 10), ("llada", 10), ("llada", 10)]))
    left.begin(0, 0.0)
    left.move(0, 1.0, 20.0)
    left.move(1, 1.0, 20.0)  # its cell failed in an earlier round
    assert left.factor(["llada"]) == 2.0
    assert left.shown_s(20.0) == pytest.approx(20.0)


@settings(max_examples=60, deadline=None)
@given(
    factors=st.tuples(*[st.floats(0.2, 8.0)] * 2),
    noise=st.lists(st.floats(0.8, 1.25), min_size=20, max_size=20),
)
def test_the_end_that_is_shown_does_not_swing(factors, noise):
    """Whatever the estimates of both models are off by, the end that is first shown is close, and it stays close."""
    estimates = [(model, 40.0 * (1 + number % 3)) for number in range(10) for model in ("llama", "llada")]
    wrong_by = dict(zip(("llama", "llada"), factors, strict=True))
    took_s = {number: seconds * wrong_by[model] * noise[number] for number, (model, seconds) in enumerate(estimates)}
    ends_s = []
    for really_left_s, shown_s in played(parts_of(estimates), took_s):
        if shown_s is not None:
            ends_s.append(sum(took_s.values()) - really_left_s + shown_s)
    assert len(ends_s) > 10
    assert max(ends_s) < 1.5 * sum(took_s.values())
    assert min(ends_s) > sum(took_s.values()) / 1.5


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "under a minute"), (59, "under a minute"), (61, "about 2 min"), (89 * 60, "about 89 min"),
     (100 * 60, "about 1.5 h"), (7 * 3600, "about 7 h")],
)  # fmt: skip
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


def test_the_bar_holds_scoring_and_report_and_ends_at_100_percent(monkeypatch):
    now_s = 0.0
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    bar = Bar(parts_of([("llama", 10), (SCORING, 20), (REPORT, 10)]), clock=lambda: now_s)
    bar.bar.mininterval = 0
    for key, description in enumerate(("round 1/1: LLaMA", "scoring the texts of 2 cells", "reading")):
        bar.begin(key, description)
        now_s += 10
        bar.advance(key, 1.0)
    bar.close()
    lines = sys.stderr.getvalue().replace("\n", "\r").split("\r")
    drawn = [line for line in lines if "%" in line]
    assert " 25%" in next(line for line in drawn if "scoring the texts of 2 cells" in line)
    assert "left" not in next(line for line in drawn if "LLaMA" in line)
    assert any("under a minute left" in line for line in drawn)
    assert "left" not in drawn[-1]
    assert "100%" in drawn[-1]
    assert max(map(len, drawn)) <= progress.MOST_DESCRIPTION_COLUMNS + OTHER_COLUMNS


A_RUN = """
import time
from bench.runner.progress import Bar, Part
bar = Bar({0: Part("llada", 1.0)})
bar.begin(0, "round 1/1: LLaDA, 8 steps")
time.sleep(2.5)
bar.advance(0, 1.0)
bar.close()
"""


@pytest.mark.parametrize(("rows", "columns", "room"), [(0, 0, 100), (40, 120, 120), (24, 70, 70)])
def test_a_terminal_shows_the_bar_also_while_nothing_is_told_and_in_its_own_width(rows, columns, room):
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    subprocess.run([sys.executable, "-c", A_RUN], stderr=its, env=environment, cwd=REPO, check=True)
    drawn = [line.rstrip("\n") for line in os.read(ours, 1 << 16).decode().replace("\n", "\r").split("\r")]
    os.close(its)
    os.close(ours)
    lines = [line for line in drawn if "%" in line]
    assert any(line.startswith("round 1/1: LLaDA, 8 steps"[: room - OTHER_COLUMNS]) for line in lines)
    assert sum("0% " in line for line in lines) >= 3  # once a second
    assert " gone" in lines[-1]
    assert max(map(len, lines)) <= room


def test_with_two_lanes_the_cells_take_half_the_time_and_the_end_takes_as_long():
    left = [TimeLeft(parts_of([("llama", 10), ("llama", 30), (SCORING, 7)]), lanes=lanes) for lanes in (1, 2)]
    for each in left:
        each.begin(0, 0.0)
        each.move(0, 1.0, 10.0)
    assert [each.computed_s(10.0) for each in left] == [37.0, 22.0]


def test_what_is_done_once_more_makes_the_bar_longer(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    bar = Bar(parts_of([("llama", 10), ("llama", 20)]))
    bar.advance(0, 1.0)
    bar.extend({0: progress.Part("llama", 12.0), 5: progress.Part("llama", 3.0)})
    assert bar.bar.total == pytest.approx(10 + 20 + 12 + 3)
    for key in (0, 1, 5):
        bar.advance(key, 1.0)
    assert bar.bar.n == pytest.approx(bar.bar.total)
    bar.close()
