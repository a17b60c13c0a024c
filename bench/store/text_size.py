"""How much text a token stands for. Two models with two tokenizers are compared by text a second, not by tokens."""

from bench.records.merge import CellRecords
from bench.records.types import Round
from bench.spec.cell import Cell
from bench.store.generations import decode

TOKENS_PER_S = "throughput/tokens_per_s"
TEXT_BYTES_PER_S = "throughput/text_bytes_per_s"


def bytes_of_text(record: Round) -> int | None:
    """UTF-8 bytes of the kept text of a round's answers; None where they are not on record.

    Raises BadInput where the tokenizer of its cell is not here.
    """
    if record.sequences is None:
        return record.kept_bytes
    return sum(len(text.encode()) for text in decode(record.cell.tokenizer, record))


def bytes_per_token(entry: CellRecords) -> float | None:
    """UTF-8 bytes of text for each kept token, over the answers of round 1; special tokens and blanks at either end are
    no text. None where the record has no answers (only those have that end by themselves), or weights are made up and
    their text is noise."""
    cell = entry.cell
    first = entry.rounds.get(1)
    if not isinstance(cell, Cell) or cell.random_seed is not None:
        return None
    if first is None or not first.is_good:
        return None
    size = bytes_of_text(first)
    return None if size is None else size / sum(count for call in first.calls for count in call.kept)


def with_text_rates(entry: CellRecords, rounds: dict[int, dict[str, float]]) -> dict[int, dict[str, float]]:
    """The metrics of each round, with bytes of kept text a second where that can be told.

    Later rounds time some of the prompts again and are scaled to all of them, so that the text of round 1 is theirs.
    """
    size = bytes_per_token(entry)
    if size is None:
        return rounds
    return {
        number: values | ({TEXT_BYTES_PER_S: values[TOKENS_PER_S] * size} if TOKENS_PER_S in values else {})
        for number, values in rounds.items()
    }
