"""Quality that is borrowed: what others have published of LLaDA-8B and LLaMA-3-8B, beside the times of a study.

Different people measured the two sides. Where a study has accuracies of its own, of real weights and of both models,
these stand in place of what was published of the task.
"""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from bench.analysis import published
from bench.analysis.comparison import Comparison
from bench.analysis.published import Accuracy, Published
from bench.analysis.runs import estimate_of, setting_of, with_columns
from bench.analysis.scaling import Scaling
from bench.analysis.time_at import Timed, time_at
from bench.common import stats
from bench.models import kinds
from bench.spec.pair import PairFile, read_pair

ACCURACY = "quality/accuracy"
UNMATCHED = "quality/unmatched_answers"  # share of answers in which none was found; 1: the template does not fit
Way = Literal["whole forwards", "cache", "distilled"]  # how a published decoder is like what was timed here


@dataclass(frozen=True)
class Point:
    """An accuracy with its setting; of LLaDA beside the time of as many forwards over the same canvas.

    difference: to the reference, by Newcombe's interval. timed: None where the study has no time of the canvas.
    """

    key: str
    model: str
    kind: str
    source: str
    accuracy: stats.Estimate
    setting: Accuracy | None  # None of one's own
    way: Way = "whole forwards"
    decoder: str = ""
    gen_length: int | None = None
    block_length: int | None = None
    forwards: float | None = None
    difference: stats.Estimate | None = None
    timed: Timed | None = None
    runs: tuple[str, ...] = ()  # ids, of one's own


@dataclass(frozen=True)
class TaskQuality:
    """What is known of a task: LLaMA's highest accuracy, and every one of LLaDA's."""

    key: str
    label: str
    items: int
    reference: Point | None
    points: tuple[Point, ...]
    margin: float
    is_own: bool = False

    def is_shown(self, point: Point) -> bool:
        """Whether the data show that a point is worse than the reference by at most the margin."""
        low = point.difference.low if point.difference else None
        return low is not None and low > -self.margin

    def is_within(self, point: Point) -> bool:
        """Whether a point's value alone is."""
        return point.difference is not None and point.difference.value >= -self.margin

    def of_way(self, way: Way) -> list[Point]:
        """The points of one way to decode."""
        return [point for point in self.points if point.way == way]

    def cheapest(self, way: Way, shown: bool = True) -> Point | None:
        """Of the points of a way that are as good as the reference, that of the least time over LLaMA's.

        shown: as the data show; otherwise by their value alone.
        """
        good = self.is_shown if shown else self.is_within
        points = [point for point in self.of_way(way) if point.timed and good(point)]
        return min(points, key=lambda point: point.timed.ratio.value, default=None)


@dataclass(frozen=True)
class Borrowed:
    """The tasks, and what must be said beside them.

    margin_of: the pair that declared the margin. harness: the largest difference, in accuracy, between two harnesses
    that scored the same weights in the same setting. prompts: (tokens of a prompt, steps at which time breaks even) of
    the shortest and the longest prompt that the study has.
    """

    tasks: tuple[TaskQuality, ...]
    margin: float
    margin_of: str
    harness: float | None
    prompts: tuple[tuple[int, stats.Estimate], ...]


def borrowed_of(
    pair: PairFile, accuracies: pd.DataFrame, comparisons: list[Comparison], scalings: list[Scaling],
    about: Published | None = None,
) -> Borrowed | None:  # fmt: skip
    """The published accuracies beside a study's times; None for a pair that they are not about, or without any time.

    accuracies: the study's own runs of tasks of lm-evaluation-harness. about: the published numbers, the file's if not
    given.
    """
    about = about or published.read()
    if pair.name not in about.pairs:
        return None
    margin = read_pair(about.margin_of).metrics["accuracy"]
    tasks = tuple(task_of(key, about, accuracies, comparisons, scalings, margin) for key in about.tasks)
    if not any(point.timed for task in tasks for point in task.points):
        return None
    return Borrowed(tasks, margin, about.margin_of, between_harnesses(about), prompts_of(scalings))


