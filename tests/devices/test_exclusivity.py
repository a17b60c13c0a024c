"""Was the card ours alone? Walked through on a fake NVML: every way to share a card, and every way not to know."""

import os
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest

from bench.devices import exclusivity, nvml
from bench.records import trust
from bench.records.machine import NvmlReport
from tests.support.fake_nvml import CONTEXT, ELSEWHERE, GIB, MIB, OTHER, OURS, Card, Machine, Process
from tests.support.records import watched_by

NEEDED = {  # without these nothing vouches for the card
    "nvmlInit", "nvmlDeviceGetHandleByUUID", "nvmlSystemGetDriverVersion", "nvmlDeviceGetMaxClockInfo",
    "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses",
    "nvmlDeviceGetUtilizationRates", "nvmlDeviceGetClockInfo", "nvmlDeviceGetTemperature", "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetCurrentClocksThrottleReasons",
}  # fmt: skip
FEATURES = {  # a card may lack these
    "nvmlDeviceGetMigMode", "nvmlDeviceGetVirtualizationMode", "nvmlDeviceGetMPSComputeRunningProcesses",
    "nvmlDeviceGetComputeMode", "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetEnforcedPowerLimit",
}  # fmt: skip
AT_START = {  # asked before the region alone
    "nvmlInit", "nvmlDeviceGetHandleByUUID", "nvmlSystemGetDriverVersion", "nvmlDeviceGetMaxClockInfo",
    "nvmlDeviceGetComputeMode", "nvmlDeviceGetEnforcedPowerLimit", "nvmlDeviceGetMigMode",
    "nvmlDeviceGetVirtualizationMode",
}  # fmt: skip


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


def nothing() -> None:
    pass


def open_context(machine: Machine, before=nothing, opening=nothing) -> exclusivity.Watch:
    """A worker's beginning, with what happens before it and while its context opens."""
    before()
    watch = exclusivity.Watch(OURS, lambda: machine.books)
    machine.ours.bytes = CONTEXT
    machine.card.processes.append(machine.ours)
    opening()
    watch.opened()
    return watch


def time_cell(
    machine: Machine, watch: exclusivity.Watch, warming=nothing, timed=nothing, ending=nothing
) -> exclusivity.Region:
    """A worker's cell, with what happens meanwhile: in the warm-up, in the timed region, and before it ends."""
    machine.allocate(2 * GIB)
    warming()
    with watch.region() as region:
        machine.ours.busy = 100
        await_looks(region)
        timed()
        await_looks(region)
        ending()
        await_looks(region)
        machine.ours.busy = 0
    return region


def await_looks(region: exclusivity.Region) -> None:
    """Wait for three more looks, of which two begin after this call; for none where nobody looks any more."""
    wanted, end = len(region.samples) + 3, time.monotonic() + 10
    while len(region.samples) < wanted and region.thread.is_alive():
        assert time.monotonic() < end, "nobody looks"
        time.sleep(0.0005)


def work(machine: Machine, before=nothing, opening=nothing, **events) -> dict:
    """The report of a worker with one cell."""
    return time_cell(machine, open_context(machine, before, opening), **events).report()


def said(report: dict) -> tuple[str, str]:
    """(verdict, why not better)."""
    return report["verdict"], "; ".join(report["signs"] + report["doubts"])


def end(machine: Machine) -> None:
    """Every process ends."""
    machine.card.processes.clear()
    machine.books = 0


def hide_others(machine: Machine, shown: str) -> None:
    """We are in a container."""
    machine.shown, machine.namespace = shown, ELSEWHERE


def trusted(*reports: dict) -> tuple[str, str]:
    """The verdict over rounds."""
    return trust.verdict(watched_by(*map(NvmlReport.from_json, reports)))


