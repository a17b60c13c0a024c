"""Decoders at one place, each against the authors' at a step a token (vanilla) and against the autoregressive model.

A place is what runs share that differ in the decoder alone: source of the prompts, length, block, batch, prompt,
engine, head. Speeds are paired by round, qualities by prompt. Whether a decoder is as good is decided as a comparison
decides it: the data must show that it is worse by at most the margin that the pair declared
(bench/common/cross_over.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bench.analysis.comparison import LATENCY, RATE
from bench.analysis.decoders import KIND, is_step_a_token, name_of, names_of, order_of
from bench.analysis.noise import JudgedStudy, Noise, noise_under
from bench.analysis.runs import (
    beside,
    like,
    temperature_of,
    with_columns,
    with_steps,
    without_numbers,
    without_steps,
)
from bench.analysis.study import Histories
from bench.common import cross_over, stats
from bench.data import tasks
from bench.spec import sentinel

SHARED = ["batch_size", "gen_length", "prompt_tokens", "prompt_hash", "dtype", "temperature", "engine", "platform",
          "device", "stop"]  # fmt: skip
OF_STEPS = ["block_length", "head", "remasking", "cfg_scale", "logits_eos_inf", "confidence_eos_eot", "revision",
            "prompt_ids", "attention", "fill"]  # fmt: skip
# Prompts whose quality is told apart: all; of tasks those with one right answer, and those with many, whose positions
# depend on each other.
PARTS = ("all", "one_answer", "many_answers")


@dataclass(frozen=True)
class Quality:
    """A decoder's quality at some prompts of a place: its mean, and the difference to vanilla's, paired by prompt."""

    metric: str  # declared by the pair
    part: str  # of PARTS
    value: float
    difference: stats.Estimate
    is_within: bool  # whether the data show that it is worse by at most the margin
    margin: float

    @property
    def prompts(self) -> str:
        """Which prompts, in words."""
        return {"all": "", "one_answer": "one right answer", "many_answers": "many right answers"}[self.part]


@dataclass(frozen=True)
class Line:
    """A run at a place, of a decoder or of the autoregressive model.

    speedup, rate_ratio: vanilla's time of an answer over its own, and its own kept tokens a second over vanilla's.
    The same over the autoregressive model. None where one of the two was not measured. qualities: by part; empty where
    the texts have no score.
    """

    run: pd.Series
    name: str  # of the decoder; empty for the authors' and for a model without steps
    speedup: stats.Estimate | None = None
    rate_ratio: stats.Estimate | None = None
    speed_over_autoregressive: stats.Estimate | None = None
    rate_over_autoregressive: stats.Estimate | None = None
    rounds: int = 0  # behind `speedup`
    rounds_beside: int = 0  # behind the ratios over the autoregressive model
    qualities: dict[str, Quality] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """The decoders of one place.

    vanilla: the authors' decoder at a step a token; autoregressive: the other model's run; each None where it was not
    measured. lines: of all decoders that count, vanilla among them, sorted. left_out: runs that failed or cannot be
    believed. metric: what quality means here (accuracy, bertscore_f1); empty where texts have none.
    """

    lines: tuple[Line, ...]
    vanilla: Line | None
    autoregressive: Line | None
    left_out: pd.DataFrame
    metric: str
    margin: float | None
    noise: tuple[Noise, ...]
    histories: Histories

    @property
    def every(self) -> pd.DataFrame:
        """All runs that stand in the table, the autoregressive model's first."""
        lines = ([self.autoregressive] if self.autoregressive else []) + list(self.lines)
        runs = pd.DataFrame([line.run for line in lines])
        return pd.concat([runs, self.left_out]) if not self.left_out.empty else runs

    @property
    def first(self) -> pd.Series:
        """A run of a decoder, which has the settings that all of them share."""
        return self.lines[0].run if self.lines else self.left_out.iloc[0]

    @property
    def parts(self) -> list[str]:
        """The parts of the prompts for which there is quality."""
        return [part for part in PARTS if any(part in line.qualities for line in self.lines)]


