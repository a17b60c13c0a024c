"""The steps at which both models take equally long, over batch and output length: by the cost model, beside what was
measured."""

from dataclasses import dataclass

import pandas as pd

from bench.analysis import hypotheses
from bench.analysis.hypotheses_file import HypothesesFile
from bench.analysis.lines import DEFAULTS
from bench.analysis.runs import setting_of, with_steps
from bench.analysis.scaling import Scaling
from bench.cost import predictions
from bench.cost.cards import PUBLISHED, devices
from bench.cost.floors import Ceilings
from bench.cost.predictions import Models
from bench.spec.pair import PairFile

BATCHES = [1, 2, 4, 8, 16, 32]  # rows of every surface, besides the batches that were measured
LENGTHS = [128, 256, 512, 1024, 2048]  # columns of every surface (output tokens), besides those that were measured
HEAD = "lean"  # the rung of the head that is compared
CARD = "H100"  # whose published ceilings stand in where a study has none


@dataclass(frozen=True)
class Basis:
    """What predictions rest on, so that a place has one prediction everywhere: the pair's models, whose ceilings (in
    words, and the device by name), and the engine and prompts (tokens) that are compared, with the head HEAD."""

    models: Models
    ceilings: Ceilings
    words: str
    device: str
    engine: str
    prompt_tokens: int


@dataclass(frozen=True)
class Surface:
    """Break-even steps over batch (rows, largest first) and length (columns), and the places that were measured."""

    steps: pd.DataFrame
    measured: dict[tuple[int, int], float]  # by (batch, output tokens)
    basis: Basis


def ceilings_of(rows: pd.DataFrame) -> tuple[Ceilings, dict[str, float]] | None:
    """The ceilings that a study's runs were tracked with, and the host's seconds by model; None without ceilings.

    rows: of the cost model's table.
    """
    if rows.empty or "ceiling.flops_per_s" not in rows or rows["ceiling.flops_per_s"].isna().all():
        return None
    with_ceilings = rows[rows["ceiling.flops_per_s"].notna()]
    first = with_ceilings.iloc[0]
    host_s = {model: float(runs["ceiling.host_s"].iloc[0]) for model, runs in with_ceilings.groupby("model")}
    return Ceilings(float(first["ceiling.flops_per_s"]), float(first["ceiling.bytes_per_s"])), host_s


def surface_of(
    rows: pd.DataFrame, scalings: list[Scaling], pair: PairFile, on_cpu: bool, about: HypothesesFile
) -> Surface:
    """The pair's surface on the basis of its predictions.

    rows: of the cost model's table. on_cpu: whether the study ran on a CPU.
    """
    timed = timed_groups(scalings, pair)
    basis = basis_of(rows, timed, pair, on_cpu, about)
    measured = measured_break_evens(timed, basis.prompt_tokens, basis.engine)
    batches = sorted({*BATCHES, *(batch for batch, _ in measured)})
    lengths = sorted({*LENGTHS, *(length for _, length in measured)})
    steps = basis.models.surface(basis.ceilings, batches, lengths, basis.prompt_tokens, HEAD, basis.engine)
    return Surface(steps, measured, basis)


def timed_groups(scalings: list[Scaling], pair: PairFile) -> list[Scaling]:
    """The groups with times of whole answers in the pair's own precision."""
    timed = [group for group in scalings if group.kind in hypotheses.TIMED]
    return [group for group in timed if (group.every["dtype"] == pair.dtype).all()]


def basis_of(rows: pd.DataFrame, timed: list[Scaling], pair: PairFile, on_cpu: bool, about: HypothesesFile) -> Basis:
    """The ceilings of the hypotheses where these are about this pair and card; else the study's own, of the engine
    that its grids are about or, without ceilings of that one, of the engine of most runs; else the published ones of
    an H100. timed: groups with times."""
    prompt_tokens, engine = compared_at(timed, rows)
    platform = "cpu" if on_cpu else "cuda"
    if pair.name == about.pair and is_on(about.card, [*(group.every for group in timed), rows]):
        words = "predicted before the study ran"
        return Basis(Models.of(pair, platform), about.ceilings, words, about.card, engine, prompt_tokens)
    for name in dict.fromkeys([engine, *engines_of_most(rows)]) if not rows.empty else ():
        if own := ceilings_of(rows[rows["engine"] == name]):
            ceilings, host_s = own
            device = str(rows["device"].dropna().iloc[0])
            words = "predicted at this device's ceilings"
            return Basis(Models.of(pair, platform, host_s), ceilings, words, device, name, prompt_tokens)
    return Basis(Models.of(pair, "cuda"), devices()[CARD].ceilings, PUBLISHED, CARD, engine, prompt_tokens)


def is_on(card: str, groups: list[pd.DataFrame]) -> bool:
    """Whether any run of some groups was made on a card."""
    return any(runs["device"].astype(str).str.contains(card, regex=False).any() for runs in groups if "device" in runs)


def engines_of_most(rows: pd.DataFrame) -> list[str]:
    """The engine, or engines, of most of the runs with ceilings; none without ceilings. rows: of the cost model's
    table."""
    if "ceiling.flops_per_s" not in rows:
        return []
    return rows.loc[rows["ceiling.flops_per_s"].notna(), "engine"].mode().tolist()


def compared_at(timed: list[Scaling], rows: pd.DataFrame) -> tuple[int, str]:
    """(prompt tokens, engine) of the surface: those of the grid over batches, of any other grid where there is none;
    without a grid the engine of most of the study's runs with ceilings (rows of the cost model's table)."""
    grids = [group.rows for group in timed if not group.rows.empty]
    if not grids:
        return predictions.PROMPT_TOKENS, next(iter(engines_of_most(rows)), "captured")
    over_batches = [group.rows for group in timed if group.kind == "batch" and not group.rows.empty]
    runs = over_batches[0] if over_batches else pd.concat(grids)
    with_both = with_steps(runs)  # LLaMA alone has transformers' generate()
    engine = runs["engine"].iloc[-1] if with_both.empty else with_both["engine"].iloc[-1]
    return int(pd.to_numeric(runs["prompt_tokens"]).iloc[0]), engine


def measured_break_evens(timed: list[Scaling], prompt_tokens: int, engine: str) -> dict[tuple[int, int], float]:
    """Break-even steps by (batch, output tokens) of the places that were measured with these prompts and engine."""
    measured: dict[tuple[int, int], float] = {}
    for group in sorted(timed, key=lambda group: hypotheses.TIMED.index(group.kind)):
        for run, steps in group.break_evens:
            same = pd.to_numeric(run["prompt_tokens"]) == prompt_tokens and run["engine"] == engine
            if same and pd.isna(run["attention"]) and setting_of(run, "head", DEFAULTS["head"]) == HEAD:
                measured.setdefault((int(run["batch_size"]), int(run["gen_length"])), steps.value)
    return measured