def test_the_fake_knows_every_call_that_is_made():
    source = "".join(Path(module.__file__).read_text() for module in (exclusivity, nvml))
    assert set(re.findall(r"pynvml\.(nvml(?:Init|Device|System)\w*)", source)) == NEEDED | FEATURES
    assert all(hasattr(Machine, name) for name in NEEDED | FEATURES)


# alone


def test_alone_where_every_process_shows_is_exclusive(machine):
    report = work(machine)
    assert said(report) == ("exclusive", "")
    assert not report["lists_hidden"]
    assert (report["context_bytes"], report["foreign_bytes"]) == (CONTEXT, 0)
    assert report["used_bytes"] == CONTEXT + 2 * GIB
    assert trusted(report, report) == ("exclusive", "")


def test_alone_where_the_driver_admits_one_process_is_exclusive(machine):
    hide_others(machine, "own")
    machine.card.mode = pynvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS
    assert said(work(machine)) == ("exclusive", "")


@pytest.mark.parametrize("mode", [pynvml.NVML_COMPUTEMODE_DEFAULT, pynvml.NVML_COMPUTEMODE_PROHIBITED])
def test_alone_in_a_container_is_consistent(machine, mode):
    hide_others(machine, "own")
    machine.card.mode = mode
    report = work(machine)
    assert said(report) == ("consistent", "")
    assert not report["lists_hidden"]


def test_alone_where_lists_are_hidden_is_consistent(machine):
    hide_others(machine, "none")
    report = work(machine)
    assert said(report) == ("consistent", "")
    assert report["lists_hidden"]


def test_our_process_under_a_foreign_number_is_no_stranger(machine):
    hide_others(machine, "host")
    report = work(machine)
    assert said(report) == ("consistent", "")
    assert not report["lists_hidden"]


@pytest.mark.parametrize("shown", ["none", "host"])
def test_a_first_namespace_does_not_vouch_for_lists_without_us(machine, shown):
    # a virtual machine whose card is its host's: the first namespace of its own kernel, the lists of the host
    machine.shown = shown
    assert said(work(machine)) == ("consistent", "")


def test_one_process_at_a_time_is_believed_only_where_lists_show_ours(machine):
    # that one process may be the server of MPS, its clients hidden like we are
    hide_others(machine, "none")
    machine.card.mode = pynvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS
    assert said(work(machine)) == ("consistent", "")


def test_memory_that_we_take_or_give_back_is_ours(machine):
    report = work(machine, timed=lambda: machine.allocate(3 * GIB), ending=lambda: machine.allocate(-4 * GIB))
    assert said(report) == ("exclusive", "")
    assert (report["foreign_bytes"], report["used_bytes"]) == (0, CONTEXT + 5 * GIB)


def test_a_card_that_falls_idle_while_we_wait_is_idle(machine, monkeypatch):
    readings = iter([80, 80, 80])  # what ran until now
    machine.patch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", lambda card: SimpleNamespace(gpu=next(readings, 0)))
    monkeypatch.setattr(exclusivity, "IDLE_WAIT_S", 10)
    assert said(work(machine)) == ("exclusive", "")


def test_a_tenant_on_another_card_does_not_matter(machine):
    # NVML's first is the other card, CUDA's is ours
    machine.cards.insert(0, Card(OTHER))
    machine.cards[0].processes.append(Process(4242, 40 * GIB, 100))
    report = work(machine)
    assert said(report) == ("exclusive", "")
    assert report["card"]["uuid"] == OURS


def test_a_tenant_on_our_card_matters_wherever_nvml_lists_it(machine):
    machine.cards.insert(0, Card(OTHER))
    assert said(work(machine, before=machine.comes)) == ("violated", "held before us by process 4242")


def test_a_card_that_is_not_there_is_unknown(machine):
    machine.cards = [Card(OTHER)]
    watch = exclusivity.Watch(OURS, lambda: 0)
    watch.opened()
    with watch.region() as region:
        pass
    assert said(region.report()) == ("unknown", "nvmlDeviceGetHandleByUUID: Not Found")
    assert region.report()["card"] == {"uuid": OURS}


