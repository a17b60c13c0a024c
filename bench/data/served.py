"""Prompts and answers of a model behind an address: as text where it takes no token ids, and how many tokens they have.

Imports no torch.
"""

from functools import cache

from bench.data import tokenizers
from bench.models import revision as revisions
from bench.models import server, server_look

PROBE = "a"  # the user's message in the first question to a server


@cache
def text_of(directory: str, ids: tuple[int, ...]) -> tuple[str, bool]:
    """The text that a server is sent for token ids, and whether its tokenizer makes these ids of it again.

    Special tokens stand in it by their names. A tokenizer that puts a token in front of every text does so to this one
    as well, so that the same token is left out of it.
    """
    tok = tokenizers.tokenizer(directory)
    whole = tok.decode(list(ids), clean_up_tokenization_spaces=False)
    without_first = tok.decode(list(ids[1:]), clean_up_tokenization_spaces=False)
    for text in (whole, without_first):
        if tuple(tok(text)["input_ids"]) == ids:
            return text, True
    return whole, False


def ids_of(directory: str, text: str) -> list[int]:
    """Token ids of an answer's text, without what a tokenizer puts in front of a text or behind it."""
    return tokenizers.tokenizer(directory)(text, add_special_tokens=False)["input_ids"]


def end_of(directory: str) -> int | None:
    """The token that ends an answer; None where the tokenizer has none."""
    return tokenizers.tokenizer(directory).eos_token_id


def look(asked: server.Asked, directory: str) -> server.Said:
    """What a server says of itself, asked with a short message in the chat form of a tokenizer. Raises BadInput."""
    ids = tuple(tokenizers.encode(directory, PROBE))
    return server_look.look(asked, ids, text_of(directory, ids)[0])


def revision(said: server.Said, directory: str) -> str:
    """Twelve hex digits that name a server's model and the tokenizer of its prompts."""
    return revisions.with_tokenizer(said.revision, directory)
