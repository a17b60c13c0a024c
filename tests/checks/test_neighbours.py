"""Do cards disturb each other? What is measured when, and how it is said; the cards are scripted."""

import threading
import time
from dataclasses import replace

import pytest

from bench.checks import neighbours
from bench.checks.neighbours import Load, Trial, lines
from bench.common.errors import BadInput
from bench.devices.cards import Card
from bench.runner.cluster import CardLost
from bench.runner.request import Request
from bench.runner.several import Wanted
from bench.spec import sentinel
from bench.spec.work import Work
from bench.store.sink import Sink
from tests.conftest import make_cell
from tests.support.records import llada_call, round_of

CELL = make_cell("llada", kind="sentinel", prompts=1)
TWINS = sentinel.twins(CELL, [])
WORK = Work("s", 2, 0, (*TWINS, CELL), {})


class ScriptedWorker:
    """Answers its cells one after the other until it is stopped; slower while other cards are busy."""

    def __init__(self, remote: "ScriptedCard", round_: int, cell_ids: list[str]):
        self.remote, self.round, self.cell_ids, self.is_over = remote, round_, cell_ids, threading.Event()

    def events(self, limits_s):
        if self.remote.fails:
            yield {"event": "died", "cell_id": None, "message": "worker ended with signal 9"}
            return
        for cell_id in self.cell_ids:
            if self.is_over.is_set():
                return
            self.remote.at_work.add(self.remote.name)
            cell = next(cell for cell in WORK.cells if cell.cell_id == cell_id)
            yield {"event": "start", "cell_id": cell_id}
            time.sleep(0.01)
            yield {"event": "progress", "cell_id": cell_id, "done": 1}
            scale = 1.0 if len(self.remote.at_work) == 1 else 2.0
            record = round_of(cell, [llada_call(0, scale)], self.round).to_json() | {"cell_id": cell_id}
            yield {"event": "record", "record": record}

    def stop(self):
        self.is_over.set()
        self.remote.at_work.discard(self.remote.name)


class ScriptedCard:
    def __init__(self, name: str, at_work: set[str], fails: bool = False):
        self.name, self.at_work, self.fails, self.is_lost = name, at_work, fails, False
        self.card = Card("host", name, "processor", cores=(0,))
        self.starts = 0

    def worker(self, round_, cell_ids):
        if self.is_lost:
            raise CardLost(f"card {self.name} of host was lost")
        self.starts += 1
        return ScriptedWorker(self, round_, cell_ids)


@pytest.fixture
def cards() -> list[ScriptedCard]:
    at_work: set[str] = set()
    return [ScriptedCard(name, at_work) for name in ("cpu:0", "cpu:1", "cpu:2")]


def trial(cards, tmp_path, number: int = 1) -> Trial:
    return Trial(WORK, Sink("s", tmp_path / "records.jsonl"), cards, number)


def test_a_card_is_measured_alone_with_all_others_busy_and_alone_again(cards, tmp_path):
    records = trial(cards, tmp_path).run()
    assert [(record.cell.twin, record.place.busy_neighbours) for record in records] == [("a", 0), (None, 2), ("b", 0)]
    assert [record.calls[0].latency_ms for record in records] == [32, 64, 32]
    assert {record.place.card for record in records} == {"cpu:0"}
    assert not cards[0].at_work
    assert len(Sink("s", tmp_path / "records.jsonl").known()) == 3


def test_a_check_that_was_stopped_goes_on_where_it_was(cards, tmp_path):
    first = trial(cards, tmp_path).run()
    file = tmp_path / "records.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))  # alone, and with the others busy
    cards[0].starts = 0
    again = trial(cards, tmp_path).run()
    assert [record.started_s for record in again[:2]] == [record.started_s for record in first[:2]]
    assert (len(again), cards[0].starts) == (3, 1)


