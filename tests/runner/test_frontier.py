"""The search for the largest batch: against made-up devices, and for real under a stated limit."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cost import peak_memory
from bench.data.prompt import Prompt
from bench.devices import choose, lock
from bench.models import checkpoint
from bench.records.machine import MemoryGib
from bench.records.merge import CellRecords
from bench.runner import estimate, frontier, frontier_plan, frontier_search
from bench.runner.frontier_search import Tries, next_batch
from bench.spec.work import Work
from bench.store import disk
from bench.store.sink import Sink
from tests.conftest import REPO, make_cell
from tests.support.records import entry_of

NONE = Tries({}, frozenset())


def found_by(
    edge: int, limit_gib: float | None, gib_a_row: float = 0.0, own_gib: float = 1.0, tries: Tries = NONE, **first: int
) -> tuple[Tries, int]:
    """Search, after some tries, on a device where batches up to `edge` fit; the tries, and how many were new."""
    count = 0
    while (batch := next_batch(tries, limit_gib, **first)) is not None:
        count += 1
        assert count < 60
        assert batch not in tries.fits
        assert batch not in tries.fails
        if batch <= edge:
            tries = Tries(tries.fits | {batch: own_gib + gib_a_row * batch if gib_a_row else None}, tries.fails)
        else:
            tries = Tries(tries.fits, tries.fails | {batch})
    return tries, count


@given(st.integers(min_value=0, max_value=5000))
@settings(deadline=None)
def test_the_edge_is_found_within_a_thirty_second(edge):
    tries, _ = found_by(edge, None)
    assert tries.low <= edge < tries.high
    assert tries.high - tries.low <= max(1, tries.low // 32)


@given(st.integers(min_value=1, max_value=5000), st.floats(min_value=0.5, max_value=2.0))
@settings(deadline=None)
def test_a_prediction_that_is_wrong_costs_tries_and_nothing_else(edge, truth):
    tries, _ = found_by(edge, 10.0, gib_a_row=9.0 * truth / edge)
    assert tries.low <= edge < tries.high
    assert tries.high - tries.low <= max(1, tries.low // 32)


def test_a_line_through_two_peaks_finds_the_edge_in_few_tries():
    assert found_by(1000, 80.0, gib_a_row=79 / 1000)[1] <= 6
    assert found_by(1000, None)[1] > 8


def test_a_guess_that_is_a_little_too_large_costs_few_tries():
    """Peaks of an H100 at 8B shapes: 14.96 GiB of weights, LLaMA's edge at 227 rows below what the line says."""
    tries, count = found_by(224, 79.6, 0.2702, 14.96, Tries({0: 14.96}, frozenset()))
    assert tries.low <= 224 < tries.high
    assert count <= 5


def test_nothing_fits_where_one_row_does_not():
    tries, count = found_by(0, None)
    assert (tries.low, count) == (0, 4)  # 8, 7, 5, 1


def test_a_first_try_near_the_edge_leaves_few():
    for edge in (220, 232, 250):
        tries, count = found_by(edge, 79.6, 0.27, 15.0, Tries({0: 15.0}, frozenset()), first=230)
        assert tries.low <= edge < tries.high
        assert count <= 4


def entry(cell, outcome: str, allocated: float = 0.0) -> CellRecords:
    """A cell with one round that ended like this."""
    return entry_of(cell, [], outcome=outcome, message="m", memory_gib=MemoryGib(allocated=allocated))


def test_tries_are_read_from_records_of_the_same_line_alone():
    cell = make_cell("llada", kind="frontier", steps=8, head="lean", batch_size=1, prompts=1, repeat_prompts=1)
    work = Work("s", 1, 0, (cell,), {"h": (Prompt("p", None, {"llada": [1, 2]}),)})
    tried = {batch: frontier.probe(work, cell, batch).cells[0] for batch in (2, 4, 8)}
    other = frontier.probe(work, make_cell("llada", kind="frontier", steps=8), 16).cells[0]
    on_record = {
        tried[2].cell_id: entry(replace(tried[2], weights="elsewhere", time_limit_s=1.0), "ok", 3.0),
        tried[4].cell_id: entry(tried[4], "oom"),
        other.cell_id: entry(other, "ok"),
    }
    assert frontier.tries_of(cell, on_record) == (Tries({2: 3.0}, frozenset({4})), {})
    failed = on_record | {tried[8].cell_id: entry(tried[8], "error")}
    assert frontier.tries_of(cell, failed)[1] == {8: "error: m"}
    again = frozenset({"error"})
    assert frontier.tries_of(cell, failed, again) == frontier.tries_of(cell, on_record)
    assert frontier.tries_of(cell, failed, again, [8])[1] == {8: "error: m"}  # it failed once more
    assert frontier.tries_of(cell, on_record, frozenset({"oom"}))[0] == Tries({2: 3.0}, frozenset())


