"""What the sentinels of a study say of the machine (bench/spec/sentinel.py): by place and engine. Reads MLflow."""

from dataclasses import dataclass, replace

import pandas as pd

from bench.common import stats
from bench.records import trust
from bench.spec import sentinel
from bench.store import mlflow_read

EAGER = "eager"
LATENCY = "latency/latency_ms"


@dataclass(frozen=True)
class Noise:
    """What the sentinels of one engine say of the machine."""

    ratio: stats.Estimate | None  # A/A, of latencies; None where no sentinel ended well
    drift: float | None  # between rounds; None from one round
    left_out: str = ""  # why sentinels are not counted
    runs: tuple[str, ...] = ()  # the sentinels that it is read from
    engine: str = EAGER  # which they ran on
    none_ran: str = ""  # the engine of the runs that it stands under, where no sentinel ran on that one

    @property
    def drifted(self) -> bool:
        return self.drift is not None and self.drift > trust.DRIFT


Noises = dict[tuple[str, str], Noise]  # by place and engine


def engines_of(runs: pd.DataFrame) -> list[str]:
    """The engine of each run; eager where it says nothing."""
    return [EAGER if pd.isna(engine) else engine for engine in runs["engine"]]


def noises_of(frame: pd.DataFrame) -> Noises:
    """The noise of each place (`on`) and engine that sentinels ran on. frame: a study's runs, with the `reason` why
    one is left out."""
    runs = frame[frame["kind"] == sentinel.KIND]
    runs = runs.assign(engine=engines_of(runs))
    return {place: noise_of(same, place[1]) for place, same in runs.groupby(["on", "engine"])}


def noise_of(runs: pd.DataFrame, engine: str) -> Noise:
    """The sentinels of one engine: A/A over all their rounds, the largest drift of any.

    Each stretch of cells has its own sentinel, maybe of another model or other prompts: drift is within one.
    """
    first, second, drifts, used = [], [], [], []
    for _, beside in runs[runs["reason"] == ""].groupby(["watches", "prompt_hash"]):
        both = beside.set_index("twin").reindex(sentinel.TWINS)
        if both["run_id"].notna().all() and (pairs := list(mlflow_read.rounds_of(both, LATENCY).values())):
            first += [one for one, _ in pairs]
            second += [other for _, other in pairs]
            drifts.append(stats.drift_of_twins(pairs))
            used += both["run_id"].tolist()
    left_out = "; ".join(sorted(set(runs["reason"]) - {""}))
    ratio = stats.ratio_over_rounds(first, second) if first else None
    return Noise(ratio, max((d for d in drifts if d is not None), default=None), left_out, tuple(used), engine)


def noise_under(runs: pd.DataFrame, noises: Noises) -> Noise | None:
    """What stands under runs of one place: the noise of their engine, of several engines the eager one's.

    Older studies have eager sentinels alone: under captured runs that noise says that none ran captured. It is the
    larger one; the other way round it would promise too much, and there is none.
    """
    place, engines = runs["on"].iloc[0], set(engines_of(runs))
    engine = engines.pop() if len(engines) == 1 else EAGER
    eager = noises.get((place, EAGER))
    return noises.get((place, engine)) or (eager and replace(eager, none_ran=engine))
