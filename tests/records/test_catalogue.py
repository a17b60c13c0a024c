"""Every number that can be tracked has one entry in the catalogue."""

import itertools
from collections import Counter

import pytest

from bench.data import problems, tasks
from bench.quality import text_scores
from bench.records import catalogue, merge, metrics
from bench.records.merge import CellRecords
from bench.store import disk
from tests.conftest import REPO, make_cell
from tests.support.records import scores_of

RECORDED = REPO / "paper/recorded/h100-8b-shapes.jsonl.gz"
# What results.json has said since the first study was published: the unit by the ending of a metric's name.
UNIT_BY_ENDING = {
    "ms": "ms", "gib": "GiB", "tokens_per_s": "tokens/s", "bytes_per_s": "bytes/s", "/j": "J",
    "j_per_token": "J/token", "power_w": "W",
}  # fmt: skip


@pytest.fixture(scope="module")
def metrics_of_the_recorded_study() -> set[str]:
    entries = merge.group(disk.read(RECORDED)).values()
    return {name for entry in entries for round_ in metrics.round_metrics(entry).values() for name in round_}


def of_problems() -> tuple[list[str], list[str]]:
    """Word problems of every depth, and their answers."""
    made = list(itertools.islice(problems.problems(0, test=True), len(problems.DEPTHS)))
    return [problem.prompt for problem in made], [problem.answer for problem in made]


def scores_of_all_scorers() -> CellRecords:
    """A made-up cell that every scorer has scored."""
    items = itertools.islice(tasks.items(0, test=True), len(tasks.TASKS))
    asked, answers = zip(*((item.prompt, item.answer) for item in items), strict=True)
    ids = [[1, 2, 3, 4, 1, 2, 3, 4]] * len(asked)
    nats = [3.0, 4.0]
    scores = {
        "tasks": scores_of(text_scores.accuracy(asked, answers)),
        "problems": scores_of(text_scores.accuracy(*of_problems())),
        "diversity": scores_of(text_scores.diversity(["a b c"] * len(asked), ids)),
        "bertscore": scores_of({"bertscore_f1": [0.5, 0.6], "bertscore_f1_mpnet": [0.5, 0.6]}),
        "lm-eval": scores_of(
            {
                "empty_answers": [0, 1],
                "unmatched_answers": [1, 1],
                "seconds_an_item": [1.5, 2],
                "forwards_an_item": [8, 9],
            }
        ),
        "judge": scores_of({}, nats=nats, tokens=[2, 2], not_scored={2: "the text is empty"}),
        "likelihood": scores_of({}, nats=nats, standard_errors=[0.1, 0.1], text_bytes=[9, 9]),
    }
    return CellRecords(make_cell("llada"), scores=scores)


def test_no_metric_is_there_twice():
    counts = Counter(metric.name for metric in catalogue.METRICS)
    assert [name for name, count in counts.items() if count > 1] == []


def test_every_metric_of_the_recorded_study_is_there(metrics_of_the_recorded_study):
    assert "latency/latency_ms" in metrics_of_the_recorded_study
    assert {"compute/mfu", "predicted/kv_cache_gib", "energy/j"} <= metrics_of_the_recorded_study
    assert metrics_of_the_recorded_study - set(catalogue.BY_NAME) == set()


def test_every_metric_of_a_texts_quality_is_there():
    tracked = metrics.quality_metrics(scores_of_all_scorers())
    assert {catalogue.plain_name(name) for name in tracked} - set(catalogue.BY_NAME) == set()
    of_prompts = {f"quality/{name}" for name, _, _ in metrics.per_prompt(scores_of_all_scorers())}
    assert of_prompts
    assert of_prompts - set(catalogue.BY_NAME) == set()


def test_every_quality_metric_can_be_tracked():
    tracked = metrics.quality_metrics(scores_of_all_scorers())
    assert {metric.name for metric in catalogue.METRICS if metric.name.startswith("quality/")} <= set(tracked)


@pytest.mark.parametrize("name", ["rounds/latency/ttft_ms", "latency/ttft_ms_ci_low", "latency/ttft_ms_ci_high"])
def test_a_metric_is_known_by_each_of_its_names_in_mlflow(name):
    assert catalogue.of(name) is catalogue.of("latency/ttft_ms")


def test_what_is_not_tracked_has_no_entry():
    with pytest.raises(KeyError):
        catalogue.of("latency/made_up_ms")


@pytest.mark.parametrize("name", [*catalogue.BY_NAME, "1", "steps"])
def test_results_json_names_the_units_that_it_always_named(name):
    by_ending = (unit for ending, unit in UNIT_BY_ENDING.items() if name.endswith(ending))
    assert catalogue.unit_in_results(name) == next(by_ending, "1")


def test_every_entry_is_complete():
    for metric in catalogue.METRICS:
        assert all((metric.unit, metric.heading, metric.meaning, metric.formula)), metric.name
        assert not metric.meaning.endswith("."), metric.name


def test_headings_in_the_terminal_and_in_the_paper():
    name = "memory/allocated_gib"
    assert catalogue.columns([name]) == {name: ("alloc GiB", 2)}
    assert catalogue.paper_columns([name]) == {name: ("allocated", 3)}
    assert catalogue.paper_columns_with_units([name]) == {name: ("allocated GiB", 2)}


def test_the_markdown_table_has_a_line_for_each_metric_and_one_for_all_tasks():
    lines = catalogue.markdown_table().splitlines()
    assert len(lines) == 2 + len(catalogue.METRICS) - len(tasks.TASKS) + 1
    assert {line.count(" | ") for line in lines[2:]} == {3}
