"""LLaDA: blockwise denoising, by default with the official sampler and every step a forward over the whole canvas."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from transformers import LlamaForCausalLM

from bench.adapters import captured
from bench.adapters.base import ModelAdapter, left_pad
from bench.adapters.contract import Mark, Output, Special, kept_tokens
from bench.diffusion.denoising import Denoised, denoise, run
from bench.diffusion.sampling import Sampling
from bench.models import checkpoint, layers
from bench.models.parts import Parts
from bench.spec import decoder_rules
from bench.spec.cell import Cell


class LladaAdapter(ModelAdapter):
    """Blockwise denoising: as the authors run it, or with another sampler or a cache."""

    def load(self, cell: Cell) -> None:
        decoder_rules.check_cell(cell, f"{cell.kind} cell {cell.cell_id}")
        super().load(cell)
        # The end-of-turn token of a model that was taught to chat; read here, since generating is timed.
        self.eot_id = checkpoint.token_id(cell.tokenizer, checkpoint.END_OF_TURN)

    def generate(self, prompts: list[list[int]], mark: Mark, lengths: list[int] | None = None) -> Output:
        cell = self.cell
        ids, mask = left_pad(prompts, self.checkpoint.eos_ids[0], cell.device)
        if cell.engine == "captured":
            result = self.replayed(prompts, ids, mask, mark)
        else:
            result = denoise(LladaBody(self.model), ids, mask, self.options(), mark, cell.steps_timed)
        sequences = result.canvas[:, ids.shape[1] :]
        kept = kept_tokens(sequences, self.special().ends, cell.stop, lengths)
        return Output(
            sequences, result.nfe, result.positions, kept, result.first_step, result.nfe_full, result.committed,
            result.own_forwards,
        )  # fmt: skip

    def special(self) -> Special:
        ends = self.checkpoint.eos_ids
        return Special(ends if self.eot_id is None else (*ends, self.eot_id), self.checkpoint.mask_id)

    def options(self) -> Sampling:
        """The cell's settings as the sampler takes them; token ids are the checkpoint's and tokenizer's."""
        cell = self.cell
        return Sampling(
            steps=cell.steps,
            gen_length=cell.gen_length,
            block_length=cell.block_length,
            mask_id=self.checkpoint.mask_id,
            temperature=cell.temperature,
            remasking=cell.remasking,
            cfg_scale=cell.cfg_scale or 0.0,
            logits_eos_inf=bool(cell.logits_eos_inf),
            confidence_eos_eot=cell.confidence_eos_eot or "off",
            eos_id=self.checkpoint.eos_ids[0],
            eot_id=self.eot_id,
            head=cell.head or "official",
            sampler=cell.sampler or "fixed",
            cache=cell.cache or "none",
            early_stop=bool(cell.early_stop),
            ends=self.special().ends if cell.early_stop else (),
            **{name: getattr(cell, name) for name in decoder_rules.OPTIONS},
        )

    def shape_of(self, prompts: list[list[int]]) -> tuple:
        """What a captured step depends on, as `captured.Denoiser` takes it. The number of steps is not part of it."""
        options, longest = replace(self.options(), steps=0), max(map(len, prompts))
        padded = any(len(prompt) < longest for prompt in prompts)
        whole = any(options.mask_id in prompt for prompt in prompts)
        return options, len(prompts), longest, padded, whole

    def capture(self, prompts: list[list[int]]) -> captured.Denoiser:
        return captured.Denoiser(self.model, *self.shape_of(prompts))

    @torch.no_grad()
    def replayed(self, prompts: list[list[int]], ids: torch.Tensor, mask: torch.Tensor | None, mark: Mark) -> Denoised:
        """The same loop over a captured step."""
        denoiser = self.captured(prompts)
        denoiser.canvas.fill(ids, mask)
        return run(denoiser.canvas, denoiser.make, self.cell.steps, mark, self.cell.steps_timed)


@dataclass(frozen=True)
class LladaBody:
    """LLaDA as transformers runs it, whole and in the two parts that the lean head needs."""

    model: LlamaForCausalLM

    def __call__(self, ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        return self.model(ids, attention_mask=attention_mask, use_cache=False).logits

    @cached_property
    def weights(self) -> layers.Weights:
        return layers.weights_of(self.model)

    def parts(self, canvas: int) -> Parts:
        """The layers one by one, for caches."""
        return Parts.of(self.model, canvas)

    def trunk(self, ids: torch.Tensor, attention_mask: torch.Tensor | None, positions: torch.Tensor) -> torch.Tensor:
        """Of the last layer only the rows at `positions` ask and go on: all others end as K and V."""
        inner = self.model.model
        hidden = inner.embed_tokens(ids)
        rope = inner.rotary_emb(hidden, torch.arange(ids.shape[1], device=ids.device)[None])
        visible = None if attention_mask is None else attention_mask[:, None, None, :].bool()
        for layer in inner.layers[:-1]:
            hidden = layer(hidden, attention_mask=visible, position_embeddings=rope)
        last, (cos, sin) = self.weights.layers[-1], (table[:, None] for table in rope)
        return layers.layer_on_rows(hidden, positions, last, self.weights.dims, cos, sin, visible)[0]

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.model.lm_head(self.model.model.norm(hidden))