# a tenant before us


@pytest.mark.parametrize("shown_in", ["compute", "graphics"])
@pytest.mark.parametrize(("shown", "pid"), [("all", 4242), ("host", 104242)])
def test_a_listed_process_before_us_is_a_violation(machine, shown_in, shown, pid):
    machine.shown = shown
    report = work(machine, before=lambda: machine.comes(shown_in=shown_in))
    assert said(report) == ("violated", f"held before us by process {pid}")


def test_memory_in_use_before_us_is_a_violation(machine):
    hide_others(machine, "own")
    assert said(work(machine, before=lambda: machine.comes(GIB))) == ("violated", "1024 MiB in use before us")


def test_a_card_that_works_before_us_is_a_violation(machine):
    hide_others(machine, "own")
    report = work(machine, before=lambda: machine.comes(10 * MIB, busy=30), opening=machine.goes)
    assert said(report) == ("violated", "30 % busy before us")


def test_two_new_entries_where_one_is_ours_are_a_violation(machine):
    report = work(machine, opening=machine.comes, warming=machine.goes)
    both = ", ".join(map(str, sorted([4242, os.getpid()])))
    assert said(report) == ("violated", f"2 processes appeared where one is ours: {both}")


# a tenant that comes during the warm-up


def test_a_listed_tenant_of_the_warm_up_is_a_violation(machine):
    assert said(work(machine, warming=machine.comes)) == ("violated", "not ours, during the run: process 4242")


def test_a_listed_tenant_that_ends_as_a_short_region_begins_is_a_violation(machine, monkeypatch):
    monkeypatch.setattr(exclusivity, "PERIOD_S", 60)
    watch = open_context(machine)
    machine.comes()
    with watch.region() as region:
        machine.goes()
    assert said(region.report()) == ("violated", "not ours, during the run: process 4242")


def test_a_hidden_tenant_of_the_warm_up_shows_where_no_context_is_so_large(machine):
    hide_others(machine, "own")
    report = work(machine, warming=lambda: machine.comes(3 * GIB))
    assert said(report) == ("violated", f"{3072 + 500} MiB beside our tensors after warm-up")


def test_a_hidden_tenant_of_the_warm_up_that_leaves_shows_by_what_is_missing(machine):
    hide_others(machine, "own")
    report = work(machine, warming=lambda: machine.comes(900 * MIB), timed=machine.goes)
    grown = "900 MiB that are not our tensors came into use since we began"
    assert said(report) == ("violated", f"{grown}; -900 MiB more in use than ours")


def test_a_small_hidden_tenant_of_the_warm_up_shows_by_another_round(machine):
    # one round cannot tell 200 MiB from a context; two can
    hide_others(machine, "own")
    shared = work(machine, warming=lambda: machine.comes(200 * MIB))
    assert said(shared) == trusted(shared) == ("consistent", "")
    assert shared["context_bytes"] == CONTEXT + 200 * MIB
    end(machine)
    alone = work(machine)
    assert trusted(shared, alone) == ("violated", "200 MiB more beside our tensors than in another round")


def test_a_hidden_tenant_of_one_cell_shows_in_the_next(machine):
    hide_others(machine, "own")
    watch = open_context(machine)
    first = time_cell(machine, watch, timed=lambda: machine.comes(900 * MIB)).report()
    second = time_cell(machine, watch).report()
    assert first["verdict"] == "violated"
    assert said(second) == ("violated", "900 MiB that are not our tensors came into use since we began")


def test_kernels_that_are_loaded_are_no_tenant(machine):
    watch = open_context(machine)
    machine.ours.bytes += 100 * MIB
    report = time_cell(machine, watch).report()
    assert said(report) == ("exclusive", "")
    assert report["context_bytes"] - report["opened_bytes"] == 100 * MIB


