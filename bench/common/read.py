"""Reads the files that people give, as editors and shells on all systems save them: text, JSON and JSON lines.

A byte order mark and UTF-16 with one (Notepad, PowerShell) are read like plain UTF-8. Whatever cannot be read raises
BadInput: one line that names the file, the place in it and what is wrong. YAML is read in yaml_reader.py.
"""

import codecs
import io
import json
from collections.abc import Iterator
from pathlib import Path

from bench.common.errors import BadInput

# The encodings that a file's first bytes can name. UTF-32 comes first: its mark begins with that of UTF-16.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
TOO_DEEP = "nested too deeply to be read"
LONGEST_MESSAGE = 300  # characters of a parser's words or of an input; some parsers repeat the whole input


def decoded(content: bytes, where: str | Path) -> str:
    """The text in some bytes: UTF-8, or what a byte order mark names. Raises BadInput.

    where: the file, for messages.
    """
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadInput(f"{where}: not {encoding.upper()} text ({error.reason} at byte {error.start})") from None
    if "\0" in text:
        raise BadInput(f"{where}: not text (it holds zero bytes, as UTF-16 without a mark does); save it as UTF-8")
    return text


def text_of(file: Path) -> str:
    """The whole text of a file, line ends as they stand. Raises BadInput if it is not text."""
    return decoded(file.read_bytes(), file)


def lines_of(file: Path) -> list[str]:
    """The lines of a text file without their ends, whatever system ended them."""
    return [line.rstrip("\n") for line in io.StringIO(text_of(file), newline=None)]


def json_value(text: str, where: str | Path, expected: str = "") -> object:
    """The JSON value that a text states. Raises BadInput.

    where: the file or the line, for messages. expected: what should stand there, for messages as well.
    """
    try:
        return json.loads(text)
    except RecursionError:
        why = TOO_DEEP
    except ValueError as error:  # also of a number with thousands of digits
        why = shortened(error)
    raise BadInput(f"{where}: not valid JSON ({why})" + (f"; expected {expected}" if expected else ""))


def json_object(file: Path) -> dict:
    """The JSON object in a file. Raises BadInput where there is something else."""
    content = json_value(text_of(file), file)
    if not isinstance(content, dict):
        raise BadInput(f"{file}: not a JSON object")
    return content


def json_lines(file: Path, expected: str = "") -> Iterator[tuple[str, object]]:
    """(where the line stands, its JSON value) of each line of a file that is not blank. Raises BadInput.

    expected: what should stand in a line, for messages.
    """
    for number, line in enumerate(text_of(file).split("\n"), 1):
        if line.strip():
            where = f"{file}, line {number}"
            yield where, json_value(line, where, expected)


def shortened(error: Exception) -> str:
    """What a parser says, in a line of bounded length, without Python's advice to programmers.

    Of an error without words its name.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return bounded(text.split("; use sys.")[0])


def bounded(text: str) -> str:
    """A text for a message, cut where it is very long."""
    return text if len(text) <= LONGEST_MESSAGE else text[:LONGEST_MESSAGE] + " ..."
