"""What the scaling grids of a study say: how both models grow with batch, length, prompt and memory. Reads MLflow.

A kind of grid is a group of runs that differ along its axis. Calls of which only a part was run stand for whole ones
(`metrics.whole_call`); where a run made all its forwards at the same place, it is shown in their stead, and their
ratio says how well the shortcut holds.
"""

from dataclasses import dataclass

import pandas as pd

from bench.analysis import comparison
from bench.analysis.noise import Noise, noise_under
from bench.common import stats
from bench.store import mlflow_read

AXES = {  # kind: what it varies
    "batch": "batch_size",
    "length": "gen_length",
    "prompt": "prompt_tokens",
    "attention": "gen_length",
    "engines": "batch_size",
    "values": "batch_size",
    "memory": "batch_size",
    "frontier": "gen_length",
}
WORDS = {"batch_size": "batch {:.0f}", "gen_length": "{:.0f} tokens", "prompt_tokens": "prompts of {:.0f}"}
TOGETHER = ["pair", "dtype", "platform", "device", "temperature", "limit_gib"]  # a group's runs share these
PLACE = ["batch_size", "gen_length", "prompt_tokens"]  # where a run stands
KIND_OF_RUN = ["model", "tokens_per_step", "block_length", "head", "engine", "attention", "fill"]  # what stands there
PARTS = ["steps_timed", "tokens_timed"]
LATENCY, RATE, STEP = "latency/latency_ms", "throughput/tokens_per_s", "latency/step_ms"
RESERVED = "memory/reserved_gib"
PEAKS = ("memory/allocated_gib", "memory/resident_gib")


@dataclass(frozen=True)
class Scaling:
    """The runs of one kind on one machine, a row each, along the axis; `name` is the run's line in a figure."""

    kind: str
    rows: pd.DataFrame
    left_out: pd.DataFrame  # failed, or not to be believed: the `reason`, and no numbers
    parts: pd.DataFrame  # runs of a part of their calls where another made them whole: `rows` has that one
    noise: Noise | None = None

    @property
    def axis(self) -> str:
        return AXES[self.kind]

    @property
    def every(self) -> pd.DataFrame:
        """All that stands in a table, along the axis."""
        both = pd.concat([self.rows, self.left_out])
        by = dict.fromkeys([self.axis, *PLACE, "model", "head", "tokens_per_step", "engine", "attention", "fill"])
        return both.sort_values(list(by), key=lambda c: c != "llama" if c.name == "model" else c, na_position="first")

    @property
    def machine(self) -> str:
        return comparison.machine_of(self.every.iloc[0])

    @property
    def label(self) -> str:
        return comparison.label_of(self.every)

    @property
    def title(self) -> str:
        """ "batch: 64 tokens, prompts of 32, float32, lean head": the kind, and what its runs have in common."""
        first, same = self.every.iloc[0], [name for name in PLACE if self.every[name].nunique(dropna=False) == 1]
        parts = [WORDS[name].format(first[name]) for name in same if name != self.axis and pd.notna(first[name])]
        parts.append(first["dtype"])
        parts += [f"{first['engine']} engine"] if self.every["engine"].nunique() == 1 else []
        heads = self.every.loc[self.every["model"] == "llada", "head"]
        if heads.nunique(dropna=False) == 1:
            parts.append(f"{comparison.text_of(heads.iloc[0], 'official')} head")
        parts += [f"within {float(first['limit_gib']):g} GiB"] if pd.notna(first["limit_gib"]) else []
        return f"{self.kind}: {', '.join(parts)}"

    @property
    def peak(self) -> str | None:
        """The metric of peak memory that this machine has."""
        return next((name for name in PEAKS if name in self.rows and self.rows[name].notna().any()), None)


def scalings(frame: pd.DataFrame) -> list[Scaling]:
    """The scaling groups of a study, in the order of `AXES`."""
    wanted = [*TOGETHER, *PLACE, *KIND_OF_RUN, *PARTS, "steps", "random_seed", "message"]
    frame = frame.reindex(columns=[*frame.columns, *[c for c in dict.fromkeys(wanted) if c not in frame]])
    frame, noises = comparison.judged(frame)
    frame = frame[frame["kind"].isin(AXES)].copy()
    frame["tokens_per_step"] = frame["gen_length"] / pd.to_numeric(frame["steps"])
    groups = []
    for kind in AXES:
        for _, runs in frame[frame["kind"] == kind].groupby(TOGETHER, dropna=False):
            groups.append(group(kind, runs, noise_under(runs, noises)))
    return groups