def test_a_probe_repeats_its_prompts_and_has_a_name_of_its_own():
    cell = make_cell("llada", kind="frontier", steps=8)
    work = Work("s", 1, 0, (cell,), {"h": (Prompt("p", None, {"llada": [1]}), Prompt("q", None, {"llada": [2]}))})
    probe = frontier.probe(work, cell, 5)
    assert [prompt.text for prompt in probe.prompts["h"]] == list("pqpqp")
    assert (probe.cells[0].batch_size, probe.cells[0].prompts) == (5, 5)
    assert probe.cells[0].cell_id != frontier.probe(work, cell, 6).cells[0].cell_id


LINE = make_cell("llada", kind="frontier", steps=64, steps_timed=2, gen_length=256, peaks_only=True, prompt_tokens=32)
PROMPTS = (Prompt("p", None, {"llada": [3] * 32}),)


def peak_gib(batch: int) -> float:
    shape = checkpoint.read(LINE.weights, None).shape
    return frontier.OWN_GIB["cpu"] + peak_memory.peak(frontier.at_batch(LINE, batch), shape, 32).total_gib


FIRST = frontier_search.modelled(peak_gib, 2.0)  # the batch that a search within 2 GiB begins with


@pytest.mark.parametrize("limit", [0.6, 2.0, 50.0])
def test_a_plan_ends_where_the_cost_models_peak_meets_the_limit_in_about_four_tries(limit):
    batches, end = frontier_plan.expected(LINE, PROMPTS, Tries({}, frozenset()), limit)
    assert peak_gib(end) <= frontier_search.SPARE * limit < peak_gib(end + max(1, end // 32))
    assert batches[0] == frontier_search.modelled(peak_gib, limit) == end
    assert len(batches) == 2 + frontier_plan.MISSED


def test_a_plan_of_what_does_not_fit_tries_one_row():
    assert frontier_plan.expected(LINE, PROMPTS, Tries({}, frozenset()), 0.4) == ([1], 0)


def test_a_plan_leaves_out_what_is_on_record():
    done = Tries({40: 1.9}, frozenset({41}))
    assert frontier_plan.expected(LINE, PROMPTS, done, 2.0) == ([], 40)
    batches, end = frontier_plan.expected(LINE, PROMPTS, Tries({32: 1.5}, frozenset({64})), 2.0)
    assert batches
    assert all(32 < batch < 64 for batch in [*batches, end])


def planned(tmp_path, capsys, on_record: list[dict], limit: float | None, retry=frozenset()) -> list[str]:
    """The lines of a plan of one line, after these records."""
    cell = replace(LINE, limit_gib=limit)
    for record in on_record:
        disk.append(tmp_path / "out.jsonl", record)
    frontier_plan.print_plan(Work("s", 1, 0, (cell,), {"h": PROMPTS}), Sink("s", tmp_path / "out.jsonl", retry))
    return capsys.readouterr().out.splitlines()


def test_minutes_of_a_plan_are_starts_and_forwards_of_its_tries(tmp_path, capsys):
    cell = replace(LINE, limit_gib=2.0)
    batches, end = frontier_plan.expected(cell, PROMPTS, Tries({}, frozenset()), 2.0)
    forwards = sum(estimate.call_s(replace(LINE, batch_size=batch), PROMPTS, {}) for batch in batches)
    minutes = (len(batches) * estimate.START_S["cpu"] + forwards) / 60
    heads, row, total = planned(tmp_path, capsys, [], 2.0)
    assert row.split() == ["llada", "256", "32", str(end), str(len(batches)), f"{minutes:.1f}", "to", "do"]
    assert heads.split()[-1] == "state"
    assert f"2 GiB (LIMIT_GIB), about {len(batches)} tries" in total
    assert f"about {minutes:.1f} min to go (estimates" in total


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ({1: "ok"}, "begun"),
        ({1: "ok", 2: "oom"}, "done"),
        ({1: "ok", 2: "oom", 9: "error"}, "done"),
        ({FIRST: "error"}, 'error: m; RETRY="error timeout" goes on'),
    ],
)
def test_a_plan_says_what_was_tried(outcomes, state, tmp_path, capsys):
    cell = replace(LINE, limit_gib=2.0)
    on_record = []
    for batch, outcome in outcomes.items():
        tried = frontier.at_batch(cell, batch)
        head = {"record": "round", "study": "s", "cell_id": tried.cell_id, "cell": tried.settings(), "message": "m"}
        on_record.append(head | {"round": 1, "outcome": outcome, "memory_gib": {"resident": 0.5}, "calls": []})
    row = planned(tmp_path, capsys, on_record, 2.0)[1]
    assert row.endswith(f"  {state}")
    assert (row.split()[4] == "0") == (state != "begun")


def test_a_plan_that_tries_again_counts_these_tries(tmp_path, capsys):
    cell = replace(LINE, limit_gib=2.0)
    tried = frontier.at_batch(cell, FIRST)
    head = {"record": "round", "study": "s", "cell_id": tried.cell_id, "cell": tried.settings(), "message": "m"}
    failed = [head | {"round": 1, "outcome": "error"}]
    before = planned(tmp_path, capsys, [], 2.0)[1]
    assert planned(tmp_path, capsys, failed, 2.0, frozenset({"error"}))[1] == before


