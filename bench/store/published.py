"""A study as it is published: its records without the texts of others and without the paths of a machine, packed.

A published file never loses a record: a study that has grown replaces its file, another study of its name does not.
"""

import gzip
import json
import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from bench.common import paths
from bench.common.errors import BadInput
from bench.records import types
from bench.records.types import Round
from bench.store import disk, text_size

# Keys under which a record would hold a prompt, a reference or an answer; those of generated tasks are made anew.
TEXTS = ("prompt", "prompts_text", "reference", "text", "texts", "generation", "messages")
SETTINGS = "cell"  # under this key `text` is the name of a source
MOST_WORDS = 120  # of a string that is kept whole: torch says in about eighty that memory has run out
# A path that begins at the root, at a home or at a drive: as a whole setting, in quotes (it may hold blanks), or in a
# sentence. The slash of `a/b`, and those of a web address, begin none.
START = r"(?:~[\w.-]*/|/(?!/(?:[^/]|$))|[A-Za-z]:\\)"
PLACES = ("weights", "tokenizer")  # settings that are a path and nothing else
QUOTED = re.compile(rf"(?<=(['\"])){START}[^'\"]+(?=\1)")
PATH = re.compile(rf"(?<![\w.~/\\-]){START}[^\s'\",;:()\[\]]+")
IN_A_CLONE = ("bench/", "configs/")  # how the paths of what every clone has begin
SEPARATORS = re.compile(r"[/\\]")


@dataclass(frozen=True)
class Publication:
    """What is to be published of a study, and what is published of it already.

    records: as they are published. stripped: how often what was taken out, by words that say it. before: how many
    records the published file has now (0: there is none).
    """

    study: str
    records: list[dict]
    stripped: Counter
    before: int = 0

    @property
    def file(self) -> Path:
        return disk.PUBLISHED / f"{self.study}{disk.PACKED}"

    @property
    def is_new(self) -> bool:
        """Whether the published file lacks anything of this."""
        return len(self.records) > self.before

    def lines(self) -> bytes:
        """The records, one a line."""
        return b"".join(json.dumps(record).encode() + b"\n" for record in self.records)

    def packed(self) -> bytes:
        """The lines, gzipped: the same bytes each time."""
        return gzip.compress(self.lines(), compresslevel=9, mtime=0)


def prepare(study: str) -> Publication:
    """What would be published of a study. Raises BadInput where there is no such study, where its file has records of
    others, or where another study is published under its name."""
    file = own_file(study)
    raw = disk.read_json(file)
    if not raw:
        raise BadInput(f"STUDY={study}: {file} has no records yet; run `make sweep STUDY={study}` first")
    if others := sorted({record["study"] for record in raw} - {study}):
        raise BadInput(f"STUDY={study}: {file} has records of study {others[0]} too; a published file is of one study")
    disk.read(file)  # a broken record is refused here, in words that say which
    stripped: Counter = Counter()
    portable = [with_size_of_answers(record, stripped) for record in raw]
    publication = Publication(study, [without_private_parts(record, stripped) for record in portable], stripped)
    there = disk.as_text(disk.read_json(publication.file))
    if missing := len(there - disk.as_text(publication.records)):
        raise BadInput(
            f"STUDY={study}: {publication.file} has {missing} records that {file} lacks, so it is another study, and"
            " published records are not dropped; give this one another name, or remove that file"
        )
    return Publication(study, publication.records, stripped, len(there))


def own_file(study: str) -> Path:
    """The file of a study's records on this machine. Raises BadInput that names the studies that there are."""
    names = sorted(file.stem for file in paths.ROOT.glob("*.jsonl"))
    if study not in names:
        what = f"STUDY={study}: no such study is measured here" if study else "record: give the study, STUDY=NAME"
        raise BadInput(f"{what}; {paths.ROOT} has: {', '.join(names) or 'none yet'}")
    return disk.path(study)


def write(publication: Publication) -> int:
    """Put a publication in place of the file that there is, whole or not at all; the packed bytes."""
    packed = publication.packed()
    file = publication.file
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        with open(part, "wb") as stream:
            stream.write(packed)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return len(packed)


def with_size_of_answers(raw: dict, stripped: Counter) -> dict:
    """A record without the token ids of its answers where a clone has no tokenizer that reads them; what is computed
    from them, their size as text, stands in their place. Answers of made-up weights are no text.

    Raises BadInput where the tokenizer is not here any more.
    """
    record = types.parse(raw)
    if not isinstance(record, Round) or record.sequences is None or record.cell.random_seed is not None:
        return raw
    if record.cell.tokenizer.startswith(IN_A_CLONE):
        return raw
    stripped["rounds of answers as token ids, since a clone lacks their tokenizer (their size stays)"] += 1
    short = replace(record, sequences=None, kept_bytes=text_size.bytes_of_text(record)).to_json()
    return short | {name: value for name, value in raw.items() if name not in record.to_json()}


def without_private_parts(value: object, stripped: Counter, key: str = "", in_settings: bool = False) -> object:
    """A JSON value without texts of others, paths of a machine and strings that are as long as a text.

    stripped: counts what is taken out. key: the name of the value. in_settings: whether it is part of a cell.
    """
    if isinstance(value, dict):
        kept = {}
        for name, inner in value.items():
            if name in TEXTS and not in_settings:
                stripped[f"texts under `{name}`"] += 1
            else:
                kept[name] = without_private_parts(inner, stripped, name, in_settings or name == SETTINGS)
        return kept
    if isinstance(value, list):
        return [without_private_parts(inner, stripped, key, in_settings) for inner in value]
    return without_paths(value, stripped, key) if isinstance(value, str) else value


def without_paths(text: str, stripped: Counter, key: str) -> str:
    """A string whose paths are their last part alone; one of more than `MOST_WORDS` words is cut there."""
    if key in PLACES and re.match(START, text):
        shorter, count = last_part(text), 1
    else:
        unquoted, in_quotes = QUOTED.subn(lambda match: last_part(match.group()), text)
        shorter, bare = PATH.subn(lambda match: last_part(match.group()), unquoted)
        count = in_quotes + bare
    if count:
        stripped[f"paths under `{key}` (their last part stays)"] += count
    words = shorter.split()
    if len(words) > MOST_WORDS:
        stripped[f"strings under `{key}` cut to {MOST_WORDS} words"] += 1
        return " ".join(words[:MOST_WORDS])
    return shorter


def last_part(path: str) -> str:
    """`model` of `/home/me/model/`."""
    parts = [part for part in SEPARATORS.split(path) if part]
    return parts[-1] if parts else ""
