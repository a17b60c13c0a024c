"""What runs on a card's own host, without Ray: its lock, the worker process, and lines that can be asked for twice."""

import os
import time
from pathlib import Path

import pytest

from bench.common import provenance
from bench.common.errors import BadInput
from bench.devices import lock
from bench.devices.cards import Card
from bench.runner.holder import Holder, host_here

SAYS = "import json, os, sys, time; ids = json.loads(sys.stdin.readline())\nprint(os.environ['MINE'], flush=True)\n"


@pytest.fixture
def holder(tmp_path, monkeypatch) -> Holder:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTHERS", "of this host")
    environment = {"MINE": "of the parent", "OTHERS": None, lock.LOCKS: str(tmp_path)}
    for name in environment:
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back at the end
    card = Card("here", "cpu:0", "processor", cores=(min(os.sched_getaffinity(0)),))
    return Holder(card, "s", str(tmp_path), environment)


def start(holder: Holder, program: str) -> int:
    return holder.start(Path.cwd() / "work", {"cells.json": b"{}"}, 1, ["a"], "worker.log", ["-c", SAYS + program])


def read_all(holder: Holder, number: int) -> tuple[list[bytes], str]:
    """All lines of a worker, and its last words."""
    lines, end = [], None
    while end is None:
        new, end = holder.read(number, len(lines))
        lines += new
    return lines, end


def test_a_card_is_held_until_it_is_let_go_of(holder, tmp_path):
    assert holder.hold(provenance.code()) == ""
    with pytest.raises(BadInput, match="device cpu:0 is in use by study s"), lock.lock("cpu:0", "another"):
        pass
    again = Holder(holder.card, "another", holder.directory, holder.environment)
    assert again.hold(provenance.code()).startswith("here: device cpu:0 is in use by study s (process ")
    holder.stack.close()
    assert again.hold(provenance.code()) == ""
    again.stack.close()


def test_other_code_is_refused(holder, tmp_path):
    assert holder.hold("other") == f"here: {tmp_path} holds other code than this machine's; copy the repository there"


def test_a_worker_has_the_parent_s_variables_and_the_work_s_files(holder):
    number = start(holder, "print('OTHERS' in os.environ, open(sys.argv[1] + '/cells.json').read(), flush=True)")
    lines, end = read_all(holder, number)
    assert lines == [b"of the parent\n", b"False {}\n"]
    assert end == "worker ended with status 0: it printed nothing"


def test_lines_can_be_asked_for_twice_and_another_worker_s_are_not_taken_for_them(holder):
    number = start(holder, "print('second', flush=True)")
    lines, end = read_all(holder, number)
    assert holder.read(number, 0)[0] == lines
    assert holder.read(number, 2) == ([], end)
    later = start(holder, "time.sleep(60)")
    assert holder.read(number, 0) == ([], "another worker came in its place")
    holder.stop()
    assert read_all(holder, later)[1].startswith("worker ended with signal 9")


def test_a_worker_that_says_nothing_is_waited_for_a_while(holder):
    number = start(holder, "time.sleep(60)")
    lines, _ = holder.read(number, 0)
    began = time.monotonic()
    assert holder.read(number, len(lines) or 1) == ([], None)
    assert time.monotonic() - began < 30
    holder.stop()


def test_a_directory_that_is_not_here_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    host, why = host_here(str(tmp_path / "nowhere"))
    assert host is None
    assert "No such file or directory" in why
    host, why = host_here(str(tmp_path))
    assert (why, host.name != "") == ("", True)