@dataclass(frozen=True)
class Decoders:
    """The places of a study at which decoders were measured; none without other decoders than the authors'."""

    places: tuple[Place, ...] = ()

    @property
    def every(self) -> pd.DataFrame:
        """All runs of all places."""
        return pd.concat([place.every for place in self.places]) if self.places else pd.DataFrame()


def decoders_of(study: JudgedStudy, margins: dict[str, float] | None = None) -> Decoders:
    """What a study says of decoders. margins: of the pair's declared metrics."""
    runs = with_columns(study.runs, [*SHARED, *OF_STEPS, "model", "steps", "message"])
    runs = runs[runs["kind"] != sentinel.KIND]
    diffusion = with_steps(runs)
    diffusion = diffusion.assign(decoder=names_of(diffusion))
    places = []
    for _, same in diffusion.groupby(["kind", *SHARED, *OF_STEPS], dropna=False, sort=False):
        if (same["decoder"] != "").any() or same["kind"].iloc[0] == KIND:
            places.append(place_of(same, runs, study, margins or {}))
    return Decoders(tuple(sorted(places, key=order_of_places)))


def order_of_places(place: Place) -> tuple:
    """Sorts places: tasks first, then texts, then what was only timed; greedy ones before sampled ones, short before
    long, small before large."""
    run = place.first
    prompt_tokens = pd.to_numeric(run["prompt_tokens"])
    kinds_of_quality = ["accuracy", "bertscore_f1", ""]
    return (
        kinds_of_quality.index(place.metric), run["kind"], temperature_of(run), run["gen_length"],
        -1 if pd.isna(prompt_tokens) else prompt_tokens, run["batch_size"], run["block_length"], str(run["engine"]),
        str(run["head"]), run["dtype"],
    )  # fmt: skip


def place_of(same: pd.DataFrame, runs: pd.DataFrame, study: JudgedStudy, margins: dict[str, float]) -> Place:
    """The place of some runs with steps. runs: all of the study, among which the references may be of another grid."""
    good = without_parts(same[same["reason"] == ""])
    believed = runs[runs["reason"] == ""]
    first = same.iloc[0]
    vanilla = step_a_token(good, with_steps(believed), first)
    reference = beside(without_steps(believed), first, SHARED)
    reference = reference.sort_values("kind", key=lambda kind: kind != first["kind"], kind="stable").head(1)
    histories = study.histories
    metric = quality_of(good, histories, margins)
    against = Against(vanilla, None if reference.empty else reference.iloc[0], histories, metric, margins.get(metric))
    chosen = good if vanilla is None or vanilla["run_id"] in set(good["run_id"]) else with_run(good, vanilla)
    lines = tuple(sorted((against.line(run) for _, run in chosen.iterrows()), key=lambda line: order_of(line.run)))
    return Place(
        lines,
        None if vanilla is None else next(line for line in lines if line.run["run_id"] == vanilla["run_id"]),
        None if reference.empty else against.line(reference.iloc[0]),
        without_numbers(same[same["reason"] != ""]),
        metric,
        margins.get(metric),
        noise_under(pd.concat([reference, chosen]) if not chosen.empty else same, study.sentinels),
        histories,
    )


def without_parts(runs: pd.DataFrame) -> pd.DataFrame:
    """Some runs without those of which the same was run whole."""
    is_part = runs.reindex(columns=["steps_timed"])["steps_timed"].notna()
    whole_first = runs.assign(part=is_part).sort_values("part", kind="stable")
    kept = whole_first.drop_duplicates(["decoder", "steps"])
    return runs[~is_part | runs.index.isin(kept.index)]


def with_run(runs: pd.DataFrame, run: pd.Series) -> pd.DataFrame:
    """Some runs and one more."""
    return pd.concat([runs, run.to_frame().T]) if not runs.empty else run.to_frame().T


