"""What the scaling grids of a study say: how each model grows with batch, length, prompt and memory.

A kind of grid is a group of runs that differ along its axis. Calls of which only a part was run stand for whole ones
(`metrics.whole_call`); where a run made all its forwards at the same place, it is shown in their stead, and their
ratio says how well the shortcut holds.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd

from bench.analysis import bias
from bench.analysis.bias import Bias
from bench.analysis.decoders import plain
from bench.analysis.edges import Edge, edge_of
from bench.analysis.lines import DEFAULTS, Line, lines_of_runs
from bench.analysis.noise import JudgedStudy, Noise, noise_under
from bench.analysis.runs import (
    beside,
    estimate_of,
    like,
    order_of_models,
    setting_of,
    together_by,
    with_columns,
    with_steps,
    without_numbers,
    without_steps,
)
from bench.analysis.study import Histories
from bench.common import stats
from bench.models import kinds

AXES = {  # kind: what it varies
    "batch": "batch_size",
    "length": "gen_length",
    "prompt": "prompt_tokens",
    "corners": "batch_size",  # and the length of the answer
    "attention": "gen_length",
    "engines": "batch_size",
    "values": "batch_size",
    "memory": "batch_size",
    "frontier": "gen_length",
}
TOGETHER = ["pair", "dtype", "platform", "device", "temperature", "limit_gib", "stop"]  # a group's runs share these
PLACE = ["batch_size", "gen_length", "prompt_tokens"]  # where a run stands
KIND_OF_RUN = ["model", "tokens_per_step", "block_length", "head", "engine", "attention", "fill"]  # what stands there
PARTS = ["steps_timed", "tokens_timed"]  # how much of a call was run, where it was a part
LATENCY = "latency/latency_ms"
RATE = "throughput/tokens_per_s"
STEP = "latency/step_ms"
ALLOCATED = "memory/allocated_gib"
EXTRAPOLATED = (LATENCY, "latency/tpot_ms", RATE, "throughput/canvas_tokens_per_s")  # where a part was run
PEAKS = (ALLOCATED, "memory/resident_gib")  # peak memory, on a GPU and on a CPU


@dataclass(frozen=True)
class Shortcut:
    """How long a call comes out that was extrapolated from a part of it, over the same call made whole."""

    model: str
    engine: str
    head: str  # of a model that computes its logits in one way only: the default
    place: bias.Place
    timed: int  # forwards that were run
    whole: int  # forwards of the call
    unit: str  # of both: steps or tokens
    latency: stats.Estimate | None
    peak: stats.Estimate | None
    runs: tuple[str, str]  # ids of the part and of the whole


@dataclass(frozen=True)
class Scaling:
    """The runs of one kind on one machine, a row each, along the axis; `line` is the run's `Line`.

    What follows from them is computed when it is first asked for, and then kept.
    """

    kind: str
    rows: pd.DataFrame
    left_out: pd.DataFrame  # failed, or not to be believed: the `reason`, and no numbers
    parts: pd.DataFrame  # runs of a part of their calls where another made them whole: `rows` has that one
    noise: tuple[Noise, ...] = ()
    histories: Histories = field(default_factory=Histories)

    @property
    def axis(self) -> str:
        """The column along which the runs differ."""
        return AXES[self.kind]

    @cached_property
    def every(self) -> pd.DataFrame:
        """All that stands in a table, along the axis."""
        columns = [self.axis, *PLACE, "model", "head", "tokens_per_step", "engine", "attention", "fill"]
        return pd.concat([self.rows, self.left_out]).sort_values(
            list(dict.fromkeys(columns)),
            key=lambda column: order_of_models(column) if column.name == "model" else column,
            na_position="first",
        )

    @property
    def peak(self) -> str | None:
        """The metric of peak memory that this machine has."""
        return next((name for name in PEAKS if name in self.rows and self.rows[name].notna().any()), None)

    @cached_property
    def ratios(self) -> dict[str, stats.Estimate]:
        """By run id: the throughput of a run with steps over that of the model without steps in the same place."""
        rounds = {run["run_id"]: rounds_beside(self, run, RATE) for _, run in with_steps(self.rows).iterrows()}
        return {
            run_id: self.bias_beside(run_id).of_rate(stats.ratio_over_rounds(*zip(*pairs.values(), strict=True)))
            for run_id, pairs in rounds.items()
            if pairs
        }

    @cached_property
    def break_evens_by_round(self) -> list[tuple[pd.Series, dict[int, float]]]:
        """(run, steps at which both models take equally long in each round) of each place, from its run of the fewest
        steps: plain denoising has no prefill, so its time is in proportion to the steps."""
        result = []
        places = [*PLACE, "head", "engine", "attention", "block_length"]
        for _, runs in with_steps(self.rows).groupby(places, dropna=False):
            run = runs.loc[runs["steps"].idxmin()]
            rounds = rounds_beside(self, run, LATENCY)
            if rounds:
                result.append((run, {number: run["steps"] * its / own for number, (own, its) in rounds.items()}))
        return result

    @cached_property
    def break_evens(self) -> list[tuple[pd.Series, stats.Estimate]]:
        """(run, steps at which both models take equally long) of each place, with the interval over its rounds."""
        return [
            (run, self.bias_beside(run["run_id"]).of_rate(stats.typical_over_rounds(list(steps.values()))))
            for run, steps in self.break_evens_by_round
        ]

    def checks_of(self, run: pd.Series) -> list[Shortcut]:
        """The calls made both ways that tell how far a run's extrapolated times may be off: those of its model, engine
        and head; where there are none, of its model."""
        timed = [check for check in self.shortcuts if check.latency and check.model == run["model"]]
        settings = run["engine"], setting_of(run, "head", DEFAULTS["head"])
        return [check for check in timed if (check.engine, check.head) == settings] or timed

    def bias_of(self, run: pd.Series) -> Bias:
        """How far a run's latency may be off where it stands: not at all where all its forwards were made."""
        if run[PARTS].isna().all():
            return bias.NONE
        return bias.at_place(where(run), [(check.place, check.latency) for check in self.checks_of(run)])

    def is_extrapolated(self, run: pd.Series) -> bool:
        """Whether a ratio of a run with steps to the model without steps in its place rests on an extrapolated time."""
        return bool(run[PARTS].notna().any() or reference_of(self, run)[PARTS].notna().any(axis=None))

    def bias_beside(self, run_id: str) -> Bias:
        """How far the latency of a run with steps over that of the model without steps in its place may be off."""
        run = self.rows[self.rows["run_id"] == run_id].iloc[0]
        return self.bias_of(run).over(self.bias_of(reference_of(self, run).iloc[0]))

    @cached_property
    def beside_own(self) -> list[tuple[pd.Series, stats.Estimate]]:
        """(run, its step over that of the model's own weights, paired by round): runs with weights of other values."""
        own = self.rows[self.rows["fill"].isna()]
        settings = [*PLACE, *(name for name in KIND_OF_RUN if name != "fill")]
        result = []
        for _, run in self.rows[self.rows["fill"].notna()].iterrows():
            base = like(own, run, settings).head(1)
            ratio = None if base.empty else paired_ratio(self, run, base.iloc[0], STEP)
            if ratio:
                result.append((run, ratio))
        return result

    @cached_property
    def shortcuts(self) -> list[Shortcut]:
        """Each run of a part, with the whole run in its place."""
        return [shortcut_of(self, part) for _, part in self.parts.iterrows()]

    @cached_property
    def edges(self) -> list[Edge]:
        """The frontier of memory by line and length, from the probes of a study."""
        probes = pd.concat([self.rows, self.left_out])
        result = [
            edge_of(line, int(length), runs, self.peak)
            for (line, length), runs in probes.groupby(["line", "gen_length"], sort=False)
        ]
        return sorted(result, key=lambda edge: (kinds.has_steps(edge.line.model), edge.gen_length))


