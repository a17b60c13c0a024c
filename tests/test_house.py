"""The plan of the house: rooms import downwards alone, doors are imported by nobody, nothing runs in a circle."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO

# From the ground up. Rooms of one floor do not import each other.
FLOORS = (
    ("common", "diffusion"),
    ("models", "devices"),
    ("data",),
    ("spec",),
    ("cost", "adapters"),
    ("records",),
    ("measure", "store"),
    ("quality", "analysis"),
    ("runner", "render", "training"),
    ("checks", "accuracy", "load"),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
DOORS = len(FLOORS)  # they and the paper stand on top
SOURCES = sorted(file for folder in ("bench", "paper") for file in (REPO / folder).rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 300, 40  # lines


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(REPO).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file): file for file in SOURCES}


def imports_of(file: Path) -> set[str]:
    """Modules of this repository that a file imports, anywhere in it: a lazy import is an arrow as well."""
    wanted = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            wanted |= {part if part in MODULES else node.module for part in parts}
        elif isinstance(node, ast.Import):
            wanted |= {alias.name for alias in node.names}
    return wanted & set(MODULES)


ARROWS = {module: imports_of(file) - {module} for module, file in MODULES.items()}


def room_of(module: str) -> str | None:
    """The room of a module; None for a door, the package itself and the paper."""
    parts = module.split(".")
    return parts[1] if parts[0] == "bench" and len(parts) > 1 and (REPO / "bench" / parts[1]).is_dir() else None


def is_door(module: str) -> bool:
    return module.startswith("bench.") and room_of(module) is None


def test_every_room_has_a_floor_and_a_charter_of_one_line():
    rooms = {file.parent.name for file in (REPO / "bench").glob("*/__init__.py")}
    assert rooms == set(FLOOR_OF)
    for room in rooms:
        tree = ast.parse((REPO / "bench" / room / "__init__.py").read_text())
        assert len(tree.body) == 1, f"bench/{room}/__init__.py holds more than its charter"
        assert ast.get_docstring(tree)
        assert "\n" not in ast.get_docstring(tree)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_downwards(module):
    here = room_of(module)
    floor = DOORS if here is None else FLOOR_OF[here]
    for target in ARROWS[module]:
        there = room_of(target)
        if there != here and there is not None:
            assert FLOOR_OF[there] < floor, f"{module} imports {target}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nobody_imports_a_door(module):
    assert not [target for target in ARROWS[module] if is_door(target)]


def test_the_benchmark_does_not_know_the_paper():
    assert not [
        m for m, targets in ARROWS.items() if m.startswith("bench") and any(t.startswith("paper") for t in targets)
    ]


def circles() -> list[list[str]]:
    """Groups of modules that import each other in a loop (Tarjan's strongly connected components)."""
    index, low, stack, groups = {}, {}, [], []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for target in ARROWS[module]:
            if target not in index:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], index[target])
        if low[module] == index[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for module in ARROWS:
        if module not in index:
            visit(module)
    return groups


def test_nothing_runs_in_a_circle():
    assert circles() == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_and_functions_are_short(module):
    text = MODULES[module].read_text()
    assert text.count("\n") <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno + 1 <= LONGEST_FUNCTION, node.name


def test_tests_stand_in_the_rooms_of_what_they_test():
    folders = {file.parent.name for file in (REPO / "tests").glob("*/test_*.py")}
    assert folders <= {*FLOOR_OF, "doors", "paper"}


def python(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


BLOCKED = "import sys; sys.modules.update(dict.fromkeys(('pydantic', 'mlflow', 'pandas', 'scipy')))\n"


@pytest.mark.parametrize(
    "door", ["worker", "run", "ceilings", "frontier", "selfcheck", "ladder", "tenant", "neighbours"]
)
def test_a_bare_machine_can_import_what_it_runs(door):
    """pydantic, MLflow, pandas and scipy are not there."""
    python(BLOCKED + f"import bench.{door}")


def packages_of(file: Path) -> set[str]:
    """The packages that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[0] for name in names}


def test_ray_is_imported_by_one_module_and_only_when_it_is_needed():
    """It is optional: without DEVICES and CLUSTER nothing may need it."""
    assert [module for module, file in MODULES.items() if "ray" in packages_of(file)] == ["bench.runner.cluster"]
    python("import sys, bench.run, bench.neighbours, bench.checks.neighbours\nassert 'ray' not in sys.modules")


def test_the_parent_never_imports_torch():
    code = "import sys, bench.run, bench.quality.proof, bench.quality.scoring\nassert 'torch' not in sys.modules"
    python(code)
