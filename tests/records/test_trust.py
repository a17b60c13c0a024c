"""Verdicts over rounds and the flags beside a cell's numbers, on made-up records."""

from dataclasses import replace

import pytest

from bench.records import trust
from bench.records.machine import Environment, NvmlReport, Telemetry
from bench.records.merge import CellRecords
from bench.records.types import Call
from tests.conftest import make_cell
from tests.support.records import entry_of, watched_by

MIB = 1 << 20
LLADA = make_cell("llada", steps=2, gen_length=4, block_length=4)


def call(step_ms: float, positions: int = 200) -> Call:
    """A call of two forwards of `step_ms` each over `positions / 2` rows."""
    marks = {"step": [step_ms, 2 * step_ms], "block": [2 * step_ms]}
    return Call([0], 2 * step_ms, marks, nfe=2, positions=positions, kept=[4], first_step=0)


def entry(*calls_of_rounds: list[Call], verdict: str = "consistent") -> CellRecords:
    """A cell whose rounds have these calls, all with one verdict."""
    return entry_of(LLADA, *calls_of_rounds, environment=Environment(verdict=verdict))


def look(verdict="consistent", context=500 * MIB, foreign=0, **more) -> NvmlReport:
    """A report of a card with 10,000 MiB in use."""
    fields = {"verdict": verdict, "context_bytes": context, "foreign_bytes": foreign, "used_bytes": 10_000 * MIB}
    return NvmlReport(**fields | more)


def watched(*reports: NvmlReport) -> CellRecords:
    """A cell with one call in each round, of which NVML reported this."""
    return watched_by(*reports, cell=LLADA, calls=[call(10.0)])


def in_place(measured: CellRecords, number: int, environment: Environment) -> None:
    """Let a round have run somewhere else."""
    measured.rounds[number] = replace(measured.rounds[number], environment=environment)


@pytest.mark.parametrize(
    ("rounds", "worst"),
    [
        (("exclusive", "exclusive"), "exclusive"),
        (("exclusive", "consistent"), "consistent"),
        (("consistent", "unknown", "exclusive"), "unknown"),
        (("unknown", "violated", "exclusive"), "violated"),
    ],
)
def test_the_worst_round_gives_the_verdict(rounds, worst):
    assert trust.verdict(watched(*map(look, rounds)))[0] == worst


def test_the_reasons_of_all_rounds_are_given_once():
    measured = watched(
        look("violated", signs=["9 % busy"]), look("unknown", doubts=["MIG is on"]), look(signs=["9 % busy"])
    )
    assert trust.verdict(measured) == ("violated", "9 % busy; MIG is on")


def test_a_tenant_that_hides_in_one_rounds_warm_up_shows_between_rounds():
    assert trust.verdict(watched(look(context=500 * MIB), look(context=563 * MIB)))[0] == "consistent"
    measured = watched(look(context=500 * MIB), look(context=700 * MIB), look(context=580 * MIB))
    assert trust.verdict(measured) == ("violated", "200 MiB more beside our tensors than in another round")
    assert {number: word for number, (word, _) in trust.round_verdicts(measured).items()} == {
        1: "consistent", 2: "violated", 3: "consistent",
    }  # fmt: skip


def test_a_tenant_that_comes_while_the_context_opens_shows_between_rounds():
    assert trust.verdict(watched(look(opened_bytes=600 * MIB), look(opened_bytes=660 * MIB)))[0] == "consistent"
    assert trust.verdict(watched(look(opened_bytes=600 * MIB), look(opened_bytes=670 * MIB)))[0] == "violated"


def test_a_round_that_was_not_alone_spoils_no_other():
    measured = watched(look("violated", opened_bytes=-1500 * MIB), look(opened_bytes=600 * MIB))
    assert [word for word, _ in trust.round_verdicts(measured).values()] == ["violated", "consistent"]


def test_each_card_has_a_context_of_its_own():
    measured = watched(look(opened_bytes=300 * MIB), look(opened_bytes=600 * MIB))
    for number in (1, 2):
        in_place(measured, number, Environment(verdict="consistent", card={"uuid": f"GPU-{number}"}))
    assert trust.verdict(measured)[0] == "consistent"
    assert trust.flags(measured) == ["several machines"]


def test_rounds_on_two_machines_are_flagged():
    here, there = (Environment(host=host, device="Zen") for host in "ab")
    measured = entry([call(10.0)], [call(10.1)])
    in_place(measured, 1, here)
    in_place(measured, 2, here)
    assert trust.flags(measured) == []
    in_place(measured, 2, there)
    assert trust.flags(measured) == ["several machines"]


def test_a_cpu_is_unknown_without_reason():
    measured = entry([call(10.0)], verdict="unknown")
    assert trust.verdict(measured) == ("unknown", "")


def test_steady_calls_raise_no_flag():
    assert trust.flags(entry([call(10 + 0.1 * i) for i in range(10)], [call(10.2), call(10.1)])) == []


def test_calls_of_two_speeds_are_flagged():
    assert trust.flags(entry([call(10 + 0.1 * (i % 3) + 5 * (i % 2)) for i in range(20)])) == ["two modes"]


def test_rounds_of_two_speeds_are_flagged():
    assert trust.flags(entry(*[[call(ms)] for ms in (10, 10.1, 14, 14.1, 10.05)])) == ["two modes"]


def test_other_shapes_are_not_another_mode():
    calls = [call(10 + 0.1 * (i % 3) + 5 * (i % 2), 200 + 200 * (i % 2)) for i in range(20)]
    assert trust.flags(entry(calls)) == []


def test_a_slow_first_call_in_every_round_is_a_cold_start():
    slow = [call(11.0), *[call(10.0)] * 4]
    assert trust.flags(entry(slow, slow)) == ["cold start"]
    assert trust.flags(entry(slow, [call(10.0)] * 5)) == []
    assert trust.flags(entry(slow, [call(10.0)] * 3)) == ["cold start"]  # three calls judge nothing
    assert trust.flags(entry([call(11.0), call(10.0), call(10.0)])) == []
    assert trust.flags(entry([call(11.0, 400), *[call(10.0)] * 4])) == []


def test_heat_and_unexplained_memory_are_flagged():
    hot = look(telemetry=Telemetry(throttled=["power brake"]))
    assert trust.flags(watched(look(), hot)) == ["throttled"]
    assert trust.flags(watched(look(foreign=-201 * MIB))) == ["memory"]
    assert trust.flags(watched(look(foreign=199 * MIB))) == []
