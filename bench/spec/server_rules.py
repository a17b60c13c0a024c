"""What holds of cells whose model is behind an address: what they state in place of weights, and which cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.common.errors import BadInput
from bench.models import server
from bench.models.engines import SERVER
from bench.spec.cell import UNSTATED

if TYPE_CHECKING:
    from bench.spec.grid import GridFile
    from bench.spec.pair import ModelFile, PairFile


def settings(files: ModelFile) -> dict:
    """What a cell of a server states otherwise: nobody knows engine, device and precision, and calls are made whole."""
    return {
        "engine": SERVER,
        "device": SERVER,
        "dtype": UNSTATED,
        "tokens_timed": None,
        "server": server.to_json(files.server.asked, files.look()),
        "api_key_env": files.server.api_key_env,
    }


def applies(grid: GridFile, attention: str, fill: str) -> bool:
    """Whether a server can be asked what a place of a grid asks: not for memory, nor for another model than it has."""
    asks_memory = grid.peaks_only or grid.limit_gib is not None
    return not asks_memory and attention == "sdpa" and fill == "own"


def can_force_length(files: ModelFile) -> bool:
    """Whether a model can be made to go on behind an end token: one of ours can."""
    return files.server is None or files.server.forced_length is not None


def watchable(models: set[str], pair: PairFile) -> list[str]:
    """Those of some models of a pair that a sentinel can watch, whose answers have a forced length; sorted."""
    return [model for model in sorted(models) if can_force_length(pair.models[model])]


def suits(grid: GridFile, pair: PairFile, models: list[str]) -> bool:
    """Whether all of some models of a pair can end their answers as a grid wants it."""
    is_forced = any((stop or pair.stop) != "eos" for stop in grid.stops)
    return not is_forced or all(can_force_length(pair.models[model]) for model in models)


def check(files: ModelFile, stop: str, prompt_set: list[list[int]], gen: int, where: str) -> None:
    """Raise BadInput where a server cannot end answers as it is asked to, or has no room for a prompt.

    stop: how answers end. prompt_set: token ids of each prompt. gen: tokens of an answer at most.
    """
    if stop != "eos" and not can_force_length(files):
        raise BadInput(
            f"{where}: stop: {stop}, but the pair's file does not say how {files.weights} is made to write on behind an"
            " end token; give forced_length: {ignore_eos: true} there (vLLM, SGLang, llama.cpp), or stop: eos"
        )
    most = files.look().max_model_len
    for number, ids in enumerate(prompt_set, 1):
        if most is not None and len(ids) + gen > most:
            raise BadInput(
                f"{where}: prompt {number} has {len(ids)} tokens, which with an answer of {gen} are more than the"
                f" {most} of {files.weights}; shorten it, or give a smaller GEN"
            )
