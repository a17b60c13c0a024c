"""MLflow follows the records on disk, whatever somebody has done on its pages: nothing is lost, nothing is doubled."""

import re
from collections import Counter

import pytest
import requests

from bench.common.errors import BadInput
from bench.records import merge
from bench.records.machine import Place
from bench.store import disk, mirror, mlflow_client, mlflow_experiment, mlflow_log, mlflow_read, mlflow_view
from bench.store.mlflow_package import MlflowClient, ViewType
from bench.store.sink import Sink
from tests.conftest import make_cell
from tests.support.records import round_of


def tracked() -> MlflowClient:
    """MLflow, after the study was logged for the first time."""
    assert Sink("s").track()
    return mlflow_client.client()


def experiment_id(mlflow: MlflowClient) -> str:
    return mlflow.get_experiment_by_name("s").experiment_id


def delete_study(mlflow: MlflowClient) -> None:
    mlflow.delete_experiment(experiment_id(mlflow))


def rename_study(mlflow: MlflowClient) -> None:
    mlflow.rename_experiment(experiment_id(mlflow), "a nicer name")


def rename_and_delete_study(mlflow: MlflowClient) -> None:
    number = experiment_id(mlflow)
    mlflow.rename_experiment(number, "a nicer name")
    mlflow.delete_experiment(number)


def delete_one_run(mlflow: MlflowClient) -> None:
    run = next(mlflow_experiment.runs(mlflow, experiment_id(mlflow)))
    mlflow.delete_run(run.info.run_id)


def delete_all_runs(mlflow: MlflowClient) -> None:
    for run in list(mlflow_experiment.runs(mlflow, experiment_id(mlflow))):
        mlflow.delete_run(run.info.run_id)


def delete_and_rename_another_after_it(mlflow: MlflowClient) -> None:
    number = experiment_id(mlflow)
    mlflow.rename_experiment(number, "an older s")
    mlflow.create_experiment("s")


DEEDS = [
    delete_study,
    rename_study,
    rename_and_delete_study,
    delete_one_run,
    delete_all_runs,
    delete_and_rename_another_after_it,
]


@pytest.mark.parametrize("door", ["reads", "writes"])
@pytest.mark.parametrize("deed", DEEDS)
def test_what_was_done_on_mlflows_pages_costs_no_run(deed, door, place, capsys):
    mlflow = tracked()
    before = mlflow_read.frame("s").set_index("cell_id").drop(columns=["run_id", "artifacts"])
    deed(mlflow)
    capsys.readouterr()
    if door == "writes":
        assert Sink("s").track()
    after = mlflow_read.frame("s").set_index("cell_id").drop(columns=["run_id", "artifacts"])
    assert sorted(after.index) == sorted(disk.by_cell("s"))
    assert after.sort_index(axis=0).sort_index(axis=1).equals(before.sort_index(axis=0).sort_index(axis=1))
    said = capsys.readouterr().err
    assert said.count("\n") <= 1
    if "delete_study" in deed.__name__:
        assert "study s had been deleted in MLflow and is there again, from mlruns/s.jsonl; to start afresh" in said


def test_a_study_that_mlflow_deleted_and_whose_records_are_gone_is_named_with_its_remedy(place):
    mlflow = tracked()
    number = experiment_id(mlflow)
    delete_study(mlflow)
    (place / "mlruns/s.jsonl").rename(place / "elsewhere.jsonl")
    with pytest.raises(BadInput) as caught:
        mlflow_read.frame("s")
    assert str(caught.value) == (
        "study 's' was deleted in MLflow, and mlruns/s.jsonl has no records of it; get it back with"
        f" `mlflow experiments restore --experiment-id {number}`, or give another STUDY"
    )
    mlflow.restore_experiment(number)
    assert len(mlflow_read.frame("s")) > 0