def test_a_watch_that_hardly_looked_does_not_know(machine, monkeypatch):
    monkeypatch.setattr(exclusivity, "FEWEST_LOOKS", 0.5)
    slow = machine.nvmlDeviceGetTemperature
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTemperature", lambda *asked: time.sleep(0.02) or slow(*asked))
    verdict, why = said(work(machine))
    assert verdict == "unknown"
    assert re.fullmatch(r"only \d+ looks in 0\.\d s", why)


# a tenant during the timed region


@pytest.mark.parametrize("shown_in", ["compute", "graphics"])
@pytest.mark.parametrize(("shown", "pid"), [("all", 4242), ("host", 104242)])
@pytest.mark.parametrize("stays", [True, False])
def test_a_listed_tenant_during_the_run_is_a_violation(machine, shown_in, shown, pid, stays):
    hide_others(machine, shown)
    ending = nothing if stays else machine.goes
    report = work(machine, timed=lambda: machine.comes(shown_in=shown_in), ending=ending)
    assert said(report) == ("violated", f"not ours, during the run: process {pid}")


def test_a_listed_tenant_that_comes_as_a_short_region_ends_is_a_violation(machine, monkeypatch):
    monkeypatch.setattr(exclusivity, "PERIOD_S", 60)
    with open_context(machine).region() as region:
        machine.comes()
    assert said(region.report()) == ("violated", "not ours, during the run: process 4242")


@pytest.mark.parametrize("shown", ["own", "none"])
def test_a_hidden_tenant_during_the_run_shows_by_its_memory_alone(machine, shown):
    hide_others(machine, shown)
    report = work(machine, timed=lambda: machine.comes(GIB))
    assert report["signs"] == ["memory that is not ours came into use during the run", "1024 MiB more in use than ours"]
    assert (report["verdict"], report["foreign_bytes"]) == ("violated", GIB)


@pytest.mark.parametrize("shown", ["own", "none"])
def test_a_hidden_tenant_that_leaves_before_the_end_shows_by_its_memory_alone(machine, shown):
    hide_others(machine, shown)
    report = work(machine, timed=lambda: machine.comes(GIB), ending=machine.goes)
    assert said(report) == ("violated", "memory that is not ours came into use during the run")
    assert (report["foreign_bytes"], report["used_bytes"]) == (0, CONTEXT + 3 * GIB)


@pytest.mark.parametrize("shown", ["own", "none"])
def test_a_hidden_tenant_that_goes_on_after_us_shows_by_utilisation_alone(machine, shown):
    hide_others(machine, shown)
    report = work(machine, timed=lambda: machine.comes(20 * MIB, busy=60))
    assert said(report) == ("violated", "60 % busy after our work had ended")


def test_a_small_hidden_tenant_that_stops_with_us_is_not_seen(machine):
    # the limit of `consistent`: in no list, smaller than most contexts, idle before and after
    hide_others(machine, "own")
    report = work(machine, timed=lambda: machine.comes(200 * MIB, busy=50), ending=machine.goes)
    assert said(report) == ("consistent", "")


def test_memory_is_foreign_in_two_looks_running(machine, monkeypatch):
    # one look may fall between an allocation and its entry in the books
    monkeypatch.setattr(exclusivity, "PERIOD_S", 60)
    with open_context(machine).region() as region:
        for _ in range(2):
            machine.ours.bytes += GIB
            region.glance()
            machine.books += GIB
            region.glance()
        assert region.findings.signs == []
        machine.ours.bytes += GIB
        region.glance()
        region.glance()
        assert region.findings.signs == ["memory that is not ours came into use during the run"]


def test_a_look_while_the_books_change_does_not_count(machine, monkeypatch):
    monkeypatch.setattr(exclusivity, "PERIOD_S", 60)
    watch = open_context(machine)
    with watch.region() as region:
        machine.ours.bytes += GIB
        readings = iter(range(100))
        watch.reserved = lambda: next(readings)
        for _ in range(3):
            region.glance()
        assert region.findings.signs == []


