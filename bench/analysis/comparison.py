"""What can be compared in a study: runs that differ in steps alone, and what follows from them. Reads MLflow."""

from dataclasses import dataclass, replace

import pandas as pd

from bench.analysis.noise import Noise, Noises, noise_under, noises_of
from bench.common import cross_over as common_cross_over
from bench.common import stats
from bench.common.cross_over import CrossOver, next_admissible
from bench.records import trust
from bench.store import mlflow_read

# What a comparison's LLaMA has too:
SHARED = ["gen_length", "prompt_hash", "dtype", "batch_size", "temperature", "engine", "platform", "device"]
SAME = [*SHARED, "block_length", "remasking", "head", "revision"]
MEASURES = {  # metric: (heading, digits), in every table of a terminal
    "latency/latency_ms": ("latency ms", 1),
    "latency/ttft_ms": ("TTFT ms", 1),
    "latency/step_ms": ("step ms", 2),
    "throughput/tokens_per_s": ("tokens/s", 1),
    "memory/allocated_gib": ("alloc GiB", 2),
    "memory/resident_gib": ("RSS GiB", 2),
}
KINDS = {"answers": ("baseline", "sweep", "smoke"), "tasks": ("tasks",)}


@dataclass(frozen=True)
class Comparison:
    """One LLaMA run and the LLaDA runs that differ from each other in steps alone; frames of one row a run."""

    about: str  # answers (open-ended) or tasks
    llama: pd.DataFrame
    llada: pd.DataFrame  # sorted by steps
    human: pd.DataFrame  # the references' scores, at most one row
    left_out: pd.DataFrame  # runs that failed or cannot be believed, with the `reason`: in tables without numbers
    noise: Noise | None = None
    others: tuple["Comparison", ...] = ()  # the same in other precisions, which have no others themselves

    @property
    def rows(self) -> pd.DataFrame:
        return pd.concat([self.llama, self.llada])

    @property
    def every(self) -> pd.DataFrame:
        """Measured runs and those left out."""
        return pd.concat([self.rows, self.left_out])

    @property
    def label(self) -> str:
        """What every table and figure must say about the weights; empty where there is nothing to say."""
        return label_of(self.every)

    def declared(self, margins: dict[str, float]) -> dict[str, float]:
        """Of a pair's metrics those that this comparison decides: accuracy is of tasks, the others of answers."""
        return {name: margin for name, margin in margins.items() if (name == "accuracy") == (self.about == "tasks")}

    @property
    def dtype(self) -> str:
        return self.every["dtype"].iloc[0]

    @property
    def machine(self) -> str:
        """What it ran on; of a CPU, that nothing vouches for it."""
        return machine_of(self.every.iloc[0])

    @property
    def title(self) -> str:
        """ "180 tasks, 32 tokens, batch 1, float32, greedy": what its runs have in common."""
        row = self.every.iloc[0]
        heat = heat_of(row)
        head = row.get("head")
        rung = "" if pd.isna(head) or not head else f", {head} head"
        rung += ", captured" if row.get("engine") == "captured" else ""
        return (
            f"{row['prompts']:.0f} {'tasks' if self.about == 'tasks' else 'prompts'}, {row['gen_length']:.0f} tokens,"
            f" batch {row['batch_size']:.0f}, {row['dtype']}, {f'temperature {heat:g}' if heat else 'greedy'}{rung}"
        )


def label_of(runs: pd.DataFrame) -> str:
    """What must be said of the runs' weights; empty where there is nothing to say."""
    made_up = not runs.empty and "weights" in runs and (runs["weights"] == "random").any()
    return "random weights, real shapes: no quality" if made_up else ""


def machine_of(run: pd.Series) -> str:
    """The device of a run; of a CPU, that nothing vouches for it."""
    label = " (a CPU: nothing vouches that it was ours alone)" if run.get("platform") == "cpu" else ""
    return f"{run['device']}{label}"


def text_of(value: object, default: str) -> str:
    """A setting of a run; the default where it says nothing."""
    return default if pd.isna(value) or not value else str(value)


EMPTY = Comparison("answers", *[pd.DataFrame()] * 4)


