"""Notes beside the rows of a table as letters that its caption explains: words would take the room of numbers."""

from string import ascii_lowercase

import pandas as pd

NOTE = "note"  # the column
MOST_NOTES = 6  # different ones of a table; more stay a column
LONGEST_NOTE = 80  # letters; a longer one is no flag but a reason, and stays beside its row


def with_marks(caption: str, table: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """(caption, table) with the notes of the rows as letters behind the rows' names.

    As it was where there are no notes, and where they are too many or too long. The cells are LaTeX already.
    """
    if NOTE not in table:
        return caption, table
    notes = list(dict.fromkeys(note for note in table[NOTE] if note))
    if len(notes) > MOST_NOTES or any(len(note) > LONGEST_NOTE for note in notes):
        return caption, table
    rest = table.drop(columns=NOTE)
    if len(notes) == 1 and all(table[NOTE]):
        return f"{caption} Every row: {notes[0]}.", rest
    letters = dict(zip(notes, ascii_lowercase, strict=False))
    names = [
        f"{name}\\textsuperscript{{{letters[note]}}}" if note else name
        for name, note in zip(table.index, table[NOTE], strict=True)
    ]
    explained = "; ".join(f"\\textsuperscript{{{letter}}} {note}" for note, letter in letters.items())
    return " ".join(filter(None, [caption, f"{explained}." if explained else ""])), rest.set_axis(names)