# what cannot be read


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "no answer"),
        (SimpleNamespace(used=None), "no answer"),
        (pynvml.NVMLError_NotSupported(), "Not Supported"),
    ],
)
@pytest.mark.parametrize("when", ["before", "opening", "warming", "timed", "ending"])
def test_memory_that_is_not_told_is_unknown(machine, answer, why, when):
    report = work(machine, **{when: lambda: machine.answers("nvmlDeviceGetMemoryInfo", answer)})
    assert said(report) == trusted(report) == ("unknown", f"nvmlDeviceGetMemoryInfo: {why}")
    assert "foreign_bytes" not in report


def test_a_slice_of_a_card_is_unknown(machine):
    machine.card.mig = [pynvml.NVML_DEVICE_MIG_ENABLE, pynvml.NVML_DEVICE_MIG_ENABLE]
    assert said(work(machine)) == ("unknown", "MIG is on: other slices share memory bandwidth and power")


@pytest.mark.parametrize("kind", ["VGPU", "HOST_VGPU", "HOST_VSGA"])
def test_a_virtual_card_is_unknown(machine, kind):
    machine.card.virtual = getattr(pynvml, f"NVML_GPU_VIRTUALIZATION_MODE_{kind}")
    assert said(work(machine)) == ("unknown", "a virtual GPU: other machines may share the card")


def test_a_card_passed_through_to_a_virtual_machine_is_whole(machine):
    machine.card.virtual = pynvml.NVML_GPU_VIRTUALIZATION_MODE_PASSTHROUGH
    assert said(work(machine)) == ("exclusive", "")


@pytest.mark.parametrize("when", ["before", "opening", "warming", "timed", "ending"])
def test_mps_is_unknown_whenever_it_comes(machine, when):
    report = work(machine, **{when: lambda: machine.comes(shown_in="mps")})
    assert said(report) == ("unknown", "MPS is on: its processes share one context")


@pytest.mark.parametrize("name", sorted(NEEDED | FEATURES))
def test_a_call_that_fails_is_unknown(machine, name):
    machine.answers(name, pynvml.NVMLError_Unknown())
    assert said(work(machine)) == ("unknown", f"{name}: Unknown Error")


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_what_is_needed_and_not_supported_is_unknown(machine, name):
    machine.answers(name, pynvml.NVMLError_NotSupported())
    verdict, why = said(work(machine))
    assert verdict == "unknown"
    assert why


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_a_feature_that_the_card_lacks_is_no_doubt(machine, name):
    machine.answers(name, pynvml.NVMLError_NotSupported())
    assert said(work(machine)) == ("exclusive", "")


@pytest.mark.parametrize("name", sorted((NEEDED | FEATURES) - AT_START))
@pytest.mark.parametrize("when", ["timed", "ending"])
def test_a_call_that_fails_in_the_middle_of_the_region_is_unknown(machine, name, when):
    report = work(machine, **{when: lambda: machine.answers(name, pynvml.NVMLError_GpuIsLost())})
    assert said(report) == ("unknown", f"{name}: GPU is lost")


@pytest.mark.parametrize("name", sorted(AT_START))
def test_what_is_asked_once_may_fail_later(machine, name):
    report = work(machine, timed=lambda: machine.answers(name, pynvml.NVMLError_Unknown()))
    assert said(report) == ("exclusive", "")


@pytest.mark.parametrize("kind", ["Compute", "Graphics", "MPSCompute"])
@pytest.mark.parametrize("when", ["before", "opening", "warming", "timed", "ending"])
def test_lists_of_another_version_than_the_driver_are_unknown(machine, kind, when):
    # pynvml raises something here that is no NVMLError
    name, error = f"nvmlDeviceGet{kind}RunningProcesses", pynvml.NVMLLibraryMismatchError("no such version")
    report = work(machine, **{when: lambda: machine.answers(name, error)})
    assert said(report) == ("unknown", f"{name}: no such version")


