"""The published study of an H100, from its records to results.json, to twelve digits."""

import gzip
import json
import math
import os
import subprocess
import sys

from tests.conftest import GOLDEN, REPO

STUDY = "h100-8b-shapes"
NUMBERS = f"""
import json
from bench.analysis import study
from bench.analysis.findings import findings_of
from paper.selection import select

print(json.dumps(select(findings_of(study.read({STUDY!r}))).numbers()))
"""


def test_the_published_study_gives_the_numbers_that_it_gave(tmp_path):
    """Its records are replayed into an MLflow of its own. From machine to machine the runs' ids differ, and the last
    digits of fitted lines, since linear algebra chooses its instructions for the processor."""
    for name in ("bench", "configs", "paper"):
        (tmp_path / name).symlink_to(REPO / name)

    def python(*arguments: str) -> str:
        env = os.environ | {"PYTHONPATH": str(REPO), "HF_HUB_OFFLINE": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    python("-m", "bench.tracking", "restore", STUDY)
    numbers = json.loads(python("-c", NUMBERS))
    for number in numbers.values():
        number.pop("runs")
    pinned = json.loads(gzip.decompress((GOLDEN / f"{STUDY}-results.json.gz").read_bytes()))
    assert set(numbers) == set(pinned)
    changed = {name: (numbers[name], pinned[name]) for name in pinned if not is_same(numbers[name], pinned[name])}
    assert changed == {}


def is_same(number: dict, pinned: dict) -> bool:
    """Whether a number has the pinned unit and, to twelve digits, the pinned value and interval."""
    return number.keys() == pinned.keys() and all(
        math.isclose(number[key], pinned[key], rel_tol=1e-12)
        if isinstance(pinned[key], float)
        else number[key] == pinned[key]
        for key in pinned
    )
