"""How far distributions are from others, position by position, and what that is for each prompt."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from bench.records.agreement import AGES, after, bin_of

PERCENTILE = 0.95


def log_distribution(logits: Tensor) -> Tensor:
    """Logarithms of the probabilities that logits [..., vocabulary] stand for, in float32."""
    return torch.log_softmax(logits.float(), -1)


class Divergence(NamedTuple):
    """Of some positions, each [positions]: KL divergence in nats, and whether both have the same token first."""

    kl_nats: Tensor
    same_first: Tensor


def divergence(own: Tensor, other: Tensor) -> Divergence:
    """How far log distributions [positions, vocabulary] are from a model's own: sum p (ln p - ln q), which rounding can
    leave a little below 0."""
    kl = (own.exp() * (own - other)).sum(-1).clamp(min=0)
    return Divergence(kl, own.argmax(-1) == other.argmax(-1))


@dataclass
class Seen:
    """What one of several said along a model's answers, step by step. block_length: positions of a step."""

    block_length: int
    rows: list[Tensor] = field(default_factory=list)  # of each position looked at: the row of the batch
    places: list[Tensor] = field(default_factory=list)  # where it stands in the answer
    kl_nats: list[Tensor] = field(default_factory=list)
    same_first: list[Tensor] = field(default_factory=list)
    ages: list[Tensor] = field(default_factory=list)  # forwards since a renewal; -1 where nothing is kept

    def take(self, block: int, masked: Tensor, found: Divergence, age: int | None) -> None:
        """Add a step on a block. masked: bool [rows, positions of the block], those that `found` is of."""
        rows, places = masked.nonzero(as_tuple=True)
        self.rows.append(rows.cpu())
        self.places.append(places.cpu() + block * self.block_length)
        self.kl_nats.append(found.kl_nats.cpu())
        self.same_first.append(found.same_first.cpu())
        self.ages.append(torch.full_like(self.rows[-1], -1 if age is None else age))

    def values(self, kept: list[int]) -> dict[str, list[float | None]]:
        """By metric the value of each row, over the positions before its answer's end. kept: tokens of each answer."""
        rows, places, kl, same, ages = map(
            torch.cat, (self.rows, self.places, self.kl_nats, self.same_first, self.ages)
        )
        counted = places < torch.tensor(kept)[rows]
        bins = torch.tensor([-1 if age < 0 else bin_of(age) for age in ages.tolist()])
        values: dict[str, list[float | None]] = {}
        for row in range(len(kept)):
            mine = counted & (rows == row)
            of_row = {
                "argmax_share": float(same[mine].float().mean()),
                "kl_mean_nats": float(kl[mine].mean()),
                "kl_p95_nats": float(kl[mine].quantile(PERCENTILE)),
            }
            for age in AGES if bins.max() >= 0 else ():
                of_age = kl[mine & (bins == age)]
                of_row[after(age)] = float(of_age.mean()) if len(of_age) else None
            for name, value in of_row.items():
                values.setdefault(name, []).append(value)
        return values
