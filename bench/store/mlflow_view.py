"""What MLflow's pages show of a study at once: which columns, charts over the denoising steps, and a description.

MLflow keeps the state of a page that somebody shares in a tag of the experiment, and shows it to whoever opens the link
that names the tag (`viewStateShareKey`). The same tag, written here, gives every study the same charts. Its fields are
those of MLflow's own page; one that a later MLflow does not know is passed over there.
"""

import json

KEY = "steps"  # names the state in the link
TAG = f"mlflow.sharedViewState.{KEY}"
PARAMS = ("model", "steps")  # columns worth picking in the table of runs
METRICS = (
    "latency/latency_ms",
    "latency/step_ms",
    "throughput/tokens_per_s",
    "quality/bertscore_f1",
    "quality/accuracy",
)
TAGS = ("kind", "outcome", "verdict")
OVER_STEPS = (  # metrics with a chart of their own over the denoising steps, by title
    ("latency/latency_ms", "latency, ms"),
    ("throughput/tokens_per_s", "tokens/s"),
    ("quality/accuracy", "accuracy on tasks"),
    ("quality/bertscore_f1", "BERTScore F1"),
    ("quality/judge_perplexity", "judge perplexity (read it beside entropy)"),
    ("quality/entropy", "entropy, nats"),
)
SECTION = "over-steps"  # of the charts


def address(experiment_id: str) -> str:
    """The part of a link, after the server's own, that opens a study's charts."""
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={KEY}&compareRunsMode=CHART"


def columns() -> list[str]:
    """The columns of the table of runs, as MLflow's page names them."""
    names = [("params", name) for name in PARAMS] + [("metrics", name) for name in METRICS]
    return [f"{kind}.`{name}`" for kind, name in [*names, *(("tags", name) for name in TAGS)]]


def chart(metric: str, title: str) -> dict:
    """A scatter chart of a metric over the denoising steps, one point a run."""
    return {
        "type": "SCATTER",
        "uuid": f"{SECTION}-{metric}",
        "metricSectionId": SECTION,
        "deleted": False,
        "isGenerated": False,
        "runsCountToCompare": 100,
        "displayName": f"{title}, over denoising steps",
        "xaxis": {"key": "steps", "type": "PARAM"},
        "yaxis": {"key": metric, "type": "METRIC"},
    }


def state() -> str:
    """The state of MLflow's page of runs, as JSON."""
    section = {"uuid": SECTION, "name": "Over denoising steps", "display": True, "isReordered": True}
    return json.dumps(
        {
            "selectedColumns": columns(),
            "compareRunCharts": [chart(metric, title) for metric, title in OVER_STEPS],
            "compareRunSections": [section | {"deleted": False, "isGenerated": False}],
            "isAccordionReordered": True,
            "runsHiddenMode": "SHOW_ALL",
            "hideEmptyCharts": True,
        }
    )


def description(study: str, experiment_id: str, verdicts: tuple[str, ...]) -> str:
    """What stands above a study's runs, in Markdown. verdicts: what the study says, a paragraph each."""
    says = verdicts or (
        f"No verdict is written here yet: `python -m bench.report {study}` prints it and writes it here.",
    )
    picked = ", ".join(f"`{name}`" for name in (*PARAMS, *METRICS, *TAGS))
    return "\n\n".join(
        (
            f"Study **{study}**: what LLaDA, a diffusion language model, costs at inference next to LLaMA. Each run is"
            " one cell, measured in several rounds.",
            *says,
            f"[Charts over the denoising steps]({address(experiment_id)}). The axis of a plain metric is the number of"
            " denoising steps (0: a model without steps), of `rounds/` the round, and of `per_prompt/` the prompt.",
            f"Columns worth picking: {picked}. bench/records/README.md says what each metric means.",
        )
    )
