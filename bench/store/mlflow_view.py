"""What MLflow's pages show of a study at once: which columns, charts over the denoising steps, and a description.

MLflow keeps the state of a page that somebody shares in a tag of the experiment, and shows it to whoever opens the link
that names the tag (`viewStateShareKey`). Tags of the same form, written here, give every study the same pages. Their
fields are those of MLflow's own page (3.17); one that another MLflow does not know is passed over there.
"""

import json

PARAMS = ("model", "steps")  # columns worth picking in the table of runs
METRICS = (
    "latency/latency_ms",
    "latency/step_ms",
    "throughput/tokens_per_s",
    "quality/bertscore_f1",
    "quality/accuracy",
)
TAGS = ("kind", "outcome", "verdict")
OVER_STEPS = (  # metrics with a chart of their own over the denoising steps
    "latency/latency_ms",
    "throughput/tokens_per_s",
    "quality/accuracy",
    "quality/bertscore_f1",
    "quality/judge_perplexity",
    "quality/entropy",
)
SECTION = "over-steps"  # of the charts
CHARTS, RUNS = "steps", "runs"  # the two pages, as their links name them
# Kinds of cells in which something else varies than the steps: the charts leave them out.
OTHER_AXES = (
    "sentinel", "ends", "batch", "length", "prompt", "corners", "attention", "engines", "values", "decoders",
    "memory", "frontier", "problems", "load",
)  # fmt: skip
REPORT = "report"  # the kind of the run that holds a study's report, which the charts leave out as well


def tags() -> dict[str, str]:
    """The experiment's tags that hold the state of each page."""
    pages = {CHARTS: charts_page(), RUNS: runs_page()}
    return {f"mlflow.sharedViewState.{name}": json.dumps(state) for name, state in pages.items()}


def address(experiment_id: str, page: str = CHARTS) -> str:
    """The part of a link, behind the server's own, that opens a page of a study.

    MLflow 3.17 opens an experiment among its pages for chats and agents, unless the link asks for those of models.
    """
    mode = "CHART" if page == CHARTS else "TABLE"
    options = f"viewStateShareKey={page}&compareRunsMode={mode}&workflowType=machine_learning"
    return f"#/experiments/{experiment_id}/runs?{options}"


def columns() -> list[str]:
    """The columns of the table of runs, as MLflow's page names them."""
    names = [("params", name) for name in PARAMS] + [("metrics", name) for name in METRICS]
    return [f"{kind}.`{name}`" for kind, name in [*names, *(("tags", name) for name in TAGS)]]


def runs_page() -> dict:
    """The state of the page of runs: the columns worth picking, runs that have a latency first."""
    return {
        "selectedColumns": columns(),
        "orderByKey": "metrics.`latency/latency_ms`",
        "orderByAsc": True,
        "runsHiddenMode": "SHOW_ALL",
    }


def charts_page() -> dict:
    """The state of the page of charts, with those over the denoising steps first."""
    section = {"uuid": SECTION, "name": "Over denoising steps (a model without steps is at 0)", "display": True}
    return runs_page() | {
        "searchFilter": " AND ".join(f"tags.kind != '{kind}'" for kind in (*OTHER_AXES, REPORT)),
        "compareRunCharts": [chart(metric) for metric in OVER_STEPS],
        "compareRunSections": [section | {"isReordered": True, "deleted": False, "isGenerated": False}],
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }


def chart(metric: str) -> dict:
    """A chart of a metric at the number at which it was logged, one point a run."""
    return {
        "type": "LINE",
        "uuid": f"{SECTION}-{metric}",
        "metricSectionId": SECTION,
        "deleted": False,
        "isGenerated": False,
        "runsCountToCompare": 100,
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "lineSmoothness": 0,
        "xAxisKey": "step",
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "selectedXAxisMetricKey": "",
        "displayPoints": True,
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "ignoreOutliers": False,
        "useGlobalXaxisKey": False,
        "useGlobalLineSmoothing": False,
        "range": {},
    }


def report_words(study: str, experiment_id: str, report_run: str) -> list[str]:
    """Where a study's report lies, or how to get one."""
    if not report_run:
        return [f"No report is here yet: `make paper STUDY={study}` builds it and puts it into a run `report`."]
    artifacts = f"#/experiments/{experiment_id}/runs/{report_run}/artifacts"
    link = f"[The report]({artifacts}/report.html?workflowType=machine_learning)"
    return [f"{link}: page, paper, figures and tables, as artifacts of the run `report`."]


def description(study: str, experiment_id: str, verdicts: tuple[str, ...], report_run: str = "") -> str:
    """What stands above a study's runs, in Markdown. verdicts: what the study says, a paragraph each. report_run: the
    id of the run that holds its report, where there is one."""
    says = verdicts or (
        f"No verdict is written here yet: `python -m bench.report {study}` prints it and writes it here.",
    )
    picked = ", ".join(f"`{name}`" for name in (*PARAMS, *METRICS, *TAGS))
    return "\n\n".join(
        (
            f"Study **{study}**: what LLaDA, a diffusion language model, costs at inference next to LLaMA. Each run is"
            " one cell, measured in several rounds.",
            *says,
            *report_words(study, experiment_id, report_run),
            f"[Charts over the denoising steps]({address(experiment_id)}): they leave out cells in which something"
            f" else varies. [All runs, with the columns worth picking]({address(experiment_id, RUNS)}): {picked}.",
            "In a chart a plain metric stands at its number of denoising steps (0: a model without steps), a"
            " `rounds/` metric at its round and a `per_prompt/` metric at its prompt. bench/records/README.md says"
            " what each means.",
        )
    )
