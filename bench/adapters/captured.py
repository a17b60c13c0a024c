"""The captured engine: a step of either model on static shapes, recorded once as a CUDA graph and replayed.

On a GPU each function of `bench/models/layers.py` is compiled, then the whole step (every layer, the head, sampling,
what is committed) is captured, so that a step costs the host one launch. On a CPU the same functions are called
directly.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import LlamaForCausalLM

from bench.adapters.replay import Replay
from bench.diffusion import head, plans
from bench.diffusion.denoising import Canvas
from bench.diffusion.plans import Pass
from bench.diffusion.samplers import Sampling, gumbel_scores
from bench.models import layers
from bench.models.layers import Weights
from bench.models.parts import Parts

NEVER = 1 << 31  # tokens, which no answer has
# Measured on an H100 at 8B shapes in bfloat16 (paper/recorded/engines.md). Compiled against a graph alone: a LLaDA step
# at batch 1, canvas 256, 8.0 against 12.3 ms; at batch 8, canvas 640, 114 against 165; a decode step 6.4 against 8.4.
# Inductor's search (coordinate descent) is off: it found other kernels in each process, and with them LLaMA's token at
# batch 1 took 4.4 to 5.4 ms on H200s. With the kernels of few_rows.py and one_query.py it takes 4.2 there.
COMPILE = True  # whether the functions of a layer are compiled before they are captured
MOST_SHAPES = 256  # of one function: a cache that pushes other positions in each block has two for each of them
FLASH_FIRST = [SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


@dataclass(frozen=True)
class Functions:
    """The layers' functions as an engine calls them."""

    denoise: Callable
    over_cache: Callable
    prefill: Callable
    on_rows: Callable
    decode: Callable
    logits: Callable
    propose: Callable

    @classmethod
    def on(cls, device: str) -> "Functions":
        """Compiled on a GPU, one layer at a time: thirty-two layers share what one took to compile."""
        plain = (
            layers.denoise_layer, layers.layer_over_cache, layers.full_layer, layers.layer_on_rows, layers.decode_layer,
            Weights.logits, head.propose,
        )  # fmt: skip
        if device != "cuda" or not COMPILE:
            return cls(*plain)
        torch.compiler.reset()
        torch._dynamo.config.recompile_limit = MOST_SHAPES
        return cls(*(torch.compile(function, dynamic=False, fullgraph=True) for function in plain))


