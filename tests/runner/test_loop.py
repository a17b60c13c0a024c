"""The parent loop on scripted workers: order, failures, what is tried again."""

from dataclasses import replace

import pytest

from bench.common.errors import BadInput
from bench.data.prompt import Prompt
from bench.records import merge
from bench.records.machine import NvmlReport
from bench.runner import ceilings, command, loop, request
from bench.runner import order as runner_order
from bench.spec import sentinel
from bench.spec.pair import read_pair
from bench.spec.work import Work
from bench.store import disk
from tests.conftest import make_cell
from tests.support.records import round_of, watched_by

CELLS = (*(make_cell("llada", steps=steps) for steps in (2, 4, 8)), make_cell("llama"))


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Four cells, three rounds; workers are scripted, records go to a plain file."""
    prompts = tuple(Prompt(str(i), None, {"llama": [1], "llada": [1]}) for i in range(2))
    return Work("s", 3, 0, CELLS, {"h": prompts})


class Scripted:
    """A worker that answers every cell, dies on the given one, and remembers what it was asked."""

    asked: list[list[str]]
    fatal: str | None

    def __init__(self, folder, round_, cell_ids, log, gpu=None):
        type(self).asked.append(list(cell_ids))
        self.round, self.cell_ids = round_, cell_ids

    def events(self, limits_s):
        for cell_id in self.cell_ids:
            yield {"event": "start", "cell_id": cell_id}
            if cell_id == type(self).fatal:
                yield {"event": "died", "cell_id": cell_id, "message": "worker ended with signal 9: gone"}
                return
            cell = next(cell for cell in CELLS if cell.cell_id == cell_id).settings()
            head = {"record": "round", "study": "s", "cell_id": cell_id, "round": self.round, "cell": cell}
            head |= {"started": float(len(type(self).asked))}
            yield {"event": "record", "record": head | {"outcome": "ok", "message": "", "calls": [], "memory_gib": {}}}

    def stop(self):
        pass


@pytest.fixture
def sink(tmp_path, monkeypatch):
    Scripted.asked, Scripted.fatal = [], None
    monkeypatch.setattr(loop, "Worker", Scripted)
    monkeypatch.setattr(loop.estimate, "call_s", lambda *arguments: 1.0)
    return loop.Sink("s", tmp_path / "records.jsonl")


def outcomes(sink) -> dict[str, list[str]]:
    return {cell_id: [record.outcome for record in entry.rounds.values()] for cell_id, entry in sink.known().items()}


def test_every_cell_runs_once_a_round_and_models_alternate(work, sink, tmp_path):
    assert loop.run(work, tmp_path, sink) == 0
    assert outcomes(sink) == {cell.cell_id: ["ok"] * 3 for cell in CELLS}
    sizes = [len(ids) for ids in Scripted.asked]
    assert sizes == [3, 1, 1, 3, 3, 1]


def test_the_order_is_shuffled_by_the_seed_alone(work, sink, tmp_path):
    first = runner_order.rounds_to_do(work, {})
    assert first == runner_order.rounds_to_do(work, {})
    orders = {tuple(cell.steps for cell in cells) for _, cells in first if cells[0].model == "llada"}
    assert len(orders) > 1


def test_a_death_costs_its_cell_alone_and_is_not_tried_again(work, sink, tmp_path, capsys):
    Scripted.fatal = CELLS[1].cell_id
    assert loop.run(work, tmp_path, sink) == 1
    endings = outcomes(sink)
    assert endings.pop(CELLS[1].cell_id) == ["error"]
    assert endings == {cell.cell_id: ["ok"] * 3 for cell in CELLS if cell != CELLS[1]}
    assert "signal 9" in capsys.readouterr().err
    Scripted.asked.clear()
    assert loop.run(work, tmp_path, sink) == 1
    assert Scripted.asked == []


def test_more_rounds_run_only_what_is_new(work, sink, tmp_path):
    loop.run(work, tmp_path, sink)
    Scripted.asked.clear()
    more = Work("s", 4, 0, CELLS, work.prompts)
    assert loop.run(more, tmp_path, sink) == 0
    assert sorted(len(ids) for ids in Scripted.asked) == [1, 3]
    assert {len(entry.rounds) for entry in sink.known().values()} == {4}


def test_an_interrupt_keeps_what_was_measured(work, sink, tmp_path, monkeypatch):
    real = Scripted.events

    def interrupted(self, limits_s):
        for number, event in enumerate(real(self, limits_s)):
            if number == 3:
                raise KeyboardInterrupt
            yield event

    monkeypatch.setattr(Scripted, "events", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loop.run(work, tmp_path, sink)
    assert len(disk.read_json(sink.plain_file)) == 1
    monkeypatch.setattr(Scripted, "events", real)
    assert loop.run(work, tmp_path, sink) == 0
    assert outcomes(sink) == {cell.cell_id: ["ok"] * 3 for cell in CELLS}


SENTINELS = tuple(sentinel.twins(make_cell("llada", steps=2, kind="sentinel"), list(CELLS)))


def test_the_sentinel_begins_and_ends_each_round_in_a_process_of_its_own():
    work = Work("s", 2, 0, (*CELLS, *SENTINELS), {})
    processes = [(round_, cells[0].twin or cells[0].model) for round_, cells in runner_order.rounds_to_do(work, {})]
    assert processes == [
        (1, "a"), (1, "llada"), (1, "llama"), (1, "b"), (2, "a"), (2, "llama"), (2, "llada"), (2, "b")
    ]  # fmt: skip


def records_with(rounds: dict[str, dict[int, str]]) -> dict[str, merge.CellRecords]:
    """Records by cell id with these outcomes by round."""
    return {
        cell_id: merge.CellRecords(
            CELLS[0], {number: round_of(CELLS[0], [], number, outcome) for number, outcome in outcomes_by_round.items()}
        )
        for cell_id, outcomes_by_round in rounds.items()
    }


def test_a_round_with_nothing_else_to_run_needs_no_sentinel_unless_it_is_all_that_is_asked():
    done = records_with({cell.cell_id: {1: "ok", 2: "ok"} for cell in CELLS})
    assert runner_order.rounds_to_do(Work("s", 2, 0, (*CELLS, *SENTINELS), {}), done) == []
    alone = runner_order.rounds_to_do(Work("s", 2, 0, SENTINELS, {}), done)
    assert [(round_, len(cells)) for round_, cells in alone] == [(1, 1), (1, 1), (2, 1), (2, 1)]


def test_a_round_that_was_cut_off_before_its_last_sentinel_gets_it():
    done = records_with({cell.cell_id: {1: "ok", 2: "ok"} for cell in (*CELLS, SENTINELS[0])})
    done |= records_with({SENTINELS[1].cell_id: {1: "ok"}})
    left = runner_order.rounds_to_do(Work("s", 2, 0, (*CELLS, *SENTINELS), {}), done)
    assert [(round_, [cell.twin for cell in cells]) for round_, cells in left] == [(2, ["b"])]


def test_other_cells_have_a_sentinel_of_their_own():
    cell = make_cell("llada", steps=2, kind="sentinel")
    names = {twin.cell_id for watched in (CELLS[:1], CELLS[:2]) for twin in sentinel.twins(cell, list(watched))}
    assert len(names) == 4


def test_only_the_outcomes_asked_for_are_tried_again(work):
    oom, error, fine, fresh = (cell.cell_id for cell in CELLS)
    on_record = records_with({oom: {1: "oom"}, error: {1: "ok", 2: "error"}, fine: {1: "ok", 2: "ok", 3: "ok"}})

    def left(*retry: str) -> dict[str, list[int]]:
        rounds_left: dict[str, list[int]] = {}
        for round_, cells in runner_order.rounds_to_do(work, on_record, frozenset(retry)):
            for cell in cells:
                rounds_left.setdefault(cell.cell_id, []).append(round_)
        return rounds_left

    assert left() == {fresh: [1, 2, 3]}
    assert left("oom") == {fresh: [1, 2, 3], oom: [1, 2, 3]}
    assert left("oom", "error") == {fresh: [1, 2, 3], oom: [1, 2, 3], error: [2, 3]}


def records_after(cell, *verdicts: str) -> dict[str, merge.CellRecords]:
    """The records of a cell after rounds with these verdicts, all ended well."""
    return {cell.cell_id: watched_by(*map(NvmlReport, verdicts), cell=cell)}


@pytest.mark.parametrize(("retry", "again"), [("violated", [2]), ("unknown", [3]), ("violated unknown", [2, 3])])
def test_a_round_that_was_not_ours_alone_is_measured_again_if_asked(retry, again):
    cell = make_cell("llama", device="cuda")
    on_record = records_after(cell, "exclusive", "violated", "unknown")
    assert all(runner_order.is_done(cell, number, on_record) for number in (1, 2, 3))
    assert [n for n in (1, 2, 3) if not runner_order.is_done(cell, n, on_record, request.retried(retry))] == again


def test_a_cpu_s_verdict_is_not_tried_again():
    cell = make_cell("llama", device="cpu")
    assert runner_order.is_done(cell, 1, records_after(cell, "unknown"), frozenset(["unknown"]))


def test_what_is_measured_again_says_what_it_replaces_and_brings_its_sentinel(work, sink, tmp_path, monkeypatch):
    loop.run(work, tmp_path, sink)
    assert not any("again" in record for record in disk.read_json(sink.file))
    began = {r["cell_id"]: r["started"] for r in disk.read_json(sink.file) if r["round"] == 2}
    monkeypatch.setattr(
        runner_order, "is_done", lambda cell, round_, on_record, retry: (cell.model, round_) != ("llama", 2)
    )
    loop.run(work, tmp_path, sink)
    [again] = [record for record in disk.read_json(sink.file) if "again" in record]
    assert (again["round"], again["again"]) == (2, began[again["cell_id"]])


def test_a_round_measured_again_by_its_verdict_brings_its_sentinel():
    cell = make_cell("llama", device="cuda")
    twins = sentinel.twins(make_cell("llada", device="cuda", kind="sentinel"), [cell])
    work = Work("s", 2, 0, (cell, *twins), {})
    on_record = {}
    for watched in work.cells:
        on_record |= records_after(watched, "exclusive", "violated" if watched is cell else "exclusive")
    processes = runner_order.rounds_to_do(work, on_record, frozenset(["violated"]))
    assert [(round_, [c.label for c in cells]) for round_, cells in processes] == [
        (2, ["noise check of LLaDA, before"]),
        (2, ["LLaMA, 16 tokens, batch 1"]),
        (2, ["noise check of LLaDA, after"]),
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--retry", "oom crash"], "no outcome 'crash'; there are: oom timeout error"),
        (["--rounds", "0"], "ROUNDS=0: expected 1 to 100"),
        (["--rounds", "101"], "ROUNDS=101: expected 1 to 100"),
        (["--seed", "-1"], "--seed -1: expected 0 to 2147483647"),
        (["--device", "tpu"], "DEVICE=tpu: expected auto, cpu or cuda"),
        (["--rounds", "many"], "invalid int value: 'many'"),
    ],
)
def test_what_is_outside_its_range_is_refused_in_one_line(arguments, complaint):
    with pytest.raises(BadInput) as refused:
        request.resolve(request.parse(["configs/grids/smoke.yaml", *arguments]))
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_cells_of_one_captured_step_stay_together_in_random_order():
    shared = [make_cell("llada", engine="captured", steps=steps, prompt_tokens=4) for steps in (2, 4, 8, 16)]
    others = [make_cell("llada", engine="captured", gen_length=32, prompt_tokens=4), make_cell("llada", steps=2)]
    assert len({cell.capture for cell in (*shared, *others)}) == 3
    orders = set()
    for seed in range(40):
        order = runner_order.shuffled([*shared, *others], str(seed))
        places = [order.index(cell) for cell in shared]
        assert max(places) - min(places) == 3
        orders.add(tuple(cell.steps for cell in order if cell in shared))
    assert len(orders) > 10  # among themselves they are shuffled


def test_ceilings_are_measured_in_the_precisions_of_the_cells_and_a_failure_stops(work, tmp_path, monkeypatch):
    started, ends_well = [], True

    def run(function, *arguments):
        started.append((function, arguments))
        return ends_well

    monkeypatch.setattr(command.apart, "run", run)
    cells = (*work.cells, make_cell("llama", dtype="int8"), make_cell("llada", dtype="float16", twin="a"))
    pair = read_pair("pocket")
    sink = loop.Sink("s", tmp_path / "records.jsonl")
    command.measure_ceilings(replace(work, cells=cells), pair, sink)
    [(function, (task, its_sink, seconds, only_missing, is_tracked_here))] = started
    assert function is ceilings.run
    assert (task.study, task.pair, task.device, task.dtypes) == ("s", "pocket", "cpu", ("bfloat16", "float32"))
    assert (its_sink, seconds, only_missing, is_tracked_here) == (sink, None, True, False)
    ends_well = False
    with pytest.raises(BadInput, match="ceilings of this device were not measured"):
        command.measure_ceilings(work, pair, sink)
