"""A load becomes a record, a run and a row, whatever the generator says; measured once."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from bench import loadtest
from bench.analysis import study
from bench.common import stats
from bench.common.errors import BadInput, exit_code
from bench.load import generator, run, table
from bench.load.address import API_KEY
from bench.records import catalogue, types
from bench.records.load import LoadRun
from bench.store import disk, mlflow_read, mlflow_view
from bench.store.sink import Sink
from tests.conftest import REPO
from tests.support.chat_server import ChatServer, serving
from tests.support.tracked_study import stand_in, write_records

KEY = "sk-9f31c0ffee"
OWN = REPO / generator.PYTHON
needs_generator = pytest.mark.skipif(not OWN.exists(), reason="`make load` has not installed AIPerf here")


@pytest.fixture
def here(tmp_path, whole_database, monkeypatch) -> Path:
    """A working directory with the repository's pairs and models, and an MLflow that holds nothing."""
    stand_in(tmp_path, monkeypatch)
    shutil.copy(whole_database, tmp_path)
    for name in ("bench", "configs", ".venv-load"):
        if (REPO / name).exists():
            (tmp_path / name).symlink_to(REPO / name)
    (tmp_path / ".cache").mkdir()
    if (REPO / ".cache/prompts").exists():
        (tmp_path / ".cache/prompts").symlink_to(REPO / ".cache/prompts")
    (tmp_path / "asked.jsonl").write_text("".join(json.dumps({"prompt": f"Say {n}."}) + "\n" for n in range(3)))
    return tmp_path


def door(url: str, *more: str) -> int:
    """Exit status of `make load` on three prompts."""
    options = ("--prompts-file", "asked.jsonl", "--prompts", "3", "--gen", "8", "--study", "s", "--rounds", "1")
    return exit_code(lambda: loadtest.main(["--url", url, *options, *more]))


def report(**changes) -> dict:
    """A report as AIPerf writes it, of ten answers."""
    times = {"unit": "ms", "avg": 20.0, "p50": 21.0, "p95": 29.0, "p99": 30.0}
    return {
        "request_throughput": {"unit": "requests/sec", "avg": 4.0},
        "output_token_throughput": {"unit": "tokens/sec", "avg": 32.0},
        "output_sequence_length": {"unit": "tokens", "avg": 8.0, "p50": 8.0},
        "time_to_first_token": times, "inter_token_latency": times | {"p50": 5.0}, "request_latency": times,
        "goodput": {"unit": "requests/sec", "avg": 3.0},
        "request_count": {"unit": "requests", "avg": 10.0},
        "good_request_count": {"unit": "requests", "avg": 9.0},
    } | changes  # fmt: skip


@pytest.fixture
def told(monkeypatch) -> list:
    """The loads that the generator was told to make, in place of which it gives a report."""
    loads = []

    def made(asked, prompts, tokenizer, folder) -> dict:
        lines = [json.loads(line)["text"] for line in prompts.read_text().splitlines()]
        loads.append((asked, lines, tokenizer))
        return report()

    monkeypatch.setattr(generator, "run", made)
    monkeypatch.setattr(generator, "version", lambda: "aiperf 0")
    return loads


def test_each_load_is_a_record_a_run_and_a_row_and_measured_once(here, told, capsys):
    with serving(ChatServer()) as url:
        assert door(url, "--concurrency", "4 1") == 0
        said = capsys.readouterr().out
        assert door(url, "--concurrency", "1 4") == 0
    assert "nothing to do, these loads are measured" in capsys.readouterr().out
    assert [asked.concurrency for asked, *_ in told] == [1, 4]
    assert told[0][1] == ["Say 0.", "Say 1.", "Say 2."]
    assert Path(told[0][2]) == here / "bench/pocket/tokenizer"
    records = disk.read(disk.path("s"))
    assert [type(record) for record in records] == [LoadRun, LoadRun]
    assert [record.cell.requests for record in records] == [4, 16]
    runs = mlflow_read.frame("s").sort_values("load/requests_per_s")
    assert list(runs["kind"]) == ["load", "load"]
    assert set(runs["load/tokens_per_s"]) == {32.0}
    history = mlflow_read.mlflow_client.client().get_metric_history
    assert sorted(history(run_id, "load/ttft_p95_ms")[0].step for run_id in runs["run_id"]) == [1, 4]
    head, titles, *rows = said.splitlines()
    assert head.startswith(
        f"m at {url} (chat), 3 prompts of pair pocket, up to 8 tokens, greedy, aiperf 0; good: first"
    )
    assert [row.split()[:3] for row in rows] == [["1", "4", "1"], ["4", "16", "1"]]
    assert titles.split()[:2] == ["at", "once"]


