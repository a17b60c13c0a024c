"""LLaDA's loop: blockwise denoising of a canvas, which is a prompt followed by mask tokens.

Each step runs the model on the canvas (through a cache, `caches/`), proposes a token for every masked position of the
block (`head.py`) and commits some of them (`samplers.py`), block after block, from left to right. Committed tokens
never change. Both engines run this loop: a step reads and writes tensors that keep their shapes and places, so that it
can also be recorded once and replayed.

Source: the `generate` of the official repository (ML-GSAI/LLaDA), written anew from its behaviour; Nie et al., "Large
Language Diffusion Models" (arXiv 2502.09992).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from bench.diffusion import choices
from bench.diffusion.caches.registry import CACHES
from bench.diffusion.extent import Extent
from bench.diffusion.head import Body, Forward, Propose, proposals, propose
from bench.diffusion.plans import Pass, Turn, quotas_of
from bench.diffusion.samplers import SAMPLERS, Seen
from bench.diffusion.sampling import Sampling


@dataclass(frozen=True)
class Denoised:
    """The outcome of a denoising loop.

    canvas: ids [rows, prompt length + gen_length]. nfe: number of forwards; nfe_full: those of them in which every
    layer got the whole canvas. positions: rows x positions pushed through the model, the mean over layers, summed over
    forwards. committed [rows]: tokens of each answer that steps committed, which leaves out what an early stop filled.
    first_step: the step, from 0, at which the first output position of every row was final; None if it never was.
    own_forwards [rows]: forwards before each row was done with its block or had ended, which are those that it takes
    alone; None where no row waits for another.
    """

    canvas: torch.Tensor
    nfe: int
    nfe_full: int
    positions: int
    committed: list[int]
    first_step: int | None
    own_forwards: list[int] | None = None


class Canvas:
    """The canvas of some rows as tensors that stay in place, and one step on it.

    whole: whether any position up to the block's end may be committed, not only those of the block. The official
    sampler looks at all of them, which makes a difference only where a prompt or an earlier block holds mask tokens.
    Other samplers, and all with a cache, look at the block alone. is_recorded: see `Extent`. propose: see
    `head.proposals`.
    """

    def __init__(
        self, forward: Forward | Body, options: Sampling, rows: int, prompt_length: int, padded: bool, whole: bool,
        device: torch.device | str, is_recorded: bool = False, propose: Propose = propose,
    ):  # fmt: skip
        self.sampler = SAMPLERS[options.sampler]
        self.propose = propose
        self.knows_steps = choices.SAMPLERS[options.sampler].schedule is not None
        self.options = options
        self.prompt_length = prompt_length
        is_official = options.sampler == "fixed" and options.cache == "none"
        self.whole = is_official and (whole or options.head != "lean")
        length = prompt_length + options.gen_length
        self.ids = torch.zeros(rows, length, dtype=torch.long, device=device)  # [rows, canvas]
        self.attention_mask = torch.ones_like(self.ids) if padded else None  # [rows, canvas], 0 on padding
        self.prompt = torch.zeros_like(self.ids, dtype=torch.bool)  # [rows, canvas], what guidance hides
        self.begin = torch.zeros_like(self.ids[0, 0])  # [], where the block begins on the canvas
        self.extent = Extent(rows, prompt_length, options, self.begin, is_recorded)
        self.cache = CACHES[options.cache](forward, self.extent)
        self.statistic = self.sampler.statistic(self.extent) if self.sampler.statistic else None
        self.offsets = torch.arange(length if self.whole else options.block_length, device=device)  # [positions]
        self.ends = torch.tensor(options.ends, dtype=torch.long, device=device)
        self.quota = torch.zeros_like(self.begin)  # [], how many tokens a row the step commits, or the least of them
        self.own_forwards = torch.zeros_like(self.ids[:, 0])  # [rows], as in `Denoised`
        self.steps_before_first = torch.zeros_like(self.begin)  # [], steps while position 0 was masked in some row
        # [3], made after each step where the host asks: rows whose block is not done, rows that have not ended, and the
        # most positions that the cache must push anew
        self.news = torch.zeros(3, dtype=torch.long, device=device)

    @property
    def asks_device(self) -> bool:
        """Whether what comes next depends on what a step committed, so that the host must read `news`."""
        return self.rows_may_wait or self.cache.asks_device

    @property
    def rows_may_wait(self) -> bool:
        """Whether a row of a batch can be done with its block, or with its answer, before the others are."""
        return not self.knows_steps or self.options.early_stop

    @property
    def counts_own_forwards(self) -> bool:
        """Whether rows can wait for others; a single row waits for none, and its step is not to do more."""
        return self.rows_may_wait and len(self.ids) > 1

    def fill(self, prompts: torch.Tensor, attention_mask: torch.Tensor | None) -> None:
        """Start anew after other prompts [rows, prompt_length]."""
        self.ids[:, : self.prompt_length] = prompts
        self.ids[:, self.prompt_length :] = self.options.mask_id
        torch.ne(self.ids, self.options.mask_id, out=self.prompt)
        if attention_mask is not None:
            self.attention_mask[:, : self.prompt_length] = attention_mask
        self.steps_before_first.zero_()
        self.own_forwards.zero_()
        self.cache.start()
        if self.statistic:
            self.statistic.start()

    def step(self, pass_: Pass) -> None:
        """One forward, and what it commits before the end of the block at `begin`."""
        positions = self.positions(pass_)
        window = self.ids.index_select(1, positions)  # [rows, positions]
        masked = window == self.options.mask_id
        if len(positions) > self.options.block_length:  # else the positions are the block
            masked &= positions < self.begin + self.options.block_length
            if not self.whole:
                masked &= positions >= self.begin
        if self.counts_own_forwards:
            self.own_forwards += ~self.has_ended() & (self.knows_steps | masked.any(1))
        if self.statistic:
            self.statistic.begin(positions, masked.any(1))
        proposed = proposals(
            self.cache.body(pass_), self.ids, self.attention_mask, self.prompt, positions, self.options, self.statistic,
            self.cache.index_of(pass_, positions), self.propose,
        )  # fmt: skip
        self.cache.settle(self.ids)
        statistic = self.statistic.end(proposed.statistic) if self.statistic else None
        chosen = self.sampler.choose(Seen(masked, proposed.confidence, statistic), self.quota, self.options)
        self.ids.index_copy_(1, positions, torch.where(chosen, proposed.candidates, window))
        self.steps_before_first += (self.ids[:, self.prompt_length] == self.options.mask_id).any()
        if self.asks_device:
            self.tell()

    def positions(self, pass_: Pass) -> torch.Tensor:
        """The positions of the canvas at which the step looks: the block, or more."""
        if self.statistic and self.statistic.everywhere and not pass_.block_alone:
            return self.extent.answer()
        return self.offsets if self.whole else self.offsets + self.begin

    def tell(self) -> None:
        """Put into `news` what the host asks after the step."""
        has_ended = self.has_ended()
        is_left = (self.ids.index_select(1, self.extent.block()) == self.options.mask_id).any(1)
        self.news[0] = (is_left & ~has_ended).sum()
        self.news[1] = (~has_ended).sum()
        self.news[2] = self.cache.unsettled()

    def ends_before(self) -> torch.Tensor:
        """How many end tokens stand before each position of the answer, and behind the last one [rows, gen_length +
        1]."""
        is_end = torch.isin(self.ids[:, self.prompt_length :], self.ends)
        return torch.nn.functional.pad(is_end.cumsum(1), (1, 0))

    def has_ended(self) -> torch.Tensor:
        """The rows in which everything up to an end token is committed, bool [rows]; none where nobody asks."""
        if not self.options.early_stop:
            return torch.zeros(len(self.ids), dtype=torch.bool, device=self.ids.device)
        ends_before = self.ends_before()
        is_open = (self.ids[:, self.prompt_length :] == self.options.mask_id) & (ends_before[:, :-1] == 0)
        return (ends_before[:, -1] > 0) & ~is_open.any(1)


@dataclass
class Tally:
    """What a loop has done so far. layer_positions: of one row."""

    forwards: int = 0
    full: int = 0
    layer_positions: float = 0.0
    news: list[int] = field(default_factory=lambda: [1, 1, 0])  # as in `Canvas.news`


Step = Callable[[Pass], None]
Mark = Callable[[str], None]


def run(canvas: Canvas, step: Step, steps: int | None, mark: Mark, stop_after: int | None = None) -> Denoised:
    """Denoise all blocks of a canvas that was filled. `step` is the canvas's own, or a replay of it.

    steps: as in `Sampling`. stop_after: make only so many of the steps, each with the quota that it has among all of
    them; masks are left then. Calls mark("step") after the commits of each forward, and mark("block") after each
    finished block.

    Every block is all masks when its turn comes. So where the sampler has a schedule, what each step commits is known
    beforehand, and nothing is asked of the device. Elsewhere the host reads after each step whether the block is done,
    so that no forward is made on a block that is.
    """
    options = canvas.options
    tally = Tally()
    of_a_block = (steps or options.gen_length) // options.blocks
    quotas = quotas_of(options.sampler, options.block_length, of_a_block, options.tokens_per_step)
    for block in range(options.blocks):
        if tally.forwards == stop_after or not tally.news[1]:
            break
        canvas.begin.fill_(canvas.prompt_length + block * options.block_length)
        if run_block(canvas, step, block, quotas, mark, tally, stop_after):
            mark("block")
    return outcome(canvas, tally)


def run_block(
    canvas: Canvas, step: Step, block: int, quotas: list[int], mark: Mark, tally: Tally, stop_after: int | None
) -> bool:
    """The steps of one block. Returns whether it is done."""
    options = canvas.options
    for number, quota in enumerate(quotas):
        if tally.forwards == stop_after:
            return False
        pass_ = canvas.cache.plan(Turn(block, number, tally.forwards, canvas.extent.whole_granules(tally.news[2])))
        canvas.quota.fill_(quota)
        step(pass_)
        mark("step")
        tally.forwards += 1
        tally.full += pass_.is_full
        tally.layer_positions += canvas.cache.layer_positions(pass_)
        if canvas.asks_device:
            tally.news = canvas.news.tolist()
        if not tally.news[1] or (not canvas.knows_steps and not tally.news[0]):
            break
    return not (options.early_stop and tally.news[0])


def outcome(canvas: Canvas, tally: Tally) -> Denoised:
    """What the loop has left on the canvas; with an early stop the end token stands behind each end."""
    options = canvas.options
    answer = canvas.ids[:, canvas.prompt_length :]
    committed = (answer != options.mask_id).sum(1).tolist()
    if options.early_stop:
        answer.masked_fill_(canvas.ends_before()[:, :-1] > 0, options.ends[0])
    rows = len(canvas.ids) * (2 if options.cfg_scale > 0 else 1)
    first = int(canvas.steps_before_first)
    return Denoised(
        canvas.ids.clone(), tally.forwards, tally.full, round(rows * tally.layer_positions), committed,
        first if first < tally.forwards else None, canvas.own_forwards.tolist() if canvas.counts_own_forwards else None,
    )  # fmt: skip


@torch.inference_mode()
def denoise(
    forward: Forward | Body,
    prompts: torch.Tensor,
    attention_mask: torch.Tensor | None,
    options: Sampling,
    mark: Mark = lambda kind: None,
    stop_after: int | None = None,
) -> Denoised:
    """Generate after `prompts`, ids [rows, prompt length]. attention_mask: [rows, prompt length], 0 on padding.

    mark, stop_after: as in `run`. Raises ValueError where the official code asserts: blocks must divide the length, and
    steps the blocks.
    """
    blocks, rest = divmod(options.gen_length, options.block_length)
    if rest or (options.steps or blocks) % blocks:
        raise ValueError("gen_length must be a multiple of block_length, and steps of the number of blocks")
    whole = bool((prompts == options.mask_id).any())
    canvas = Canvas(forward, options, *prompts.shape, attention_mask is not None, whole, prompts.device)
    canvas.fill(prompts, attention_mask)
    return run(canvas, canvas.step, options.steps, mark, stop_after)
