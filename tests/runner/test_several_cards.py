"""Several cards by a real Ray, which is optional: two parts of this processor, and everything that can be killed.

The parent and its workers are those of tests/support/fast_study.py. Records may never be lost, and none may be double.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest

from bench.common.errors import BadInput
from bench.devices import lock
from bench.runner import cluster
from bench.runner.several import Wanted, found
from tests.conftest import REPO
from tests.runner.test_survival import wait_for
from tests.support.fast_study import SAID, Study, build, end_of

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install -r configs/requirements-ray.txt"
)
CARDS = ("--devices", "cpu:0 cpu:1", "--rounds", "2")
RAY_ENDS_S = 30.0
# Two idle helpers of Ray that notice at once that it has ended, and then ask it for a minute before they end as well.
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> Study:
    """The same study on one device, undisturbed."""
    study = Study(tmp_path_factory.mktemp("calm") / "study", "--rounds", "2")
    assert study.run() == (0, [])
    return study


def cards_of_rounds(study: Study) -> dict[int, set[str]]:
    """The cards on which the good cells of each round ran."""
    cards: dict[int, set[str]] = {}
    for entry in study.cells().values():
        for number, record in entry.good_rounds.items():
            cards.setdefault(number, set()).add(record.card)
    return cards


def assert_whole(study: Study, calm: Study) -> None:
    """Every cell of every round is there, measured well, as on one device; each round on one card."""
    assert study.facts() == calm.facts()
    assert all(len(of_round) == 1 for of_round in cards_of_rounds(study).values())


def workers_of(study: Study, parent: subprocess.Popen) -> list[int]:
    """Process ids of the study's workers."""
    return [pid for pid in study.processes() if pid != parent.pid]


def has_records_and_workers(study: Study, parent: subprocess.Popen, records: int) -> bool:
    """Whether so many records are there, and a worker is at work."""
    return len(study.read()) >= records and bool(workers_of(study, parent))


def parent_of(pid: int) -> int:
    """Process id of a process's parent."""
    asked = subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(asked.stdout)