def heat_of(row: pd.Series) -> float:
    """A run's sampling temperature; 0, greedy, where it says nothing."""
    value = row.get("temperature")
    return 0.0 if pd.isna(value) else float(value)


def reason_left_out(run: pd.Series) -> str:
    """Why a run's numbers are not shown, empty where they are: it failed, or the card was not shown to be ours alone.

    A CPU has no verdict to pass; its study is labelled instead.
    """
    if run["outcome"] != "ok":
        return f"{run['outcome']}: {run.get('message', '')}".removesuffix(": ")
    if run.get("platform") == "cuda" and run["verdict"] not in trust.PRINTED:
        return f"excluded, {run['verdict']}: {run.get('verdict_reason', '')}".removesuffix(": ")
    return ""


def comparisons(frame: pd.DataFrame) -> list[Comparison]:
    """The groups of a study's runs that can be compared: open-ended answers before tasks, larger groups first."""
    frame = frame.reindex(columns=[*frame.columns, *[c for c in [*SAME, "model"] if c not in frame]])
    frame, noises = judged(frame)
    found = []
    for about, kinds in KINDS.items():
        runs = frame[frame["kind"].isin(kinds)]
        llama, llada = runs[runs["model"] == "llama"], runs[runs["model"] == "llada"]
        groups = []
        for _, group in llada.groupby(SAME, dropna=False):
            same = like(llama, group.iloc[0], SHARED)
            same = same.sort_values("reason", key=lambda reason: reason != "", kind="stable")  # a good one, if any
            groups.append((same.head(1), group.sort_values("steps")))
        used = [run_id for mine, _ in groups for run_id in mine["run_id"]]
        groups += [
            (llama[llama["run_id"] == run_id], llada.head(0)) for run_id in llama["run_id"] if run_id not in used
        ]
        groups.sort(key=lambda pair: in_front(pd.concat(pair)))
        for pair in groups:
            good, both = [part[part["reason"] == ""] for part in pair], pd.concat(pair)
            human = human_row(frame[frame["reason"] == ""], both)
            left_out = without_numbers(both[both["reason"] != ""])
            found.append(Comparison(about, *good, human, left_out, noise_under(both, noises)))
    return [replace(one, others=tuple(other for other in found if differ_in_dtype(one, other))) for one in found]


def like(runs: pd.DataFrame, run: pd.Series, settings: list[str]) -> pd.DataFrame:
    """Those of some runs that share settings with a run; as text, so that what neither says is equal too."""
    return runs[runs[settings].map(str).eq(run[settings].map(str)).all(axis=1)]


def in_front(runs: pd.DataFrame) -> tuple:
    """Sorts groups: larger ones first, of equal ones that of the captured engine, which times the device alone."""
    return -len(runs), runs["engine"].iloc[0] != "captured", runs.index.min()


def on_other_engines(one: Comparison, every: list[Comparison]) -> list[Comparison]:
    """The comparisons that differ from one in the engine and in what belongs to it: LLaDA's head."""
    if one.rows.empty:
        return []
    same, first = [name for name in SHARED if name != "engine"], one.every.iloc[0]
    return [
        other for other in every
        if other.about == one.about and not other.rows.empty and other.every["engine"].iloc[0] != first["engine"]
        and not like(other.every.head(1), first, same).empty
    ]  # fmt: skip


def differ_in_dtype(one: Comparison, other: Comparison) -> bool:
    """Whether two comparisons are the same but for the precision."""
    if one.about != other.about or one.dtype == other.dtype:
        return False
    both = not one.llada.empty and not other.llada.empty
    first, second = ((part.llada if both else part.every).head(1) for part in (one, other))
    return not like(second, first.iloc[0], [name for name in (SAME if both else SHARED) if name != "dtype"]).empty


def judged(frame: pd.DataFrame) -> tuple[pd.DataFrame, Noises]:
    """A study's runs with the `reason` why one is left out and where it ran (`on`); the noise of each such place and
    engine."""
    frame = frame.assign(
        reason=[reason_left_out(run) for _, run in frame.iterrows()],
        device=devices_of(frame),
    )
    frame["on"] = frame["platform"].map(str) + " " + frame["device"].map(str)
    return frame, noises_of(frame)


