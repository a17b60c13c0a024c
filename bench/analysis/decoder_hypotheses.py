"""What was predicted of LLaDA's caches before a study timed them, and what became of it.

paper/hypotheses-decoders.yaml states each hypothesis with numbers of the cost model
(bench/cost/decoder_predictions.py). Claims about time are scored from forced answers at an imposed number of tokens a
step, in the grid `decoders`, with LLaMA beside them. A ratio is one estimate a round and then their spread.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.analysis.decoder_claims import DecoderClaim, DecoderFile, DecoderHypothesis, Setting
from bench.analysis.decoders import KIND
from bench.analysis.hypotheses import Result, Score
from bench.analysis.noise import JudgedStudy
from bench.analysis.runs import estimate_of, with_columns, with_steps, without_steps
from bench.common import stats
from bench.common.stats import Estimate
from bench.common.yaml_file import read_yaml
from bench.cost.decoder_predictions import Decoding
from bench.cost.predictions import Models, Place

FILE = Path("paper/hypotheses-decoders.yaml")
ENGINE, HEAD = "captured", "lean"  # what every claim is about
DEFAULTS = (("cache", "none"), ("refresh", ""))  # of a run that does not have it
LATENCY = "latency/latency_ms"
ACCURACY = "quality/accuracy_many_answers"
ASKED = (
    "batch_size", "prompt_tokens", "gen_length", "block_length", "steps", "sampler", "cache", "refresh", "head",
    "tokens_per_step", "dtype", "early_stop", "limit_gib", "attention", "temperature", "stop", "prompt_hash", "device",
    "steps_timed", "tokens_timed", ACCURACY,
)  # fmt: skip


def read(file: Path = FILE) -> DecoderFile:
    """The hypotheses of a file. Raises BadInput naming file, key and rule."""
    return read_yaml(file, DecoderFile, "list of hypotheses", file.parent)


def predicted(claim: DecoderClaim, about: DecoderFile, models: Models) -> float:
    """A claim's number by the cost model. claim: one about time."""
    place = Place(claim.batch, about.gen_length, claim.prompt_tokens, HEAD, ENGINE)
    decoding = Decoding(models, about.ceilings, about.block_length)
    decoder = claim.decoder.decoder
    if claim.quantity == "speedup":
        return decoding.speedup(place, decoder, claim.over.decoder)
    if claim.quantity == "step_ratio":
        return decoding.step_ratio(place, decoder)
    if claim.quantity == "throughput_ratio":
        return decoding.throughput_ratio(place, decoder)
    if claim.reference == "floor":
        return decoding.parity_tokens_per_step(place, decoder, decoding.reference_s(place))
    published = Decoding(models, about.published.ceilings, about.block_length)
    seconds = place.batch * place.gen_length / about.published.tokens_per_s
    return published.parity_tokens_per_step(place, decoder, seconds)