@pytest.mark.parametrize("others", [(1, 2, 0), (0, 1)], ids=["another card", "fewer neighbours"])
def test_a_check_that_was_stopped_goes_on_with_the_same_cards_alone(others, cards, tmp_path):
    trial(cards, tmp_path).run()
    says = r"records.jsonl: round 1 was measured on card cpu:0 beside \d busy; give the same cards in the same order"
    with pytest.raises(BadInput, match=says):
        trial([cards[number] for number in others], tmp_path).run()


def test_of_two_engines_the_recorded_is_not_measured_again(cards, tmp_path, monkeypatch):
    first = trial(cards, tmp_path).run()
    captured = replace(CELL, engine="captured")
    both = replace(WORK, cells=(*WORK.cells, *sentinel.twins(captured, []), captured))
    monkeypatch.setitem(globals(), "WORK", both)
    every = trial(cards, tmp_path).run()
    assert len(every) == 2 * len(first) == 6
    assert [record.cell_id for record in every[::2]] == [record.cell_id for record in first]
    lines_of_file = (tmp_path / "records.jsonl").read_text().splitlines()
    assert len(lines_of_file) == 6  # none twice


def test_each_round_measures_another_card(cards, tmp_path):
    assert [trial(cards, tmp_path, number).turned()[0].name for number in (1, 2, 3, 4)] == [
        "cpu:0", "cpu:1", "cpu:2", "cpu:0",
    ]  # fmt: skip


def test_a_card_that_was_not_busy_to_the_end_is_one_line(cards, tmp_path):
    cards[1].fails = True
    with pytest.raises(BadInput, match=r"card cpu:1 could not be kept busy: worker ended with signal 9"):
        trial(cards, tmp_path).run()


def test_a_sentinel_that_fails_is_one_line(cards, tmp_path):
    cards[0].fails = True
    with pytest.raises(BadInput, match="the sentinel failed on cpu:0: worker ended with signal 9"):
        trial(cards, tmp_path).run()


def test_a_lost_card_is_one_line(cards, tmp_path):
    cards[2].is_lost = True
    with pytest.raises(BadInput, match="card cpu:2 could not be kept busy: card cpu:2 of host was lost"):
        trial(cards, tmp_path).run()


def test_a_load_is_busy_until_it_is_closed(cards):
    load = Load(cards[1], [CELL])
    assert load.is_busy.wait(10)
    assert cards[1].at_work == {"cpu:1"}
    load.close()
    assert cards[1].at_work == set()


def test_the_effect_stands_beside_the_ratio_of_two_equal_runs():
    scales = {"a": (1.0, 1.0), None: (1.1, 1.1), "b": (1.0, 1.0)}
    records = [
        round_of(cell, [llada_call(0, scales[cell.twin][number - 1])], number)
        for cell in WORK.cells
        for number in (1, 2)
    ]
    assert list(lines(records, 3)) == [
        "eager, LLaDA: with 3 other cards busy a call takes 1.100 [1.100, 1.100] times as long as alone; alone twice"
        " (A/A) 1.000 [1.000, 1.000]; 2 rounds"
    ]


def test_both_models_are_measured_on_each_engine():
    asked = Request(
        grids=(sentinel.GRID,), device="cpu", rounds=1,
        overrides={"engine": ["eager", "captured"], "model": ["autoregressive", "diffusion"]},
    )  # fmt: skip
    cells = neighbours.work_of(asked).cells
    kinds = sorted((cell.engine, cell.model, str(cell.twin)) for cell in cells)
    assert kinds == sorted(
        (e, m, t) for e in ("eager", "captured") for m in ("llada", "llama") for t in ("None", "a", "b")
    )


def test_one_card_has_no_neighbours():
    with pytest.raises(BadInput, match="DEVICES=cpu:0: one card has no neighbours"):
        list(neighbours.check(Request(grids=(sentinel.GRID,), device="cpu", rounds=1), Wanted("cpu:0")))
