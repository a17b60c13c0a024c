"""Bytes of text a second: of texts that are on record, and of no others."""

import pytest

from bench.data import tokenizers
from bench.store import text_size
from tests.conftest import make_cell
from tests.support.records import entry_of, llada_call

CELL = make_cell("llada")
TEXTS = ("A plain answer.", "Gr\u00fc\u00dfe, \u20ac 5", "\u65e5\u672c\u8a9e")


@pytest.mark.parametrize("text", TEXTS)
def test_a_rate_of_tokens_becomes_one_of_utf8_bytes_of_the_kept_text(text):
    ids = tokenizers.tokenizer(CELL.tokenizer).encode(text, add_special_tokens=False)
    padding = [ids[-1]] * 3  # behind what is kept: no text
    entry = entry_of(CELL, [llada_call(0, kept=[len(ids)])], sequences=[ids + padding])
    rounds = text_size.with_text_rates(
        entry, {1: {text_size.TOKENS_PER_S: 200.0}, 2: {text_size.TOKENS_PER_S: 100.0}, 3: {}}
    )
    decoded = tokenizers.tokenizer(CELL.tokenizer).decode(ids, skip_special_tokens=True).strip()
    bytes_per_token = len(decoded.encode()) / len(ids)
    assert rounds[1][text_size.TEXT_BYTES_PER_S] == pytest.approx(200 * bytes_per_token)
    assert rounds[2][text_size.TEXT_BYTES_PER_S] == pytest.approx(100 * bytes_per_token)
    assert rounds[3] == {}


def test_published_answers_have_the_size_of_their_text_in_their_place():
    entry = entry_of(CELL, [llada_call(0, kept=[4]), llada_call(1, kept=[6])], kept_bytes=35)
    rounds = text_size.with_text_rates(entry, {1: {text_size.TOKENS_PER_S: 200.0}})
    assert rounds[1][text_size.TEXT_BYTES_PER_S] == pytest.approx(200 * 35 / 10)


@pytest.mark.parametrize(
    ("cell", "changes"),
    [
        (CELL, {}),  # the length was forced: no answers on record
        (make_cell("llada", random_seed=0), {"sequences": [[1, 2, 3]]}),
        (CELL, {"sequences": [[1, 2, 3]], "outcome": "oom"}),
    ],
)
def test_what_has_no_text_on_record_has_no_such_rate(cell, changes):
    outcome = changes.pop("outcome", "ok")
    entry = entry_of(cell, [llada_call(0)], **changes)
    if outcome != "ok":
        entry.rounds.clear()
    values = {1: {text_size.TOKENS_PER_S: 200.0}}
    assert text_size.with_text_rates(entry, values) == values