@dataclass(frozen=True)
class Timed:
    """The runs of the grid `decoders` that claims about time speak of, on the card and in the precision of the file."""

    about: DecoderFile
    study: JudgedStudy
    diffusion: pd.DataFrame  # imposed numbers of tokens a step
    autoregressive: pd.DataFrame

    @classmethod
    def of(cls, study: JudgedStudy, about: DecoderFile) -> "Timed":
        """Of a study those that count."""
        runs = with_columns(study.runs, [*ASKED, LATENCY])
        device = pd.Series([about.card in str(device) for device in runs["device"]], runs.index, dtype=bool)
        same = (runs["kind"] == KIND) & (runs["reason"] == "") & (runs["engine"] == ENGINE) & device
        same &= (runs["dtype"] == about.dtype) & (pd.to_numeric(runs["gen_length"]) == about.gen_length)
        runs = runs[same & runs["limit_gib"].isna() & runs["attention"].isna() & (runs["stop"] == "length")]
        own = with_steps(runs)
        own = own[(own["sampler"] == "imposed") & (pd.to_numeric(own["block_length"]) == about.block_length)]
        own = own[(own["head"] == HEAD) & ~stops_early(own)]
        return cls(about, study, own, without_steps(runs))

    def at(self, runs: pd.DataFrame, batch: int, prompt_tokens: int) -> pd.DataFrame:
        """Those at a place."""
        is_there = (pd.to_numeric(runs["batch_size"]) == batch) & (
            pd.to_numeric(runs["prompt_tokens"]) == prompt_tokens
        )
        return runs[is_there]

    def of_cache(self, setting: Setting, batch: int, prompt_tokens: int) -> pd.DataFrame:
        """A decoder's runs at a place, at every number of tokens a step, the fewest forwards first. Where the same was
        run in part and whole, the whole run."""
        runs = self.at(self.diffusion, batch, prompt_tokens)
        runs = runs[is_cache(runs, setting)]
        runs = runs.assign(own=pd.to_numeric(runs["tokens_per_step"])).sort_values("steps_timed", na_position="first")
        return runs.drop_duplicates("own").sort_values("own", ascending=False)

    def run_of(self, setting: Setting, batch: int, prompt_tokens: int) -> pd.DataFrame:
        """A decoder's run at a place; empty where there is none."""
        runs = self.of_cache(setting, batch, prompt_tokens)
        return runs[runs["own"] == setting.tokens_per_step].head(1)

    def of_one_round(self, own: pd.DataFrame, other: pd.DataFrame) -> list[pd.DataFrame]:
        """The runs of two sets that the best single round has: the one with the most runs of the smaller set, then with
        the most of both together; of equal ones the first. Both sets as they are where no run has rounds.

        A study that goes on with other cards has some numbers of tokens a step on one card and some on another.
        """
        run_ids = pd.concat([own["run_id"], other["run_id"]])
        in_rounds = self.study.histories.by_round(run_ids, LATENCY).values()
        by_round = [[runs[runs["run_id"].isin(ids)] for runs in (own, other)] for ids in in_rounds]
        return max(by_round, key=lambda both: (min(map(len, both)), sum(map(len, both))), default=[own, other])

    def latencies(self, *runs: pd.DataFrame) -> list[list[float]]:
        """By round the latency of each of some runs; empty where one is missing or they share no round."""
        if any(run.empty for run in runs):
            return []
        together = pd.concat(runs)
        return list(self.study.histories.rounds(together["run_id"], LATENCY).values())


def stops_early(runs: pd.DataFrame) -> pd.Series:
    """Which runs end once everything up to an end token is committed."""
    return runs["early_stop"].map(str) == "True"


def is_cache(runs: pd.DataFrame, setting: Setting) -> pd.Series:
    """Which runs have a decoder's cache and refresh."""
    refresh = "" if setting.refresh is None else str(setting.refresh)
    caches, refreshes = (runs[name].where(runs[name].notna(), default) for name, default in DEFAULTS)
    return (caches.map(str) == setting.cache) & (refreshes.map(str) == refresh)


def runs_behind(claim: DecoderClaim, timed: Timed) -> list[pd.DataFrame]:
    """The runs that a claim about time rests on: the decoder's, then those that it is compared with."""
    place = claim.batch, claim.prompt_tokens
    if claim.quantity == "step_ratio":
        at_batch_1 = timed.of_cache(claim.decoder, 1, claim.prompt_tokens)
        return timed.of_one_round(timed.of_cache(claim.decoder, *place), at_batch_1)
    if claim.quantity == "speedup":
        return [timed.run_of(claim.decoder, *place), timed.run_of(claim.over, *place)]
    llama = timed.at(timed.autoregressive, *place).head(1)
    if claim.quantity == "parity_tokens_per_step":
        return timed.of_one_round(timed.of_cache(claim.decoder, *place), llama)
    return [timed.run_of(claim.decoder, *place), llama]


def measured_time(claim: DecoderClaim, timed: Timed) -> Estimate | None:
    """A claim's number in a study's runs, with its interval over rounds; None where it was not measured."""
    own, other = runs_behind(claim, timed)
    rounds = timed.latencies(own, other)
    if not rounds:
        return None
    if claim.quantity in ("throughput_ratio", "speedup"):
        return stats.ratio_over_rounds([row[1] for row in rounds], [row[0] for row in rounds])
    count = len(own)
    forwards = (timed.about.gen_length / own["own"]).tolist()
    if count < 2:
        return None
    if claim.quantity == "step_ratio":
        return step_ratio(rounds, forwards, (timed.about.gen_length / other["own"]).tolist())
    steps = stats.break_even_over_rounds(forwards, [row[:count] for row in rounds], [row[-1] for row in rounds])
    return parity(steps, timed.about)