def task_of(
    key: str, about: Published, accuracies: pd.DataFrame, comparisons: list[Comparison], scalings: list[Scaling],
    margin: float,
) -> TaskQuality:  # fmt: skip
    """A task's points, each with its difference to LLaMA's highest and its time."""
    task = about.tasks[key]
    own = own_points(accuracies, task.recipe)
    is_own = {point.kind for point in own} == set(kinds.KINDS)
    points = own if is_own else published_points(about, key)
    references = [point for point in points if not kinds.has_steps(point.kind)]
    reference = max(references, key=lambda point: point.accuracy.value, default=None)
    compared = []
    for point in points:
        if not kinds.has_steps(point.kind):
            continue
        timed = time_at(comparisons, scalings, point.gen_length, point.forwards)
        difference = reference and stats.difference(point.accuracy, reference.accuracy)
        compared.append(Point(**(vars(point) | {"timed": timed, "difference": difference})))
    items = int(min(own_items(accuracies, task.recipe))) if is_own else task.items
    return TaskQuality(key, task.label, items, reference, tuple(compared), margin, is_own)


def published_points(about: Published, task: str) -> list[Point]:
    """What was published of a task, in the order of the file."""
    items = about.tasks[task].items
    result = []
    for key, value in about.accuracies.items():
        if value.task != task:
            continue
        point = Point(key, value.model, value.kind, about.sources[value.source].name, value.share(items), value)
        if kinds.has_steps(value.kind):
            block = value.block_length if isinstance(value.block_length, int) else None
            more = {"gen_length": value.gen_length, "block_length": block, "forwards": value.steps}
            more |= {"way": way_of(value), "decoder": value.decoder}
            point = Point(**(vars(point) | more))
        result.append(point)
    return result


def way_of(value: Accuracy) -> Way:
    """How a published decoder is like what was timed here: whole forwards of the same weights, or not."""
    if value.distilled:
        return "distilled"
    return "whole forwards" if value.cache == "none" else "cache"


def own_runs(accuracies: pd.DataFrame, recipe: str | None) -> pd.DataFrame:
    """The study's own accuracies of a recipe that say something of the model: of real weights, which have no seed that
    they were made from, and of a template under which an answer was found."""
    runs = with_columns(accuracies, [ACCURACY, UNMATCHED, "task", "random_seed", "prompts"])
    is_matched = pd.to_numeric(runs[UNMATCHED]).fillna(0) < 1
    return runs[runs["random_seed"].isna() & runs[ACCURACY].notna() & (runs["task"] == recipe) & is_matched]


def own_items(accuracies: pd.DataFrame, recipe: str | None) -> pd.Series:
    """How many questions each of the study's own accuracies is a mean of."""
    return pd.to_numeric(own_runs(accuracies, recipe)["prompts"])


def own_points(accuracies: pd.DataFrame, recipe: str | None) -> list[Point]:
    """The study's own accuracies of a recipe; with a cache their forwards are not whole."""
    result = []
    for _, run in own_runs(accuracies, recipe).iterrows():
        names = [
            recipe,
            setting_of(run, "template", ""),
            run["model"],
            setting_of(run, "decoder", ""),
            run["run_id"][:8],
        ]
        point = Point(
            key="-".join(filter(None, names)), model=kinds.label_of(run["model"]), kind=run["model"],
            source="measured here", accuracy=estimate_of(run, ACCURACY), setting=None, runs=(run["run_id"],),
        )  # fmt: skip
        if kinds.has_steps(run["model"]):
            counted = run.get("quality/forwards_an_item")
            more = {
                "gen_length": int(run["gen_length"]), "block_length": int(run["block_length"]),
                "forwards": float(run["steps"] if pd.isna(counted) else counted),
                "way": "cache" if setting_of(run, "cache", "none") != "none" else "whole forwards",
                "decoder": setting_of(run, "sampler", "a fixed schedule"),
            }  # fmt: skip
            point = Point(**(vars(point) | more))
        result.append(point)
    return result


def between_harnesses(about: Published) -> float | None:
    """The largest difference between two harnesses that scored the same weights in the same setting; None without any
    two."""
    by_setting: dict[str, list[float]] = {}
    for value in about.accuracies.values():
        setting = value.model_dump(exclude={"percent", "harness"})
        by_setting.setdefault(repr(setting), []).append(value.percent / 100)
    return max((max(values) - min(values) for values in by_setting.values() if len(values) > 1), default=None)


def prompts_of(scalings: list[Scaling]) -> tuple[tuple[int, stats.Estimate], ...]:
    """(tokens, break-even steps) of the shortest and the longest prompt at batch 1; empty where there are no two."""
    evens = [
        (int(run["prompt_tokens"]), steps)
        for group in scalings if group.kind == "prompt"
        for run, steps in group.break_evens if run["batch_size"] == 1
    ]  # fmt: skip
    ordered = sorted(evens, key=lambda even: even[0])
    return (ordered[0], ordered[-1]) if len(ordered) > 1 else ()
