"""The doors: all are in the help, variables arrive as they are, the environment does not."""

import itertools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

DOORS = "setup plan smoke baseline sweep restore paper study pair samples ui doctor test lint clean help".split()  # noqa: SIM905
DEFAULT_STEPS = "4 8 16 32 64 128"


def make(*args: str, **environment: str) -> subprocess.CompletedProcess:
    """Run make as from a fresh shell, not as a child of `make test`."""
    outer = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS", "GNUMAKEFLAGS"))}
    command = ["make", "--no-print-directory", *args]
    return subprocess.run(command, env=outer | environment, capture_output=True, text=True, timeout=120, check=False)


def dry(*args: str, **environment: str) -> str:
    done = make("-n", *args, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def options(text: str) -> dict[str, str]:
    """The options of the one command that make would run, by name."""
    words = shlex.split(text)
    assert words[:3] == ["python3", "-m", "bench.run"]
    pairs = itertools.pairwise(words)
    return {name: value for name, value in pairs if name.startswith("--") and not value.startswith("--")}


def test_plain_make_prints_every_door():
    done = make()
    assert (done.returncode, done.stderr) == (0, "")
    printed = re.findall(r"^  make ([\w-]+) +\S", done.stdout, re.MULTILINE)
    assert set(DOORS) <= set(printed)
    assert sorted(printed) == sorted(all_doors())
    assert done.stdout == make("help").stdout


def test_help_shows_the_variables_as_they_are():
    assert f'STEPS="{DEFAULT_STEPS}"' in make().stdout
    help_text = make("help", "STEPS=16 64", "PAIR=mine", "MODEL=my model's").stdout
    assert 'STEPS="16 64"' in help_text
    assert "STUDY=mine" in help_text
    assert """MODEL="my model's\"""" in help_text


def all_doors() -> list[str]:
    """Every door, from the Makefile's list of them."""
    makefile = Path("Makefile").read_text().replace("\\\n", " ")
    return re.search(r"^doors = (.*)$", makefile, re.MULTILINE)[1].split()


def variables() -> list[str]:
    """The names that the Makefile gives a value, in its order."""
    return re.findall(r"^(\w+) =", Path("Makefile").read_text(), re.MULTILINE)


def test_help_has_one_line_for_each_variable_with_its_value_and_meaning():
    for_users = [name for name in variables() if name.isupper()]
    explained = re.findall(r'^  ([A-Z_]+)=("[^"]+"|\S*) +\S.*$', make().stdout, re.MULTILINE)
    assert [name for name, _ in explained] == for_users
    assert ("ROUNDS", "3") in explained
    assert ("MODEL", "") in explained


def test_help_names_every_pair_that_is_shipped():
    named = re.search(r"^  PAIR=\S+ +(.*)$", make().stdout, re.MULTILINE)[1].split()
    assert {file.stem for file in Path("configs/pairs").glob("*.yaml")} <= set(named)


def test_no_variable_is_called_like_a_target():
    targets = re.findall(r"^([a-z][\w -]*):(?!=)", Path("Makefile").read_text(), re.MULTILINE)
    assert not set(variables()) & {target for line in targets for target in line.split()}


def test_help_groups_the_doors():
    printed = make().stdout
    groups = re.findall(r"^(\w+)[^\n]*\n  make ", printed, re.MULTILINE)
    assert groups == ["Study", "Scaling", "Results", "Trust", "Upkeep"]
    assert printed.index("Study:") < printed.index("make study ") < printed.index("Scaling")
    assert printed.index("Trust:") < printed.index("make selfcheck ") < printed.index("Upkeep")


def test_help_fits_into_100_columns():
    assert max(map(len, make().stdout.splitlines())) <= 100


def test_steps_are_one_argument():
    passed = options(dry("sweep", "STEPS=16 64 256", "PY=python3"))
    assert passed["--steps"] == "16 64 256"
    assert passed["--block"] == "32"


def test_every_variable_reaches_the_command():
    given = {
        "PAIR": "mine", "STEPS": "4", "GEN": "64", "BLOCK": "16", "PROMPTS": "8", "ROUNDS": "2", "DEVICE": "cpu",
        "TEMPERATURE": "0.5", "STUDY": "night run", "MODEL": "my models/x", "PROMPTS_FILE": "my prompts.jsonl",
        "RETRY": "oom error",
    }  # fmt: skip
    passed = options(dry("sweep", "PY=python3", *(f"{key}={value}" for key, value in given.items())))
    assert passed == {f"--{key.lower().replace('_', '-')}": value for key, value in given.items()}


def test_unset_study_model_and_prompts_file_are_left_out():
    assert not {"--study", "--model", "--prompts-file"} & set(options(dry("sweep", "PY=python3")))


@pytest.mark.parametrize("door", ["plan", "baseline", "sweep", "study"])
def test_environment_does_not_leak_in(door):
    names = "PAIR STEPS GEN BLOCK PROMPTS ROUNDS DEVICE TEMPERATURE STUDY MODEL PROMPTS_FILE".split()  # noqa: SIM905
    assert dry(door, "PY=python3", **dict.fromkeys(names, "1")) == dry(door, "PY=python3")


def test_default_steps_hold_against_the_environment():
    assert options(dry("sweep", "PY=python3", STEPS="1"))["--steps"] == DEFAULT_STEPS


@pytest.mark.parametrize("door", [door for door in DOORS if door != "help"])
def test_given_python_skips_the_set_up(door):
    assert ".venv" not in dry(door, "PY=python3")


@pytest.mark.parametrize("door", [door for door in DOORS if door not in ("help", "clean")])
def test_every_other_door_sets_up_first(door):
    assert "-m venv --clear .venv" in dry(door)


def test_restore_never_falls_back_to_the_pairs_name():
    asked = [shlex.split(dry("restore", "PY=python3", *given)) for given in ((), ("STUDY=a b",))]
    assert [words[-1] for words in asked] == ["", "a b"]
    assert make("restore", "PY=python3", "PAIR=mine").returncode == 2


def test_each_of_two_studies_is_an_argument_of_its_own():
    assert shlex.split(dry("compare", "PY=python3", "STUDIES=a b", "VERBOSE=1"))[2:] == [
        "paper.compare",
        "a",
        "b",
        "--verbose",
    ]
    assert shlex.split(dry("compare", "PY=python3"))[2:] == ["paper.compare"]


@pytest.mark.parametrize("given", [(), ("STUDY=none such",)])
def test_record_of_no_study_of_this_machine_is_one_line_and_status_2(given):
    done = make("record", f"PY={sys.executable}", *given)
    assert (done.returncode, done.stdout) == (2, "")
    line = done.stderr.splitlines()[0]
    assert line.startswith("error: STUDY=none such: no such study" if given else "error: record: give the study")
    assert "; mlruns has: " in line


SCALING = "scaling batch length prompt corners attention memory".split()  # noqa: SIM905


@pytest.mark.parametrize("door", ["study", "baseline", "sweep", "tasks", *SCALING])
def test_every_door_that_measures_wants_the_ceilings_first(door):
    runs = [line for line in dry(door, "PY=python3").replace("\\\n", "").splitlines() if "bench.run" in line]
    assert runs
    assert all("--ceilings" in shlex.split(line) for line in runs)


@pytest.mark.parametrize("door", SCALING)
def test_a_plan_is_of_every_run(door):
    text = dry(door, "PY=python3", "PLAN=1")
    assert text.count("bench.run") == text.count("--plan") >= 1


def test_the_frontier_is_planned_with_the_rest_and_alone():
    given = ("PY=python3", "LIMIT_GIB=24", "MODEL=my models/x", "STUDY=night run")
    [planned] = [line for line in dry("plan", *given).splitlines() if "bench.frontier" in line]
    assert planned == dry("frontier", "PLAN=1", *given).strip()
    searched = shlex.split(dry("frontier", *given))
    assert shlex.split(planned) == [*searched, "--plan"]
    assert searched[searched.index("--limit-gib") + 1] == "24"


def test_clean_keeps_measurements_and_environment():
    removed = [word for line in dry("clean").splitlines() if "rm -rf" in line for word in shlex.split(line)]
    assert ".cache/work" in removed
    assert not {"mlruns", "mlruns/", "mlflow.db", ".venv", ".venv/"} & set(removed)


def test_bad_value_ends_in_its_own_line_and_status_2():
    done = make("sweep", "STEPS=four", f"PY={sys.executable}")
    assert done.returncode == 2
    assert done.stderr.startswith('error: STEPS="four": ')
    assert done.stdout == ""


@pytest.mark.parametrize("given", [(), ("STUDY=none such",)])
def test_restore_of_no_published_study_is_one_line_and_status_2(given):
    done = make("restore", f"PY={sys.executable}", *given)
    assert (done.returncode, done.stdout) == (2, "")
    line, *of_make = done.stderr.splitlines()
    assert line.startswith("error: STUDY=none such: no such study" if given else "error: restore: give the study")
    assert "; paper/recorded has: " in line
    assert all(line.startswith("make: ") for line in of_make)


FOR_ALL = {"PY", "PYTHON"}  # they say by what a door runs, never what it does


def refusal(*arguments: str) -> str:
    """The one line with which make ends before anything runs."""
    done = make(*arguments, "PY=python3")
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("door", all_doors())
def test_a_door_passes_each_variable_on_or_refuses_it(door):
    plain = dry(door, "PY=python3")
    for name in sorted({name for name in variables() if name.isupper()} - FOR_ALL):
        done = make("-n", door, "PY=python3", f"{name}=zz")
        if done.returncode == 0:
            assert done.stdout != plain, f"{name} is dropped"
        else:
            assert (done.returncode, done.stdout) == (2, "")
            assert f"{name}=zz: `make {door}` does not use {name}; it uses " in done.stderr


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("STEP", "STEPS"), ("steps", "STEPS"), ("PROMPT", "PROMPTS"), ("MODELS", "MODEL"), ("PROMPT_FILE", "PROMPTS_FILE"),
     ("cell_options", None), ("a'b", None)],
)  # fmt: skip
def test_a_variable_that_there_is_not_is_refused_with_the_nearest_name(name, nearest):
    line = refusal("sweep", f"{name}=16 64")
    assert f"{name}=16 64: there is no variable {name}; did you mean {nearest or ''}" in line


