"""What holds of a server's answers: how many tokens count, and which answers cannot be what the cell asked for."""

from bench.models.server import Counted
from bench.spec.cell import Cell


def wanted_tokens(cell: Cell, rows: int, lengths: list[int] | None) -> list[int]:
    """Tokens that each answer may have, or, where its end is forced, must have."""
    return list(lengths) if lengths else [cell.gen_length] * rows


def kept_tokens(cell: Cell, counted: Counted, lengths: list[int] | None) -> list[int]:
    """Tokens of each answer that count: those that were forced, else those of the text by the pair's tokenizer with the
    end token that the model wrote behind it."""
    return list(counted.tokens) if cell.stop == "eos" else wanted_tokens(cell, len(counted.tokens), lengths)


def check(cell: Cell, counted: Counted, marks: dict[str, list[float]], lengths: list[int] | None = None) -> None:
    """Refuse answers that cannot be what was asked for. Raises RuntimeError in one line."""
    wanted = wanted_tokens(cell, len(counted.tokens), lengths)
    for row, most in enumerate(wanted):
        tokens = counted.tokens[row] if counted.usage[row] is None else counted.usage[row]
        if cell.stop != "eos" and (counted.ended[row] or (counted.usage[row] is not None and tokens < most)):
            raise RuntimeError(
                f"the server ended an answer after {tokens} of {most} tokens: it does not heed what the pair's file"
                " says under forced_length"
            )
        if counted.usage[row] is not None and tokens > most:
            raise RuntimeError(f"the server wrote {tokens} tokens where {most} were asked for")
        if len(marks.get(f"end.{row}", [])) != 1:
            raise RuntimeError(f"the adapter marked {len(marks.get(f'end.{row}', []))} ends of an answer")
