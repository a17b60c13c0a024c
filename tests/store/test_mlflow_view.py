"""What MLflow's pages are told of a study names what is tracked, under the names that it has there."""

import json

import pytest
import yaml

from bench.records import catalogue
from bench.store import mlflow_view
from tests.conftest import REPO

KINDS_OVER_STEPS = {"baseline", "sweep", "tasks", "smoke"}


def test_columns_and_charts_are_of_tracked_metrics():
    assert {*mlflow_view.METRICS, *mlflow_view.OVER_STEPS} <= set(catalogue.BY_NAME)
    assert "params.`steps`" in mlflow_view.columns()
    assert "metrics.`latency/latency_ms`" in mlflow_view.columns()


def test_every_shipped_grid_is_either_drawn_over_steps_or_left_out():
    grids = {yaml.safe_load(file.read_text())["kind"] for file in (REPO / "configs/grids").glob("*.yaml")}
    assert grids - KINDS_OVER_STEPS <= set(mlflow_view.OTHER_AXES)
    assert not KINDS_OVER_STEPS & set(mlflow_view.OTHER_AXES)


@pytest.mark.parametrize("page", [mlflow_view.CHARTS, mlflow_view.RUNS])
def test_a_link_names_the_tag_that_holds_its_page(page):
    address = mlflow_view.address("7", page)
    assert address.startswith("#/experiments/7/runs?")
    assert f"viewStateShareKey={page}&" in address
    state = json.loads(mlflow_view.tags()[f"mlflow.sharedViewState.{page}"])
    assert state["selectedColumns"] == mlflow_view.columns()
    assert address in mlflow_view.description("s", "7", ())
