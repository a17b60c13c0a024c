"""LLaMA: one token a forward over a KV cache, a mark for each token."""

import torch
from transformers import DynamicCache

from bench import engines
from bench.adapters.base import Mark, ModelAdapter, Output, Special, kept_tokens, left_pad
from bench.diffusion.samplers import gumbel_scores


class LlamaAdapter(ModelAdapter):
    """Decoding as transformers' `generate()` does it, without the machinery around it: prefill, then
    one forward a token, stopping when every row has ended."""

    def special(self) -> Special:
        return Special(self.checkpoint.eos_ids)

    def generate(self, prompts: list[list[int]], mark: Mark) -> Output:
        if self.cell.engine == "captured":
            return self.replayed(prompts, mark)
        return self.eager(prompts, mark)

    @torch.inference_mode()
    def eager(self, prompts: list[list[int]], mark: Mark) -> Output:
        cell, eos_ids = self.cell, self.checkpoint.eos_ids
        ids, mask = left_pad(prompts, eos_ids[0], cell.device)
        ends = torch.tensor(eos_ids, device=ids.device)
        finished = torch.zeros(len(prompts), dtype=torch.bool, device=ids.device)
        cache = DynamicCache(config=self.model.config)
        tokens: list[torch.Tensor] = []
        rows, positions = ids, 0
        while len(tokens) < cell.gen_length:
            logits = self.forward(rows, mask, cache)
            positions += rows.numel()
            token = gumbel_scores(logits, cell.temperature).argmax(-1)
            token = torch.where(finished, ends[0], token)
            tokens.append(token)
            mark("token")
            if cell.stop == "eos":
                finished |= torch.isin(token, ends)
                if finished.all():
                    break
            rows = token[:, None]
            if mask is not None:
                mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
        sequences = torch.stack(tokens, dim=1)
        return Output(sequences, len(tokens), positions, kept_tokens(sequences, self.special().ends, cell.stop))

    def forward(self, rows: torch.Tensor, mask: torch.Tensor | None, cache: DynamicCache) -> torch.Tensor:
        """Logits [batch, vocabulary] of the last position. Padding does not move a row's positions."""
        positions = None if mask is None else (mask.cumsum(1) - 1).clamp(min=0)[:, -rows.shape[1] :]
        return self.model(
            rows, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
        ).logits[:, -1]

    def shape_of(self, prompts: list[list[int]]) -> tuple:
        """What a captured step depends on. The length to generate is not part of it: a shorter call fits in."""
        longest = max(map(len, prompts))
        padded = any(len(prompt) < longest for prompt in prompts)
        return len(prompts), longest, padded, self.cell.temperature

    def capture(self, prompts: list[list[int]]) -> engines.Decoder:
        rows, longest, padded, temperature = self.shape_of(prompts)
        ends, length = self.checkpoint.eos_ids, self.cell.gen_length
        return engines.Decoder(self.model, engines.Decoding(rows, longest, length, padded, temperature, ends))

    @torch.no_grad()
    def replayed(self, prompts: list[list[int]], mark: Mark) -> Output:
        """The same from a captured prefill and decode step. `nfe` counts the forwards that were made, maybe one more
        than was needed (`engines.Lookout`); the sequences end where the text does."""
        cell, decoder = self.cell, self.captured(prompts)
        ids, mask = left_pad(prompts, self.checkpoint.eos_ids[0], cell.device)
        if cell.gen_length > decoder.decoding.gen_length:
            raise RuntimeError(f"captured for {decoder.decoding.gen_length} tokens, asked for {cell.gen_length}")
        decoder.fill(ids, mask, may_end=cell.stop == "eos")
        lookout = engines.Lookout(decoder.all_finished, cell.gen_length)
        decoder.prefill()
        mark("token")
        made = 1
        while made < cell.gen_length and not (cell.stop == "eos" and lookout.ended()):
            decoder.decode()
            mark("token")
            made += 1
        sequences = decoder.sequences[:, :made].clone()
        kept = kept_tokens(sequences, self.special().ends, cell.stop)
        return Output(sequences[:, : max(kept)], made, ids.numel() + len(ids) * (made - 1), kept)