def scalings(study: JudgedStudy) -> list[Scaling]:
    """The scaling groups of a study, in the order of `AXES`."""
    runs = with_columns(study.runs, [*TOGETHER, *PLACE, *KIND_OF_RUN, *PARTS, "steps", "random_seed", "message"])
    runs = plain(runs[runs["kind"].isin(AXES)]).copy()
    runs["tokens_per_step"] = runs["gen_length"] / pd.to_numeric(runs["steps"])
    groups = []
    for kind in AXES:
        groups += [scaling_of(kind, together, study) for together in together_by(runs[runs["kind"] == kind], TOGETHER)]
    return groups


def scaling_of(kind: str, runs: pd.DataFrame, study: JudgedStudy) -> Scaling:
    """The runs of a kind with their lines; of a part and a whole in the same place, `rows` has the whole."""
    runs = runs.assign(line=pd.Series(lines_of_runs(runs), index=runs.index, dtype=object))
    good = runs[runs["reason"] == ""]
    left_out = runs[runs["reason"] != ""]
    is_part = good[PARTS].notna().any(axis=1)
    wholes = {place_of(run) for _, run in good[~is_part].iterrows()}
    has_whole = pd.Series([place_of(run) in wholes for _, run in good.iterrows()], index=good.index, dtype=bool)
    is_spare = is_part & has_whole
    noise = noise_under(runs, study.sentinels)
    scaling = Scaling(kind, good[~is_spare], without_numbers(left_out), good[is_spare], noise, study.histories)
    return replace(scaling, rows=with_biases(scaling))


