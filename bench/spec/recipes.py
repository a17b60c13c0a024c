"""Which tasks of lm-evaluation-harness have a recipe, by the files alone. What one says: bench/accuracy/recipe.py."""

from collections.abc import Iterable
from pathlib import Path

RECIPES = Path("configs/recipes")  # where recipes are stated, a YAML file each
BESIDE_TASKS = "recipes"  # the folder, inside one of local tasks, of their recipes


def folders(task_path: Path | None) -> list[Path]:
    """Where recipes are looked for: in a folder of local tasks first. task_path: that folder, None where there is
    none."""
    return [task_path / BESIDE_TASKS, RECIPES] if task_path else [RECIPES]


def names(places: Iterable[Path]) -> list[str]:
    """The names of all recipes in some folders."""
    return sorted({file.stem for folder in places for file in folder.glob("*.yaml")})
