"""The measuring, measured: short versions of what `make selfcheck` prints."""

import pytest

from bench import selfcheck
from bench.checks import coverage, finding, instruments, noise_floor
from bench.devices import lock
from bench.measure.clock import covered

TRIES = 3  # a neighbour on a shared machine disturbs one; what is really slow is so each time


def test_known_deadlines_are_measured_within_two_percent():
    assert any(max(instruments.clock_errors("cpu").values()) <= instruments.CLOCK_TARGET for _ in range(TRIES))


def test_a_clock_that_is_wrong_is_caught(monkeypatch):
    monkeypatch.setattr(instruments, "spin_until", lambda moment: instruments.time.sleep(0.011))
    assert min(instruments.clock_errors("cpu").values()) > instruments.CLOCK_TARGET


def test_marks_cost_little(monkeypatch):
    monkeypatch.setattr(instruments, "PAIRS", 40)  # fewer than the door, so more noise
    found = (instruments.overhead("cpu", instruments.fixed_work("cpu")) for _ in range(TRIES))
    assert any(share <= 2 * instruments.OVERHEAD_TARGET for share in found)


def test_a_slow_profiler_is_caught(monkeypatch):
    class Slow(instruments.Stopwatch):
        def mark(self, kind):
            instruments.time.sleep(0.001)
            super().mark(kind)

    monkeypatch.setattr(instruments, "PAIRS", 20)
    monkeypatch.setattr(instruments, "Stopwatch", Slow)
    assert instruments.overhead("cpu", instruments.fixed_work("cpu")) > instruments.OVERHEAD_TARGET


def test_intervals_cover_under_gaussian_noise_and_less_under_two_modes():
    hits, flagged = coverage.coverage("gaussian")
    assert 0.93 <= hits <= 0.97
    assert flagged < 0.01
    hits, flagged = coverage.coverage("two modes")
    assert hits < 0.93
    assert flagged > 0.3


def test_a_missed_target_is_said_and_is_status_1(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv(lock.LOCKS, str(tmp_path))
    monkeypatch.setattr(noise_floor, "sentinels", lambda work, gpu: [finding.Finding("drift", "2 %")])
    for met, status in ((True, 0), (False, 1)):
        monkeypatch.setattr(instruments, "checks", lambda where, met=met: [finding.Finding("clock", "x", "2 %", met)])
        monkeypatch.setattr("sys.argv", ["selfcheck", "--device", "cpu"])
        assert selfcheck.main() == status
        assert f"target 2 %: {'ok' if met else 'MISSED'}" in capsys.readouterr().out


def test_the_sentinels_run_before_anything_here_opens_the_device_and_all_under_its_lock(monkeypatch, tmp_path):
    order = []

    def note(what: str) -> list:
        with pytest.raises(instruments.BadInput, match="in use by study selfcheck"), lock.lock("cpu", "other"):
            pass
        order.append(what)
        return []

    monkeypatch.setenv(lock.LOCKS, str(tmp_path))
    monkeypatch.setattr(noise_floor, "sentinels", lambda work, gpu: note("sentinels"))
    monkeypatch.setattr(instruments, "checks", lambda where: note("checks"))
    monkeypatch.setattr("sys.argv", ["selfcheck", "--device", "cpu"])
    assert selfcheck.main() == 0
    assert order == ["sentinels", "checks"]


def test_a_peak_that_cannot_be_reset_is_not_measured_and_no_target_is_missed(monkeypatch):
    monkeypatch.setattr("bench.profiler.reset_resident_peak", lambda: False)
    found = instruments.memory_finding("cpu")
    assert (found.met, "not measured" in found.text) == (None, True)


def test_overlapping_kernels_are_counted_once():
    assert covered([(0, 10), (5, 12), (20, 30), (22, 25)]) == 22
    assert covered([]) == 0


def test_a_failed_sentinel_is_said(monkeypatch):
    with pytest.raises(instruments.BadInput, match="the sentinel failed: error: gone"):
        noise_floor.good_rounds(instruments.CellRecords({}, {1: {"outcome": "error", "message": "gone"}}))
