"""The noise of sentinels, in sentences."""

from collections.abc import Sequence

from bench.analysis.noise import Noise
from bench.models import kinds
from bench.records import trust


def sentences(noises: Sequence[Noise]) -> list[str]:
    """What the sentinels of each engine and model say under some runs; that none ran, where there is none at all."""
    return [sentence(noise) for noise in noises] or ["Noise: no noise check ran."]


def sentence(noise: Noise) -> str:
    """What the sentinels of one engine and model say, and of how many of the runs' machines."""
    label = kinds.label_of(noise.model)
    left_out = f" A noise check is left out: {noise.left_out}." if noise.left_out else ""
    if noise.ratio is None:
        machines = "this machine" if noise.machines == 1 else f"these {noise.machines} machines"
        known = "" if noise.left_out else f": no {noise.engine} noise check of it ran on {machines}"
        return f"Noise: {label}'s is not known{known}.{left_out}"
    watched = (
        ""
        if noise.machines_watched == noise.machines
        else f", on {noise.machines_watched} of {noise.machines} machines"
    )
    drift = "" if noise.drift is None else f"; from round to round it moved by {noise.drift:.1%}"
    runs = f"{label}'S {noise.engine} RUNS".upper()
    flag = f" (MORE THAN {trust.DRIFT:.0%}: {runs} DRIFTED)" if noise.drifted else ""
    heads = f" ({' and '.join(noise.heads)} head)" if noise.heads else ""
    return (
        f"Noise: the same {noise.engine} cell of {label}{heads} twice in a round differs by a factor of"
        f" {noise.ratio.text(2)}{watched}{drift}{flag}.{left_out}"
    )
