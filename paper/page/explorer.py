"""What the page's explorer answers from: every place at which both models were timed, and what the cost model says.

A measurement is LLaDA's time of an answer over LLaMA's, paired by round. Where the same place and decoder was measured
in several grids, the first stands: comparisons before grids along an axis, whole calls before parts.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pandas as pd

from bench.analysis.comparison import LATENCY, Comparison
from bench.analysis.decoder_places import Place
from bench.analysis.doubt import cannot_be_told
from bench.analysis.ends import Ends
from bench.analysis.findings import Findings
from bench.analysis.noise import floor_of
from bench.analysis.runs import estimate_of, setting_of, temperature_of, with_steps
from bench.analysis.scaling import Scaling, paired_ratio, reference_of
from bench.common.stats import UNBOUNDED, Estimate
from bench.models import kinds
from bench.render import decoders as render_decoders
from bench.render import wording

GRIDS = ("batch", "length", "prompt", "corners")  # whose runs are whole answers of the authors' decoder
Interval = tuple[float, float | None, float | None]  # value and bounds; None where there is no bound


@dataclass(frozen=True)
class Measured:
    """A place at which both models were timed.

    setting: what the place shares with others, in words. prompt: the prompts, in words. decoder: steps or decoder, in
    words; steps: their number where the decoder is the authors'. ratio: LLaDA's time over LLaMA's. milliseconds: of an
    answer of LLaMA and of LLaDA. is_open: whether it cannot be told which of the two is faster.
    """

    setting: str
    batch: int
    prompt: str
    length: int
    decoder: str
    steps: int | None
    ratio: Interval
    milliseconds: tuple[float, float]
    is_open: bool
    is_extrapolated: bool = False

    @property
    def place(self) -> tuple:
        """What a visitor chooses."""
        return self.setting, self.batch, self.prompt, self.length, self.decoder


def measured(findings: Findings) -> list[Measured]:
    """Every place of a study at which both models were timed, each once."""
    groups = [
        *(of_comparison(comparison) for comparison in findings.comparisons if comparison.has_both),
        *(of_scaling(group) for group in findings.scalings if group.kind in GRIDS),
        *(of_decoders(place) for place in findings.decoders.places if place.autoregressive),
        of_ends(findings.ends),
    ]
    by_place: dict[tuple, Measured] = {}
    for entry in (entry for group in groups for entry in group):
        by_place.setdefault(entry.place, entry)
    return list(by_place.values())


def setting_words(run: pd.Series) -> str:
    """ "captured engine, lean head, bfloat16, forced length, greedy": what the places of a study may differ in beside
    what a visitor chooses. run: of the model with steps."""
    temperature = temperature_of(run)
    parts = [wording.own_engine_and_head(run), run["dtype"], wording.stop_words(run.to_frame().T),
             wording.temperature_words(temperature)]  # fmt: skip
    return ", ".join(filter(None, parts))


def prompt_words(run: pd.Series, what: str = "prompts") -> str:
    """ "128 tokens", or how many prompts of different lengths there are, and what these are."""
    tokens = pd.to_numeric(run.get("prompt_tokens"))
    if pd.notna(tokens):
        return tokens_words(tokens)
    return wording.prompts_counted(run, what) or what


def tokens_words(tokens: float) -> str:
    return f"{float(tokens):.0f} tokens"


def steps_words(steps: float) -> str:
    return f"{float(steps):.0f} steps"


def interval(estimate: Estimate) -> Interval:
    """An estimate for JSON, which has no infinity: an upper bound that bounds nothing is none."""
    high = estimate.high
    is_bounded = high is not None and math.isfinite(high) and high <= UNBOUNDED * max(1.0, abs(estimate.value))
    return float(estimate.value), estimate.low, high if is_bounded else None


def of_comparison(comparison: Comparison) -> Iterator[Measured]:
    """A comparison's step counts."""
    reference = comparison.autoregressive.iloc[0]
    about = comparison.about
    for _, run in comparison.diffusion.iterrows():
        ratio = comparison.latency_ratios[run["steps"]]
        yield Measured(
            setting=setting_words(run),
            batch=int(run["batch_size"]),
            prompt=prompt_words(run, "prompts" if about == "answers" else about),
            length=int(run["gen_length"]),
            decoder=steps_words(run["steps"]),
            steps=int(run["steps"]),
            ratio=interval(ratio),
            milliseconds=(float(reference[LATENCY]), float(run[LATENCY])),
            is_open=cannot_be_told(ratio, floor_of(comparison.noise)),
        )


