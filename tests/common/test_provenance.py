"""Where numbers come from."""

import subprocess
import sys

from bench.common import provenance
from tests.conftest import REPO


def test_the_command_is_what_one_would_type():
    code = "import sys; from bench.common import provenance; print(provenance.command_line())"
    done = subprocess.run(
        [sys.executable, "-c", code, "--steps", "4 8"], capture_output=True, text=True, cwd=REPO, check=True
    )
    assert done.stdout.startswith("python -c ")
    assert done.stdout.endswith("--steps '4 8'\n")


def test_a_commit_with_changes_says_dirty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert provenance.git_state() == ""
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org"]
    (tmp_path / "a").write_text("1")
    for command in (["init", "-q"], ["add", "a"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    clean = provenance.git_state()
    (tmp_path / "a").write_text("2")
    assert provenance.git_state() == f"{clean}-dirty"
    assert len(clean) == 12


def test_the_same_code_is_the_commit_that_it_came_from_whatever_a_repository_says(monkeypatch):
    monkeypatch.setattr(provenance, "git_state", lambda: "else-dirty")
    assert provenance.state_of("c0ffee", provenance.code()) == "c0ffee"
    assert provenance.state_of("c0ffee", "other code") == "else-dirty"
    monkeypatch.setattr(provenance, "git_state", lambda: "")
    assert provenance.state_of("c0ffee", "other code") == "c0ffee"


def test_versions_are_those_that_are_installed():
    import torch

    assert provenance.packages()["torch"] == torch.__version__
    assert provenance.cpu_name()


def test_the_parent_never_imports_torch():
    code = (
        "import sys\n"
        "from bench import run, tracking\n"
        "from bench.runner import request\n"
        "work, pair = request.resolve(request.parse(['configs/grids/smoke.yaml', '--device', 'cpu']))\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPO, check=True)
    assert done.stdout.strip() == "False", done.stderr