def test_restoring_a_study_brings_back_no_run_of_a_round_that_was_measured_again(place):
    mlflow = tracked()
    first = next(raw for raw in disk.read_json(place / "mlruns/s.jsonl") if raw["cell"]["kind"] == "calm")
    disk.append(place / "mlruns/s.jsonl", first | {"started": first["started"] + 9, "again": first["started"]})
    assert Sink("s").track()
    deleted = mlflow.search_runs([experiment_id(mlflow)], run_view_type=ViewType.DELETED_ONLY)
    assert len(deleted) == 1
    delete_study(mlflow)
    runs = mlflow_read.frame("s")
    assert sorted(runs["cell_id"]) == sorted(disk.by_cell("s"))
    assert deleted[0].info.run_id not in set(runs["run_id"])


def test_another_studys_experiment_of_the_same_name_is_refused_in_one_line(place, capsys):
    mlflow = tracked()
    mlflow.rename_experiment(experiment_id(mlflow), "t")
    with pytest.raises(BadInput) as caught:
        mlflow_read.frame("t")
    assert str(caught.value) == (
        "STUDY=t: in MLflow the experiment of this name is study s, which was renamed there; rename it back, or give"
        " another STUDY"
    )
    (place / "mlruns/s.jsonl").rename(place / "mlruns/t.jsonl")
    assert not Sink("t").track()
    said = capsys.readouterr().err
    assert re.fullmatch(r"MLflow did not take everything \(STUDY=t: .*\); nothing is lost: .*\n", said)


@pytest.mark.parametrize("is_first", [True, False])
def test_an_update_that_was_interrupted_leaves_no_value_twice(is_first, place, monkeypatch):
    mlflow = mlflow_client.client()
    if not is_first:
        tracked()
        for raw in disk.read_json(place / "mlruns/s.jsonl"):
            disk.append(place / "mlruns/s.jsonl", raw | {"round": 2})
    with monkeypatch.context() as patch:
        patch.setattr(mlflow_log, "terminate", lambda *_: (_ for _ in ()).throw(OSError("gone")))
        assert not Sink("s").track()
    assert Sink("s").track()
    for run in mlflow_experiment.runs(mlflow, experiment_id(mlflow)):
        for name in run.data.metrics:
            values = mlflow.get_metric_history(run.info.run_id, name)
            places = [(value.step, value.value) for value in values]
            assert len(places) == len(set(places)), name


def test_two_runs_of_one_cell_become_one(place):
    mlflow = tracked()
    cell_id = next(iter(disk.by_cell("s")))
    mlflow.create_run(experiment_id(mlflow), tags={"cell_id": cell_id})
    frame = mlflow_read.frame("s")
    assert Counter(frame["cell_id"])[cell_id] == 1
    assert frame["digest"].notna().all()


def test_a_run_that_somebody_else_put_there_stays(place):
    mlflow = tracked()
    theirs = mlflow.create_run(experiment_id(mlflow), run_name="a note of mine")
    delete_study(mlflow)
    assert theirs.info.run_id in set(mlflow_read.frame("s")["run_id"])


def test_a_server_that_stops_answering_is_not_asked_for_every_cell(place, monkeypatch):
    tries = []

    def fail(*arguments: object) -> str:
        tries.append(arguments)
        raise requests.exceptions.ConnectionError("gone")

    monkeypatch.setattr(mlflow_log, "log_cell", fail)
    assert [str(error) for error in mirror.log_all("s", disk.by_cell("s"))] == ["gone"]
    assert len(tries) == 1


def test_runs_of_a_study_have_names_of_their_own(place):
    tracked()
    mlflow = mlflow_client.client()
    again = [raw | {"cell": raw["cell"] | {"watches": "abcdef012345"}, "cell_id": raw["cell_id"][::-1]}
             for raw in disk.read_json(place / "mlruns/s.jsonl") if raw["cell"]["kind"] == "sentinel"]  # fmt: skip
    same = [raw | {"cell_id": raw["cell_id"][::-1]} for raw in disk.read_json(place / "mlruns/s.jsonl")][:2]
    for raw in (*again, *same):  # a second sweep of the study, and cells that differ in what no name says
        disk.append(place / "mlruns/s.jsonl", raw)
    assert Sink("s").track()
    names = [run.info.run_name for run in mlflow_experiment.runs(mlflow, experiment_id(mlflow))]
    assert len(names) == len(set(names)) == len(disk.by_cell("s"))
    assert sum(name.startswith("sentinel a") for name in names) == 2


