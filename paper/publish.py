"""Puts a built report into MLflow, beside the runs that it is about."""

from pathlib import Path

from bench.analysis.findings import Findings
from bench.render import description
from bench.store import mirror, mlflow_report


def is_published(study: str, mark: str) -> bool:
    """Whether MLflow has the report of a study that this mark stands for."""
    return mlflow_report.is_logged(study, mark)


def publish(findings: Findings, folder: Path, mark: str) -> None:
    """Bring the run that holds a study's report up to the files of a folder, and the study's description up to both."""
    mlflow_report.log(findings.study, folder, mark)
    mirror.describe(findings.study, description.verdicts(findings))
