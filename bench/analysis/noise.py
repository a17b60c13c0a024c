"""What the sentinels of a study say of the machine, by card, engine and model (bench/spec/sentinel.py has the cells).

A floor belongs to runs of its own kind: those of the same model and engine, on the same card. It is lent to no others.
"""

from dataclasses import dataclass

import pandas as pd

from bench.analysis.lines import DEFAULTS
from bench.analysis.runs import devices_of, machines_of, order_of_models, reason_left_out, setting_of, with_columns
from bench.analysis.study import Histories, Study
from bench.common import stats
from bench.models import kinds
from bench.records import trust
from bench.records.settings import AGREEMENT
from bench.spec import sentinel

EAGER = "eager"
LATENCY = "latency/latency_ms"


@dataclass(frozen=True)
class Pair:
    """The sentinel's two runs in one round."""

    machine: str  # UUID of the card; on a CPU host and processor
    engine: str
    model: str
    stretch: tuple[str, str]  # the cells that it watches, and its prompts: each stretch has its own drift
    latencies_ms: tuple[float, float]
    runs: tuple[str, str]  # ids
    head: str = ""  # of a model with steps
    number: int = 0  # of the round


@dataclass(frozen=True)
class Noise:
    """What the sentinels of one model on one engine say of the machines on which some runs of that kind were made."""

    model: str
    engine: str
    ratio: stats.Estimate | None  # A/A, of latencies; None where no sentinel of this kind ended well there
    drift: float | None = None  # between rounds of a machine, the largest; None from one round
    left_out: str = ""  # why sentinels of this kind are not counted
    runs: tuple[str, ...] = ()  # ids of the sentinels' runs that it is read from
    machines: int = 1  # on which the runs were made
    machines_watched: int = 0  # on how many of them a sentinel of this kind ended well
    heads: tuple[str, ...] = ()  # of the sentinels, where their model has steps

    @property
    def drifted(self) -> bool:
        """Whether the machine moved by more between rounds than a table can leave unsaid."""
        return self.drift is not None and self.drift > trust.DRIFT


@dataclass(frozen=True)
class Sentinels:
    """The sentinels of a study: those that ended well by round, and why others are left out."""

    pairs: tuple[Pair, ...] = ()
    left_out: tuple[tuple[str, str, str, str], ...] = ()  # (place, engine, model, reason)


@dataclass(frozen=True)
class JudgedStudy:
    """A study's runs, judged: `reason` says why one is left out (empty where it counts), `on` where it ran, `machine`
    on which machine each round did (by number of the round)."""

    runs: pd.DataFrame
    histories: Histories
    sentinels: Sentinels = Sentinels()


def judge(study: Study) -> JudgedStudy:
    """Which runs of a study count, where each ran, and how noisy these machines were. Runs of `make agreement` are left
    out: they compare a model with itself and measure no cell."""
    runs = study.runs[study.runs["kind"] != AGREEMENT]
    runs = with_columns(runs, ["engine", "platform", "device", "machines", "watches", "prompt_hash", "twin"])
    reasons = [reason_left_out(run) for _, run in runs.iterrows()]
    runs = runs.assign(reason=reasons, device=devices_of(runs), engine_used=engines_of(runs))
    runs["on"] = [f"{platform} {device}" for platform, device in zip(runs["platform"], runs["device"], strict=True)]
    return JudgedStudy(runs, study.histories, sentinels_of(runs, study.histories))


def engines_of(runs: pd.DataFrame) -> list[str]:
    """The engine of each run; eager where it says nothing."""
    return [EAGER if pd.isna(engine) else engine for engine in runs["engine"]]


def sentinels_of(runs: pd.DataFrame, histories: Histories) -> Sentinels:
    """The sentinels among a study's judged runs."""
    sentinels = runs[runs["kind"] == sentinel.KIND]
    pairs: list[Pair] = []
    for key, twins in sentinels[sentinels["reason"] == ""].groupby(
        ["on", "engine_used", "model", "watches", "prompt_hash"]
    ):
        pairs += pairs_of(key, twins.set_index("twin").reindex(sentinel.TWINS), histories)
    left_out = sentinels[sentinels["reason"] != ""]
    reasons = zip(left_out["on"], left_out["engine_used"], left_out["model"], left_out["reason"], strict=True)
    return Sentinels(tuple(pairs), tuple(sorted(set(reasons))))


def pairs_of(key: tuple[str, ...], twins: pd.DataFrame, histories: Histories) -> list[Pair]:
    """The rounds of a sentinel whose two runs were made on one machine. key: place, engine, model and stretch."""
    on, engine, model, *stretch = key
    if twins["run_id"].isna().any():
        return []
    run_ids = tuple(twins["run_id"])
    first, second = (machines_of(run) for _, run in twins.iterrows())
    head = setting_of(twins.iloc[0], "head", DEFAULTS["head"]) if kinds.has_steps(model) else ""
    return [
        Pair(first.get(number, on), engine, model, tuple(stretch), tuple(latencies), run_ids, head, number)
        for number, latencies in histories.rounds(run_ids, LATENCY).items()
        if first.get(number, on) == second.get(number, on)
    ]


def noise_under(runs: pd.DataFrame, sentinels: Sentinels) -> tuple[Noise, ...]:
    """What stands under some runs: the noise of each engine and model among them, on the machines where they ran;
    nothing in a study without a sentinel."""
    if not sentinels.pairs and not sentinels.left_out:
        return ()
    same_kind = runs.sort_values("model", key=order_of_models, kind="stable").groupby(
        ["engine_used", "model"], sort=False
    )
    return tuple(noise_of(of_kind, engine, model, sentinels) for (engine, model), of_kind in same_kind)


def noise_of(runs: pd.DataFrame, engine: str, model: str, sentinels: Sentinels) -> Noise:
    """The noise of one engine and model on the machines of some runs: A/A over the rounds of all their sentinels."""
    machines = {name for _, run in runs.iterrows() for name in (machines_of(run).values() or [run["on"]])}
    kind = (engine, model)
    pairs = [pair for pair in sentinels.pairs if (pair.engine, pair.model) == kind and pair.machine in machines]
    places = set(runs["on"])
    reasons = {why for on, *of_kind, why in sentinels.left_out if on in places and tuple(of_kind) == kind}
    left_out = "; ".join(sorted(reasons))
    if not pairs:
        return Noise(model, engine, None, left_out=left_out, machines=len(machines))
    ratio = stats.ratio_over_rounds(*zip(*(pair.latencies_ms for pair in pairs), strict=True))
    stretches: dict[tuple, list[tuple[float, float]]] = {}
    for pair in pairs:
        stretches.setdefault((pair.machine, *pair.stretch), []).append(pair.latencies_ms)
    drifts = [drift for stretch in stretches.values() if (drift := stats.drift_of_twins(stretch)) is not None]
    run_ids = tuple(dict.fromkeys(run_id for pair in pairs for run_id in pair.runs))
    watched = len({pair.machine for pair in pairs})
    heads = tuple(dict.fromkeys(pair.head for pair in pairs if pair.head))
    return Noise(model, engine, ratio, max(drifts, default=None), left_out, run_ids, len(machines), watched, heads)


def floor_of(noises: tuple[Noise, ...]) -> stats.Estimate | None:
    """Of several noises the A/A whose interval reaches furthest: what a ratio of two runs must exceed; None where none
    has an interval."""
    ratios = [noise.ratio for noise in noises if noise.ratio is not None and noise.ratio.low is not None]
    return max(ratios, key=lambda ratio: max(ratio.high, 1 / ratio.low), default=None)
