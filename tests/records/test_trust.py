"""Verdicts over rounds and the flags beside a cell's numbers, on made-up records."""

import pytest

from bench.records import trust
from bench.records.merge import CellRecords

MIB = 1 << 20
LLADA = {"steps": 2, "gen_length": 4}


def call(step_ms: float, positions: int = 200) -> dict:
    """A call of two forwards of `step_ms` each over `positions / 2` rows."""
    marks = {"step": [step_ms, 2 * step_ms], "block": [2 * step_ms]}
    return {"prompts": [0], "latency_ms": 2 * step_ms, "marks": marks, "nfe": 2, "positions": positions, "kept": [4],
            "first_step": 0}  # fmt: skip


def entry(*rounds: list[dict], **changes) -> CellRecords:
    """A cell whose rounds have these calls; changes go into every record."""
    records = {
        number: {"outcome": "ok", "calls": calls, "memory_gib": {}, "environment": {"verdict": "consistent"}} | changes
        for number, calls in enumerate(rounds, 1)
    }
    return CellRecords(LLADA, records)


def look(verdict="consistent", context=500 * MIB, foreign=0, **more) -> dict:
    found = {"verdict": verdict, "signs": [], "doubts": [], "context_bytes": context, "foreign_bytes": foreign}
    return found | {"used_bytes": 10_000 * MIB} | more


def watched(*looks: dict) -> CellRecords:
    found = entry(*[[call(10.0)]] * len(looks))
    for record, one in zip(found.rounds.values(), looks, strict=True):
        record |= {"nvml": one, "environment": {"verdict": one["verdict"]}}
    return found


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
    found = watched(
        look("violated", signs=["9 % busy"]), look("unknown", doubts=["MIG is on"]), look(signs=["9 % busy"])
    )
    assert trust.verdict(found) == ("violated", "9 % busy; MIG is on")


def test_a_tenant_that_hides_in_one_rounds_warm_up_shows_between_rounds():
    assert trust.verdict(watched(look(context=500 * MIB), look(context=563 * MIB)))[0] == "consistent"
    found = watched(look(context=500 * MIB), look(context=700 * MIB), look(context=580 * MIB))
    assert trust.verdict(found) == ("violated", "200 MiB more beside our tensors than in another round")
    assert {number: word for number, (word, _) in trust.round_verdicts(found).items()} == {
        1: "consistent", 2: "violated", 3: "consistent",
    }  # fmt: skip


def test_a_tenant_that_comes_while_the_context_opens_shows_between_rounds():
    assert trust.verdict(watched(look(opened_bytes=600 * MIB), look(opened_bytes=660 * MIB)))[0] == "consistent"
    assert trust.verdict(watched(look(opened_bytes=600 * MIB), look(opened_bytes=670 * MIB)))[0] == "violated"


def test_a_round_that_was_not_alone_spoils_no_other():
    found = watched(look("violated", opened_bytes=-1500 * MIB), look(opened_bytes=600 * MIB))
    assert [word for word, _ in trust.round_verdicts(found).values()] == ["violated", "consistent"]


def test_each_card_has_a_context_of_its_own():
    found = watched(look(opened_bytes=300 * MIB), look(opened_bytes=600 * MIB))
    for number, record in found.rounds.items():
        record["environment"]["card"] = {"uuid": f"GPU-{number}"}
    assert trust.verdict(found)[0] == "consistent"
    assert trust.flags(found) == ["two machines"]


def test_rounds_on_two_machines_are_flagged():
    here, there = ({"environment": {"verdict": "unknown", "host": host, "device": "Zen"}} for host in "ab")
    found = entry([call(10.0)], [call(10.1)])
    found.rounds[1] |= here
    found.rounds[2] |= here
    assert trust.flags(found) == []
    found.rounds[2] |= there
    assert trust.flags(found) == ["two machines"]


def test_a_cpu_is_unknown_without_reason():
    found = entry([call(10.0)], environment={"verdict": "unknown"})
    assert trust.verdict(found) == ("unknown", "")


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
    hot = look(telemetry={"throttled": ["power brake"]})
    assert trust.flags(watched(look(), hot)) == ["throttled"]
    assert trust.flags(watched(look(foreign=-201 * MIB))) == ["memory"]
    assert trust.flags(watched(look(foreign=199 * MIB))) == []
