"""LLaMA: each forward reads the KV cache and gives one token, which is marked.

A cell with `tokens_timed` decodes only so many tokens: the first half of them right behind the prompt, the other half
at the last positions of a whole answer. Between the halves the cache is lengthened at once. The mark "jump" comes after
that, so that the time it took belongs to no token.

Two engines are transformers' own call in place of this loop (generate.py).
"""

import torch
from transformers import DynamicCache

from bench.adapters import captured, generate, replay
from bench.adapters.base import ModelAdapter, left_pad
from bench.adapters.contract import Mark, Output, Special, kept_tokens
from bench.diffusion.samplers import gumbel_scores


class LlamaAdapter(ModelAdapter):
    """Decoding as transformers' `generate()` does it, without the machinery around it: one forward over the prompts,
    then one forward for each token, until every row has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ready: generate.Ready | None = None  # of the engine generate-static

    def special(self) -> Special:
        return Special(self.checkpoint.eos_ids)

    def generate(self, prompts: list[list[int]], mark: Mark, lengths: list[int] | None = None) -> Output:
        if self.cell.engine == "generate":
            return self.generated(prompts, mark)
        if self.cell.engine == "generate-static":
            return self.generated_with_static_cache(prompts, mark)
        run = self.replayed if self.cell.engine == "captured" else self.eager
        return run(prompts, mark, lengths if self.cell.stop == "references" else None)

    @torch.inference_mode()
    def eager(self, prompts: list[list[int]], mark: Mark, lengths: list[int] | None = None) -> Output:
        cell, eos_ids = self.cell, self.checkpoint.eos_ids
        ids, mask = left_pad(prompts, eos_ids[0], cell.device)
        ends = torch.tensor(eos_ids, device=ids.device)
        until = None if lengths is None else torch.tensor(lengths, device=ids.device)
        finished = torch.zeros(len(prompts), dtype=torch.bool, device=ids.device)
        cache = DynamicCache(config=self.model.config)
        tokens: list[torch.Tensor] = []
        rows = ids  # that the next forward computes
        positions = 0  # rows that all forwards have computed
        while len(tokens) < (cell.tokens_timed or cell.gen_length):
            if cell.tokens_timed and len(tokens) == cell.tokens_timed // 2:
                mask = jump(cache, mask, cell.gen_length - cell.tokens_timed)
                mark("jump")
            logits = self.forward(rows, mask, cache)
            positions += rows.numel()
            token = gumbel_scores(logits, cell.temperature).argmax(-1)
            token = torch.where(finished, ends[0], token)
            tokens.append(token)
            mark("token")
            if cell.stop != "length":
                finished |= torch.isin(token, ends) if until is None else until <= len(tokens)
                if finished.all():
                    break
            rows = token[:, None]
            if mask is not None:
                mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
        sequences = torch.stack(tokens, dim=1)
        kept = kept_tokens(sequences, self.special().ends, cell.stop, lengths)
        return Output(sequences, len(tokens), positions, kept)

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

    def capture(self, prompts: list[list[int]]) -> captured.Decoder:
        rows, longest, padded, temperature = self.shape_of(prompts)
        ends, length = self.checkpoint.eos_ids, self.cell.gen_length
        return captured.Decoder(self.model, captured.Decoding(rows, longest, length, padded, temperature, ends))

    @torch.no_grad()
    def replayed(self, prompts: list[list[int]], mark: Mark, lengths: list[int] | None = None) -> Output:
        """The same with a captured prefill and a captured decode step.

        `nfe` counts the forwards that were made. They may be one more than was needed, because the host learns late
        that all rows have ended (`replay.Lookout`); the sequences end where the text does.
        """
        cell, decoder = self.cell, self.captured(prompts)
        ids, mask = left_pad(prompts, self.checkpoint.eos_ids[0], cell.device)
        if cell.gen_length > decoder.decoding.gen_length:
            raise RuntimeError(f"captured for {decoder.decoding.gen_length} tokens, asked for {cell.gen_length}")
        decoder.fill(ids, mask, may_end=cell.stop == "eos", lengths=lengths)
        lookout = replay.Lookout(decoder.all_finished, cell.gen_length)
        decoder.prefill()
        mark("token")
        made = 1  # tokens so far
        needed = cell.tokens_timed or cell.gen_length
        while made < needed and not (cell.stop != "length" and lookout.ended()):
            if cell.tokens_timed and made == cell.tokens_timed // 2:
                decoder.jump(made, cell.gen_length - cell.tokens_timed)
                mark("jump")
            decoder.decode()
            mark("token")
            made += 1
        sequences = decoder.sequences[:, :made].clone()
        if cell.tokens_timed:
            sequences[:, made // 2 :] = decoder.sequences[:, made // 2 - made :]
        kept = kept_tokens(sequences, self.special().ends, cell.stop, lengths)
        return Output(sequences[:, : max(kept)], made, ids.numel() + len(ids) * (made - 1), kept)

    def generated(self, prompts: list[list[int]], mark: Mark) -> Output:
        """The same by transformers' own call."""
        return generate.generate(self.model, self.cell, self.checkpoint.eos_ids, prompts, generate.MarkTokens(mark))

    def generated_with_static_cache(self, prompts: list[list[int]], mark: Mark) -> Output:
        """The same with a static cache. A call that would have to compile is refused, since it is timed."""
        ready = self.ready
        needed = max(map(len, prompts)) + self.cell.gen_length
        if ready is None or needed > ready.positions or generate.shape_of(prompts) not in ready.shapes:
            raise RuntimeError("not prepared for prompts of this shape: compiling must not be timed")
        generate.set_cache_length(self.model, ready.positions)
        with torch.compiler.set_stance("fail_on_recompile"):
            return self.generated(prompts, mark)

    def compiles(self) -> bool:
        """Whether transformers compiles the decode forward over a static cache: on a GPU alone."""
        return self.cell.device == "cuda"

    def prepare(self, batches: list[list[list[int]]]) -> float | None:
        if self.cell.engine != "generate-static":
            return super().prepare(batches)
        positions = max(len(prompt) for prompts in batches for prompt in prompts) + self.cell.gen_length
        shapes = frozenset(map(generate.shape_of, batches))
        if self.ready is not None and self.ready.positions == positions and shapes <= self.ready.shapes:
            return None
        self.forget()
        if not self.compiles():
            self.ready = generate.Ready(positions, shapes)
            return None
        self.ready = generate.compile_for(self.model, self.cell, self.checkpoint.eos_ids, batches, positions)
        return self.ready.compile_s

    def forget(self) -> None:
        super().forget()
        if self.ready is not None and self.ready.compile_s:
            torch.compiler.reset()
        self.ready = None

    def captured_peak_bytes(self) -> int:
        return self.ready.peak_bytes if self.ready else super().captured_peak_bytes()


def jump(cache: DynamicCache, mask: torch.Tensor | None, tokens: int) -> torch.Tensor | None:
    """Lengthen a cache by `tokens` rows, which repeat the K and V that it holds; returns the mask that belongs to it.

    Time does not depend on the numbers in the cache. Memory is that of a cache which grew token by token, because each
    layer's rows are copied once into longer ones, as in the last step of a whole run.
    """
    for layer in cache.layers:
        repeated = torch.arange(tokens, device=layer.keys.device) % layer.keys.shape[2]
        for name in ("keys", "values"):  # [batch, heads, length, head width]
            rows = getattr(layer, name)
            setattr(layer, name, torch.cat([rows, rows[:, :, repeated]], dim=2))
    return mask if mask is None else torch.cat([mask, mask.new_ones(len(mask), tokens)], dim=1)