class StaticBody:
    """LLaDA in the parts that a step needs, on rows of one length."""

    def __init__(self, model: LlamaForCausalLM, rows: int, length: int):
        self.weights = layers.packed(layers.weights_of(model), rows * length)
        self.functions = Functions.on(model.device.type)
        self.rope = [table[None, None] for table in layers.rope_table(model, length)]  # [1, 1, length, head_width]
        self.all = torch.arange(length, device=model.device)

    def __call__(self, ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        hidden, visible = self.body(ids, attention_mask)
        layer, dims = self.weights.layers[-1], self.weights.dims
        return self.head(self.functions.denoise(hidden, layer, dims, *self.rope, visible))

    def body(self, ids: torch.Tensor, attention_mask: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """All layers but the last, and the mask as attention takes it."""
        visible = None if attention_mask is None else attention_mask[:, None, None, :].bool()
        hidden = self.weights.embed(ids)
        for layer in self.weights.layers[:-1]:
            hidden = self.functions.denoise(hidden, layer, self.weights.dims, *self.rope, visible)
        return hidden, visible

    def trunk(self, ids: torch.Tensor, attention_mask: torch.Tensor | None, positions: torch.Tensor) -> torch.Tensor:
        hidden, visible = self.body(ids, attention_mask)
        layer, dims = self.weights.layers[-1], self.weights.dims
        return self.functions.on_rows(hidden, positions, layer, dims, *self.rope, visible)[0]

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.functions.logits(self.weights, hidden)

    def propose(self, logits: torch.Tensor, options: Sampling) -> tuple[torch.Tensor, torch.Tensor]:
        """`head.propose`, compiled where nothing is drawn: a compiled function would draw other numbers."""
        is_drawn = options.temperature > 0 or options.remasking == "random"
        return (head.propose if is_drawn else self.functions.propose)(logits, options)

    def parts(self, canvas: int) -> Parts:
        """The layers one by one, for caches; over packed weights where there are such."""
        return Parts(
            self.weights, tuple(table[0, 0] for table in self.rope), self.functions.over_cache, self.functions.logits
        )


class Denoiser:
    """A canvas of one shape and its captured steps, one for each forward that its cache may ask for."""

    def __init__(
        self, model: LlamaForCausalLM, options: Sampling, rows: int, prompt_length: int, padded: bool, whole: bool
    ):
        device = model.device.type
        body = StaticBody(model, rows, prompt_length + options.gen_length)
        self.canvas = Canvas(body, options, rows, prompt_length, padded, whole, device, True, body.propose)
        self.canvas.begin.fill_(prompt_length)
        pool = torch.cuda.graph_pool_handle() if device == "cuda" else None  # steps follow each other, so they share it
        needed = plans.possible(options, prompt_length, self.canvas.extent.granule)
        self.steps = {pass_: self.recorded(pass_, pool) for pass_ in needed}

    def recorded(self, pass_: Pass, pool: tuple[int, int] | None) -> Replay:
        """The step with this forward. Of a single sequence, a block alone meets torch's flash kernel, which is then
        faster than cuDNN's attention; with more rows it is slower (paper/recorded/engines.md)."""
        is_small = len(self.canvas.ids) == 1 and not pass_.is_full
        with sdpa_kernel(FLASH_FIRST, set_priority=True) if is_small else nullcontext():
            return Replay(partial(self.canvas.step, pass_), self.canvas.ids.device.type, pool)

    def make(self, pass_: Pass) -> None:
        """The step with this forward."""
        self.steps[pass_]()

    @property
    def replays(self) -> tuple[Replay, ...]:
        return tuple(self.steps.values())


@dataclass(frozen=True)
class Decoding:
    """What a decoder's shapes and arithmetic depend on."""

    rows: int
    prompt_length: int
    gen_length: int
    padded: bool
    temperature: float
    ends: tuple[int, ...]  # end tokens; the first fills rows that have ended


class Decoder:
    """LLaMA with a cache of fixed size: a captured prefill at one prompt length and a captured decode step.

    Where `one_query.applies`, a step reads the cache as far as it is in use, elsewhere all of it under a mask. Position
    ids leave out padding.
    """

    def __init__(self, model: LlamaForCausalLM, decoding: Decoding):
        self.decoding, self.device = decoding, model.device.type
        self.weights = layers.packed(layers.weights_of(model), decoding.rows)
        self.functions = Functions.on(self.device)
        rows, capacity, dims = decoding.rows, decoding.prompt_length + decoding.gen_length, self.weights.dims
        self.cos, self.sin = layers.rope_table(model, capacity)
        self.all = torch.arange(capacity, device=self.device)
        self.ids = torch.zeros(rows, decoding.prompt_length, dtype=torch.long, device=self.device)
        self.pads = self.ids.new_zeros(rows)  # padding tokens of each row [rows]
        self.place = self.ids.new_zeros(1)  # [1], the position of the cache where the next row goes
        self.sequences = self.ids.new_zeros(rows, decoding.gen_length)  # the tokens that were generated
        self.token = self.ids.new_zeros(rows)
        self.finished = torch.zeros(rows, dtype=torch.bool, device=self.device)
        self.all_finished, self.may_end = torch.zeros(2, 1, dtype=torch.bool, device=self.device)
        self.until = self.ids.new_full((rows,), NEVER)  # tokens after which each row has ended
        self.ends = torch.tensor(decoding.ends, device=self.device)
        caches = torch.zeros(
            2, len(self.weights.layers), rows, dims.kv_heads, capacity, dims.head_width, dtype=model.dtype,
            device=self.device,
        )  # fmt: skip
        self.keys, self.values = caches  # each [layers, rows, kv_heads, capacity, head_width]
        self.prefill = Replay(self.prefill_step, self.device)
        self.decode = Replay(self.decode_step, self.device)

    @property
    def replays(self) -> tuple[Replay, ...]:
        return self.prefill, self.decode

    def fill(
        self,
        prompts: torch.Tensor,
        attention_mask: torch.Tensor | None,
        may_end: bool,
        lengths: list[int] | None = None,
    ) -> None:
        """Start anew after other prompts [rows, prompt_length].

        may_end: whether an end token ends a row. lengths: tokens after which each row ends; None: none ends so.
        """
        self.ids.copy_(prompts)
        self.may_end.fill_(may_end)
        if lengths is None:
            self.until.fill_(NEVER)
        else:
            self.until.copy_(torch.tensor(lengths))
        if attention_mask is not None:
            self.pads.copy_((attention_mask == 0).sum(1))
        self.finished.zero_()

    def rope(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """cos and sin [rows or 1, 1, length, head_width] at positions [rows or 1, length]."""
        return self.cos[positions][:, None], self.sin[positions][:, None]

    def prefill_step(self) -> None:
        """Every row of the prompts, and the first token."""
        length, dims = self.decoding.prompt_length, self.weights.dims
        here, own, visible = self.all[:length], self.all[None, :length], None
        if self.decoding.padded:
            own = (here[None] - self.pads[:, None]).clamp(min=0)
            visible = (here >= self.pads[:, None])[:, None, None, :]  # [rows, 1, 1, keys]
        cos, sin = self.rope(own)
        mask = None
        if self.decoding.padded:  # a padding row sees itself: with nothing to see it would be no number
            mask = (here[:, None] >= here) & visible | (here[:, None] == here)
        hidden = self.weights.embed(self.ids)
        for i, layer in enumerate(self.weights.layers):
            if i + 1 < len(self.weights.layers):
                hidden, k, v = self.functions.prefill(hidden, layer, dims, cos, sin, mask, mask is None)
            else:
                hidden, k, v = self.functions.on_rows(hidden, here[-1:], layer, dims, cos, sin, visible)
            self.keys[i, :, :, :length] = k
            self.values[i, :, :, :length] = v
        self.place.fill_(length)
        self.take(hidden[:, -1])

    def decode_step(self) -> None:
        """One row a sequence, and its next token."""
        mask = self.all <= self.place
        own = self.place[None]
        if self.decoding.padded:
            mask = mask & (self.all >= self.pads[:, None])[:, None, None, :]
            own = own - self.pads[:, None]
        cos, sin = self.rope(own)
        hidden = self.weights.embed(self.token[:, None])
        for layer, keys, values in zip(self.weights.layers, self.keys, self.values, strict=True):
            hidden = self.functions.decode(hidden, layer, self.weights.dims, cos, sin, mask, keys, values, self.place)
        self.place += 1
        self.take(hidden[:, -1])

    def jump(self, made: int, tokens: int) -> None:
        """Go on `tokens` further than after `made` of them, the cache between filled with the prompts' K and V."""
        length = self.decoding.prompt_length
        chosen, begin = self.all[:tokens] % length, length + made - 1
        for cache in (*self.keys, *self.values):  # of a layer: all at once would double the cache
            cache[:, :, begin : begin + tokens] = cache[:, :, chosen]
        self.place += tokens

    def take(self, hidden: torch.Tensor) -> None:
        """Sample the next token from what the last layer gave [rows, width], and note who has ended."""
        token = gumbel_scores(self.weights.logits(hidden), self.decoding.temperature).argmax(-1)
        token = torch.where(self.finished, self.ends[0], token)
        self.token.copy_(token)
        made = self.place - self.decoding.prompt_length  # [1], tokens before this one
        self.sequences.index_copy_(1, made, token[:, None])
        self.finished |= torch.isin(token, self.ends) & self.may_end | (made + 1 >= self.until)
        self.all_finished.copy_(self.finished.all())
