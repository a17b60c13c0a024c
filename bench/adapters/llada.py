"""LLaDA: the official sampler, every step a forward over the whole canvas."""

import torch

from bench.adapters.base import Mark, ModelAdapter, Output, kept_tokens, left_pad
from bench.diffusion.samplers import Sampling, denoise


class LladaAdapter(ModelAdapter):
    """Blockwise denoising without a cache, as the authors run it."""

    def generate(self, prompts: list[list[int]], mark: Mark) -> Output:
        cell = self.cell
        ids, mask = left_pad(prompts, self.checkpoint.eos_ids[0], cell.device)
        options = Sampling(
            steps=cell.steps,
            gen_length=cell.gen_length,
            block_length=cell.block_length,
            mask_id=self.checkpoint.mask_id,
            temperature=cell.temperature,
            remasking=cell.remasking,
        )
        result = denoise(self.forward, ids, mask, options, mark)
        sequences = result.canvas[:, ids.shape[1] :]
        kept = kept_tokens(sequences, self.checkpoint.eos_ids, cell.stop)
        return Output(sequences, result.nfe, result.positions, kept, result.first_step)

    def forward(self, canvas: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """Logits [batch, canvas, vocabulary] of every position."""
        return self.model(canvas, attention_mask=attention_mask, use_cache=False).logits
