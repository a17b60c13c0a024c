"""Tokenizers of model directories and packages: text to token ids and back."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from bench.common.errors import BadInput


def tokenizer_directory(name: str) -> str:
    """A directory as it is; `package:NAME` is the directory of an installed package."""
    if not name.startswith("package:"):
        return name
    package = find_spec(name.removeprefix("package:"))
    if package is None:
        raise BadInput(f"{name}: the package is not installed; run `make setup`")
    return str(Path(package.origin).parent)


@cache
def tokenizer(directory: str):
    """The tokenizer of a directory, with its chat template if it has one. Raises BadInput if there is none."""
    file = Path(directory) / "tokenizer.json"
    if not file.is_file():
        raise BadInput(f"{directory}: no tokenizer there (tokenizer.json is missing)")
    from transformers import PreTrainedTokenizerFast

    if (file.parent / "tokenizer_config.json").is_file():
        return PreTrainedTokenizerFast.from_pretrained(directory)
    return PreTrainedTokenizerFast(tokenizer_file=str(file))


def encode(directory: str, prompt: str) -> list[int]:
    """Token ids of a user's message in the model's chat form; plain text for a model that has no template."""
    tok = tokenizer(directory)
    if tok.chat_template is None:
        return tok(prompt)["input_ids"]  # with bos if the tokenizer adds one
    message = [{"role": "user", "content": prompt}]
    return list(tok.apply_chat_template(message, add_generation_prompt=True)["input_ids"])


def cut(directory: str, text: str, tokens: int) -> str:
    """The first `tokens` tokens of a text, as text: references are as long as an answer may be."""
    tok = tokenizer(directory)
    return tok.decode(tok(text, add_special_tokens=False)["input_ids"][:tokens], skip_special_tokens=True).strip()