@pytest.fixture
def uneven(told, monkeypatch) -> list[tuple[int, float]]:
    """A generator whose answers take longer in each round: what it was told to load, and the requests a second."""
    made = []

    def slower(asked, prompts, tokenizer, folder) -> dict:
        made.append((asked.concurrency, 4.0 / (1 + len(made))))
        return report(request_throughput={"unit": "requests/sec", "avg": made[-1][1]})

    monkeypatch.setattr(generator, "run", slower)
    return made


def test_rounds_are_measured_one_after_another_and_give_an_interval(here, uneven, capsys):
    with serving(ChatServer()) as url:
        assert door(url, "--concurrency", "1 4", "--rounds", "2") == 0
        said = capsys.readouterr()
        assert door(url, "--concurrency", "1 4", "--rounds", "3") == 0
    assert [at_once for at_once, _ in uneven] == [1, 4] * 3  # and the first two rounds not once more
    assert "round 2/2: 4 at once: 16 requests for 8 tokens\n" in said.err
    assert "round 1/3" not in capsys.readouterr().err
    rates = [rate for at_once, rate in uneven if at_once == 1]
    estimate = stats.typical_over_rounds(rates[:2])
    *table_of_all, title, headings, one, four = said.out.splitlines()
    assert len(table_of_all) == 4
    assert table_of_all[2].split()[:4] == ["1", "4", "2", f"{estimate.value:.2f}"]
    assert title == "95 % intervals over the rounds"
    assert headings.split()[:5] == ["at", "once", "requests", "rounds", "requests/s"]
    assert one.split("  ")[-6:][0].strip() == estimate.text(2)
    assert four.split()[:3] == ["4", "16", "2"]
    [run_of_one] = [row for _, row in mlflow_read.frame("s").iterrows() if row["concurrency"] == "1"]
    estimate = stats.typical_over_rounds(rates)
    for name, value in (("", estimate.value), ("_ci_low", estimate.low), ("_ci_high", estimate.high)):
        assert run_of_one[f"load/requests_per_s{name}"] == pytest.approx(value, rel=1e-5)
    history = mlflow_read.mlflow_client.client().get_metric_history
    by_round = {each.step: each.value for each in history(run_of_one["run_id"], "rounds/load/requests_per_s")}
    assert by_round == pytest.approx(dict(enumerate(rates, 1)), rel=1e-5)


def test_a_record_from_before_there_were_rounds_is_the_first(here, told):
    with serving(ChatServer()) as url:
        assert door(url, "--concurrency", "1") == 0
        file = disk.path("s")
        [raw] = disk.read_json(file)
        assert raw.pop("round") == 1
        file.write_text(json.dumps(raw) + "\n")
        assert door(url, "--concurrency", "1", "--rounds", "2") == 0
    assert [record.number for record in disk.read(file)] == [1, 2]
    assert len(told) == 2


def test_a_study_is_compared_without_its_loads(here, told):
    with serving(ChatServer()) as url:
        door(url, "--concurrency", "1")
    with pytest.raises(
        BadInput, match="'s' has only servers under load, which `make load` prints again; run `make sweep`"
    ):
        study.runs_of("s")
    write_records(here)
    kinds = set(study.read("s").runs["kind"])
    assert kinds
    assert "load" not in kinds
    assert not [column for column in study.read("s").runs if column.startswith("load/")]


def test_what_stands_in_a_record_comes_back(here, told):
    with serving(ChatServer()) as url:
        assert door(url, "--concurrency", "1") == 0
    [raw] = disk.read_json(disk.path("s"))
    record = types.parse(raw)
    assert record.to_json() == raw
    assert record.cell_id == record.cell.cell_id == raw["cell_id"]
    assert {f"load/{name}" for name in record.values} <= set(catalogue.BY_NAME)
    assert {f"load/{name}" for name in (*generator.FIGURES, "good_share", "failed_requests")} == {
        name for name in catalogue.BY_NAME if name.startswith("load/")
    }
    assert "load" in mlflow_view.OTHER_AXES


