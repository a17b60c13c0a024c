"""Rounds spread over cards that are scripted: no Ray. What a lost card, a full disk and a stop do."""

import contextlib
import threading
import time

import pytest

from bench.common.errors import BadInput
from bench.data.prompt import Prompt
from bench.devices.cards import Card
from bench.records.machine import Place
from bench.runner import deal, estimate, spread
from bench.runner.cluster import CardLost
from bench.runner.progress import Bar
from bench.runner.spread import Neighbours
from bench.spec.work import Work
from bench.store import disk
from bench.store.sink import Sink
from tests.conftest import make_cell
from tests.support.records import round_of

CELLS = (make_cell("llama"), make_cell("llada", steps=2), make_cell("llada", steps=8))
PROMPTS = tuple(Prompt(str(number), None, {"llama": [1], "llada": [1]}) for number in range(2))
WORK = Work("s", 4, 0, CELLS, {"h": PROMPTS})
CELL_S = 0.01  # that a scripted cell takes


class ScriptedWorker:
    """Answers every cell; its card may be lost in the middle of one."""

    def __init__(self, card: "ScriptedCard", round_: int, cell_ids: list[str]):
        self.card, self.round, self.cell_ids = card, round_, cell_ids

    def events(self, limits_s):
        for cell_id in self.cell_ids:
            yield {"event": "start", "cell_id": cell_id}
            self.card.cells += 1
            if self.card.cells == self.card.lost_in or cell_id == self.card.lost_with:
                self.card.is_lost = True
                yield {"event": "died", "cell_id": cell_id, "message": "card was lost"}
                return
            started_s = time.time()
            time.sleep(CELL_S)
            cell = next(cell for cell in CELLS if cell.cell_id == cell_id)
            record = round_of(cell, [], self.round, started_s=started_s, ended_s=time.time()).to_json()
            yield {"event": "record", "record": record | {"study": "s", "cell_id": cell_id}}

    def stop(self):
        pass


class ScriptedCard:
    """A card without Ray. lost_in: the cell, counted from 1, in which it is lost; 0 for none. lost_with: id of a cell
    that takes it along."""

    def __init__(self, name: str, lost_in: int = 0, lost_with: str = ""):
        self.card = Card("host", name, "processor", cores=(0, 1))
        self.name, self.lost_in, self.lost_with, self.cells, self.is_lost = name, lost_in, lost_with, 0, False

    def hold_again(self) -> None:
        if self.is_lost:
            raise CardLost(f"card {self.name} of host was lost: no answer")

    def worker(self, round_: int, cell_ids: list[str]) -> ScriptedWorker:
        self.hold_again()
        return ScriptedWorker(self, round_, cell_ids)

    def let_go(self) -> None:
        pass


@pytest.fixture
def sink(tmp_path, monkeypatch) -> Sink:
    monkeypatch.setattr(estimate, "call_s", lambda *arguments: 1.0)
    return Sink("s", tmp_path / "records.jsonl")


def run(sink: Sink, *cards: ScriptedCard) -> spread.Result:
    here = [card.name for card in cards]
    processes = deal.rounds_to_do(WORK, sink.known(), sink.retry, here)
    with contextlib.closing(Bar(estimate.parts_of(WORK, processes, sink.known()))) as bar:
        return spread.run(WORK, sink.file.parent, sink, list(cards), processes, bar)


def cards_of_rounds(sink: Sink) -> dict[int, set[str]]:
    """The cards on which the good cells of each round ran."""
    cards: dict[int, set[str]] = {}
    for entry in sink.known().values():
        for number, record in entry.good_rounds.items():
            cards.setdefault(number, set()).add(record.card)
    return cards


def good(sink: Sink) -> int:
    return sum(len(entry.good_rounds) for entry in sink.known().values())


def test_every_round_is_of_one_card_and_both_cards_work(sink):
    result = run(sink, ScriptedCard("cpu:0"), ScriptedCard("cpu:1"))
    cards = cards_of_rounds(sink)
    assert all(len(of_round) == 1 for of_round in cards.values())
    assert set.union(*cards.values()) == {"cpu:0", "cpu:1"}
    assert good(sink) == len(CELLS) * 4
    assert result.rounds_left == ()
    assert result.text.startswith("Efficiency over 2 cards: ")


