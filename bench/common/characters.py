"""Text that is no text: half of a character.

JSON can write a character beyond U+FFFF as two halves (surrogates), `\\ud83d\\ude00`. A text that was cut between them,
or read from a file name that is not UTF-8, keeps one half. Python holds such a text as it is, but no tokenizer takes
it, and it cannot be written as UTF-8.
"""

import re

HALF = re.compile("[\ud800-\udfff]")  # Python joins two halves that belong together when it reads them


def half_character(text: str) -> str | None:
    """The first half of a character that stands alone in a text, as JSON writes it (`\\ud83d`); None without one."""
    first = HALF.search(text)
    return f"\\u{ord(first.group()):04x}" if first else None


def writable(text: str) -> str:
    """The text with U+FFFD, the sign for a character that was lost, in place of each half character."""
    return HALF.sub("\ufffd", text)
