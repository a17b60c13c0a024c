"""Accuracy in tasks of lm-evaluation-harness: a diffusion model against an autoregressive one, paired by question.

A contest is one task under one prompt template: the run of the autoregressive model and all runs of the diffusion model
that differ in steps or decoder alone. Contests of one task that differ in the template alone stand together, since
rankings flip with the template (arXiv 2606.29228), and so does their mean: of each question over the templates.

- Differences of accuracy are paired by question. Their interval is the bootstrap by which every cross-over is decided
  (bench/common/cross_over.py: expanded percentiles, Hesterberg, arXiv 1411.5279, section 4.4; of answers that are right
  or wrong with a disagreement of each kind added, Bonett and Price, 2012).
- The fewest steps within the margin are found from the most steps downwards, for as long as each is shown to be within
  it. A fixed order of tests needs no correction for their number (Maurer, Hothorn and Lehmacher, 1995); the first of
  several above a line would be a maximum over noise.
- Seconds of a question are wall time of one call, over the rows of that call. Their ratio is that of sums, paired by
  question; its interval knows the questions and nothing of what differs from process to process.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from bench.common import cross_over, stats
from bench.common.cross_over import CrossOver, difference_over_prompts, is_not_inferior
from bench.common.stats import Estimate

FEWEST_ITEMS = 2  # from which on there is an interval


@dataclass(frozen=True)
class Side:
    """A model's answers to the questions of a contest. By number of the question: its score, and its seconds."""

    run: pd.Series  # of several templates one of the runs
    run_ids: tuple[str, ...]
    name: str  # of the decoder: "64 steps"; empty for the autoregressive model
    steps: int | None  # of the authors' decoder; None for another, and for likelihoods
    scores: dict[int, float]
    seconds: dict[int, float]
    tokens: Estimate | None  # up to the end; None for likelihoods
    device: str  # empty where the records do not say it


@dataclass(frozen=True)
class Point:
    """A diffusion model's decoder against the autoregressive model, on the questions that both answered."""

    side: Side
    accuracy: Estimate
    difference: Estimate  # of the accuracies, paired by question
    is_within: bool | None  # whether it is shown to be within the margin; None where no margin is declared
    seconds: Estimate | None  # of a question
    time_ratio: Estimate | None  # over the autoregressive model's; None where they ran on different devices

    @property
    def is_shown_to_differ(self) -> bool:
        """Whether the interval of the difference leaves out 0."""
        low, high = self.difference.low, self.difference.high
        return low is not None and (low > 0 or high < 0)


@dataclass(frozen=True)
class Contest:
    """One task under one template, or the mean over several. What follows is computed when it is first asked for."""

    templates: tuple[str, ...]
    autoregressive: Side
    sides: tuple[Side, ...]  # of the diffusion model, by steps, then other decoders
    margin: float | None

    @cached_property
    def items(self) -> list[int]:
        """The numbers of the questions that all sides answered: they alone are compared."""
        return sorted(set.intersection(*(set(side.scores) for side in (self.autoregressive, *self.sides))))

    @property
    def left_out_items(self) -> int:
        """Questions that some side answered and another did not."""
        return len(set().union(*(side.scores for side in (self.autoregressive, *self.sides)))) - len(self.items)

    @cached_property
    def is_binary(self) -> bool:
        """Whether each answer is right or wrong under each template."""
        scores = np.concatenate([self.scores_of(side) for side in (self.autoregressive, *self.sides)])
        right = scores * len(self.templates)  # templates under which an answer is right
        return bool(np.isclose(right, np.clip(np.round(right), 0, len(self.templates))).all())

    def scores_of(self, side: Side) -> np.ndarray:
        return np.array([side.scores[item] for item in self.items])

    def seconds_of(self, side: Side) -> list[float]:
        """Seconds of each question; empty where some have none."""
        values = [side.seconds.get(item) for item in self.items]
        return [] if None in values else values

    def accuracy_of(self, side: Side) -> Estimate:
        return stats.share_or_mean(self.scores_of(side).tolist())

    def mean_seconds(self, side: Side) -> Estimate | None:
        return stats.mean_over_prompts(values) if (values := self.seconds_of(side)) else None

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Each decoder of the diffusion model against the autoregressive model."""
        return tuple(map(self.point_of, self.sides))

    def point_of(self, side: Side) -> Point:
        differences = self.scores_of(side) - self.scores_of(self.autoregressive)
        difference = difference_over_prompts(differences, self.is_binary)
        is_within = None
        if self.margin is not None:  # of a few questions the replicates alone could say so of one that is not
            is_near = difference.value >= -self.margin - cross_over.ROUNDING
            is_within = is_near and is_not_inferior(differences, self.margin, self.is_binary)
        return Point(
            side, self.accuracy_of(side), difference, is_within,
            self.mean_seconds(side), self.time_ratio(side),
        )  # fmt: skip

    def time_ratio(self, side: Side) -> Estimate | None:
        """Seconds of a question over the autoregressive model's; None where they were not measured on one device."""
        own, reference = self.seconds_of(side), self.seconds_of(self.autoregressive)
        if not own or not reference or side.device != self.autoregressive.device or " and " in side.device:
            return None
        return stats.ratio_of_sums(own, reference)

    @property
    def curve(self) -> list[Point]:
        """The authors' decoder, by steps."""
        return [point for point in self.points if point.side.steps is not None]

    @property
    def decisive(self) -> Point:
        """What the contest is decided by where nothing else is: the most steps, or of other decoders the most
        accurate."""
        return self.curve[-1] if self.curve else max(self.points, key=lambda point: point.accuracy.value)

    @property
    def cheapest(self) -> Point | None:
        """The fewest steps that are within the margin, as are all that are more; None where the most are not."""
        fewest = None
        for point in reversed(self.curve):
            if not point.is_within:
                break
            fewest = point
        return fewest

    @cached_property
    def crossing(self) -> CrossOver | None:
        """Where a monotone fit over log steps comes within the margin; None where that is not shown of the most
        steps."""
        if self.cheapest is None:
            return None
        scores = [self.scores_of(point.side) for point in self.curve]
        steps = [point.side.steps for point in self.curve]
        return cross_over.cross_over(self.scores_of(self.autoregressive), scores, steps, self.margin)

    @property
    def run_ids(self) -> list[str]:
        return [run_id for side in (self.autoregressive, *self.sides) for run_id in side.run_ids]


