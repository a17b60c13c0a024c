"""The measuring, measured: short versions of what `make selfcheck` prints."""

import time

import pytest

from bench import selfcheck as door
from bench.checks import coverage, memory_peak, metronome, noise_floor, overhead, selfcheck
from bench.checks.finding import Finding
from bench.common.errors import BadInput
from bench.devices import lock
from bench.measure import memory
from bench.measure.clock import covered
from tests.conftest import make_cell
from tests.support.records import entry_of

TRIES = 3  # a neighbour on a shared machine disturbs some; what is really slow is so each time


def test_known_deadlines_are_measured_within_two_percent():
    assert any(max(metronome.clock_errors("cpu").values()) <= metronome.MOST_ERROR for _ in range(TRIES))


def test_a_clock_that_is_wrong_is_caught(monkeypatch):
    monkeypatch.setattr(metronome, "spin_until", lambda moment: time.sleep(0.011))
    assert min(metronome.clock_errors("cpu").values()) > metronome.MOST_ERROR


def test_marks_cost_little(monkeypatch):
    monkeypatch.setattr(overhead, "PAIRS", 40)  # fewer than the door, so more noise
    shares = (overhead.overhead("cpu", overhead.fixed_work("cpu")) for _ in range(TRIES))
    assert any(share <= 2 * overhead.MOST_OVERHEAD for share in shares)


def test_a_slow_stopwatch_is_caught(monkeypatch):
    class Slow(overhead.Stopwatch):
        def mark(self, kind):
            time.sleep(0.001)
            super().mark(kind)

    monkeypatch.setattr(overhead, "PAIRS", 20)
    monkeypatch.setattr(overhead, "Stopwatch", Slow)
    assert overhead.overhead("cpu", overhead.fixed_work("cpu")) > overhead.MOST_OVERHEAD


def test_intervals_cover_under_gaussian_noise_and_less_under_two_modes():
    hits, flagged = coverage.coverage("gaussian")
    assert 0.93 <= hits <= 0.97
    assert flagged < 0.01
    hits, flagged = coverage.coverage("two modes")
    assert hits < 0.93
    assert flagged > 0.3


@pytest.fixture
def locks(monkeypatch, tmp_path):
    """The machine's own lock is left alone."""
    monkeypatch.setenv(lock.LOCKS, str(tmp_path))


@pytest.mark.parametrize(("met", "status"), [(True, 0), (False, 1)])
def test_a_missed_target_is_said_and_is_status_1(met, status, locks, monkeypatch, capsys):
    monkeypatch.setattr(noise_floor, "check", lambda work, gpu: [Finding("drift", "2 %")])
    monkeypatch.setattr(selfcheck, "instruments", lambda device: [Finding("clock", "x", "2 %", met)])
    monkeypatch.setattr("sys.argv", ["selfcheck", "--device", "cpu"])
    assert door.main() == status
    assert f"target 2 %: {'ok' if met else 'MISSED'}" in capsys.readouterr().out


def test_the_sentinels_run_before_anything_here_opens_the_device_and_all_under_its_lock(locks, monkeypatch):
    order = []

    def note(what: str) -> list:
        with pytest.raises(BadInput, match="in use by study selfcheck"), lock.lock("cpu", "other"):
            pass
        order.append(what)
        return []

    monkeypatch.setattr(noise_floor, "check", lambda work, gpu: note("sentinels"))
    monkeypatch.setattr(selfcheck, "instruments", lambda device: note("instruments"))
    assert selfcheck.check("cpu", 3) == []
    assert order == ["sentinels", "instruments"]


def test_a_peak_that_cannot_be_reset_is_not_measured_and_no_target_is_missed(monkeypatch):
    monkeypatch.setattr(memory, "reset_resident_peak", lambda: False)
    finding = memory_peak.check("cpu")
    assert finding.met is None
    assert "not measured" in finding.text


def test_overlapping_kernels_are_counted_once():
    assert covered([(0, 10), (5, 12), (20, 30), (22, 25)]) == 22
    assert covered([]) == 0


def test_a_failed_sentinel_is_said():
    with pytest.raises(BadInput, match="the sentinel failed: error: gone"):
        noise_floor.good_rounds(entry_of(make_cell("llada"), [], outcome="error", message="gone"))
