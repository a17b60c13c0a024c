"""Where things lie in the repository, and how a whole file is written."""

import os
from pathlib import Path


def write(file: Path, text: str) -> None:
    """Write a whole file or none of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


ROOT = Path("mlruns")  # records, used prompt sets, and MLflow's files
