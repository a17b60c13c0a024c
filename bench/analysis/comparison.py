"""What can be compared in a study: runs that differ in steps alone, and what follows from them."""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd

from bench.analysis.by_round import Amounts, amounts
from bench.analysis.decoders import plain
from bench.analysis.noise import JudgedStudy, Noise, noise_under
from bench.analysis.runs import (
    beside,
    lead,
    like,
    temperature_of,
    with_columns,
    with_steps,
    without_numbers,
    without_steps,
)
from bench.analysis.study import Histories
from bench.common import cross_over as common_cross_over
from bench.common import stats
from bench.common.cross_over import CrossOver, next_admissible, price_at

LATENCY = "latency/latency_ms"
RATE = "throughput/tokens_per_s"
TEXT_RATE = "throughput/text_bytes_per_s"
ENERGY = "energy/j"
# The settings that all runs of a comparison share, and those that its runs with steps share besides.
SHARED = [
    "gen_length", "prompt_hash", "dtype", "batch_size", "temperature", "engine", "platform", "device", "stop",
    "calls_only",
]  # fmt: skip
SAME = [*SHARED, "block_length", "remasking", "head", "revision", "prompt_ids"]
# What a comparison is about, and the kinds of cells that are about it.
KINDS_OF_CELLS = {"answers": ("baseline", "sweep", "smoke"), "tasks": ("tasks",), "problems": ("problems",)}
# What decides a metric that a pair declares.
ABOUT = {"accuracy": ("tasks", "problems"), "bertscore_f1": ("answers",)}


@dataclass(frozen=True)
class Match:
    """A declared metric's cross-over in a comparison, with what it costs there. The ratios are None if not reached."""

    metric: str
    margin: float
    cross_over: CrossOver
    steps: int | None = None  # the next admissible count from the cross-over on
    latency_ratio: stats.Estimate | None = None
    throughput_ratio: stats.Estimate | None = None
    text_ratio: stats.Estimate | None = None  # of bytes of text a second; None where texts are not on record


@dataclass(frozen=True)
class Comparison:
    """A run of an autoregressive model and the runs of a diffusion model that differ from each other in steps alone.

    Data frames have one row a run. What follows from them is computed when it is first asked for, and then kept: a
    cross-over takes a bootstrap of thousands of replicates, and the terminal and the paper need the same.
    """

    about: str  # answers (open-ended), or tasks or problems, whose answers are checked by rule
    autoregressive: pd.DataFrame  # at most one row
    diffusion: pd.DataFrame  # sorted by steps
    human: pd.DataFrame  # the references' scores, at most one row
    left_out: pd.DataFrame  # runs that failed or cannot be believed, with the `reason`: in tables without numbers
    noise: tuple[Noise, ...] = ()
    histories: Histories = field(default_factory=Histories)
    margins: dict[str, float] = field(default_factory=dict)  # of the pair's declared metrics
    others: tuple["Comparison", ...] = ()  # the same in other precisions, which have no others themselves

    @property
    def rows(self) -> pd.DataFrame:
        """The runs that are compared."""
        return pd.concat([self.autoregressive, self.diffusion])

    @property
    def every(self) -> pd.DataFrame:
        """Measured runs and those left out."""
        return pd.concat([self.rows, self.left_out])

    @property
    def has_both(self) -> bool:
        """Whether there is anything to compare."""
        return not self.autoregressive.empty and not self.diffusion.empty

    @property
    def dtype(self) -> str:
        """The precision of the weights."""
        return lead(self.every)["dtype"]

    @property
    def declared(self) -> dict[str, float]:
        """Of the pair's metrics those that this comparison decides; of tasks of lm-evaluation-harness none does."""
        return {metric: margin for metric, margin in self.margins.items() if self.about in ABOUT.get(metric, ())}

    @property
    def is_checked(self) -> bool:
        """Whether its answers are checked by rule."""
        return self.about != "answers"

    @cached_property
    def matches(self) -> dict[str, Match | None]:
        """Each declared metric's cross-over; None where a model was not scored."""
        return {metric: match(self, metric, margin) for metric, margin in self.declared.items()}

    @cached_property
    def latency_ratios(self) -> dict[float, stats.Estimate]:
        """By steps: the diffusion model's latency over the autoregressive model's."""
        if self.autoregressive.empty:
            return {}
        return {steps: ratio_at(self, steps, LATENCY) for steps in self.diffusion.get("steps", [])}

    @cached_property
    def break_even_steps(self) -> stats.Estimate | None:
        """Steps at which both models take equally long; None without an autoregressive run and two step counts."""
        return break_even(self, LATENCY)

    @cached_property
    def energy_break_even_steps(self) -> stats.Estimate | None:
        """Steps at which both models need as much energy; None where `break_even_steps` is, or a run has no energy."""
        return break_even(self, ENERGY)

    @property
    def rounds(self) -> int:
        """How many rounds all of the compared runs have."""
        return len(self.histories.rounds(self.rows["run_id"], LATENCY)) if self.has_both else 0


