"""The door of task accuracy: bad input ends in one line and status 2 before a model loads; a run and its plan."""

import json
import subprocess
import sys

import pytest
import yaml

from bench import harness
from bench.common.errors import BadInput, exit_code
from tests.conftest import REPO


@pytest.fixture
def local_tasks(tmp_path):
    from tests.accuracy import local_tasks

    (tmp_path / "tasks").mkdir()
    return local_tasks.write_all(tmp_path / "tasks", 3)


def has_lm_eval():
    pytest.importorskip("lm_eval", reason="lm-eval is not installed (configs/requirements-accuracy.txt)")


def door(*arguments, **options):
    """(status, standard output, standard error) of the door, and whether it loaded torch."""
    code = (
        "import sys\nfrom bench.common.errors import exit_code\nfrom bench import harness\n"
        "status = exit_code(lambda: harness.main(sys.argv[1:]))\n"
        "print('torch' if 'torch' in sys.modules else 'no torch')\nsys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=REPO, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def refused(words, monkeypatch, *arguments):
    monkeypatch.chdir(REPO)
    with pytest.raises(BadInput, match=words) as error:
        harness.main(["--device", "cpu", "--study", "never", *arguments])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tasks", "lambada"), "there is no recipe for lambada"),
        (("--tasks", "gsm8k", "--templates", "haiku"), "gsm8k has no template haiku; it has: own, question, last-line"),
        (("--tasks", "gsm8k", "--batch", "0"), "BATCH=0: expected 1 or more"),
        (("--tasks", "gsm8k", "--limit", "0"), "LIMIT=0: expected 1 or more"),
        (("--tasks", "gsm8k", "--steps", "many"), "STEPS"),
        (("--tasks", "gsm8k", "--decoder", "sampler"), "DECODER"),
        (("--tasks", "gsm8k", "--run-code", "maybe"), "RUN_CODE=maybe: expected yes"),
        (("--tasks", "gsm8k", "--pair", "8b-shapes"), "random weights have no accuracy"),
    ],
)
def test_bad_input_is_one_line_also_where_lm_eval_is_not_installed(arguments, words, monkeypatch):
    refused(words, monkeypatch, *arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tasks", ""), "expected|nothing is asked|no recipe"),
        (("--tasks", "humaneval"), "RUN_CODE=yes"),
        (("--tasks", "gsm8k", "--task-path", "/nowhere"), "TASK_PATH=/nowhere: no such folder"),
        (("--tasks", "gsm8k", "--steps", "100"), "steps 100 cannot be shared by 32 blocks|cannot be had"),
        (("--tasks", "gsm8k"), "its questions .openai/gsm8k. cannot be had .*give DATA=FOLDER"),
    ],
)
def test_bad_input_is_one_line(arguments, words, monkeypatch):
    has_lm_eval()
    refused(words, monkeypatch, *arguments)


def test_a_task_that_lm_eval_does_not_know_is_refused_by_naming_the_nearest(local_tasks, monkeypatch):
    has_lm_eval()
    monkeypatch.chdir(REPO)
    file = local_tasks / "recipes" / "words.yaml"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"lm_eval_task": "wrods"}))
    with pytest.raises(BadInput, match="has no task wrods; did you mean words"):
        harness.main(["--tasks", "words", "--task-path", str(local_tasks), "--study", "never", "--device", "cpu"])


def pair_file(folder, **changes):
    """The pocket pair's file with other keys, under a name of its own."""
    data = yaml.safe_load((REPO / "configs/pairs/pocket.yaml").read_text())
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(data | {"name": "mine"} | changes))
    return str(file)


def test_a_pair_whose_metric_has_no_recipe_is_refused_before_anything_else(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(REPO)
    arguments = ["--pair", pair_file(tmp_path, primary_metric="gsm9k"), "--tasks", "gsm8k", "--study", "never"]
    assert exit_code(lambda: harness.main(arguments)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "mine.yaml: primary_metric: 'gsm9k' is neither accuracy nor bertscore_f1 nor a task with a" in said.err


def test_a_pairs_own_folder_of_tasks_is_asked(local_tasks, tmp_path, monkeypatch, capsys):
    has_lm_eval()
    monkeypatch.chdir(REPO)
    pair = pair_file(tmp_path, primary_metric="words", task_path=str(local_tasks))
    arguments = ["--pair", pair, "--tasks", "words", "--study", "never", "--device", "cpu", "--plan"]
    assert harness.main(arguments) == 0
    assert "0 of 3" in capsys.readouterr().out


def test_without_lm_eval_the_door_says_what_to_install(monkeypatch, capsys):
    monkeypatch.chdir(REPO)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert exit_code(lambda: harness.main(["--tasks", "gsm8k", "--study", "never", "--device", "cpu"])) == 2
    assert "pip install -r configs/requirements-accuracy.txt" in capsys.readouterr().err


def test_bad_input_and_plans_load_no_torch(local_tasks):
    has_lm_eval()
    status, out, error = door("--tasks", "gsm8k", "--device", "cpu", "--study", "never")
    assert (status, out) == (2, "no torch\n")
    assert error.startswith("error: task gsm8k_cot_llama: its questions")
    assert error.count("\n") == 1
    arguments = (
        "--tasks",
        "words choices",
        "--task-path",
        local_tasks,
        "--device",
        "cpu",
        "--study",
        "never",
        "--plan",
    )
    status, out, error = door(*arguments)
    lines = out.splitlines()
    assert (status, lines[-1]) == (0, "no torch")
    assert "0 of 3" in lines[1]
    assert lines[-2].startswith("study never: 4 cells on cpu, about ")


def test_a_run_ends_with_its_table_and_stands_in_mlflow(local_tasks, tmp_path):
    has_lm_eval()
    names = ("bench", "configs")
    for name in names:
        (tmp_path / name).symlink_to(REPO / name)
    command = [sys.executable, "-m", "bench.harness", "--tasks", "words", "--task-path", str(local_tasks)]
    command += ["--device", "cpu", "--study", "mine", "--steps", "8 16"]
    for _ in range(2):  # the second finds everything done
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        rows = done.stdout.splitlines()
        assert rows[0].split()[:4] == ["task", "template", "model", "accuracy"]
        assert rows[-1] == "make paper STUDY=mine sets both models against each other, paired by question"
        assert [" ".join(row[30:70].split()) for row in rows[1:4]] == ["LLaMA", "LLaDA, 8 steps", "LLaDA, 16 steps"]
    code = (
        "from bench.store import mlflow_read\nruns = mlflow_read.frame('mine')\n"
        "print(sorted(runs['kind']), runs['quality/accuracy'].min() > 0.5, len(runs), list(runs['task'].unique()))"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.stdout.strip() == "['accuracy', 'accuracy', 'accuracy'] True 3 ['words']", told.stderr
