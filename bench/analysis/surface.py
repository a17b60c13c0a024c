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
class Surface:
    """Break-even steps over batch (rows, largest first) and length (columns), and the places that were measured."""

    steps: pd.DataFrame
    measured: dict[tuple[int, int], float]  # by (batch, output tokens)
    prompt_tokens: int
    words: str  # whose ceilings
    engine: str  # that is compared, with the head HEAD


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
    """The pair's surface at the ceilings of the hypotheses where they are about this pair and card, so that a place has
    one prediction everywhere; else at the study's own ceilings, else at the published ones of an H100.

    rows: of the cost model's table. on_cpu: whether the study ran on a CPU.
    """
    timed = [group for group in scalings if group.kind in hypotheses.TIMED]
    timed = [group for group in timed if (group.every["dtype"] == pair.dtype).all()]
    prompt_tokens, engine = compared_at(timed)
    measured = measured_break_evens(timed, prompt_tokens, engine)
    own = ceilings_of(rows[rows["engine"] == engine]) if not rows.empty else None
    on_card = any(group.every["device"].astype(str).str.contains(about.card, regex=False).any() for group in timed)
    if pair.name == about.pair and on_card:
        own, words = (about.ceilings, {}), "predicted before the study ran"
    else:
        words = "at this device's ceilings" if own else f"{CARD}, {PUBLISHED}"
    ceilings, host_s = own or (devices()[CARD].ceilings, {})
    models = Models.of(pair, "cpu" if on_cpu and own else "cuda", host_s)
    batches = sorted({*BATCHES, *(batch for batch, _ in measured)})
    lengths = sorted({*LENGTHS, *(length for _, length in measured)})
    steps = models.surface(ceilings, batches, lengths, prompt_tokens, HEAD)
    return Surface(steps, measured, prompt_tokens, words, engine)


def compared_at(timed: list[Scaling]) -> tuple[int, str]:
    """(prompt tokens, engine) of the surface: those of the grid over batches, of any other grid where there is none."""
    grids = [group.rows for group in timed if not group.rows.empty]
    if not grids:
        return predictions.PROMPT_TOKENS, "captured"
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
