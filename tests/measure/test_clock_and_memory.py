"""Clocks and memory peaks against known truths."""

import statistics
import time

import pytest
import torch

from bench.common.units import GIB
from bench.measure.clock import Stopwatch
from bench.measure.memory import PeakMemory, reset_resident_peak


def spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_marks_and_latency_are_those_of_a_known_schedule():
    truth = [time.perf_counter()]

    def call(mark):
        truth[0] = time.perf_counter()
        for _ in range(20):
            spin(0.005)
            truth.append(time.perf_counter())
            mark("step")
        return "result"

    result, timing = Stopwatch("cpu").time(call)
    assert result == "result"
    assert timing.device_ms is None
    errors = [abs(m - 1e3 * (t - truth[0])) for m, t in zip(timing.marks["step"], truth[1:], strict=True)]
    assert statistics.median(errors) < 0.1  # ms; a median, since the machine may be taken away between two lines
    assert timing.latency_ms >= timing.marks["step"][-1] >= 100


def test_an_error_passes_through_the_stopwatch():
    with pytest.raises(ZeroDivisionError):
        Stopwatch("cpu").time(lambda mark: 1 / 0)


@pytest.mark.skipif(not reset_resident_peak(), reason="this system cannot reset the resident high-water mark")
def test_resident_peak_sees_a_known_allocation_that_is_gone_at_the_end():
    with PeakMemory("cpu") as idle:
        pass
    with PeakMemory("cpu") as peak:
        block = torch.ones(256 << 18)  # 256 MiB of float32
        del block
    assert peak.gib["resident"] - idle.gib["resident"] == pytest.approx(0.25, abs=0.02)
    assert set(peak.gib) == {"resident"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_peak_sees_a_known_allocation_to_the_byte():
    with PeakMemory("cuda") as idle:
        pass
    with PeakMemory("cuda") as peak:
        block = torch.ones(256 << 18, device="cuda")
        del block
    assert peak.gib["allocated"] - idle.gib["allocated"] == 256 * (1 << 20) / GIB
    assert peak.gib["reserved"] >= peak.gib["allocated"]