@dataclass(frozen=True)
class TaskAccuracy:
    """A task in one setting: its contests by template, and their mean where there are several.

    left_out: in words, what was measured and stands in no contest.
    """

    task: str
    contests: tuple[Contest, ...] = ()
    over: Contest | None = None
    left_out: tuple[str, ...] = field(default=())

    @property
    def main(self) -> Contest | None:
        """What the verdict is about: the mean over the templates, else the one template."""
        return self.over or next(iter(self.contests), None)

    @property
    def all_contests(self) -> list[Contest]:
        return [*self.contests, *([self.over] if self.over else [])]

    @property
    def differs_by_template(self) -> bool:
        """Whether the templates do not say the same: some are within the margin and others not, at other steps, or
        another model is shown to be ahead."""
        return len({outcome_of(contest) for contest in self.contests}) > 1


def outcome_of(contest: Contest) -> tuple:
    """What a template says: the fewest steps within the margin, and which model is shown to be ahead at the most."""
    point = contest.decisive
    ahead = int(np.sign(point.difference.value)) if point.is_shown_to_differ else 0
    return contest.cheapest and contest.cheapest.side.steps, point.is_within, ahead


def over_templates(contests: Sequence[Contest]) -> Contest | None:
    """The mean over templates of each question, of the decoders that were asked under all; None where fewer than two
    templates, or no decoder or question, are common to all."""
    if len(contests) < 2:
        return None
    names = [name for name in (side.name for side in contests[0].sides) if all(map(has_side(name), contests))]
    if not names:
        return None
    by_name = [[next(s for s in contest.sides if s.name == name) for contest in contests] for name in names]
    templates = tuple(contest.templates[0] for contest in contests)
    reference = mean_side([contest.autoregressive for contest in contests])
    mean = Contest(templates, reference, tuple(map(mean_side, by_name)), contests[0].margin)
    return mean if len(mean.items) >= FEWEST_ITEMS else None


def has_side(name: str):
    """Whether a contest has a decoder of this name."""
    return lambda contest: any(side.name == name for side in contest.sides)


def mean_side(sides: Sequence[Side]) -> Side:
    """The mean over templates of each question that was answered under all."""
    tokens = [side.tokens for side in sides]
    mean_tokens = None if None in tokens else Estimate(float(np.mean([each.value for each in tokens])))
    devices = sorted({side.device for side in sides})
    return Side(
        sides[0].run, tuple(run_id for side in sides for run_id in side.run_ids), sides[0].name, sides[0].steps,
        means(side.scores for side in sides), means(side.seconds for side in sides), mean_tokens, " and ".join(devices),
    )  # fmt: skip


def means(values: Iterable[dict[int, float]]) -> dict[int, float]:
    """By number of the question: the mean over templates, of the questions that all have."""
    values = list(values)
    common = set.intersection(*map(set, values))
    return {item: float(np.mean([of_one[item] for of_one in values])) for item in sorted(common)}
