"""What the sentinels of a study say of the machine, by place and engine (bench/spec/sentinel.py has the cells)."""

from dataclasses import dataclass, field, replace

import pandas as pd

from bench.analysis.runs import devices_of, reason_left_out, with_columns
from bench.analysis.study import Histories, Study
from bench.common import stats
from bench.records import trust
from bench.spec import sentinel

EAGER = "eager"
LATENCY = "latency/latency_ms"


@dataclass(frozen=True)
class Noise:
    """What the sentinels of one engine say of the machine."""

    ratio: stats.Estimate | None  # A/A, of latencies; None where no sentinel ended well
    drift: float | None  # between rounds; None from one round
    left_out: str = ""  # why sentinels are not counted
    runs: tuple[str, ...] = ()  # ids of the sentinels' runs that it is read from
    engine: str = EAGER  # on which they ran
    none_ran: str = ""  # the engine of the runs that it stands under, where no sentinel ran on that one

    @property
    def drifted(self) -> bool:
        """Whether the machine moved by more between rounds than a table can leave unsaid."""
        return self.drift is not None and self.drift > trust.DRIFT


Noises = dict[tuple[str, str], Noise]  # by place and engine


@dataclass(frozen=True)
class JudgedStudy:
    """A study's runs, judged: `reason` says why one is left out (empty where it counts), `on` where it ran.

    noises: what the sentinels say, by place and engine.
    """

    runs: pd.DataFrame
    histories: Histories
    noises: Noises = field(default_factory=dict)


def judge(study: Study) -> JudgedStudy:
    """Which runs of a study count, where each ran, and how noisy these places were."""
    runs = with_columns(study.runs, ["engine", "platform", "device"])
    reasons = [reason_left_out(run) for _, run in runs.iterrows()]
    runs = runs.assign(reason=reasons, device=devices_of(runs))
    runs["on"] = runs["platform"].map(str) + " " + runs["device"].map(str)
    return JudgedStudy(runs, study.histories, noises_of(runs, study.histories))


def engines_of(runs: pd.DataFrame) -> list[str]:
    """The engine of each run; eager where it says nothing."""
    return [EAGER if pd.isna(engine) else engine for engine in runs["engine"]]


def noises_of(runs: pd.DataFrame, histories: Histories) -> Noises:
    """The noise of each place (`on`) and engine on which sentinels ran, from a study's judged runs."""
    sentinels = runs[runs["kind"] == sentinel.KIND]
    sentinels = sentinels.assign(engine=engines_of(sentinels))
    return {place: noise_of(group, place[1], histories) for place, group in sentinels.groupby(["on", "engine"])}


def noise_of(sentinels: pd.DataFrame, engine: str, histories: Histories) -> Noise:
    """The sentinels of one engine: A/A over the rounds of all of them, and the largest drift of any.

    Each stretch of cells has its own sentinel, maybe of another model or other prompts: so a drift is that of
    a single sentinel.
    """
    first_latencies: list[float] = []
    second_latencies: list[float] = []
    drifts: list[float | None] = []
    run_ids: list[str] = []
    for _, stretch in sentinels[sentinels["reason"] == ""].groupby(["watches", "prompt_hash"]):
        twins = stretch.set_index("twin").reindex(sentinel.TWINS)
        if twins["run_id"].isna().any():
            continue
        pairs = list(histories.rounds(twins["run_id"], LATENCY).values())
        if pairs:
            first_latencies += [first for first, _ in pairs]
            second_latencies += [second for _, second in pairs]
            drifts.append(stats.drift_of_twins(pairs))
            run_ids += twins["run_id"].tolist()
    left_out = "; ".join(sorted(set(sentinels["reason"]) - {""}))
    ratio = stats.ratio_over_rounds(first_latencies, second_latencies) if first_latencies else None
    largest_drift = max((drift for drift in drifts if drift is not None), default=None)
    return Noise(ratio, largest_drift, left_out, tuple(run_ids), engine)


def noise_under(runs: pd.DataFrame, noises: Noises) -> Noise | None:
    """What stands under runs of one place: the noise of their engine, of several engines the eager one's.

    Older studies have eager sentinels alone: under captured runs that noise says that none ran captured. It is the
    larger one; the other way round it would promise too much, so then there is none.
    """
    place = runs["on"].iloc[0]
    engines = set(engines_of(runs))
    engine = engines.pop() if len(engines) == 1 else EAGER
    eager_noise = noises.get((place, EAGER))
    return noises.get((place, engine)) or (eager_noise and replace(eager_noise, none_ran=engine))
