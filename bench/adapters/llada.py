"""LLaDA: the official sampler, every step a forward over the whole canvas."""

from dataclasses import dataclass

import torch
from transformers import LlamaForCausalLM

from bench import checkpoint
from bench.adapters.base import Mark, ModelAdapter, Output, Special, kept_tokens, left_pad
from bench.cell import Cell
from bench.diffusion.samplers import Sampling, denoise


class LladaAdapter(ModelAdapter):
    """Blockwise denoising without a cache, as the authors run it."""

    def load(self, cell: Cell) -> None:
        super().load(cell)
        # The end-of-turn token of a model that was taught to chat; read here, since generating is timed.
        self.eot_id = checkpoint.token_id(cell.tokenizer, checkpoint.END_OF_TURN)

    def generate(self, prompts: list[list[int]], mark: Mark) -> Output:
        cell, eos_ids = self.cell, self.checkpoint.eos_ids
        ids, mask = left_pad(prompts, eos_ids[0], cell.device)
        result = denoise(LladaBody(self.model), ids, mask, self.options(), mark)
        sequences = result.canvas[:, ids.shape[1] :]
        kept = kept_tokens(sequences, self.special().ends, cell.stop)
        return Output(sequences, result.nfe, result.positions, kept, result.first_step)

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
            stop_after=cell.steps_timed,
        )


@dataclass(frozen=True)
class LladaBody:
    """LLaDA in the two parts that the lean head needs, and whole."""

    model: LlamaForCausalLM

    def __call__(self, ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        return self.head(self.trunk(ids, attention_mask))

    def trunk(self, ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        return self.model.model(ids, attention_mask=attention_mask, use_cache=False).last_hidden_state

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.model.lm_head(hidden)