def group(kind: str, runs: pd.DataFrame, noise: Noise | None = None) -> Scaling:
    """One kind's runs with names; of a part and a whole run in the same place the whole one."""
    runs = runs.assign(name=names_of(runs))
    good, bad = runs[runs["reason"] == ""], runs[runs["reason"] != ""]
    is_part = good[PARTS].notna().any(axis=1)
    wholes = {place_of(run) for _, run in good[~is_part].iterrows()}
    spare = is_part & pd.Series([place_of(run) in wholes for _, run in good.iterrows()], index=good.index, dtype=bool)
    return Scaling(kind, good[~spare], comparison.without_numbers(bad), good[spare], noise)


def place_of(run: pd.Series) -> tuple[str, ...]:
    """Where a run stands and what it is, whether all of its forwards were made or not."""
    return tuple(str(run[name]) for name in [*PLACE, *KIND_OF_RUN])


def names_of(runs: pd.DataFrame) -> list[str]:
    """ "LLaDA, 4 tokens a step, official head": the model, and of the rest what differs between its runs."""
    found = []
    for _, run in runs.iterrows():
        same_model = runs[runs["model"] == run["model"]]
        parts = ["LLaMA" if run["model"] == "llama" else "LLaDA"]
        if same_model["tokens_per_step"].nunique() > 1:
            each = run["tokens_per_step"]
            parts.append(f"{each:g} token{'' if each == 1 else 's'} a step")
        if run["model"] == "llada" and same_model["head"].nunique(dropna=False) > 1:
            parts.append(f"{comparison.text_of(run['head'], 'official')} head")
        if same_model["engine"].nunique() > 1:
            parts.append(run["engine"])
        if same_model["attention"].nunique(dropna=False) > 1:
            parts.append(f"{comparison.text_of(run['attention'], 'fused')} attention")
        if same_model["fill"].nunique(dropna=False) > 1:
            parts.append(f"{comparison.text_of(run['fill'], 'own')} weights")
        found.append(", ".join(parts))
    return found


def lines_of(found: Scaling) -> list[tuple[str, pd.DataFrame]]:
    """(name, its runs along the axis), LLaMA before LLaDA."""
    rows = found.rows.sort_values(["model", "tokens_per_step", found.axis], kind="stable")
    names = sorted(dict.fromkeys(rows["name"]), key=lambda name: not name.startswith("LLaMA"))
    return [(name, rows[rows["name"] == name]) for name in names]


def llama_at(found: Scaling, run: pd.Series) -> pd.DataFrame:
    """LLaMA's run in the same place with the same engine and attention, at most one."""
    llama = found.rows[found.rows["model"] == "llama"]
    return comparison.like(llama, run, [*PLACE, "engine", "attention"]).head(1)


def beside_llama(found: Scaling, run: pd.Series, metric: str) -> list[tuple[float, ...]]:
    """The rounds of a LLaDA run's metric, and LLaMA's of the same place; empty where either is missing."""
    llama = llama_at(found, run)
    if run["model"] != "llada" or llama.empty or metric not in run or pd.isna(run[metric]):
        return []
    return list(zip(*mlflow_read.rounds_of(pd.concat([run.to_frame().T, llama]), metric).values(), strict=True))


def ratio(found: Scaling, run: pd.Series) -> stats.Estimate | None:
    """A LLaDA run's throughput over LLaMA's in the same place, paired by round; None where either is missing."""
    rounds = beside_llama(found, run, RATE)
    return stats.ratio_over_rounds(*rounds) if rounds else None


def break_evens(found: Scaling) -> list[tuple[pd.Series, stats.Estimate]]:
    """(run, steps at which LLaDA takes as long as LLaMA) of each place, from its run of the fewest steps."""
    llada, result = found.rows[found.rows["model"] == "llada"], []
    for _, runs in llada.groupby([*PLACE, "head", "engine", "attention", "block_length"], dropna=False):
        run = runs.loc[runs["steps"].idxmin()]
        if rounds := beside_llama(found, run, LATENCY):
            result.append((run, stats.steps_in_time(int(run["steps"]), *rounds)))
    return result


