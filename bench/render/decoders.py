"""Runs with other decoders than the authors', in the terminal: a table."""

import pandas as pd

from bench.analysis.decoders import Decoders
from bench.records.catalogue import columns
from bench.render import wording
from bench.render.comparison import COLUMNS

COUNTED = columns(("compute/nfe", "compute/nfe_full", "compute/rows", "compute/tokens_per_forward"))
AUTHORS = "the authors'"  # in place of an empty name


def lines(decoders: Decoders) -> list[str]:
    """Everything that a terminal shows of these runs under a title; empty without such runs."""
    runs = decoders.every
    if runs.empty:
        return []
    result = pd.DataFrame(
        {
            "grid": runs["kind"],
            "decoder": [name or AUTHORS for name in runs["decoder"]],
            "steps": [wording.format_value(value, 0) for value in pd.to_numeric(runs["steps"])],
            "tokens": [f"{value:.0f}" for value in runs["gen_length"]],
            "batch": [f"{value:.0f}" for value in runs["batch_size"]],
            "engine": [wording.own_engine_and_head(run, is_short=True) for _, run in runs.iterrows()],
        }
    )
    shown = wording.with_notes(wording.with_metrics(result, runs, COUNTED | COLUMNS), runs)
    parts = [wording.weights_label(runs).upper(), shown.to_string(index=False), wording.left_out_sentence(decoders)]
    return [part for part in parts if part]