@pytest.mark.parametrize(
    "door", ["likelihood", "smoke", "ceilings", "verify", "engines", "frontier", "batch", "agreement"]
)
def test_a_model_of_ones_own_reaches_every_door_that_runs_models(door):
    assert '--model "my model"' in dry(door, "PY=python3", "MODEL=my model")


def test_of_several_doors_one_that_reads_a_variable_is_enough():
    assert '--steps "16"' in dry("baseline", "sweep", "PY=python3", "STEPS=16")
    assert "`make baseline tasks` does not use STEPS" in refusal("baseline", "tasks", "STEPS=16")


def test_a_door_that_there_is_not_is_said_before_its_variables():
    done = make("sweeep", "STEPS=16", "PY=python3")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No rule to make target 'sweeep'" in done.stderr


PIP = """#!/bin/sh
case "$*" in
    -V) echo Python 3.12.1 ;;
    "-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *nodeps.txt) echo "Collecting four==4"; exit $FAILS ;;
    *"pip install"*) printf 'Collecting one==1\\nCollecting two>=2 (from a)\\nInstalling collected packages: two\\n' ;;
esac
"""


@pytest.fixture
def bare(tmp_path):
    """A folder with the Makefile and a Python that only says what pip would say."""
    for name in ("Makefile", "requirements.txt", "configs/requirements-nodeps.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(Path(name).read_text())
    python = tmp_path / "python"
    python.write_text(PIP)
    python.chmod(0o755)
    return tmp_path


def test_setup_says_what_it_does_and_the_second_time_that_it_is_done(bare):
    first = make("setup", "-C", str(bare), "PYTHON=./python", FAILS="0")
    assert first.returncode == 0, first.stderr
    lines = first.stderr.splitlines()
    assert lines[0].startswith("setting up .venv, once: about three minutes")
    assert [line.strip() for line in lines[1:]] == [
        "package 1: one==1", "package 2: two>=2", "all packages are here; unpacking them", "package 3: four==4",
    ]  # fmt: skip
    second = make("setup", "-C", str(bare), "PYTHON=./python", FAILS="0")
    assert (second.returncode, second.stdout, second.stderr) == (0, "setup: nothing to do; .venv is complete\n", "")


def test_setup_that_broke_off_is_an_error_and_is_done_again(bare):
    broken = make("setup", "-C", str(bare), "PYTHON=./python", FAILS="1")
    assert broken.returncode == 2
    assert "error: .venv is not whole, see above; give the same command again" in broken.stderr
    again = make("setup", "-C", str(bare), "PYTHON=./python", FAILS="0")
    assert again.returncode == 0
    assert "setting up .venv" in again.stderr
