"""How answers end, side by side: what LLaDA takes next to LLaMA for as much text, under each regime of one place.

At forced length both write as many tokens. Where answers end earlier, LLaMA's call ends with its longest row, and LLaDA
has paid for its whole canvas. So neither regime stands for the other, and no comparison mixes them.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bench.analysis.by_round import amounts
from bench.analysis.comparison import RATE, TEXT_RATE
from bench.analysis.decoders import plain
from bench.analysis.lines import DEFAULTS
from bench.analysis.noise import JudgedStudy, Noise, noise_under
from bench.analysis.runs import (
    beside,
    order_of_models,
    setting_of,
    with_columns,
    with_steps,
    without_numbers,
    without_steps,
)
from bench.analysis.study import Histories
from bench.common import stats
from bench.spec.cell import ENDS

REGIMES = ("length", "eos", "references")  # in the order in which they are told
SHARED = ["batch_size", "gen_length", "prompt_tokens", "prompt_hash", "dtype", "temperature", "engine", "platform",
          "device"]  # fmt: skip
OF_STEPS = ["steps", "block_length", "head", "remasking"]
CANVAS_RATE = "throughput/canvas_tokens_per_s"
FORWARDS = "compute/nfe"


@dataclass(frozen=True)
class Lengths:
    """The lengths of the prompts' references in tokens of LLaMA, cut to what an answer may have: how many there are,
    how many of them have all that an answer may have, and their quartiles."""

    answers: int
    full: int
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Regime:
    """Both models at one place with answers that end in one way.

    ratio: LLaDA's time over LLaMA's for as much kept text. per_byte: whether text is counted in bytes, as it is where
    texts are on record; otherwise in tokens. kept: mean tokens of an answer of LLaMA and of LLaDA. forwards: of LLaMA's
    calls, a mean; with a batch they are those of the longest row. lengths: of the references, where they are stated.
    """

    stop: str
    ratio: stats.Estimate
    per_byte: bool
    rounds: int
    kept: tuple[float, float]
    forwards: float | None
    lengths: Lengths | None
    runs: tuple[str, str]  # ids


@dataclass(frozen=True)
class Place:
    """A point at which the regimes are compared. prompt_tokens is None where prompts differ in length."""

    batch_size: int
    gen_length: int
    prompt_tokens: int | None
    steps: int
    dtype: str
    engine: str
    head: str
    regimes: tuple[Regime, ...]
    noise: tuple[Noise, ...]


@dataclass(frozen=True)
class Ends:
    """The runs of a study that differ in how answers end, and what they say place by place; empty without such runs."""

    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)  # failed, or not to be believed: no numbers
    places: tuple[Place, ...] = ()

    @property
    def every(self) -> pd.DataFrame:
        """All that stands in a table."""
        return pd.concat([self.rows, self.left_out])


def ends_of(study: JudgedStudy) -> Ends:
    """What a study says of how answers end."""
    runs = with_columns(study.runs, [*SHARED, *OF_STEPS, "model", "stop", "answer_lengths", "message"])
    runs = plain(runs[runs["kind"] == ENDS])
    if runs.empty:
        return Ends()
    runs = runs.assign(regime=runs["stop"].map(REGIMES.index)).sort_values(
        ["gen_length", "batch_size", "model", "regime"],
        key=lambda column: order_of_models(column) if column.name == "model" else column,
        kind="stable",
    )
    good = runs[runs["reason"] == ""]
    places = []
    for _, same in with_steps(good).groupby([*SHARED, *OF_STEPS], dropna=False, sort=False):
        regimes = tuple(filter(None, (regime_of(run, good, study.histories) for _, run in same.iterrows())))
        if regimes:
            others = beside(without_steps(good), same.iloc[0], SHARED)
            places.append(place_of(same.iloc[0], regimes, noise_under(pd.concat([others, same]), study.sentinels)))
    return Ends(good, without_numbers(runs[runs["reason"] != ""]), tuple(places))


def regime_of(run: pd.Series, good: pd.DataFrame, histories: Histories) -> Regime | None:
    """A run of LLaDA beside LLaMA's run with the same prompts and the same ends; None where there is none."""
    reference = beside(without_steps(good), run, [*SHARED, "stop"]).head(1)
    own = run.to_frame().T
    by_text = amounts(histories, reference, own, TEXT_RATE) if run["stop"] == "eos" else None
    measured = by_text or amounts(histories, reference, own, RATE)
    if measured is None:
        return None
    other = reference.iloc[0]
    rates = measured.ratios_at(run["steps"])
    longer = sum(lengths_of(run)) / sum(lengths_of(other)) if run["stop"] == "references" else 1.0
    return Regime(
        stop=run["stop"],
        ratio=stats.typical_over_rounds([longer / rate for rate in rates]),
        per_byte=by_text is not None,
        rounds=len(rates),
        kept=(mean_kept(other), mean_kept(run)),
        forwards=None if pd.isna(other[FORWARDS]) else float(other[FORWARDS]),
        lengths=described(lengths_of(other), other["gen_length"]) if run["stop"] == "references" else None,
        runs=(other["run_id"], run["run_id"]),
    )


def lengths_of(run: pd.Series) -> list[int]:
    """The lengths of answers that a run states. The same text has more tokens for one tokenizer than for another, so a
    rate of tokens is no rate of text."""
    return [int(float(length)) for length in str(run["answer_lengths"]).split()]


def described(lengths: list[int], most: float) -> Lengths:
    """Some lengths as a distribution. most: tokens that an answer may have."""
    quartiles = (float(value) for value in np.percentile(lengths, [25, 50, 75]))
    return Lengths(len(lengths), sum(length >= most for length in lengths), *quartiles)


def mean_kept(run: pd.Series) -> float:
    """Mean tokens of a run's answers: the share of the canvas that was kept."""
    return float(run["gen_length"] * run[RATE] / run[CANVAS_RATE])


def place_of(run: pd.Series, regimes: tuple[Regime, ...], noise: tuple[Noise, ...]) -> Place:
    """The place of a run of LLaDA, with the regimes that were measured there."""
    prompt_tokens = pd.to_numeric(run["prompt_tokens"])
    return Place(
        batch_size=int(run["batch_size"]),
        gen_length=int(run["gen_length"]),
        prompt_tokens=None if pd.isna(prompt_tokens) else int(prompt_tokens),
        steps=int(run["steps"]),
        dtype=run["dtype"],
        engine=setting_of(run, "engine", "eager"),
        head=setting_of(run, "head", DEFAULTS["head"]),
        regimes=regimes,
        noise=noise,
    )