def devices_of(frame: pd.DataFrame) -> list[str]:
    """Each run's device. A worker that failed to open or died has not told it: then that of the study's other runs."""
    good = frame[frame["outcome"] == "ok"].groupby("platform")["device"].unique()
    only = {platform: names[0] for platform, names in good.items() if len(names) == 1}
    return [
        only.get(run["platform"], run["device"]) if run["outcome"] != "ok" else run["device"]
        for _, run in frame.iterrows()
    ]


def without_numbers(rows: pd.DataFrame) -> pd.DataFrame:
    """Runs that are left out, with nothing that was measured of them."""
    return rows.assign(**{column: float("nan") for column in rows if "/" in column})


def human_row(good: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The run of the human references of these rows' prompts, if they were scored."""
    first = rows.iloc[0]
    same = (good["prompt_hash"] == first["prompt_hash"]) & (good["gen_length"] == first["gen_length"])
    return good[(good["kind"] == "reference") & same].head(1)


def main_of(found: list[Comparison], about: str) -> Comparison | None:
    """The largest comparison about something, None if there is none."""
    return next((comparison for comparison in found if comparison.about == about), None)


def estimate_of(row: pd.Series, metric: str) -> stats.Estimate | None:
    """A run's tracked value with its interval, None if it was not measured."""
    value = row.get(metric)
    if value is None or pd.isna(value):
        return None
    bounds = (row.get(f"{metric}_ci_{side}") for side in ("low", "high"))
    return stats.Estimate(value, *(None if bound is None or pd.isna(bound) else bound for bound in bounds))


def ratio_at(found: Comparison, steps: float, metric: str) -> stats.Estimate:
    """LLaDA's latency or throughput at some steps over LLaMA's, paired by round.

    Between measured step counts time is read off the line that joins them; throughput as time a token.
    """
    rounds = mlflow_read.rounds_of(pd.concat([found.llada, found.llama]), metric)
    counts, rate = found.llada["steps"].tolist(), metric.startswith("throughput/")
    mine, theirs = [], []
    for *values, llama in rounds.values():
        times = [1 / value for value in values] if rate else values
        time = stats.at_steps(counts, times, steps)
        mine.append(1 / time if rate else time)
        theirs.append(llama)
    return stats.ratio_over_rounds(mine, theirs)


@dataclass(frozen=True)
class Match:
    """A declared metric's cross-over in a comparison, with what it costs there. The ratios are None if not reached."""

    metric: str
    margin: float
    cross_over: CrossOver
    steps: int | None = None  # the next admissible count from the cross-over on
    latency_ratio: stats.Estimate | None = None
    throughput_ratio: stats.Estimate | None = None


def match(found: Comparison, metric: str, margin: float) -> Match | None:
    """Where LLaDA's quality comes within the margin of LLaMA's; None where either was not scored."""
    if found.llama.empty or found.llada.empty:
        return None
    runs = [found.llama.iloc[0]["run_id"], *found.llada["run_id"]]
    scores = [mlflow_read.history(run_id, f"per_prompt/{metric}") for run_id in runs]
    common = sorted(set.intersection(*map(set, scores)))
    if len(common) < 2:
        return None
    theirs, *mine = [[values[i] for i in common] for values in scores]
    crossing = common_cross_over.cross_over(theirs, mine, found.llada["steps"].tolist(), margin)
    if not crossing.reached:
        return Match(metric, margin, crossing)
    first = found.llada.iloc[0]
    steps = next_admissible(crossing.steps, int(first["gen_length"] // first["block_length"]))
    ratios = [ratio_at(found, steps, name) for name in ("latency/latency_ms", "throughput/tokens_per_s")]
    return Match(metric, margin, crossing, steps, *ratios)


def break_even(found: Comparison) -> float | None:
    """Steps at which LLaDA takes as long as LLaMA; None without LLaMA and two step counts."""
    metric = "latency/latency_ms"
    if found.llama.empty or len(found.llada) < 2:
        return None
    return stats.break_even_steps(
        found.llada["steps"].tolist(), found.llada[metric].tolist(), found.llama[metric].iloc[0]
    )