def with_biases(scaling: Scaling) -> pd.DataFrame:
    """The runs of a group, with the intervals of extrapolated times and rates widened by what extrapolating may be off
    (bench/analysis/bias.py)."""
    rows = scaling.rows.copy()
    for index, run in rows[rows[PARTS].notna().any(axis=1)].iterrows():
        for metric in EXTRAPOLATED:
            estimate = estimate_of(run, metric)
            if estimate is None or estimate.low is None:
                continue
            off = scaling.bias_of(run)
            widened = off.of_rate(estimate) if metric.startswith("throughput/") else off.of_time(estimate)
            rows.loc[index, [f"{metric}_ci_low", f"{metric}_ci_high"]] = [widened.low, widened.high]
    return rows


def where(run: pd.Series) -> bias.Place:
    """A run's place in numbers; 0 where its prompts are as they are."""
    return tuple(0.0 if pd.isna(run[name]) else float(run[name]) for name in PLACE)


def place_of(run: pd.Series) -> tuple[str, ...]:
    """Where a run stands and what it is, whether all of its forwards were made or not."""
    return tuple(str(run[name]) for name in [*PLACE, *KIND_OF_RUN])


def lines_of(scaling: Scaling) -> list[tuple[Line, pd.DataFrame]]:
    """(line, its runs along the axis), models without steps first."""
    axes = dict.fromkeys([scaling.axis, *PLACE])
    rows = scaling.rows.sort_values(["model", "tokens_per_step", *axes], kind="stable")
    lines = sorted(dict.fromkeys(rows["line"]), key=lambda line: kinds.has_steps(line.model))
    return [(line, rows[rows["line"] == line]) for line in lines]


def reference_of(scaling: Scaling, run: pd.Series) -> pd.DataFrame:
    """The run of the model without steps in a run's place with the same engine and attention; empty where there is
    none."""
    return beside(without_steps(scaling.rows), run, [*PLACE, "engine", "attention"]).head(1)


def rounds_beside(scaling: Scaling, run: pd.Series, metric: str) -> dict[int, list[float]]:
    """[value of a run with steps, value of the model without steps in the same place with the same engine and
    attention] by round; empty where either is missing."""
    reference = reference_of(scaling, run)
    if reference.empty or metric not in run or pd.isna(run[metric]):
        return {}
    return scaling.histories.rounds([run["run_id"], *reference["run_id"]], metric)


def paired_ratio(scaling: Scaling, run: pd.Series, reference: pd.Series, metric: str | None) -> stats.Estimate | None:
    """A run's metric over another run's, paired by round; None where they share no round of it."""
    rounds = scaling.histories.rounds([run["run_id"], reference["run_id"]], metric) if metric else {}
    return stats.ratio_over_rounds(*zip(*rounds.values(), strict=True)) if rounds else None


def shortcut_of(scaling: Scaling, part: pd.Series) -> Shortcut:
    """A run of a part of its calls beside the whole run in its place."""
    in_its_place = [place_of(run) == place_of(part) for _, run in scaling.rows.iterrows()]
    whole = scaling.rows[in_its_place].iloc[0]
    latency, peak = (paired_ratio(scaling, part, whole, metric) for metric in (LATENCY, scaling.peak))
    has_steps = kinds.has_steps(part["model"])
    return Shortcut(
        model=part["model"],
        engine=part["engine"],
        head=setting_of(part, "head", DEFAULTS["head"]),
        place=where(part),
        timed=int(part["steps_timed" if has_steps else "tokens_timed"]),
        whole=int(part["steps" if has_steps else "gen_length"]),
        unit="steps" if has_steps else "tokens",
        latency=latency,
        peak=peak,
        runs=(part["run_id"], whole["run_id"]),
    )


def failures(scaling: Scaling, line: Line) -> dict[tuple[float, float], str]:
    """Why a place of the memory map has no number: the outcome by (batch, length)."""
    runs = scaling.left_out[scaling.left_out["line"] == line]
    return {
        (run["batch_size"], run["gen_length"]): run["outcome"] if run["outcome"] != "ok" else "excluded"
        for _, run in runs.iterrows()
    }
