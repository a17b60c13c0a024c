"""Programs of a model: what they cannot do, and what counts as passing."""

import platform

import pytest

from bench.accuracy import sandbox
from bench.common.errors import BadInput

pytestmark = pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="programs run on Linux alone",
)


def test_a_program_that_runs_to_its_end_passes():
    assert sandbox.passes("import math, re, typing, collections\nprint('noise')\nassert math.gcd(12, 18) == 6")


@pytest.mark.parametrize(
    "program",
    [
        "assert False",
        "def f(:",
        "import sys\nsys.exit(0)",
        "import os\nos._exit(0)",
        "print('a word that is not the one')\nraise SystemExit",
        "memory = bytearray(2 << 30)",
    ],
)
def test_a_program_that_does_not_reach_its_end_fails(program):
    assert not sandbox.passes(program)


@pytest.mark.parametrize("program", ["while True: pass", "import time\ntime.sleep(60)"])
def test_a_program_is_ended_after_its_time(program, monkeypatch):
    monkeypatch.setattr(sandbox, "TIME_LIMIT_S", 0.5)
    assert not sandbox.passes(program)


FORBIDDEN = {  # what a program tries, by what is refused
    "network": "import socket\nsocket.socket()",
    "unix socket": "import socket\nsocket.socketpair()",
    "process": "import os\nos.fork()",
    "command": "import subprocess\nsubprocess.run(['true'])",
    "replace": "import os\nos.execv('/bin/true', ['true'])",
    "signal": "import os, signal\nos.kill(os.getppid(), 0)",
    "write": "open(PATH, 'w')",
    "append": "open(PATH, 'a')",
    "create": "import os\nos.open(PATH + '.new', os.O_CREAT)",
    "delete": "import os\nos.remove(PATH)",
    "rename": "import os\nos.rename(PATH, PATH + '.new')",
    "truncate": "import os\nos.truncate(PATH, 0)",
    "mode": "import os\nos.chmod(PATH, 0)",
    "folder": "import os\nos.mkdir(PATH + '.folder')",
    "link": "import os\nos.symlink(PATH, PATH + '.link')",
    "limits": "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (9, 9))",
}


@pytest.mark.parametrize("attempt", FORBIDDEN.values(), ids=FORBIDDEN)
def test_what_a_program_may_not_do_is_refused_and_changes_nothing(attempt, tmp_path):
    file = tmp_path / "precious"
    file.write_text("kept")
    caught = f"PATH = {str(file)!r}\nrefused = False\ntry:\n    " + attempt.replace("\n", "\n    ")
    caught += "\nexcept (PermissionError, ValueError):\n    refused = True\nassert refused"
    assert sandbox.passes(caught)
    assert file.read_text() == "kept"
    assert [entry.name for entry in tmp_path.iterdir()] == ["precious"]


def test_a_program_sees_no_secret_of_the_environment(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert sandbox.passes("import os\nassert 'HF_TOKEN' not in os.environ")


def test_code_eval_counts_the_share_of_problems():
    tests = ["assert add(2, 3) == 5", "assert add(2, 3) == 5"]
    right, wrong = "def add(a, b): return a + b", "def add(a, b): return a * b"
    shares, passed = sandbox.CodeEval().compute(references=tests, predictions=[[right], [wrong]], k=[1])
    assert shares == {"pass@1": 0.5}
    assert passed == {0: [True], 1: [False]}


def test_pass_at_k_is_that_of_the_paper():
    assert sandbox.pass_at_k([True, False, False, False], 1) == 0.25
    assert sandbox.pass_at_k([True, False, False, False], 2) == 0.5
    assert sandbox.pass_at_k([True, False], 2) == 1.0


def test_elsewhere_nothing_is_run(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(BadInput, match="on Linux on x86-64 or ARM alone"):
        sandbox.passes("pass")
