"""Programs that a model wrote, run in a process of their own: limits on time and memory, no files written, no network.

On Linux a filter of system calls (seccomp) refuses sockets, new processes, and every call that opens a file for
writing or changes the tree of files; elsewhere nothing is run. The program never sees whether it passed: the process
says so with a word that it is given for this one run.
"""

from __future__ import annotations

import math
import platform
import secrets
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.common.errors import BadInput

TIME_LIMIT_S = 3.0  # of one program, as HumanEval's own evaluation
START_S = 10.0  # that Python may take to start beside it, on a busy machine
MEMORY_BYTES = 1 << 30
CHILD = Path(__file__).with_name("sandbox_child.py")
AT_ONCE = 2  # programs that run at a time
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}  # a program may start no second one; all its environment


def check_can_run() -> None:
    """Raise BadInput on a system where the limits cannot be set."""
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "aarch64"):
        raise BadInput(
            f"RUN_CODE: programs are run on Linux on x86-64 or ARM alone, where they can be shut in; this is"
            f" {platform.system()} on {platform.machine()}"
        )


def passes(program: str) -> bool:
    """Whether a program runs to its end within the limits."""
    check_can_run()
    word = secrets.token_hex(16)
    limits = [str(math.ceil(TIME_LIMIT_S)), str(MEMORY_BYTES), str(TIME_LIMIT_S)]
    command = [sys.executable, "-I", "-B", str(CHILD), *limits]
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                command, input=f"{word}\n{program}".encode("utf-8", "backslashreplace"), capture_output=True,
                cwd=folder, env=ONE_THREAD, timeout=TIME_LIMIT_S + START_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
    return done.stdout.decode("utf-8", "replace").strip() == word


def pass_at_k(passed: list[bool], k: int) -> float:
    """The chance that one of k answers passes, without bias, from all that were made (arXiv 2107.03374, part 2.1)."""
    total, right = len(passed), sum(passed)
    return 1.0 - math.comb(total - right, k) / math.comb(total, k)


class CodeEval:
    """What lm-eval's tasks ask of the hub's `code_eval`: programs and tests in, shares that pass out."""

    def compute(
        self, references: list[str], predictions: list[list[str]], k: list[int] | None = None, **_: object
    ) -> tuple[dict[str, float], dict[int, list[bool]]]:
        """({"pass@K": share of problems}, whether each program passed, by problem). references: tests of each problem;
        predictions: programs for each."""
        programs = [(i, f"{p}\n{tests}") for i, tests in enumerate(references) for p in predictions[i]]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            verdicts = list(pool.map(lambda each: passes(each[1]), programs))
        passed: dict[int, list[bool]] = {i: [] for i in range(len(references))}
        for (i, _program), verdict in zip(programs, verdicts, strict=True):
            passed[i].append(verdict)
        shares = {
            f"pass@{each}": sum(pass_at_k(of_one, each) for of_one in passed.values()) / len(passed)
            for each in k or [1]
            if all(len(of_one) >= each for of_one in passed.values())
        }
        return shares, passed