def test_no_library_is_unknown(machine):
    machine.answers("nvmlInit", pynvml.NVMLError_LibraryNotFound())
    assert said(work(machine)) == ("unknown", "nvmlInit: NVML Shared Library Not Found")


def test_waiting_for_an_idle_card_may_fail_too(machine, monkeypatch):
    monkeypatch.setattr(nvml.Card, "idle_within", lambda card, seconds: nvml.asked(failing))
    assert said(work(machine)) == ("unknown", "failing: Timeout")
    end(machine)
    machine.card.busy_before = 80
    assert said(work(machine)) == ("unknown", "failing: Timeout")


def failing() -> None:
    raise pynvml.NVMLError_Timeout()


@pytest.mark.parametrize("error", [RuntimeError("CUDA error"), AssertionError()])
def test_a_watch_that_breaks_by_itself_is_unknown(machine, error):
    watch = open_context(machine)

    def broken():
        raise error

    region = time_cell(machine, watch, timed=lambda: setattr(watch, "reserved", broken))
    assert said(region.report()) == ("unknown", str(error) or "AssertionError()")


def test_a_doubt_of_the_worker_itself_counts(machine):
    region = time_cell(machine, open_context(machine))
    region.findings.doubts.append("the allocator had to retry")
    assert said(region.report()) == ("unknown", "the allocator had to retry")


# a sign outweighs a doubt


@pytest.mark.parametrize("name", ["nvmlDeviceGetPowerUsage", "nvmlDeviceGetTotalEnergyConsumption"])
@pytest.mark.parametrize("when", ["before", "warming", "timed"])
def test_who_was_seen_stays_seen_when_something_fails_later(machine, name, when):
    events = {when: machine.comes, "ending": lambda: machine.answers(name, pynvml.NVMLError_Unknown())}
    report = work(machine, **events)
    assert report["verdict"] == trusted(report)[0] == "violated"
    assert ["process 4242" in sign for sign in report["signs"]] == [True]
    assert report["doubts"] == [f"{name}: Unknown Error"]


def test_memory_that_was_foreign_stays_so_when_utilisation_fails(machine, monkeypatch):
    hide_others(machine, "own")
    monkeypatch.setattr(exclusivity, "PERIOD_S", 60)
    monkeypatch.setattr(nvml.Card, "idle_within", lambda card, seconds: nvml.asked(failing))
    with open_context(machine).region() as region:
        machine.comes(GIB)
    assert said(region.report()) == ("violated", "1024 MiB more in use than ours; failing: Timeout")


def test_each_cell_has_findings_of_its_own(machine):
    watch = open_context(machine)
    events = [{}, {"timed": machine.comes, "ending": machine.goes}, {}]
    verdicts = [time_cell(machine, watch, **event).report()["verdict"] for event in events]
    assert verdicts == ["exclusive", "violated", "exclusive"]


def test_a_tenant_before_us_spoils_every_cell(machine):
    watch = open_context(machine, before=machine.comes, opening=machine.goes)
    assert [time_cell(machine, watch).report()["verdict"] for _ in range(2)] == ["violated", "violated"]


# what else is reported


def test_energy_is_the_difference_of_the_counter(machine):
    def spend():
        machine.card.millijoules += 1_234_500

    assert time_cell(machine, open_context(machine), timed=spend).joules == 1234.5


def test_a_card_without_a_counter_has_no_energy(machine):
    machine.answers("nvmlDeviceGetTotalEnergyConsumption", pynvml.NVMLError_NotSupported())
    assert time_cell(machine, open_context(machine)).joules is None


def test_the_card_is_described(machine):
    about = {"uuid": OURS, "driver": "580.159.04", "power_limit_w": 700.0, "max_sm_clock_mhz": 1980}
    assert work(machine)["card"] == about