def step_ratio(rounds: list[list[float]], own: list[float], other: list[float]) -> Estimate | None:
    """What one forward more costs over what it costs elsewhere: the slope of time over forwards, one of each round.

    rounds: latencies of the runs here, then of those there. own, other: their forwards. None from a single run there,
    or where in some round more forwards took no longer.
    """
    if len(other) < 2:
        return None
    slopes = [[np.polyfit(own, row[: len(own)], 1)[0], np.polyfit(other, row[len(own) :], 1)[0]] for row in rounds]
    if min(map(min, slopes)) <= 0:
        return None
    return stats.ratio_over_rounds(*zip(*slopes, strict=True))


def parity(steps: Estimate, about: DecoderFile) -> Estimate:
    """Tokens a step from the forwards at which both models take as long; infinite beyond a block at once."""
    fewest = about.gen_length / about.block_length
    per_step = lambda forwards: about.gen_length / forwards if forwards >= fewest else float("inf")  # noqa: E731
    if steps.low is None:
        return Estimate(per_step(steps.value))
    return Estimate(per_step(steps.value), per_step(steps.high), per_step(steps.low))


def measured_accuracy(claim: DecoderClaim, study: JudgedStudy) -> Estimate | None:
    """The difference of two decoders' accuracy on the same tasks with many right answers, with an interval from both of
    theirs; of greedy answers where there are such. None where no two runs differ in nothing else.

    The same prompts are asked twice, so that the interval of independent shares is wider than need be.
    """
    runs = with_columns(study.runs, list(ASKED))
    runs = with_steps(runs[(runs["reason"] == "") & runs[ACCURACY].notna()])
    runs = runs[(runs["sampler"].isna() | (runs["sampler"] == "fixed")) & ~stops_early(runs)]
    runs = runs.sort_values("temperature", key=pd.to_numeric, kind="stable", na_position="first")
    runs = runs.assign(own=pd.to_numeric(runs["gen_length"]) / pd.to_numeric(runs["steps"]))
    runs_of_decoder, runs_of_over = (
        runs[(runs["own"] == setting.tokens_per_step) & is_cache(runs, setting)]
        for setting in (claim.decoder, claim.over)
    )
    alike = ["gen_length", "block_length", "prompt_hash", "dtype", "temperature", "stop", "device", "batch_size"]
    for _, first in runs_of_decoder.iterrows():
        for _, second in runs_of_over.iterrows():
            if all(str(first[name]) == str(second[name]) for name in alike):
                return stats.difference(estimate_of(first, ACCURACY), estimate_of(second, ACCURACY))
    return None


def scores(pair: str, study: JudgedStudy, about: DecoderFile) -> list[Score]:
    """Every hypothesis about a pair as a study of it has it."""
    own = {name: hypothesis for name, hypothesis in about.hypotheses.items() if hypothesis.pair == pair}
    if not own:
        return []
    timed = Timed.of(study, about)
    first: dict[tuple, str] = {}  # by number: the hypothesis that speaks of it first
    return [score_of(name, hypothesis, timed, first) for name, hypothesis in own.items()]


def known_before(scores: list[Score], about: DecoderFile) -> str:
    """What had been timed before; empty where no hypothesis is about time."""
    return about.timed_before if any(result.claim.is_of_time for score in scores for result in score.results) else ""


def score_of(name: str, hypothesis: DecoderHypothesis, timed: Timed, first: dict[tuple, str]) -> Score:
    """A hypothesis with what was measured of each of its claims. first: as in bench/analysis/hypotheses.py."""
    results = []
    for claim in hypothesis.claims:
        value = measured_time(claim, timed) if claim.is_of_time else measured_accuracy(claim, timed.study)
        is_part = value is not None and claim.is_of_time and is_extrapolated(runs_behind(claim, timed))
        results.append(Result(claim, value, ENGINE, first.get(claim.number, ""), is_part))
        first.setdefault(claim.number, name)
    return Score(name, hypothesis.text, results)


def is_extrapolated(runs: list[pd.DataFrame]) -> bool:
    """Whether a part of some calls stands for the whole."""
    return bool(pd.concat(runs)[["steps_timed", "tokens_timed"]].notna().any(axis=None))
