"""Work: how many forwards a cell's calls made, of which kind, and how many rows they pushed for what they gave."""

from statistics import fmean

from bench.models import kinds
from bench.records.types import Call
from bench.spec.cell import Cell


def compute_metrics(calls: list[Call], cell: Cell) -> dict[str, float]:
    """How much work the model did for what it gave; exact counts, so only round 1 is read.

    Committed tokens are those that were generated, post-EOS padding of the canvas included: each cost its share. What
    an early stop filled was not.
    """
    if any(call.nfe is None for call in calls):  # a server's: nobody sees its forwards
        return {}
    forwards = sum(call.nfe for call in calls)
    committed = [committed_of(call, cell) for call in calls]
    own = [call.own_forwards or [call.nfe] * len(call.kept) for call in calls]  # without waiting for other rows
    positions = sum(call.positions for call in calls)
    metrics = {
        "compute/nfe": forwards / len(calls),
        "compute/tokens_per_forward": sum(map(fmean, committed)) / sum(map(fmean, own)),
        "compute/positions_per_token": positions / sum(map(sum, committed)),
    }
    if all(call.nfe_full is not None for call in calls):
        full = sum(call.nfe_full for call in calls)
        metrics |= {"compute/nfe_full": full / len(calls), "compute/nfe_partial": (forwards - full) / len(calls)}
        metrics["compute/rows"] = positions / len(calls)
    return metrics


def committed_of(call: Call, cell: Cell) -> list[int]:
    """Tokens of each answer that forwards gave. Records that do not state them are of whole canvases, or of a model
    that goes on until all rows of a batch have ended."""
    if call.committed is not None:
        return call.committed
    tokens = cell.gen_length if kinds.has_steps(cell.model) else max(call.kept)
    return [tokens] * len(call.kept)
