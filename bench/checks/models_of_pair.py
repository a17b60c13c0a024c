"""Can the models of a pair be run here? Each with what its config.json says, and how long a study of it takes.

No weights are read or fetched. A model that does not load is named by the key of its configuration that forbids it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.common.dtypes import BYTES
from bench.common.errors import BadInput
from bench.models import checkpoint, hub
from bench.models.checkpoint import Checkpoint
from bench.runner import plan, request
from bench.runner.request import Request
from bench.spec.pair import ModelFile, PairFile
from bench.store.sink import Sink

# The grids of `make study`, whose cells `make plan` prints first.
STUDY = {"grids": ("baseline", "sweep"), "also": ("tasks", "ends")}
LINE = "{:6}{:8}{:>14}{:>12}{:>9}{:>15}  {:14}{:12}{:>9}  {}"
HEADINGS = (
    "",
    "model",
    "parameters",
    "weights GB",
    "mask id",
    "cache B/token",
    "predicts",
    "weights",
    "study min",
    "engines",
)


@dataclass(frozen=True)
class Found:
    """A model of a pair, looked at. files: with a local directory, if there is one."""

    kind: str
    files: ModelFile
    about: Checkpoint | None = None  # what its configuration says; None where it is refused
    weights: str = ""  # where they are: random, here, on the hub
    fault: str = ""  # why the model does not load, in one line
    server: str = ""  # what the server of a model behind an address says of itself


def of_pair(pair: PairFile, model: str | None) -> tuple[PairFile, list[Found]]:
    """A pair with a directory of the user's in place of its model of the same kind, and its models, looked at.

    Raises BadInput for a directory whose kind cannot be told.
    """
    if model:
        pair = pair.model_copy(update={checkpoint.read(model, 0).kind: ModelFile(weights=model)})
    return pair, [look(kind, files) for kind, files in pair.models.items()]


def look(kind: str, files: ModelFile) -> Found:
    """A model of a pair from its configuration, which is fetched where the hub has it; a server is asked."""
    try:
        if files.server:
            return Found(kind, files, server=files.look().label)
        directory = hub.locate_configuration(files.weights)
        about = checkpoint.read(directory, files.random_seed or 0)  # a seed: its weights are looked at below
        if about.kind != kind:
            raise BadInput(f"{files.weights}: holds a {about.kind} model where the pair's file says {kind}")
    except BadInput as error:
        return Found(kind, files, fault=str(error))
    located = files.model_copy(update={"weights": directory})
    if files.random_seed is not None:
        return Found(kind, located, about, "random")
    if directory != files.weights and not hub.is_whole(Path(directory)):
        return Found(kind, located, about, "on the hub")
    try:
        located.describe()
    except BadInput as error:
        return Found(kind, located, about, "missing", str(error))
    return Found(kind, located, about, "here")


def minutes(models: list[Found], pair: PairFile, device: str, study: str) -> dict[str, float]:
    """Minutes of a study of a pair on a device by model, as `make plan` estimates them. Raises BadInput.

    A model whose weights are not here is taken with random ones, which take as long.
    """
    asked = Request(**STUDY, pair=pair.name, device=device, study=study, plan=True)
    grids = request.read_grids(asked, pair)
    seeded = {
        each.kind: each.files if each.server or each.weights in ("random", "here") else each.files.filled("random")
        for each in models
    }
    work = request.work_of(asked, grids, pair.model_copy(update=seeded), device)
    return {kind: seconds / 60 for kind, seconds in plan.study_s(work, Sink(study).known()).items()}


def lines(models: list[Found], pair: PairFile, minutes_by_model: dict[str, float]) -> Iterator[str]:
    """The models as a table; below it why one does not load, or why one of its engines does not run it."""
    yield LINE.format(*HEADINGS)
    for each in models:
        state = "FAIL" if each.fault else "ok"
        if each.server:
            study = minutes_by_model.get(each.kind)
            yield f"{state:6}{each.kind:8}server: {each.server}" + (f", a study of it {study:.1f} min" if study else "")
            continue
        if each.about is None:
            yield f"{state:6}{each.kind:8}{each.fault}"
            continue
        yield row(each, state, pair.dtype, minutes_by_model.get(each.kind))
        if each.fault:
            yield f"{'':6}{each.kind}: {each.fault}"
        elif refused := refusal_of_captured(each.about):
            yield f"{'':6}{each.kind}: {refused}"


def row(found: Found, state: str, dtype: str, study_minutes: float | None) -> str:
    """A model's line of the table."""
    about = found.about
    engines = [name for name in about.about_kind.engines if about.is_computed_by(name)]
    return LINE.format(
        state, found.kind, f"{about.parameters:,}", f"{about.parameters * BYTES[dtype] / 1e9:.2f}",
        "-" if about.causal else about.mask_id, f"{about.shape.cached_numbers * BYTES[dtype]:,}",
        "next token" if about.causal else "own position", found.weights,
        "-" if study_minutes is None else f"{study_minutes:.1f}", ", ".join(engines),
    )  # fmt: skip


def refusal_of_captured(about: Checkpoint) -> str:
    """Why the captured engine does not compute a configuration, naming the key; empty where it does."""
    try:
        about.check_engine("captured")
    except BadInput as error:
        return str(error)
    return ""