EMPTY = Comparison("answers", *[pd.DataFrame()] * 4)


def comparisons(study: JudgedStudy, margins: dict[str, float] | None = None) -> list[Comparison]:
    """The groups of a study's runs that can be compared: open-ended answers before tasks, larger groups first.

    margins: of the pair's declared metrics; none where the weights are random and there is no quality.
    """
    study = replace(study, runs=with_columns(study.runs, [*SAME, "model"]))
    result = []
    for about, kinds_of_cells in KINDS_OF_CELLS.items():
        for autoregressive, diffusion in groups_of(plain(study.runs[study.runs["kind"].isin(kinds_of_cells)])):
            result.append(comparison_of(about, autoregressive, diffusion, study, margins or {}))
    return [
        replace(comparison, others=tuple(c for c in result if differ_in_dtype(comparison, c))) for comparison in result
    ]


def groups_of(runs: pd.DataFrame) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """(runs without steps, runs with steps) of each comparison. A run without steps that no run with steps belongs to
    is a group of its own."""
    autoregressive = without_steps(runs)
    groups = []
    for _, diffusion in with_steps(runs).groupby(SAME, dropna=False):
        same = beside(autoregressive, diffusion.iloc[0], SHARED)
        same = same.sort_values("reason", key=lambda reason: reason != "", kind="stable")  # good runs first
        groups.append((same.head(1), diffusion.sort_values("steps")))
    used = {run_id for chosen, _ in groups for run_id in chosen["run_id"]}
    nothing = with_steps(runs).head(0)
    groups += [
        (autoregressive[autoregressive["run_id"] == run_id], nothing)
        for run_id in autoregressive["run_id"]
        if run_id not in used
    ]
    return sorted(groups, key=lambda pair: order_of_groups(pd.concat(pair)))


def order_of_groups(runs: pd.DataFrame) -> tuple:
    """Sorts groups: larger ones first; of equal ones that of the captured engine, which times the device alone, and
    greedy answers before sampled ones."""
    first = lead(runs)
    return -len(runs), first["engine"] != "captured", temperature_of(first), runs.index.min()


def comparison_of(
    about: str, autoregressive: pd.DataFrame, diffusion: pd.DataFrame, study: JudgedStudy, margins: dict[str, float]
) -> Comparison:
    """A comparison of a group's good runs; those that are left out stand beside them without numbers."""
    every = pd.concat([autoregressive, diffusion])
    good = study.runs[study.runs["reason"] == ""]
    return Comparison(
        about,
        autoregressive[autoregressive["reason"] == ""],
        diffusion[diffusion["reason"] == ""],
        human_row(good, every),
        without_numbers(every[every["reason"] != ""]),
        noise_under(every, study.sentinels),
        study.histories,
        margins,
    )