def step_a_token(good: pd.DataFrame, believed: pd.DataFrame, first: pd.Series) -> pd.Series | None:
    """Vanilla at a place: the fixed schedule before an imposed one, the place's own grid before another, a whole call
    before a part of it. None where it was not measured."""
    there = pd.concat([good, like(believed, first, [*SHARED, *OF_STEPS])])
    candidates = [run for _, run in there.iterrows() if is_vanilla(run)]
    return min(candidates, key=lambda run: (bool(name_of(run)), pd.notna(run.get("steps_timed"))), default=None)


def is_vanilla(run: pd.Series) -> bool:
    """Whether a run has no cache and no early stop, and a step for each token."""
    return is_step_a_token(run) and name_of(run.drop(["sampler", "tokens_per_step"], errors="ignore")) == ""


def quality_of(runs: pd.DataFrame, histories: Histories, margins: dict[str, float]) -> str:
    """The declared metric by which some runs were scored; empty where there is none."""
    scored = (metric for metric in margins if any(histories.scores(run_id, metric) for run_id in runs["run_id"]))
    return next(scored, "")


@dataclass(frozen=True)
class Against:
    """What the runs of a place are set against."""

    vanilla: pd.Series | None
    autoregressive: pd.Series | None
    histories: Histories
    metric: str
    margin: float | None

    def line(self, run: pd.Series) -> Line:
        """A run with all that follows from it."""
        times = ratios(self.histories, LATENCY, self.vanilla, run)
        times_beside = ratios(self.histories, LATENCY, self.autoregressive, run)
        return Line(
            run,
            name_of(run),
            typical(times),
            typical(ratios(self.histories, RATE, run, self.vanilla)),
            typical(times_beside),
            typical(ratios(self.histories, RATE, run, self.autoregressive)),
            len(times),
            len(times_beside),
            self.qualities(run),
        )

    def qualities(self, run: pd.Series) -> dict[str, Quality]:
        """A run's quality by part of the prompts; empty where it or vanilla was not scored."""
        if not self.metric or self.vanilla is None:
            return {}
        own, reference = (self.histories.scores(one["run_id"], self.metric) for one in (run, self.vanilla))
        prompts = sorted(set(own) & set(reference))
        result = {}
        for part in PARTS if self.metric == "accuracy" else PARTS[:1]:
            chosen = [prompt for prompt in prompts if is_in(part, prompt)]
            if len(chosen) > 1:
                scores = np.array([[of_run[prompt] for prompt in chosen] for of_run in (own, reference)])
                difference = stats.Estimate(0.0), True  # of vanilla to itself
                if run["run_id"] != self.vanilla["run_id"]:
                    difference = self.difference(scores[0] - scores[1])
                result[part] = Quality(self.metric, part, float(scores[0].mean()), *difference, self.margin)
        return result

    def difference(self, differences: np.ndarray) -> tuple[stats.Estimate, bool]:
        """(mean of paired differences [prompts], whether it is shown to be within the margin). Answers to tasks are
        right or wrong; two texts that are alike have the same score, and no doubt about it."""
        is_binary = self.metric == "accuracy"
        return (
            cross_over.difference_over_prompts(differences, is_binary),
            cross_over.is_not_inferior(differences, self.margin, is_binary),
        )


def is_in(part: str, prompt: int) -> bool:
    """Whether the task at a place belongs to a part of the prompts."""
    return part == "all" or tasks.TASKS[tasks.task_at(prompt)].many_answers == (part == "many_answers")


def ratios(histories: Histories, metric: str, upper: pd.Series | None, lower: pd.Series | None) -> list[float]:
    """A metric of one run over that of another in each round that both have; of runs that share none the ratio of their
    typical values. Empty where one was not measured."""
    if upper is None or lower is None:
        return []
    by_round = histories.rounds([upper["run_id"], lower["run_id"]], metric)
    if by_round:
        return [above / below for above, below in by_round.values()]
    values = [run.get(metric) for run in (upper, lower)]
    return [] if any(value is None or pd.isna(value) for value in values) else [values[0] / values[1]]


def typical(values: Iterable[float]) -> stats.Estimate | None:
    """The geometric mean of some ratios with its interval; None where there is none."""
    values = list(values)
    return stats.typical_over_rounds(values) if values else None