def beside_own(found: Scaling) -> list[tuple[pd.Series, stats.Estimate]]:
    """(run, its step over that of the model's own weights, paired by round) of runs with weights of other values."""
    own, same = found.rows[found.rows["fill"].isna()], [*PLACE, *(name for name in KIND_OF_RUN if name != "fill")]
    result = []
    for _, run in found.rows[found.rows["fill"].notna()].iterrows():
        beside = comparison.like(own, run, same).head(1)
        ratio = None if beside.empty else paired(pd.concat([run.to_frame().T, beside]), STEP)
        result += [(run, ratio)] if ratio else []
    return result


@dataclass(frozen=True)
class Shortcut:
    """How long a call comes out that was extrapolated from a part of it, over the same call made whole."""

    model: str
    words: str  # "4 of 16 steps"
    latency: stats.Estimate | None
    peak: stats.Estimate | None


def shortcuts(found: Scaling) -> list[Shortcut]:
    """Each part with the whole run in its place."""
    checks = []
    for _, part in found.parts.iterrows():
        same = [place_of(run) == place_of(part) for _, run in found.rows.iterrows()]
        both = pd.concat([part.to_frame().T, found.rows[same].head(1)])
        of = f"{part['steps_timed']:.0f} of {part['steps']:.0f} steps"
        if part["model"] == "llama":
            of = f"{part['tokens_timed']:.0f} of {part['gen_length']:.0f} tokens"
        latency, peak = (paired(both, metric) for metric in (LATENCY, found.peak))
        checks.append(Shortcut("LLaMA" if part["model"] == "llama" else "LLaDA", of, latency, peak))
    return checks


def paired(both: pd.DataFrame, metric: str | None) -> stats.Estimate | None:
    """The first run's metric over the second's, paired by round."""
    rounds = mlflow_read.rounds_of(both, metric) if metric else {}
    return stats.ratio_over_rounds(*zip(*rounds.values(), strict=True)) if rounds else None


@dataclass(frozen=True)
class Edge:
    """The largest batch that fits at a length, and the smallest that was seen not to; None where none was.

    reserved_gib: what a GPU's allocator held at the largest; far more than the peak of what was allocated where the
    freed pieces that it holds are of the wrong sizes, and then they are the wall.
    """

    name: str
    gen_length: int
    fits: int | None
    peak_gib: float | None
    fails: int | None
    reserved_gib: float | None = None

    @property
    def is_found(self) -> bool:
        """Whether search has come to an end: nothing is left between, within a thirty-second."""
        return self.fails is not None and self.fails - (self.fits or 0) <= max(1, (self.fits or 0) // 32)


def edges(found: Scaling) -> list[Edge]:
    """The frontier of memory, from the probes of a study."""
    probes, result = pd.concat([found.rows, found.left_out]), []
    for (name, length), runs in probes.groupby(["name", "gen_length"], sort=False):
        fits, fails = runs[runs["outcome"] == "ok"], runs[runs["outcome"] == "oom"]
        largest = fits.loc[fits["batch_size"].idxmax()] if not fits.empty else None
        least = int(fails["batch_size"].min()) if not fails.empty else None
        peak, reserved = (
            None if largest is None or pd.isna(largest.get(metric)) else float(largest[metric])
            for metric in (found.peak, RESERVED)
        )
        most = None if largest is None else int(largest["batch_size"])
        result.append(Edge(name, int(length), most, peak, least, reserved))
    return sorted(result, key=lambda edge: (not edge.name.startswith("LLaMA"), edge.name, edge.gen_length))


def memory_map(found: Scaling, name: str) -> pd.DataFrame:
    """Peak GiB of one line, batches down and lengths across; NaN where it failed or was not measured."""
    rows = found.rows[found.rows["name"] == name]
    return rows.pivot_table(index="batch_size", columns="gen_length", values=found.peak, aggfunc="max", dropna=False)


def failures(found: Scaling, name: str) -> dict[tuple[float, float], str]:
    """Why a place of the memory map has no number: the outcome by (batch, length)."""
    runs = found.left_out[found.left_out["name"] == name]
    return {
        (run["batch_size"], run["gen_length"]): run["outcome"] if run["outcome"] != "ok" else "excluded"
        for _, run in runs.iterrows()
    }
