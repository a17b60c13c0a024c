"""A function in a process of its own: what it returns, what it says, and that nothing outlives the parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.common.errors import BadInput
from bench.runner import apart
from tests.support import apart_functions

LIMIT_S = 30.0  # for what takes a second


def test_it_runs_in_another_process_with_its_own_environment(tmp_path):
    file = tmp_path / "place"
    assert apart.run(apart_functions.write_place, file, os.getpid(), environment={"GREETING": "hello"})
    assert file.read_text() == "True hello"
    assert "GREETING" not in os.environ


def test_bad_input_there_is_raised_here_and_printed_by_nobody_else(capfd):
    with pytest.raises(BadInput, match=r"^nothing to do$"):
        apart.run(apart_functions.refuse)
    assert not apart.run(apart_functions.give_up)
    assert capfd.readouterr().err == ""


def test_this_process_looks_up_meanwhile(monkeypatch):
    monkeypatch.setattr(apart, "LOOK_S", 0.05)
    looks = []
    assert apart.run(apart_functions.sleep, 0.5, meanwhile=lambda: looks.append(None))
    assert len(looks) > 3


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_it_ends_with_its_parent(tmp_path, ending):
    file = tmp_path / "process"
    code = (
        "import sys\nfrom pathlib import Path\nfrom bench.runner import apart\n"
        "from tests.support.apart_functions import wait_long\n"
        "apart.run(wait_long, Path(sys.argv[1]))"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(file)],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + LIMIT_S
    while not (file.is_file() and file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    parent.send_signal(ending)
    assert parent.wait(timeout=LIMIT_S) != 0
    while is_alive(int(file.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.05)