def test_a_plan_for_a_cpu_without_a_limit_is_one_line_that_asks_for_it(tmp_path, capsys):
    [line] = planned(tmp_path, capsys, [], None)
    assert "give LIMIT_GIB=2" in line


def test_a_plan_for_a_gpu_reckons_with_the_card_here_or_with_a_published_one(monkeypatch):
    cell = replace(LINE, device="cuda")
    assert frontier_plan.room(replace(cell, limit_gib=24.0))[0] == 24
    monkeypatch.setattr(choose, "gpu", lambda: None)
    gib, whose = frontier_plan.room(cell)
    assert gib == pytest.approx(79.6, abs=0.1)
    assert "no GPU is here" in whose
    monkeypatch.setattr(choose, "gpu", lambda: ("GPU-1", "A card"))
    monkeypatch.setattr(frontier, "device_gib", {"GPU-1": 44.5}.get)
    assert frontier_plan.room(cell) == (44.5, "A card")


def test_a_plan_imports_no_torch_and_holds_no_device(tmp_path):
    code = (
        "import sys; from bench import frontier; sys.argv = ['', '--pair', '8b-shapes', '--device', 'cuda', '--plan'];"
        "print(frontier.main(), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, env=os.environ | {lock.LOCKS: str(tmp_path)}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    *lines, last = done.stdout.splitlines()
    assert (last, len(lines)) == ("0 False", 1 + 6 + 1)
    assert list(tmp_path.iterdir()) == []


def run(folder, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "bench.frontier", *arguments], cwd=REPO, capture_output=True, text=True, timeout=600,
        env=os.environ | {lock.LOCKS: str(folder), "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "cpu"], "give LIMIT_GIB=2, or a GPU"),
        (["--limit-gib", "0"], "--limit-gib 0: expected more than 0"),
        (["--limit-gib", "much"], "--limit-gib"),
        (["--cells", "nowhere"], "--cells needs --record FILE"),
        (["--cells", "nowhere", "--record", "x.jsonl"], "nowhere: no work folder"),
        (["--pair", "nobody", "--limit-gib", "2"], "nobody.yaml: no such pair"),
        (["--limit-gib", "2", "--retry", "never"], "no outcome 'never'"),
        (["--limit-gib", "2", "--retry", "violated"], "is made again for oom, timeout, error alone"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, words, tmp_path):
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert words in done.stderr


def test_memory_runs_out_for_real_and_the_same_command_goes_on(tmp_path):
    """One line of the grid, on this CPU, with a limit that a few rows reach; then from its records, without a try."""
    cell = make_cell(
        "llada", kind="frontier", steps=64, steps_timed=2, gen_length=1024, block_length=16, batch_size=1, prompts=1,
        repeat_prompts=1, stop="length", peaks_only=True,
    )  # fmt: skip
    work = Work("edge", 1, 0, (cell,), {"h": (Prompt("p", None, {"llada": [3] * 32, "llama": [3] * 32}),)})
    work.save(tmp_path / "work")
    arguments = ["--cells", str(tmp_path / "work"), "--record", str(tmp_path / "out.jsonl"), "--limit-gib", "0.7"]
    first = run(tmp_path, *arguments)
    assert first.returncode == 0, first.stderr
    stored = disk.read_json(tmp_path / "out.jsonl")
    outcomes = {record["cell"]["batch_size"]: record["outcome"] for record in stored}
    assert set(outcomes.values()) == {"ok", "oom"}
    largest = max(batch for batch, outcome in outcomes.items() if outcome == "ok")
    assert f"llada, 1024 tokens: batch {largest} fits, " in first.stdout
    assert all(record["cell"]["limit_gib"] == 0.7 for record in stored)
    again = run(tmp_path, *arguments)
    idle = "study edge: nothing to do, every edge of the frontier is on record (VERBOSE=1 prints them)\n"
    assert (again.stdout, len(disk.read_json(tmp_path / "out.jsonl"))) == (idle, len(stored))
    assert run(tmp_path, *arguments, "--verbose").stdout == first.stdout + idle
    *before, last = stored
    failed = last | {"outcome": "error", "message": "a dead worker"}
    (tmp_path / "out.jsonl").write_text("".join(json.dumps(record) + "\n" for record in [*before, failed]))
    told = run(tmp_path, *arguments)
    asked = last["cell"]["batch_size"]
    line = f'llada, 1024 tokens: batch {asked}, error: a dead worker; RETRY="error timeout" goes on\n'
    assert (told.returncode, told.stdout) == (1, line + "study edge: 1 of 1 lines of the frontier are still open\n")
    assert run(tmp_path, *arguments, "--verbose").stdout == told.stdout
    assert "llada, 1024 tokens: batch " in run(tmp_path, *arguments, "--retry", "error timeout").stdout
    made_again = disk.read_json(tmp_path / "out.jsonl")[len(stored)]
    assert made_again["cell_id"] == last["cell_id"]
    assert made_again["outcome"] in ("ok", "oom")  # either, since what a process takes beside its tensors varies
