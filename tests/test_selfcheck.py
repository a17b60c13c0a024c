"""The measuring, measured: short versions of what `make selfcheck` prints."""

import pytest

from bench import device, selfcheck
from bench.profiler import covered

TRIES = 3  # a neighbour on a shared machine disturbs one; what is really slow is so each time


def test_known_deadlines_are_measured_within_two_percent():
    assert any(max(selfcheck.clock_errors("cpu").values()) <= selfcheck.CLOCK_TARGET for _ in range(TRIES))


def test_a_clock_that_is_wrong_is_caught(monkeypatch):
    monkeypatch.setattr(selfcheck, "spin_until", lambda moment: selfcheck.time.sleep(0.011))
    assert min(selfcheck.clock_errors("cpu").values()) > selfcheck.CLOCK_TARGET


def test_marks_cost_little(monkeypatch):
    monkeypatch.setattr(selfcheck, "PAIRS", 40)  # fewer than the door, so more noise
    found = (selfcheck.overhead("cpu", selfcheck.fixed_work("cpu")) for _ in range(TRIES))
    assert any(share <= 2 * selfcheck.OVERHEAD_TARGET for share in found)


def test_a_slow_profiler_is_caught(monkeypatch):
    class Slow(selfcheck.Stopwatch):
        def mark(self, kind):
            selfcheck.time.sleep(0.001)
            super().mark(kind)

    monkeypatch.setattr(selfcheck, "PAIRS", 20)
    monkeypatch.setattr(selfcheck, "Stopwatch", Slow)
    assert selfcheck.overhead("cpu", selfcheck.fixed_work("cpu")) > selfcheck.OVERHEAD_TARGET


def test_intervals_cover_under_gaussian_noise_and_less_under_two_modes():
    hits, flagged = selfcheck.coverage("gaussian")
    assert 0.93 <= hits <= 0.97
    assert flagged < 0.01
    hits, flagged = selfcheck.coverage("two modes")
    assert hits < 0.93
    assert flagged > 0.3


def test_a_missed_target_is_said_and_is_status_1(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv(device.LOCKS, str(tmp_path))
    monkeypatch.setattr(selfcheck, "sentinels", lambda work, gpu: [selfcheck.Finding("drift", "2 %")])
    for met, status in ((True, 0), (False, 1)):
        monkeypatch.setattr(selfcheck, "checks", lambda where, met=met: [selfcheck.Finding("clock", "x", "2 %", met)])
        monkeypatch.setattr("sys.argv", ["selfcheck", "--device", "cpu"])
        assert selfcheck.main() == status
        assert f"target 2 %: {'ok' if met else 'MISSED'}" in capsys.readouterr().out


def test_the_sentinels_run_before_anything_here_opens_the_device_and_all_under_its_lock(monkeypatch, tmp_path):
    order = []

    def note(what: str) -> list:
        with pytest.raises(selfcheck.BadInput, match="in use by study selfcheck"), device.lock("cpu", "other"):
            pass
        order.append(what)
        return []

    monkeypatch.setenv(device.LOCKS, str(tmp_path))
    monkeypatch.setattr(selfcheck, "sentinels", lambda work, gpu: note("sentinels"))
    monkeypatch.setattr(selfcheck, "checks", lambda where: note("checks"))
    monkeypatch.setattr("sys.argv", ["selfcheck", "--device", "cpu"])
    assert selfcheck.main() == 0
    assert order == ["sentinels", "checks"]


def test_a_peak_that_cannot_be_reset_is_not_measured_and_no_target_is_missed(monkeypatch):
    monkeypatch.setattr("bench.profiler.reset_resident_peak", lambda: False)
    found = selfcheck.memory_finding("cpu")
    assert (found.met, "not measured" in found.text) == (None, True)


def test_overlapping_kernels_are_counted_once():
    assert covered([(0, 10), (5, 12), (20, 30), (22, 25)]) == 22
    assert covered([]) == 0


def test_a_failed_sentinel_is_said(monkeypatch):
    with pytest.raises(selfcheck.BadInput, match="the sentinel failed: error: gone"):
        selfcheck.good_rounds(selfcheck.CellRecords({}, {1: {"outcome": "error", "message": "gone"}}))
