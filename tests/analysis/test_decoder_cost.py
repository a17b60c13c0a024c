"""The cost model beside decoders: equal counts, and measured over predicted time, on made-up runs."""

import pytest

from bench.analysis.decoder_cost import beside_of, summary_of
from tests.support.made_up_decoders import DUAL, MadeUp, threshold


def study(rows_counted: float = 1000.0) -> MadeUp:
    made_up = MadeUp()
    told = {"predicted/nfe": 32.0, "predicted/rows": 1000.0, "predicted/planned_ms": 100.0}
    made_up.add(400.0, **told, **{"compute/rows": rows_counted, "predicted/latency_ms": 100.0})
    made_up.add(100.0, **threshold(0.9), **{"compute/nfe": 7.5, "compute/rows": 90.0, "predicted/latency_ms": 50.0})
    made_up.add(90.0, **DUAL)  # of which the model says nothing
    return made_up


def test_counts_that_follow_from_the_settings_must_be_equal():
    rows = beside_of(study().decoders.places)
    assert [(row.is_planned, row.ratio) for row in rows] == [(True, 4.0), (False, 2.0)]
    summary = summary_of(rows)
    assert (summary.planned, summary.equal, summary.timed) == (1, 1, 2)
    assert (summary.least, summary.median, summary.most) == (2.0, 3.0, 4.0)


@pytest.mark.parametrize(("counted", "is_equal"), [(1000.001, True), (1001.0, False), (999.0, False)])
def test_a_row_more_or_fewer_is_seen(counted, is_equal):
    row = beside_of(study(counted).decoders.places)[0]
    assert row.is_equal == is_equal


def test_nothing_is_said_of_runs_without_predictions():
    made_up = MadeUp()
    made_up.add(400.0)
    summary = summary_of(beside_of(made_up.decoders.places))
    assert (summary.planned, summary.median) == (0, None)