def human_row(good: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The run of the human references of these rows' prompts, if they were scored."""
    first = rows.iloc[0]
    same = (good["prompt_hash"] == first["prompt_hash"]) & (good["gen_length"] == first["gen_length"])
    return good[(good["kind"] == "reference") & same].head(1)


def on_other_engines(comparison: Comparison, every: list[Comparison]) -> list[Comparison]:
    """The comparisons that differ from one in the engine; they may differ in the head as well, another axis."""
    if comparison.rows.empty:
        return []
    same = [name for name in SHARED if name != "engine"]
    first = lead(comparison.every)
    return [
        candidate for candidate in every
        if candidate.about == comparison.about and not candidate.rows.empty
        and str(lead(candidate.every)["engine"]) != str(first["engine"])  # runs that name none share one
        and not like(lead(candidate.every).to_frame().T, first, same).empty
    ]  # fmt: skip


def differ_in_dtype(comparison: Comparison, candidate: Comparison) -> bool:
    """Whether two comparisons are the same but for the precision."""
    if comparison.about != candidate.about or comparison.dtype == candidate.dtype:
        return False
    if comparison.diffusion.empty or candidate.diffusion.empty:
        settings = SHARED
        first, second = (lead(each.every).to_frame().T for each in (comparison, candidate))
    else:
        settings, first, second = SAME, comparison.diffusion, candidate.diffusion
    return not like(second.head(1), first.iloc[0], [name for name in settings if name != "dtype"]).empty


def main_of(every: list[Comparison], about: str) -> Comparison | None:
    """The largest comparison about something, None if there is none."""
    return next((comparison for comparison in every if comparison.about == about), None)


def by_block(every: list[Comparison], about: str) -> list[Comparison]:
    """The largest comparison about something, and those that differ from it in LLaDA's block length alone; shorter
    blocks first."""
    return alike_but_for(("block_length",), every, about)


def by_block_and_temperature(every: list[Comparison], about: str) -> list[Comparison]:
    """The same with those that differ from it in the temperature as well; greedy answers first."""
    return alike_but_for(("block_length", "temperature"), every, about)


def alike_but_for(settings: tuple[str, ...], every: list[Comparison], about: str) -> list[Comparison]:
    """The largest comparison about something, and those that differ from it in some of these settings alone; greedy
    ones first, then shorter blocks."""
    largest = main_of(every, about)
    if largest is None or largest.diffusion.empty:
        return [] if largest is None else [largest]
    same = [name for name in SAME if name not in settings]
    alike = [
        candidate for candidate in every
        if candidate.about == about and not candidate.diffusion.empty
        and not like(candidate.diffusion.head(1), largest.diffusion.iloc[0], same).empty
    ]  # fmt: skip
    return sorted(alike, key=lambda each: (temperature_of(lead(each.every)), each.diffusion.iloc[0]["block_length"]))


def ratio_at(comparison: Comparison, steps: float, metric: str) -> stats.Estimate:
    """The diffusion model's latency or throughput at some steps over the autoregressive model's, paired by round."""
    return stats.typical_over_rounds(amounts_of(comparison, metric).ratios_at(steps))


def amounts_of(comparison: Comparison, metric: str) -> Amounts | None:
    """A metric of both models by round; None where one of the runs was not measured."""
    return amounts(comparison.histories, comparison.autoregressive, comparison.diffusion, metric)


def break_even(comparison: Comparison, metric: str) -> stats.Estimate | None:
    """Steps at which both models take as much of something (time, energy); None where it cannot be told."""
    measured = amounts_of(comparison, metric) if len(comparison.diffusion) > 1 else None
    return measured and measured.break_even_steps


def match(comparison: Comparison, metric: str, margin: float) -> Match | None:
    """Where the diffusion model's quality comes within the margin of the autoregressive model's; None where a model
    was not scored."""
    if not comparison.has_both:
        return None
    run_ids = [comparison.autoregressive.iloc[0]["run_id"], *comparison.diffusion["run_id"]]
    scores = [comparison.histories.scores(run_id, metric) for run_id in run_ids]
    prompts = sorted(set.intersection(*map(set, scores)))
    if len(prompts) < 2:
        return None
    reference, *by_steps = [[values[prompt] for prompt in prompts] for values in scores]
    crossing = common_cross_over.cross_over(reference, by_steps, comparison.diffusion["steps"].tolist(), margin)
    if not crossing.reached:
        return Match(metric, margin, crossing)
    first = comparison.diffusion.iloc[0]
    blocks = int(first["gen_length"] // first["block_length"])
    ratios = [
        price_at(crossing, blocks, measured.ratios_at, beyond) if (measured := amounts_of(comparison, name)) else None
        for name, beyond in ((LATENCY, math.inf), (RATE, 0.0), (TEXT_RATE, 0.0))
    ]
    return Match(metric, margin, crossing, next_admissible(crossing.steps, blocks), *ratios)