def test_records_say_where_they_are_of_and_how_many_neighbours_worked(sink):
    run(sink, ScriptedCard("cpu:0"), ScriptedCard("cpu:1"))
    places = [record.place for entry in sink.known().values() for record in entry.rounds.values()]
    assert {(place.host, place.cores, place.numa_node) for place in places} == {("host", 2, None)}
    assert 1 in {place.busy_neighbours for place in places}
    assert {place.busy_neighbours for place in places} <= {0, 1}


def test_a_lost_card_s_round_is_measured_anew_on_the_other(sink, capsys):
    result = run(sink, ScriptedCard("cpu:0", lost_in=2), ScriptedCard("cpu:1"))
    said = capsys.readouterr().err
    assert "error: card was lost" in said
    assert "card cpu:0 of host was lost: no answer; round " in said
    assert result.rounds_left == ()
    assert good(sink) == len(CELLS) * 4
    assert all(cards == {"cpu:1"} for cards in cards_of_rounds(sink).values())
    # What the lost card had measured is in the file still, and the failure of the cell that it was on.
    written = disk.read_json(sink.file)
    assert len(written) == len(CELLS) * 4 + 2
    assert [raw["message"] for raw in written if raw["outcome"] != "ok"] == ["card was lost"]


def test_a_cell_with_which_two_cards_were_lost_is_left_out(sink):
    fatal = CELLS[1].cell_id
    run(sink, *(ScriptedCard(f"cpu:{number}", lost_with=fatal) for number in (0, 1)), ScriptedCard("cpu:2"))
    failed = [cell_id for cell_id, entry in sink.known().items() if entry.failed]
    assert failed == [fatal]
    whole = [entry for entry in sink.known().values() if not entry.failed]
    assert [sorted(entry.good_rounds) for entry in whole] == [[1, 2, 3, 4]] * 2
    assert all(len(of_round) == 1 for of_round in cards_of_rounds(sink).values())


def test_where_no_card_is_left_the_rounds_wait_for_the_next_run(sink, capsys):
    result = run(sink, ScriptedCard("cpu:0", lost_in=2), ScriptedCard("cpu:1", lost_in=2))
    assert result.rounds_left == (1, 2, 3, 4)
    assert result.text.endswith("No card was left for round 1, 2, 3, 4: the same command goes on from here.")
    assert "no other card is left" in capsys.readouterr().err
    again = Sink("s", sink.file, frozenset(["error"]))
    assert run(again, ScriptedCard("cpu:0"), ScriptedCard("cpu:1")).rounds_left == ()
    assert good(again) == len(CELLS) * 4


def test_a_full_disk_ends_every_card_in_one_line(sink, monkeypatch):
    taken = []

    def refuses_the_third(*records):
        taken.append(records)
        if len(taken) > 2:
            raise BadInput("the disk is full")

    monkeypatch.setattr(sink, "take", refuses_the_third)
    with pytest.raises(BadInput, match="the disk is full"):
        run(sink, ScriptedCard("cpu:0"), ScriptedCard("cpu:1"))
    assert [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")] == []


def test_neighbours_are_the_other_cards_of_the_host_the_most_at_once():
    neighbours = Neighbours()
    neighbours.begin("x", "here")
    neighbours.begin_cell("x")
    neighbours.begin("far", "there")
    assert neighbours.most == {"x": 0, "far": 0}
    neighbours.begin("y", "here")
    neighbours.end("y")
    assert neighbours.most["x"] == 1
    neighbours.begin_cell("x")
    assert neighbours.most["x"] == 0


def test_efficiency_is_of_the_records():
    places = [Place("host", "x"), Place("host", "y")]
    times = [(1, places[0], 0, 40), (1, places[0], 50, 100), (2, places[1], 10, 90)]
    records = [
        round_of(CELLS[0], [], number, place=place, started_s=start, ended_s=end) for number, place, start, end in times
    ]
    text = spread.efficiency_text(records, 2)
    assert text.startswith("Efficiency over 2 cards: 0.90 = 180 s / (2 x 100 s). ")
    assert spread.efficiency_text([], 2) == ""
