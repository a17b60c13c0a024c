"""The whole path on the shipped pair: run, resume, track, score, report. Real processes, real MLflow."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.devices import lock
from tests.conftest import REPO

SMALL = ["--steps", "2 4", "--gen", "16", "--block", "8", "--prompts", "2", "--rounds", "2", "--study", "tiny"]
GRIDS = ["configs/grids/baseline.yaml", "configs/grids/sweep.yaml"]


def command(folder, *arguments: str) -> subprocess.CompletedProcess:
    own = {"PYTHONPATH": str(REPO), "HF_HUB_OFFLINE": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    env = os.environ | own | {lock.LOCKS: str(folder)}  # a study may be running on this machine
    line = [sys.executable, "-m", *arguments]
    return subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, check=False)


def clone(place: Path) -> Path:
    """The repository's files in a folder, with an empty MLflow and nothing cached."""
    for name in ("bench", "configs"):
        (place / name).symlink_to(REPO / name)
    shutil.copytree(REPO / "paper", place / "paper", ignore=shutil.ignore_patterns("build"))
    return place


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working directory of its own."""
    place = clone(tmp_path_factory.mktemp("study"))
    (place / ".cache").mkdir()
    for name in ("judge", "prompts"):
        (REPO / ".cache" / name).mkdir(parents=True, exist_ok=True)
        (place / ".cache" / name).symlink_to(REPO / ".cache" / name)
    return place


@pytest.fixture(scope="module")
def study(folder):
    done = command(folder, "bench.run", *GRIDS, *SMALL)
    assert done.returncode == 0, done.stderr
    return done


def records(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "mlruns/tiny.jsonl").read_text().splitlines()]


def frame(folder) -> list[dict]:
    code = "from bench.store import mlflow_read; print(mlflow_read.frame('tiny').to_json(orient='records'))"
    env = {"PYTHONPATH": str(REPO)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | env, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_every_cell_has_one_record_a_round_and_its_scores(study, folder):
    stored = records(folder)
    rounds = [(r["cell_id"], r["round"]) for r in stored if r["record"] == "round"]
    assert len(rounds) == len(set(rounds)) == (3 + 4) * 2  # three cells and the twins of two sentinels
    assert all(r["outcome"] == "ok" for r in stored if r["record"] == "round")
    assert sorted(r["scorer"] for r in stored if r["record"] == "scores") == sorted(
        ["diversity", "bertscore-minilm", "judge-smollm2"] * 3 + ["diversity", "judge-smollm2"]  # and the references
    )


def test_a_first_round_answers_all_prompts_and_later_ones_repeat_some(study, folder):
    measured = [r for r in records(folder) if r["record"] == "round" and "twin" not in r["cell"]]
    calls = {r["round"]: len(r["calls"]) for r in measured}
    assert calls == {1: 2, 2: 2}  # two prompts, fewer than the four that are repeated


def test_runs_carry_the_contracts_names(study, folder):
    tracked = frame(folder)
    twins = [r for r in tracked if r["kind"] == "sentinel"]
    assert sorted((r["model"], r["twin"]) for r in twins) == [(model, t) for model in ("llada", "llama") for t in "ab"]
    assert all(r["latency/latency_ms"] > 0 and r["outcome"] == "ok" for r in twins)
    runs = {(r["model"], r.get("steps")): r for r in tracked if r["kind"] != "sentinel"}
    human = runs.pop(("human", None))
    assert (human["kind"], human["status"], human["quality/bertscore_f1"]) == ("reference", "FINISHED", None)
    assert human["quality/judge_perplexity"] > 1
    assert set(runs) == {("llama", None), ("llada", 2), ("llada", 4)}
    for (model, steps), run in runs.items():
        assert (run["status"], run["outcome"], run["study"], run["pair"]) == ("FINISHED", "ok", "tiny", "pocket")
        assert run["kind"] == ("baseline" if model == "llama" else "sweep")
        assert (run["verdict"], run["platform"], run["order"][:2]) == ("unknown", "cpu", "1:")
        assert run["command"].startswith("python -m bench.run configs/grids/baseline.yaml")
        assert run["env.torch"]
        assert (run["gen_length"], run["prompts"], run["dtype"], run["engine"]) == (16, 2, "float32", "eager")
        assert run["latency/latency_ms_ci_low"] < run["latency/latency_ms"] < run["latency/latency_ms_ci_high"]
        assert run["compute/nfe"] == (steps or run["compute/nfe"])
        for name in ("latency/ttft_ms", "throughput/tokens_per_s", "throughput/text_bytes_per_s", "memory/weights_gib",
                     "quality/bertscore_f1", "quality/judge_perplexity", "quality/mean_length"):  # fmt: skip
            assert run[name] is not None
    assert runs["llama", None]["latency/itl_p50_ms"] > 0
    assert runs["llada", 2]["latency/itl_p50_ms"] is None


def test_running_again_measures_and_scores_nothing_and_says_so(study, folder):
    before, rows = records(folder), frame(folder)
    done = command(folder, "bench.run", *GRIDS, *SMALL)
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert line == "study tiny: nothing to do, everything asked for is measured and scored; VERBOSE=1 prints the tables"
    assert records(folder) == before
    assert frame(folder) == rows


def test_a_killed_study_goes_on_where_it_stopped(study, folder):
    file = folder / "mlruns/tiny.jsonl"
    whole = records(folder)
    rounds_before = [r for r in whole if r["record"] == "round"][:4]
    file.write_text("".join(json.dumps(r) + "\n" for r in rounds_before) + '{"record": "round", "cut off in the mid')
    done = command(folder, "bench.run", *GRIDS, *SMALL)
    assert done.returncode == 0, done.stderr
    rounds_after = [
        r for r in map(json.loads, filter(is_json, file.read_text().splitlines())) if r["record"] == "round"
    ]
    assert rounds_after[:4] == rounds_before
    assert len({(r["cell_id"], r["round"]) for r in rounds_after}) == len(rounds_after) == 14


def is_json(line: str) -> bool:
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return False
    return True


def test_the_terminal_shows_table_and_verdict(study):
    assert "study tiny, 2 prompts, 16 tokens" in study.stdout
    assert "BERTScore" in study.stdout
    assert "Time: LLaMA answers in" in study.stdout
    assert "Quality: " in study.stdout
    for model in ("LLaMA", "LLaDA (official head)"):
        assert f"Noise: the same eager cell of {model} twice in a round differs by a factor of" in study.stdout


def test_samples_come_from_the_tracked_runs(study, folder):
    done = command(folder, "bench.report", "tiny", "samples")
    assert done.returncode == 0, done.stderr
    for heading in ("PROMPT", "REFERENCE", "LLAMA\n", "LLADA 2 STEPS", "LLADA 4 STEPS"):
        assert heading in done.stdout


def test_export_run_elsewhere_and_replay(study, folder):
    smoke = ["configs/grids/smoke.yaml", "--rounds", "1", "--study", "away"]
    assert command(folder, "bench.run", *smoke, "--device", "cpu", "--export", "work").returncode == 0
    done = command(folder, "bench.run", "--cells", "work", "--record", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert not (folder / "mlruns/away.jsonl").exists()
    idle = "study away: nothing to do, everything is here already (2 cells)"
    for said in ("replayed into study away: 2 cells", idle):
        done = command(folder, "bench.tracking", "replay", "out.jsonl")
        assert said in done.stdout, done.stderr
    assert len((folder / "mlruns/away.jsonl").read_text().splitlines()) == 2


def test_the_report_is_built_and_says_what_is_missing(study, folder):
    done = command(folder, "paper.build", "tiny")
    assert done.returncode == 0, done.stderr
    numbers = json.loads((folder / "paper/build/results.json").read_text())
    assert set(numbers["llada.2.latency_ms"]) == {"value", "low", "high", "unit", "runs"}
    assert numbers["llada.2.latency_ms"]["unit"] == "ms"
    assert numbers["llada.4.nfe"]["value"] == 4
    for model in ("llama", "llada"):
        ratio = numbers[f"{model}.aa_ratio"]
        assert 0 < ratio["low"] < ratio["value"] < ratio["high"]
        assert numbers[f"{model}.drift"]["value"] >= 0
    for name in ("pareto", "quality", "step_time"):
        assert (folder / f"paper/build/figures/{name}.png").stat().st_size > 5000
    assert "LLaMA" in (folder / "paper/build/tables/latency.tex").read_text()
    assert "say_time" in (folder / "paper/build/facts.json").read_text()


def test_a_published_study_is_restored_on_a_fresh_clone_and_reported(study, folder, tmp_path):
    fresh, plain = clone(tmp_path), folder / "mlruns/tiny.jsonl"
    (fresh / "paper/recorded/tiny.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    states = []
    for said in ("restored into study tiny: 8 cells; make paper STUDY=tiny shows them\n",
                 "study tiny: nothing to do, everything is here already (8 cells)\n"):  # fmt: skip
        done = command(fresh, "bench.tracking", "restore", "tiny")
        assert (done.returncode, done.stdout) == (0, said), done.stderr
        states.append((records(fresh), frame(fresh)))
    assert states[0] == states[1]
    assert states[0][0] == [json.loads(line) for line in filter(is_json, plain.read_text().splitlines())]
    assert command(fresh, "paper.build", "tiny").returncode == 0
    assert json.loads((fresh / "paper/build/results.json").read_text())["llada.4.nfe"]["value"] == 4


def test_a_report_of_half_a_study_says_what_is_missing(folder):
    half = ["configs/grids/sweep.yaml", *SMALL[:-1], "half", "--no-report"]
    assert command(folder, "bench.run", *half).returncode == 0
    done = command(folder, "paper.build", "half")
    assert done.returncode == 0, done.stderr
    assert "No verdict yet: LLaMA (make baseline) is not measured" in done.stdout
    assert not (folder / "paper/build/figures/pareto.png").exists()


def test_a_study_that_is_not_tracked_is_one_line_and_status_2(folder):
    done = command(folder, "paper.build", "nowhere")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: study 'nowhere' is not tracked here")


def test_tasks_are_run_scored_and_given_a_verdict(folder):
    small = folder / "small.yaml"
    text = (REPO / "configs/grids/tasks.yaml").read_text()
    text = re.sub("steps: .*", "steps: [1, 4]", re.sub("prompts: .*", "prompts: 10", text))
    small.write_text(f"{text}sentinel: false\n")
    done = command(folder, "bench.run", "small.yaml", "--rounds", "1", "--study", "tasks")
    assert done.returncode == 0, done.stderr
    assert "10 tasks, 32 tokens" in done.stdout
    assert "LLaMA's accuracy of" in done.stdout
    scored = [json.loads(line) for line in (folder / "mlruns/tasks.jsonl").read_text().splitlines()]
    assert [r["scorer"] for r in scored if r["record"] == "scores"] == ["tasks"] * 3
    assert command(folder, "paper.build", "tasks").returncode == 0
    numbers = json.loads((folder / "paper/build/results.json").read_text())
    assert 0 <= numbers["accuracy.p_reached"]["value"] <= 1
    assert numbers["tasks.llada.4.accuracy"]["low"] < numbers["tasks.llada.4.accuracy"]["high"]


def test_likelihood_is_measured_once_a_model(folder):
    text = folder / "wiki.txt"
    text.write_text(
        "\n".join(f"{i} " + "The river runs through the old town and past the mill. " * 10 for i in range(2))
    )
    asked = ["--text", "wiki.txt", "--texts", "2", "--study", "words"]
    for more in ([], ["--verbose"]):
        done = command(folder, "bench.perplexity", *asked, *more)
        assert done.returncode == 0, done.stderr
        assert "llama  wiki.txt" in done.stdout
        assert "upper bound, Monte-Carlo error" in done.stdout
    again = command(folder, "bench.perplexity", *asked)
    assert (again.returncode, again.stdout.count("\n")) == (0, 1)
    assert again.stdout.startswith("study words: nothing to do, ")
    assert len((folder / "mlruns/words.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "door",
    [
        ["bench.run", "configs/grids/smoke.yaml", "--ceilings"],
        ["bench.run", "configs/grids/smoke.yaml"],
        ["bench.ceilings"],
        ["bench.frontier", "--limit-gib", "2"],
        ["bench.selfcheck"],
    ],
)
def test_a_door_that_the_lock_refuses_says_that_alone(folder, door):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(lock.LOCKS, str(folder))
        with lock.lock("cpu", "of somebody else"):
            done = command(folder, *door, "--device", "cpu")
    assert (done.returncode, done.stdout) == (2, "")
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("reading models")]
    assert line.startswith("error: device cpu is in use by study of somebody else (process ")
