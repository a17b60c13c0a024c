"""The contract between a worker and a model, and the check that an adapter kept it.

Adapters never time, print or log. They call `mark` where something became final, and the worker turns marks into times.
What a kind of model marks, and whether it has denoising steps or a cache, is stated in its own file in bench/models. A
server's model marks what arrives: `chunk.ROW` for text of a request, `end.ROW` for its end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

from bench.adapters import served
from bench.adapters.replay import LAG
from bench.diffusion.plans import quotas_of
from bench.models.kinds import KINDS
from bench.models.server import Counted
from bench.spec.cell import Cell

Mark = Callable[[str], None]  # "token" | "step" | "block"; "jump" in a cell with tokens_timed; of a server other ones


@dataclass(frozen=True)
class Output:
    """One generation call on a batch.

    sequences: LongTensor [batch, n], without the prompt. nfe: number of function evaluations, that is forwards.
    positions: rows pushed through the model, summed over forwards and batch. kept [batch]: the tokens of each row's
    answer (`kept_tokens`). first_step: the step, from 0, after which output position 0 was final in
    every row; None if it never was, and for a model that marks tokens. nfe_full: of the forwards those over the whole
    canvas; committed [batch]: tokens of each row that steps committed, so without what an early stop filled; both None
    for a model that marks tokens. own_forwards [batch]: forwards before each row was done with its block or had ended;
    None where no row waits for another, and where it is not counted.

    counted: of a server's model, what was counted of each answer; nfe and positions are None then, since nobody sees
    them. Elsewhere it is None.
    """

    sequences: torch.Tensor
    nfe: int | None
    positions: int | None
    kept: list[int]
    first_step: int | None = None
    nfe_full: int | None = None
    committed: list[int] | None = None
    own_forwards: list[int] | None = None
    counted: Counted | None = None


# The share of an output's tokens that may be mask tokens beyond what the steps leave: a model may predict the mask
# token itself, above all a model of random weights.
MOST_MASKS = 0.01


@dataclass(frozen=True)
class Special:
    """Token ids with a meaning of their own. ends: those that end an answer. mask: the mask token, if any."""

    ends: tuple[int, ...]
    mask: int | None = None


class Adapter(Protocol):
    """What a worker can ask of a model."""

    def load(self, cell: Cell) -> None:
        """Make ready for a cell: weights on its device in its dtype, its options set."""

    def prepare(self, batches: list[list[list[int]]]) -> float | None:
        """Compile and capture what batches of such shapes need, and let go of what other cells needed.

        Does nothing for an engine that needs none of it; for others (bench/models/engines.py) a cell must be prepared
        before it generates. Returns the seconds that went into compiling; None where nothing had to be done.
        """

    def generate(self, prompts: list[list[int]], mark: Mark, lengths: list[int] | None = None) -> Output:
        """Generate for a batch of token id lists.

        lengths: tokens of each row's answer, which a cell with stop `references` is given and no other. An answer ends
        there, whatever tokens it has; end tokens are ignored.
        """

    def special(self) -> Special:
        """The tokens that end an answer, and the mask token."""

    def weights_bytes(self) -> int:
        """Bytes of the parameters. A tied head is counted once."""

    def captured_peak_bytes(self) -> int:
        """Device memory in bytes allocated while steps were captured or recorded; 0 where nothing was."""


def kept_tokens(
    sequences: torch.Tensor, eos_ids: tuple[int, ...], stop: str, lengths: list[int] | None = None
) -> list[int]:
    """Tokens of each row's answer: up to its first EOS, that one included; all of them where `stop` is "length"; as
    many as `lengths` says where it is "references". Raises RuntimeError where these are not one for each row."""
    rows, length = sequences.shape
    if stop == "length":
        return [length] * rows
    if stop == "references":
        if lengths is None or len(lengths) != rows:
            raise RuntimeError(f"stop is references, but {rows} answers were given the lengths {lengths}")
        return list(lengths)
    ends = torch.isin(sequences, torch.tensor(eos_ids, device=sequences.device))
    first = torch.where(ends.any(1), ends.int().argmax(1) + 1, length)
    return first.tolist()


def check(
    cell: Cell, output: Output, marks: dict[str, list[float]], special: Special, lengths: list[int] | None = None
) -> None:
    """Refuse an output that cannot be what the cell asked for: a wrong adapter must not become a number.

    lengths: those that the call was given. Raises RuntimeError if a prompt, padding or an unfilled canvas was counted
    as output, if the forwards are not those of the steps or of the longest row, or if a forward went unmarked.
    """
    if cell.server:
        served.check(cell, output.counted, marks, lengths)
        return
    length = output.sequences.shape[1]
    if length > cell.gen_length or max(output.kept) > length:
        raise RuntimeError(f"the adapter returned {length} tokens, {max(output.kept)} kept, of {cell.gen_length} asked")
    kept = kept_tokens(output.sequences, special.ends, cell.stop, lengths)
    if output.kept != kept:
        ends = "by the lengths of the references" if cell.stop == "references" else "up to the first end token"
        raise RuntimeError(f"the adapter counted {output.kept} kept tokens; {ends} there are {kept}")
    if cell.tokens_timed and (length != cell.tokens_timed or len(marks.get("jump", [])) != 1):
        raise RuntimeError(f"the adapter returned {length} tokens; {cell.tokens_timed} with one jump were to be timed")
    masks = 0 if special.mask is None else int((output.sequences == special.mask).sum())
    left = len(output.kept) * masks_left(cell)
    if abs(masks - left) > MOST_MASKS * output.sequences.numel():
        raise RuntimeError(f"the adapter returned {masks} mask tokens: its canvas was not filled as the steps ask")
    kind = KINDS[cell.model]
    if kind.has_steps:
        check_forwards(cell, output)
    if cell.stop == "references" and not kind.has_steps and not 0 <= output.nfe - max(kept) < LAG:
        raise RuntimeError(f"the adapter made {output.nfe} forwards for answers of {max(kept)} tokens at most")
    marked = len(marks.get(kind.mark, []))
    if marked != output.nfe:
        raise RuntimeError(f"the adapter marked {marked} {kind.mark}s in {output.nfe} forwards")


def check_forwards(cell: Cell, output: Output) -> None:
    """The forwards of a model with denoising steps: as many as the steps where that is known, else at most as many and
    at least one a block. Raises RuntimeError."""
    if cell.knows_forwards:
        if output.nfe != cell.forwards():
            raise RuntimeError(f"the adapter made {output.nfe} forwards for {cell.forwards()} steps")
    else:
        least = 1 if cell.early_stop or cell.timed else cell.gen_length // cell.block_length
        if not least <= output.nfe <= cell.forwards():
            raise RuntimeError(f"the adapter made {output.nfe} forwards; {least} to {cell.forwards()} are possible")
    if output.nfe_full is not None and not 1 <= output.nfe_full <= output.nfe:
        raise RuntimeError(f"the adapter counted {output.nfe_full} full forwards of {output.nfe}")
    if cell.cache in (None, "none") and output.nfe_full not in (None, output.nfe):
        raise RuntimeError(f"the adapter counted {output.nfe_full} full forwards of {output.nfe} without a cache")


def masks_left(cell: Cell) -> int:
    """Mask tokens that the sampler leaves in a row after the cell's steps: 0, unless only the first steps are run."""
    if not KINDS[cell.model].has_steps or not cell.steps_timed:
        return 0
    per_block = cell.steps // (cell.gen_length // cell.block_length)
    blocks, steps = divmod(cell.steps_timed, per_block)
    quotas = quotas_of(cell.sampler, cell.block_length, per_block, cell.tokens_per_step)
    return cell.gen_length - blocks * cell.block_length - sum(quotas[:steps])
