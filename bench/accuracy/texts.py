"""Texts to token ids and back as lm-eval's own backend for transformers does it, by a model's tokenizer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from bench.common.errors import BadInput
from bench.common.read import shortened
from bench.data import tokenizers
from bench.spec.pair import ModelFile


def hash_of(text: str) -> str:
    """Twelve hex digits that name a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@dataclass(frozen=True)
class Texts:
    """A model's tokenizer and chat form. files: of the model, with a local directory."""

    files: ModelFile

    @cached_property
    def tokenizer(self):
        return tokenizers.tokenizer(self.files.tokenizer_directory)

    @property
    def has_chat_template(self) -> bool:
        return self.tokenizer.chat_template is not None

    @property
    def prefix_id(self) -> int:
        """What stands before a text that has nothing before it: the tokenizer's first token, else its end token.

        Raises BadInput where it has neither.
        """
        ids = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id, self.files.describe().eos_ids[0]
        first = next((each for each in ids if each is not None), None)
        if first is None:
            raise BadInput(f"{self.files.tokenizer_directory}: has no token that begins or ends a text")
        return first

    def encode(self, text: str, add_special_tokens: bool | None = None) -> list[int]:
        """Token ids. add_special_tokens: None for what the tokenizer does, but nothing twice: a text in chat form
        begins with its first token already."""
        if add_special_tokens is None:
            first = self.tokenizer.bos_token
            add_special_tokens = not (first and text.startswith(first))
        ids = self.tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"]
        fold = self.files.fold_ids_below
        return ids if fold is None else [each % fold for each in ids]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids, without special tokens."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    def chat(self, history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Messages in the model's chat form. add_generation_prompt: whether the model's turn begins after them; else it
        goes on with the last message. Raises BadInput where the template refuses them."""
        try:
            with tokenizers.fixed_date():
                return self.tokenizer.apply_chat_template(
                    history, tokenize=False, add_generation_prompt=add_generation_prompt,
                    continue_final_message=not add_generation_prompt,
                )  # fmt: skip
        except Exception as error:  # whatever a template raises
            raise BadInput(
                f"{self.files.tokenizer_directory}: its chat template refuses the prompts of this task"
                f" ({shortened(error)}); mend chat_template"
            ) from error