def of_scaling(group: Scaling) -> Iterator[Measured]:
    """The places of a grid along an axis, with the authors' decoder, fused attention and the models' own weights."""
    runs = with_steps(group.rows)
    for _, run in runs[runs["attention"].isna() & runs["fill"].isna()].iterrows():
        reference = reference_of(group, run)
        ratio = None if reference.empty else paired_ratio(group, run, reference.iloc[0], LATENCY)
        if ratio is None:
            continue
        ratio = group.bias_beside(run["run_id"]).of_time(ratio)
        yield Measured(
            setting=setting_words(run),
            batch=int(run["batch_size"]),
            prompt=prompt_words(run),
            length=int(run["gen_length"]),
            decoder=steps_words(run["steps"]),
            steps=int(run["steps"]),
            ratio=interval(ratio),
            milliseconds=(float(reference.iloc[0][LATENCY]), float(run[LATENCY])),
            is_open=cannot_be_told(ratio, floor_of(group.noise)),
            is_extrapolated=group.is_extrapolated(run),
        )


def of_decoders(place: Place) -> Iterator[Measured]:
    """The decoders of a place, the authors' among them."""
    reference = estimate_of(place.autoregressive.run, LATENCY)
    for line in place.lines:
        own, speed = estimate_of(line.run, LATENCY), line.speed_over_autoregressive
        if own is None or reference is None or speed is None:
            continue
        ratio = inverse(speed)
        is_authors = not line.name
        yield Measured(
            setting=setting_words(line.run),
            batch=int(line.run["batch_size"]),
            prompt=prompt_words(line.run, "tasks" if place.metric == "accuracy" else "prompts"),
            length=int(line.run["gen_length"]),
            decoder=steps_words(line.run["steps"]) if is_authors else decoder_words(place, line),
            steps=int(line.run["steps"]) if is_authors else None,
            ratio=interval(ratio),
            milliseconds=(float(reference.value), float(own.value)),
            is_open=cannot_be_told(ratio, floor_of(place.noise)),
            is_extrapolated=bool(setting_of(line.run, "steps_timed", "")),
        )


def of_ends(ends: Ends) -> Iterator[Measured]:
    """The places at which answers of forced length were timed beside others. Those others end at different lengths,
    and their ratio is of time for as much text, which is another question."""
    for place in ends.places:
        for regime in (regime for regime in place.regimes if regime.stop == "length"):
            by_id = ends.rows.set_index("run_id")
            reference, run = (by_id.loc[run_id] for run_id in sorted(regime.runs, key=lambda i: is_diffusion(by_id, i)))
            yield Measured(
                setting=setting_words(run),
                batch=place.batch_size,
                prompt=prompt_words(run),
                length=place.gen_length,
                decoder=steps_words(place.steps),
                steps=place.steps,
                ratio=interval(regime.ratio),
                milliseconds=(float(reference[LATENCY]), float(run[LATENCY])),
                is_open=cannot_be_told(regime.ratio, floor_of(place.noise)),
            )


def is_diffusion(by_id: pd.DataFrame, run_id: str) -> bool:
    """Whether a run is of the model with steps."""
    return kinds.has_steps(by_id.loc[run_id, "model"])


def decoder_words(place: Place, line: render_decoders.Line) -> str:
    """A decoder's name; of the fixed schedule under a cache the steps too, without which its name says little."""
    name = render_decoders.line_name(place, line)
    is_fixed = setting_of(line.run, "sampler", "fixed") == "fixed"
    return f"{name}, {steps_words(line.run['steps'])}" if is_fixed else name


def inverse(estimate: Estimate) -> Estimate:
    """LLaDA's time over LLaMA's from how many times as fast it is."""
    if estimate.low is None:
        return Estimate(1 / estimate.value)
    return Estimate(1 / estimate.value, 1 / estimate.high, 1 / estimate.low if estimate.low > 0 else math.inf)


def as_json(entries: list[Measured]) -> list[dict]:
    """The measured places for the page."""
    return [asdict(entry) for entry in entries]