def test_a_plain_metric_stands_at_its_denoising_steps_and_a_rounds_value_at_its_round(place):
    mlflow = tracked()
    for run in mlflow_experiment.runs(mlflow, experiment_id(mlflow)):
        [headline] = mlflow.get_metric_history(run.info.run_id, "latency/latency_ms")
        assert headline.step == int(run.data.params.get("steps", 0))
        assert set(mlflow_read.history(run.info.run_id, "rounds/latency/latency_ms")) == {1}


def test_the_experiment_says_what_it_is_and_offers_its_charts(place):
    mlflow = tracked()
    tags = mlflow.get_experiment_by_name("s").tags
    assert (tags["study"], tags["mlflow.experimentKind"]) == ("s", "custom_model_development")
    assert mlflow_view.tags().items() <= tags.items()
    assert f"(#/experiments/{experiment_id(mlflow)}/runs?viewStateShareKey=steps" in tags["mlflow.note.content"]


def test_the_verdict_is_put_into_the_description_until_somebody_writes_their_own(place):
    mlflow = tracked()
    for verdict in ("Time: 9 steps.", "Time: 8 steps."):
        mlflow_experiment.describe(mlflow, "s", (verdict,))
        assert verdict in mlflow.get_experiment_by_name("s").tags["mlflow.note.content"]
    Sink("s").track()
    assert "Time: 8 steps." in mlflow.get_experiment_by_name("s").tags["mlflow.note.content"]
    for mine in ("my own words", "", mlflow.get_experiment_by_name("s").tags["mlflow.note.content"] + " And mine."):
        mlflow.set_experiment_tag(experiment_id(mlflow), "mlflow.note.content", mine)
        mlflow_experiment.describe(mlflow, "s", ("Time: 7 steps.",))
        note = mlflow.get_experiment_by_name("s").tags["mlflow.note.content"]
        assert note == mine or (not mine and "Time: 7 steps." in note)


CHOSEN, INFERRED, OURS = "genai_development", "genai_development_inferred", "custom_model_development"


@pytest.mark.parametrize(("there", "then"), [("", OURS), (CHOSEN, CHOSEN), (INFERRED, OURS)])
def test_a_kind_of_experiment_that_somebody_chose_stays(there, then, place):
    mlflow = tracked()
    mlflow.set_experiment_tag(experiment_id(mlflow), "mlflow.experimentKind", there)
    assert Sink("s").track()
    assert mlflow.get_experiment_by_name("s").tags["mlflow.experimentKind"] == then


def test_nothing_is_logged_twice(place, monkeypatch):
    tracked()
    monkeypatch.setattr(MlflowClient, "log_batch", lambda *arguments, **more: pytest.fail("logged again"))
    monkeypatch.setattr(MlflowClient, "create_run", lambda *arguments, **more: pytest.fail("created again"))
    assert Sink("s").track()
    assert len(mlflow_read.frame("s")) == len(merge.group(disk.read(disk.path("s"))))


def test_a_run_says_where_its_last_round_ran_where_rounds_are_spread():
    place = Place("host", "GPU-1", numa_node=0, cores=8, busy_neighbours=1)
    tags = mlflow_log.machine_tags(round_of(make_cell("llama"), [], place=place))
    assert {name: value for name, value in tags.items() if name.startswith("place.")} == {
        "place.host": "host", "place.card": "GPU-1", "place.numa_node": "0", "place.cores": "8",
        "place.busy_neighbours": "1",
    }  # fmt: skip
    assert not [name for name in mlflow_log.machine_tags(round_of(make_cell("llama"), [])) if name.startswith("place.")]