def test_telemetry_has_least_mean_and_most():
    clocks = [(1980, 0), (1980, exclusivity.POWER_CAP), (1200, pynvml.nvmlClocksThrottleReasonHwSlowdown), (1980, 0)]
    samples = [
        {"sm_clock_mhz": sm, "memory_clock_mhz": 2619, "temperature_c": 40 + i, "power_w": 300.5, "reasons": reasons}
        for i, (sm, reasons) in enumerate(clocks)
    ]
    assert exclusivity.summary(samples) == {
        "samples": 4,
        "sm_clock_mhz": [1200, 1785.0, 1980],
        "memory_clock_mhz": [2619, 2619.0, 2619],
        "temperature_c": [40, 41.5, 43],
        "power_w": [300.5, 300.5, 300.5],
        "throttled": ["hardware slowdown"],
        "power_capped_share": 0.25,
    }


def test_telemetry_is_what_the_card_told(machine):
    telemetry = work(machine)["telemetry"]
    assert telemetry["samples"] >= 9
    assert telemetry["sm_clock_mhz"] == [1980, 1980.0, 1980]
    assert telemetry["memory_clock_mhz"] == [2619, 2619.0, 2619]
    assert telemetry["temperature_c"] == [41, 41.0, 41]
    assert telemetry["power_w"] == [350.0, 350.0, 350.0]


@pytest.mark.parametrize("words", sorted(exclusivity.HARDWARE_REASONS))
def test_a_reason_given_once_is_reported_in_words(machine, words):
    def slow_down(reasons):
        machine.card.reasons = reasons

    bits = exclusivity.HARDWARE_REASONS[words]
    report = work(machine, timed=lambda: slow_down(bits), ending=lambda: slow_down(0))
    assert said(report) == ("exclusive", "")
    assert (report["telemetry"]["throttled"], report["telemetry"]["power_capped_share"]) == ([words], 0)


def test_a_power_cap_is_a_share_and_no_throttling(machine):
    machine.card.reasons = exclusivity.POWER_CAP | pynvml.nvmlClocksThrottleReasonApplicationsClocksSetting
    telemetry = work(machine)["telemetry"]
    assert (telemetry["throttled"], telemetry["power_capped_share"]) == ([], 1.0)


def test_a_region_shorter_than_a_look_has_a_verdict_and_no_telemetry(machine, monkeypatch):
    monkeypatch.setattr(exclusivity, "PERIOD_S", 60)
    with open_context(machine).region() as region:
        pass
    report = region.report()
    assert said(report) == ("exclusive", "")
    assert "telemetry" not in report
    assert report["seconds"] < 5


def test_the_processor_time_of_the_looks_is_reported(machine):
    def slow(card):
        end = time.thread_time() + 0.003
        while time.thread_time() < end:
            pass
        return 350_000

    machine.patch.setattr(pynvml, "nvmlDeviceGetPowerUsage", slow)
    report = work(machine)
    assert 0.003 * report["telemetry"]["samples"] <= report["sampler_cpu_s"] <= report["seconds"] + 0.01


def test_an_error_inside_the_region_passes_through_and_nobody_looks_any_more(machine):
    region = open_context(machine).region()

    def crash():
        with region:
            await_looks(region)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crash()
    assert region.samples
    assert not region.thread.is_alive()
    assert said(region.report()) == ("unknown", "the run did not end well")


def test_an_error_inside_a_region_that_nobody_watches_passes_through(machine):
    machine.answers("nvmlInit", pynvml.NVMLError_DriverNotLoaded())
    with pytest.raises(ZeroDivisionError), open_context(machine).region():
        _ = 1 / 0


def test_the_namespace_is_this_process_s():
    link = Path("/proc/self/ns/pid")
    assert nvml.pid_namespace() == (int(re.search(r"\d+", os.readlink(link))[0]) if link.exists() else None)
