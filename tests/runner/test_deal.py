"""Which card measures which round: a round never mixes two cards, and none is lost where a card is."""

import threading
from dataclasses import replace

import pytest

from bench.records.machine import Place
from bench.records.merge import CellRecords
from bench.runner import deal
from bench.runner.deal import Deal, Table
from bench.spec.work import Work
from tests.conftest import make_cell
from tests.support.records import round_of

LLAMA, FEW, MANY = make_cell("llama"), make_cell("llada", steps=2), make_cell("llada", steps=8)
WORK = Work("s", 3, 0, (LLAMA, FEW, MANY), {})
BOTH = ["x", "y"]


def on_record(cards: dict[tuple, str], failed: dict[tuple, str] | None = None) -> dict[str, CellRecords]:
    """Records by (cell, round) with the card that measured it; failed: the same of rounds that did not end well."""
    entries: dict[str, CellRecords] = {}
    for outcome, rounds in (("ok", cards), ("error", failed or {})):
        for (cell, number), card in rounds.items():
            record = replace(round_of(cell, [], number, outcome), place=Place("host", card))
            entries.setdefault(cell.cell_id, CellRecords(cell)).rounds[number] = record
    return entries


def todo(records: dict[str, CellRecords], here: list[str]) -> list[tuple[int, set[str], str | None]]:
    """(round, ids of its cells, its card) of each round that is left."""
    processes = deal.rounds_to_do(WORK, records, frozenset(), here)
    deals = deal.deals_of(WORK, processes, records, here)
    return [(each.round, {c.cell_id for _, cells in each.processes for c in cells}, each.card) for each in deals]


ALL = {cell.cell_id for cell in WORK.cells}


def test_nothing_has_begun_and_any_card_takes_any_round():
    assert todo({}, BOTH) == [(1, ALL, None), (2, ALL, None), (3, ALL, None)]


def test_a_round_goes_on_on_the_card_that_has_begun_it():
    records = on_record({(LLAMA, 2): "y", (FEW, 2): "y"})
    assert todo(records, BOTH) == [(2, {MANY.cell_id}, "y"), (1, ALL, None), (3, ALL, None)]


def test_where_that_card_is_gone_the_whole_round_is_measured_anew():
    records = on_record({(LLAMA, 2): "gone", (FEW, 2): "gone"})
    assert todo(records, BOTH) == [(1, ALL, None), (2, ALL, None), (3, ALL, None)]


def test_a_whole_round_stays_whoever_measured_it():
    records = on_record({(cell, 2): "gone" for cell in WORK.cells})
    assert [number for number, *_ in todo(records, BOTH)] == [1, 3]


def test_a_round_that_was_begun_anew_and_cut_off_is_of_one_card_in_the_end():
    records = on_record({(LLAMA, 1): "y", (FEW, 1): "gone", (MANY, 1): "gone"})
    assert todo(records, BOTH)[0] == (1, {FEW.cell_id, MANY.cell_id}, "y")
    assert todo(records, ["z"])[0] == (1, ALL, None)


def test_what_failed_in_a_round_stays_failed_and_the_rest_of_it_is_measured_anew():
    records = on_record({(FEW, 1): "gone"}, {(LLAMA, 1): "gone"})
    assert todo(records, BOTH)[0] == (1, ALL - {LLAMA.cell_id}, None)


def test_other_cells_of_the_study_say_where_a_round_belongs():
    elsewhere = make_cell("llada", steps=16)
    records = on_record({(elsewhere, 3): "x", (elsewhere, 2): "gone"})
    assert todo(records, BOTH) == [(3, ALL, "x"), (1, ALL, None), (2, ALL, None)]


def test_rounds_of_one_card_each_on_other_machines_are_not_measured_again():
    """Two machines measured this study one after the other, without spreading it."""
    records = on_record({(LLAMA, 1): "a", (FEW, 1): "b", (MANY, 1): "b"})
    for entry in records.values():
        entry.rounds = {number: replace(record, place=None, gpu=record.card) for number, record in entry.rounds.items()}
    assert [number for number, *_ in todo(records, BOTH)] == [2, 3]


def deals(*cards: str | None) -> list[Deal]:
    return [Deal(number, card, []) for number, card in enumerate(cards, 1)]


def test_a_card_takes_its_own_round_or_one_that_is_nobody_s():
    table = Table(deals("y", None))
    assert table.take("x").round == 2
    assert table.take("y").round == 1


def test_no_card_leaves_while_a_round_may_come_back():
    table = Table(deals(None))
    first = table.take("x")
    taken = []
    other = threading.Thread(target=lambda: taken.append(table.take("y")))
    other.start()
    other.join(0.2)
    assert other.is_alive()
    table.end(first, [replace(first, card=None)])
    other.join(10)
    assert taken == [first]
    table.end(first)
    assert table.take("x") is None


@pytest.mark.parametrize("waiting", [(None,), ("x",)])
def test_a_table_that_is_closed_deals_no_more(waiting):
    table = Table(deals(*waiting))
    table.close()
    assert table.take("x") is None