def test_a_report_is_read_in_its_own_units_and_what_it_lacks_is_absent(here, told):
    with serving(ChatServer()) as url:
        door(url, "--concurrency", "4")
    asked = told[0][0]
    values = generator.values_of(report(), asked)
    assert (values["failed_requests"], values["good_share"], values["gap_p50_ms"]) == (6.0, 9 / 16, 5.0)
    lacking = generator.values_of({"request_count": {"unit": "requests", "avg": 16.0}}, asked)
    assert lacking == {"failed_requests": 0.0}
    with pytest.raises(generator.Failed, match="gives time_to_first_token in s, not in ms"):
        generator.values_of(report(time_to_first_token={"unit": "s", "p50": 1.0}), asked)
    with pytest.raises(generator.Failed, match="no request of 16 was answered: refused"):
        generator.values_of({"error_summary": [{"error_details": {"message": "refused"}}]}, asked)


def test_a_load_that_fails_is_said_leaves_no_record_and_is_asked_again(here, told, monkeypatch, capsys):
    def failing(asked, prompts, tokenizer, folder) -> dict:
        if asked.concurrency == 1:
            raise generator.Failed("aiperf ended with status 1: boom")
        return report()

    with monkeypatch.context() as patch, serving(ChatServer()) as url:
        patch.setattr(generator, "run", failing)
        assert door(url, "--concurrency", "1 2") == 1
        assert "failed: 1 at once: aiperf ended with status 1: boom\n" in capsys.readouterr().err
        assert [record.cell.concurrency for record in disk.read(disk.path("s"))] == [2]
        patch.undo()
        monkeypatch.setattr(generator, "run", lambda *_: report())
        monkeypatch.setattr(generator, "version", lambda: "aiperf 0")
        assert door(url, "--concurrency", "1 2") == 0
    assert [record.cell.concurrency for record in disk.read(disk.path("s"))] == [2, 1]


def test_a_generator_that_is_not_installed_is_named_with_its_remedy(here, monkeypatch, capsys):
    monkeypatch.setattr(generator.version, "__defaults__", (Path("nowhere/python"),))
    with serving(ChatServer()) as url:
        assert door(url) == 2
    assert "nowhere/python: the load generator is not installed; `make load` does that, or: python3 -m venv" in (
        capsys.readouterr().err
    )


def test_a_generator_that_dies_is_said_with_its_last_words(here, told, tmp_path, monkeypatch):
    with serving(ChatServer()) as url:
        door(url, "--concurrency", "1")
    monkeypatch.undo()
    for code, says in (
        ("import sys; print('first'); sys.exit('last words')", "status 1: last words"),
        ("print('12:00:00 ERROR    no tokenizer'); print('see the log')", "status 0: no tokenizer"),
        ("pass", "status 0: it said nothing"),
    ):
        monkeypatch.setattr(generator, "START", code)
        with pytest.raises(generator.Failed, match=f"aiperf ended with {says}$"):
            generator.run(told[0][0], tmp_path / "prompts.jsonl", "t", tmp_path, Path(sys.executable))


@pytest.mark.slow
@needs_generator
def test_the_real_generator_against_a_small_server(here, monkeypatch, capsys):
    """Times are those that the server takes; the key reaches it and is kept nowhere."""
    monkeypatch.setenv(API_KEY, KEY)
    about = ChatServer(key=KEY, first_s=0.05, gap_s=0.02)
    with serving(about) as url:
        assert door(url, "--concurrency", "1 4", "--ttft-limit-s", "0.5") == 0
    said = capsys.readouterr()
    one, four = disk.read(disk.path("s"))
    assert about.most_at_once == 4
    assert one.generator == "aiperf 0.13.0"
    assert 50 <= one.values["ttft_p50_ms"] < 150
    assert 8 <= one.values["gap_p50_ms"] < 60
    assert four.values["requests_per_s"] > 2 * one.values["requests_per_s"]
    assert (one.values["failed_requests"], one.values["good_share"]) == (0, 1)
    asked = [body for body in about.asked if body.get("stream")]
    assert {(body["max_tokens"], body["temperature"], body["model"]) for body in asked} == {(8, 0, "m")}
    assert {body["messages"][0]["content"] for body in asked} == {"Say 0.", "Say 1.", "Say 2."}
    assert len(asked) == 4 + 16 + 1 + 4  # those measured, and those to warm up
    kept = b"\n".join(file.read_bytes() for file in (here / "mlruns").rglob("*") if file.is_file())
    for text in (kept, (here / "mlflow.db").read_bytes(), (said.out + said.err).encode()):
        assert KEY.encode() not in text
    assert table.lines([one, four])[-1].split()[:2] == ["4", "16"]
    assert run.endpoint_of  # the pocket pair has a chat form
    assert Sink("s").track()
