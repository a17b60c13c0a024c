"""Where a number comes from: the code, the command, the machine. Imports no torch."""

import hashlib
import platform
import re
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "transformers", "numpy", "nvidia-ml-py")  # what can change a time or a token


def git_state() -> str:
    """Commit of the working tree, `-dirty` if it has changes; empty outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def code() -> str:
    """Hash of the code that measures: equal where the same files run, whatever a machine's repository calls them."""
    digest = hashlib.sha256()
    bench = Path(__file__).parents[1]
    for file in sorted(bench.rglob("*.py")):
        digest.update(file.relative_to(bench).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def state_of(work_git: str, work_code: str) -> str:
    """The commit that runs a work folder: the one that resolved it where its code is here, else that of this tree."""
    return work_git if work_git and work_code == code() else git_state() or work_git


def command_line() -> str:
    """This process's command, as a reader would type it."""
    return shlex.join(["python", *sys.orig_argv[1:]])


def packages() -> dict[str, str]:
    """Versions of the packages that measure."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def cpu_name() -> str:
    """The processor as its vendor names it, where the system says (Linux)."""
    file = Path("/proc/cpuinfo")
    line = re.search(r"model name\s*: (.+)", file.read_text() if file.exists() else "")
    return line.group(1).strip() if line else platform.processor() or platform.machine()