def family_of(pid: int) -> dict[int, str]:
    """The command lines of all processes that a process has started, and that these have: Ray's and the workers'."""
    listed = subprocess.run(["ps", "-axww", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    family: dict[int, str] = {}
    generation = {pid}
    while generation:
        children = {int(child): command for child, parent, command in rows if int(parent) in generation}
        family |= children
        generation = set(children)
    return family


def wait_for_end_of(family: dict[int, str]) -> float:
    """Wait until none of some processes is left, but for AGENTS; seconds that it took."""
    start = time.monotonic()
    family = {pid: command for pid, command in family.items() if command.strip() not in AGENTS}
    while left := [command for pid, command in family.items() if is_alive(pid, command)]:
        assert time.monotonic() - start < RAY_ENDS_S, left
        time.sleep(0.2)
    return time.monotonic() - start


def is_alive(pid: int, command: str) -> bool:
    """Whether a process is there still: not another one that has got its number."""
    asked = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return asked.stdout.strip() == command.strip()


@needs_ray
@pytest.mark.slow
def test_two_parts_of_a_processor_share_the_rounds_and_find_what_one_finds(calm, tmp_path):
    study = Study(tmp_path / "study", *CARDS)
    parent = study.start()
    wait_for(lambda: len(workers_of(study, parent)) == 2, parent)
    cores = [os.sched_getaffinity(pid) for pid in workers_of(study, parent)]
    family = family_of(parent.pid)
    assert sum("raylet" in command for command in family.values()) >= 1
    assert set(workers_of(study, parent)) <= set(family)
    assert not set.intersection(*cores)
    assert end_of(parent) == (0, [])
    assert_whole(study, calm)
    assert cards_of_rounds(study) in ({1: {"cpu:0"}, 2: {"cpu:1"}}, {1: {"cpu:1"}, 2: {"cpu:0"}})
    places = [record.place for entry in study.cells().values() for record in entry.rounds.values()]
    assert {place.cores for place in places} == {len(cores[0])}
    assert {place.busy_neighbours for place in places} <= {0, 1}
    assert 1 in {place.busy_neighbours for place in places}
    assert (study.folder / SAID).read_text().startswith("Efficiency over 2 cards: ")
    wait_for_end_of(family)


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("victim", ["worker", "its holder"])
def test_a_kill_costs_its_cell_alone_and_the_round_goes_on_on_its_card(victim, calm, tmp_path):
    study = Study(tmp_path / "study", *CARDS)
    parent = study.start()
    wait_for(lambda: len(study.read()) >= 2 and workers_of(study, parent), parent)
    worker = workers_of(study, parent)[0]
    os.kill(worker if victim == "worker" else parent_of(worker), signal.SIGKILL)
    code, lines = end_of(parent)
    before = study.good()
    failed = [record for record in study.read() if record["outcome"] != "ok"]
    assert code == (1 if failed else 0)
    assert len(failed) == len(lines) <= 1  # none where it was struck between two cells
    assert all(len(of_round) == 1 for of_round in cards_of_rounds(study).values())
    assert study.run("--retry", "error")[0] == 0
    assert not before - study.good()
    assert max(study.good().values()) == 1
    assert_whole(study, calm)


@needs_ray
@pytest.mark.slow
def test_a_killed_parent_takes_everything_along_and_the_same_command_goes_on(calm, tmp_path, capsys):
    study, before = Study(tmp_path / "study", *CARDS), Counter()
    for records in (0, 3, 7):  # before the first, and in the middle of both rounds
        parent = study.start()
        wait_for(partial(has_records_and_workers, study, parent, records), parent)
        family = family_of(parent.pid)
        parent.kill()
        code, lines = end_of(parent)
        life_s = wait_for_end_of(family)
        assert (code, "Traceback" in str(lines)) == (-signal.SIGKILL, False)
        assert not before - study.good()
        before = study.good()
        with capsys.disabled():
            print(f"\nkilled with {before.total()} records; {len(family)} processes of its family lived {life_s:.1f} s")
    assert study.run() == (0, [])
    assert not before - study.good()
    assert max(study.good().values()) == 1
    assert_whole(study, calm)


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_is_one_line_and_leaves_nothing_behind(number, status, tmp_path):
    study = Study(tmp_path / "study", *CARDS)
    parent = study.start()
    wait_for(lambda: study.read(), parent)
    family = family_of(parent.pid)
    for _ in range(2):  # as `timeout` does: to the process, and to its group
        parent.send_signal(number)
    assert end_of(parent) == (status, ["stopped; what was measured is kept, the same command goes on from here"])
    wait_for_end_of(family)
    assert {record["outcome"] for record in study.read()} == {"ok"}


@needs_ray
def test_a_card_in_use_is_one_line(tmp_path, monkeypatch):
    study = Study(tmp_path / "study", *CARDS)
    monkeypatch.setenv(lock.LOCKS, str(study.locks))
    with lock.lock("cpu:1", "another"):
        code, [line] = study.run()
    assert (code, line.startswith("error: device cpu:1 is in use by study another (process ")) == (2, True)
    assert not study.file.exists()


@needs_ray
def test_a_cluster_that_does_not_answer_is_one_line_within_its_time(monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER_S", 2.0)
    with pytest.raises(BadInput, match=r"^CLUSTER=127\.0\.0\.1:9: no Ray cluster answers within 2 s; start one with"):
        cluster.check_answers("127.0.0.1:9")


@needs_ray
def test_a_cluster_of_this_host_where_none_runs_is_one_line(monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER_S", 60.0)
    with pytest.raises(BadInput, match=r"^CLUSTER=nowhere: Ray could not join it \(.*\); start one with"):
        cluster.check_answers("nowhere")


@pytest.mark.parametrize(
    ("wanted", "named"), [(Wanted("cpu:0 cpu:1"), 'DEVICES="cpu:0 cpu:1"'), (Wanted(cluster="auto"), "CLUSTER=auto")]
)
def test_without_ray_the_line_says_how_to_install_it(wanted, named, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput) as refused, found(wanted, build("s"), tmp_path):
        pass
    assert str(refused.value).startswith(f"{named}: several cards need Ray, which is not installed; ")
    assert str(refused.value).endswith("pip install -r configs/requirements-ray.txt")


def test_a_pair_with_a_server_is_refused_since_rounds_at_once_would_ask_it_together(tmp_path):
    work = build("s", 1, False)
    work = replace(work, cells=tuple(replace(cell, server="{}") for cell in work.cells))
    refused = pytest.raises(BadInput, match=r"^DEVICES=cpu:0 cpu:1: the pair has a server")
    with refused, found(Wanted("cpu:0 cpu:1"), work, tmp_path):
        pass


@pytest.fixture
def no_ray(monkeypatch):
    """Cards are found without Ray."""
    monkeypatch.setattr(cluster, "require", lambda wanted: None)
    for name in ("start", "leave", "here"):
        monkeypatch.setattr(cluster, name, lambda: "")


def test_what_a_killed_run_of_the_study_leaves_behind_is_given_time_to_end(no_ray, tmp_path, monkeypatch):
    monkeypatch.setenv(lock.LOCKS, str(tmp_path))
    with contextlib.ExitStack() as ending:
        ending.enter_context(lock.lock("cpu:1", "s"))
        threading.Timer(0.5, ending.close).start()
        with found(Wanted("cpu:0 cpu:1"), build("s"), tmp_path) as remotes:
            assert [remote.name for remote in remotes] == ["cpu:0", "cpu:1"]


def test_a_run_of_the_study_that_goes_on_keeps_its_cards(no_ray, tmp_path, monkeypatch):
    monkeypatch.setenv(lock.LOCKS, str(tmp_path))
    monkeypatch.setattr(lock, "HELD_ON_S", 0.3)
    refused = pytest.raises(BadInput, match=r"^device cpu:1 is in use by study s \(process ")
    with lock.lock("cpu:1", "s"), refused, found(Wanted("cpu:0 cpu:1"), build("s"), tmp_path):
        pass


def test_one_card_needs_no_ray(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    with found(Wanted("cpu:0"), build("s"), tmp_path) as cards:
        assert cards == []


@pytest.fixture
def two_machines(monkeypatch):
    """A cluster of two machines, both on this one: (its address, the second machine, the cluster)."""
    for name, value in cluster.SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(REPO), os.environ.get("PYTHONPATH")])))
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = made.add_node(num_cpus=1)
    yield made.address, second, made
    made.shutdown()


@needs_ray
@pytest.mark.slow
def test_a_lost_machine_costs_its_cell_and_its_round_is_measured_anew_on_another(two_machines, calm, tmp_path):
    address, second, made = two_machines
    study = Study(tmp_path / "study", *CARDS, "--cluster", address)
    parent = study.start()
    wait_for(lambda: "cpu:1" in {card for cards in cards_of_rounds(study).values() for card in cards}, parent)
    before = study.good()
    made.remove_node(second, allow_graceful=False)
    code, lines = end_of(parent)
    assert "Traceback" not in str(lines)
    assert any("card cpu:1 of" in line and "was lost" in line for line in lines), lines
    assert not before - study.good()
    failed = {record["cell_id"] for record in study.read() if record["outcome"] != "ok"}
    assert len(failed) <= 1
    assert code == (1 if failed else 0)
    assert set.union(*cards_of_rounds(study).values()) == {"cpu:0"}
    # The cell that was lost is measured on the same command again; the second machine has not come back.
    again = Study.__new__(Study)
    again.__dict__ |= study.__dict__ | {"options": ("--rounds", "2")}
    assert again.run("--retry", "error")[0] == 0
    assert study.facts() == calm.facts()
