"""The report of a study in MLflow: one run that is replaced, that no reader of runs gets, and that a person finds."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis import study
from bench.records import merge
from bench.store import disk, mirror, mlflow_client, mlflow_experiment, mlflow_read, mlflow_report, run_note
from bench.store.mlflow_experiment import NOTE_TAG, REPORT_TAG
from bench.store.mlflow_package import MlflowClient, Run, ViewType
from bench.store.sink import Sink


def tracked() -> MlflowClient:
    """MLflow, after the study was logged for the first time."""
    assert Sink("s").track()
    return mlflow_client.client()


def write(folder: Path, *names: str) -> Path:
    """Files that hold their own name."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return folder


PARTS = ("report.html", "report.pdf", "results.json", "figures/pareto.png", "figures/pareto.pdf", "tables/latency.tex")


def reports(mlflow: MlflowClient, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
    experiment = mlflow.get_experiment_by_name("s")
    return list(mlflow.search_runs([experiment.experiment_id], "tags.kind = 'report'", run_view_type=view))


def test_the_report_is_a_run_with_its_files_and_the_description_leads_to_it(place):
    mlflow = tracked()
    folder = write(place / "build", *PARTS, "report.aux", "stamp")
    assert not mlflow_report.is_logged("s", "1")
    mlflow_report.log("s", folder, "1")
    assert mlflow_report.is_logged("s", "1")
    [run] = reports(mlflow)
    assert (run.info.run_name, run.info.status) == ("report", "FINISHED")
    assert set(mlflow_report.artifacts_in(mlflow, run.info.run_id)) == set(PARTS)
    assert Path(mlflow.download_artifacts(run.info.run_id, "report.html")).read_text() == "report.html"
    assert "`report.pdf` is the paper" in run.data.tags[NOTE_TAG]
    mirror.describe("s", ("LLaDA is slower.",))
    experiment = mlflow.get_experiment_by_name("s")
    assert experiment.tags[REPORT_TAG] == run.info.run_id
    assert f"/runs/{run.info.run_id}/artifacts/report.html" in experiment.tags[NOTE_TAG]
    assert "with the columns worth picking" in experiment.tags[NOTE_TAG]


def test_a_further_build_replaces_the_report(place):
    mlflow = tracked()
    mlflow_report.log("s", write(place / "build", *PARTS), "1")
    [before] = reports(mlflow)
    after = write(place / "later", "report.html", "results.json", "figures/batch.png")
    (after / "report.html").write_text("anew")
    mlflow_report.log("s", after, "2")
    [run] = reports(mlflow, ViewType.ALL)
    assert run.info.run_id == before.info.run_id
    assert set(mlflow_report.artifacts_in(mlflow, run.info.run_id)) == {
        "report.html",
        "results.json",
        "figures/batch.png",
    }
    assert Path(mlflow.download_artifacts(run.info.run_id, "report.html")).read_text() == "anew"
    assert "There is no `report.pdf`" in run.data.tags[NOTE_TAG]


def test_an_unchanged_report_is_left_alone(place, monkeypatch):
    mlflow = tracked()
    folder = write(place / "build", *PARTS)
    mlflow_report.log("s", folder, "1")
    monkeypatch.setattr(mlflow_report, "replace_files", lambda *_: pytest.fail("written again"))
    mlflow_report.log("s", folder, "1")
    assert len(reports(mlflow)) == 1


def test_an_interrupted_upload_is_done_again(place, monkeypatch, capsys):
    mlflow = tracked()
    folder = write(place / "build", *PARTS)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifact", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        mlflow_report.log("s", folder, "1")
    assert capsys.readouterr().err == f"MLflow did not take the report (disk full); it is in {folder}\n"
    assert not mlflow_report.is_logged("s", "1")
    mlflow_report.log("s", folder, "1")
    [run] = reports(mlflow)
    assert set(mlflow_report.artifacts_in(mlflow, run.info.run_id)) == set(PARTS)


def test_no_reader_of_runs_gets_the_report(place):
    tracked()
    before = mlflow_read.frame("s")
    mlflow_report.log("s", write(place / "build", *PARTS), "1")
    after = mlflow_read.frame("s")
    assert after.equals(before)
    assert set(study.runs_of("s")["kind"]) == set(before["kind"])
    assert "report" not in set(before["kind"])


def test_the_report_survives_what_brings_mlflow_up_to_the_records(place, capsys):
    mlflow = tracked()
    mlflow_report.log("s", write(place / "build", *PARTS), "1")
    mlflow.delete_experiment(mlflow.get_experiment_by_name("s").experiment_id)
    assert mlflow_report.is_logged("s", "1")  # a deleted study has no place for one
    mlflow_read.frame("s")  # which restores it
    assert len(reports(mlflow)) == 1
    assert mlflow_report.is_logged("s", "1")
    assert not mlflow_report.is_logged("s", "2")


def test_a_report_that_somebody_deleted_is_missed_and_made_anew(place):
    mlflow = tracked()
    folder = write(place / "build", *PARTS)
    mlflow_report.log("s", folder, "1")
    [run] = reports(mlflow)
    mlflow.delete_run(run.info.run_id)
    assert not mlflow_report.is_logged("s", "1")
    mlflow_report.log("s", folder, "1")
    [again] = reports(mlflow)
    assert mlflow.get_experiment_by_name("s").tags[REPORT_TAG] == again.info.run_id


def test_two_reports_of_a_study_become_one(place):
    mlflow = tracked()
    folder = write(place / "build", *PARTS)
    mlflow_report.log("s", folder, "1")
    mlflow.create_run(mlflow.get_experiment_by_name("s").experiment_id, tags={"kind": "report"})
    assert not mlflow_report.is_logged("s", "1")
    mlflow_report.log("s", folder, "1")
    assert len(reports(mlflow)) == 1


def test_every_run_says_what_it_is_until_somebody_writes_their_own(place):
    mlflow = tracked()
    experiment = mlflow.get_experiment_by_name("s")
    runs = list(mlflow_experiment.runs(mlflow, experiment.experiment_id))
    notes = {run.info.run_name: run.data.tags[NOTE_TAG] for run in runs}
    assert all(mlflow_experiment.is_ours(note) for note in notes.values())
    assert len(set(notes.values())) == len(notes)
    for name, note in notes.items():
        assert note.startswith(f"**{name}**, pair ")
    of_llada = next(run for run in runs if run.data.params.get("model") == "llada" and run.data.params.get("steps"))
    steps, length = of_llada.data.params["steps"], of_llada.data.params["gen_length"]
    assert f"LLaDA in {steps} steps" in of_llada.data.tags[NOTE_TAG]
    assert f"{length} tokens" in of_llada.data.tags[NOTE_TAG]
    assert "1 of 1 rounds on " in of_llada.data.tags[NOTE_TAG]
    mlflow.set_tag(of_llada.info.run_id, NOTE_TAG, "look at this one")
    mlflow.set_tag(of_llada.info.run_id, "digest", "stale")
    mlflow_read.frame("s")  # which logs it again
    assert mlflow.get_run(of_llada.info.run_id).data.tags["digest"] != "stale"
    assert mlflow.get_run(of_llada.info.run_id).data.tags[NOTE_TAG] == "look at this one"


def test_a_run_that_failed_says_so(place):
    entry = next(iter(disk.by_cell("s").values()))
    number, record = next(iter(entry.rounds.items()))
    failed = merge.CellRecords(entry.cell, {number: replace(record, outcome="oom", message="no room")})
    assert "0 of 1 rounds; it ended as oom (no room), and stands in no comparison." in run_note.note(failed, "x")
