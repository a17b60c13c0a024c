"""Records on disk: everything measured, one JSON object a line in `mlruns/STUDY.jsonl`, never rewritten.

bench/records/types.py says what stands in a line, and makes a typed record of it here, where a file is read.
A record is on disk before anything else is done with it, so nothing measured is ever lost.
Published studies are in `paper/recorded/STUDY.jsonl.gz`: the same lines, gzipped, to be read and never appended to.
"""

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.common import paths
from bench.common.errors import BadInput
from bench.records import merge, types
from bench.records.merge import CellRecords
from bench.records.types import Record

PUBLISHED = Path("paper/recorded")  # the folder of published studies
PACKED = ".jsonl.gz"  # how their files' names end


def path(study: str) -> Path:
    """The file of a study's records."""
    return paths.ROOT / f"{study}.jsonl"


def append(file: Path, *records: dict) -> None:
    """Add records' JSON objects and wait until they are on disk. A torn last line (a kill mid-write) is ended first.

    Of several records a kill mid-write leaves the first ones whole.

    Raises OSError.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a+b") as stream:
        if stream.tell() and not ends_with_newline(stream):
            stream.write(b"\n")
        stream.write(b"".join(json.dumps(raw).encode() + b"\n" for raw in records))
        stream.flush()
        os.fsync(stream.fileno())


def touch(file: Path) -> None:
    """Make sure that a file can be appended to. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    open(file, "ab").close()


def ends_with_newline(stream) -> bool:
    stream.seek(-1, os.SEEK_END)
    return stream.read(1) == b"\n"


def read(file: Path) -> list[Record]:
    """All whole records of a file, oldest first; empty where there is no such file.

    Raises BadInput for a record that lacks what it cannot do without, and for a `.gz` that is none, or not whole.
    """
    records = []
    for number, raw in enumerate(read_json(file), 1):
        try:
            records.append(types.parse(raw))
        except ValueError as error:
            raise BadInput(f"{file}: record {number} is {error}; remove it, or copy the file here once more") from error
    return records


def read_json(file: Path) -> list[dict]:
    """The JSON objects of all whole records of a file, as they stand in it, oldest first.

    A line that was cut by a kill was never acknowledged and is skipped, as is whatever is no record.
    """
    return list(records_in(content(file).splitlines())) if file.is_file() else []


def first_json(file: Path) -> dict | None:
    """The JSON object of a plain file's first whole record, without reading on; None where there is none."""
    if not file.is_file():
        return None
    with open(file, "rb") as stream:
        return next(records_in(stream), None)


def records_in(lines: Iterable[bytes]) -> Iterator[dict]:
    """The JSON objects of those lines that are records."""
    for line in lines:
        try:
            raw = json.loads(line)
        except (ValueError, RecursionError):  # no JSON, or none that Python reads
            continue
        if types.is_record(raw):
            yield raw


def content(file: Path) -> bytes:
    """What a file holds, unpacked where its name says that it is gzipped. Raises BadInput where it is not wholly so."""
    if not is_packed(file):
        return file.read_bytes()
    try:
        return gzip.decompress(file.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:  # half of a study would pass for the whole
        raise BadInput(f"{file}: no gzip file, or not a whole one ({error}); copy it here once more") from error


def is_packed(file: Path) -> bool:
    return file.suffix == ".gz"


def published(study: str) -> Path:
    """The file of a published study. Raises BadInput that names those that there are."""
    files = {file.name.removesuffix(PACKED): file for file in sorted(PUBLISHED.glob(f"*{PACKED}"))}
    if study not in files:
        what = f"STUDY={study}: no such study is recorded" if study else "restore: give the study, STUDY=NAME"
        raise BadInput(f"{what}; {PUBLISHED} has: {', '.join(files) or 'none yet'}")
    return files[study]


def restore(study: str) -> list[str]:
    """Copy a published study's records into the study of its name; returns that name. Twice changes nothing.

    Raises BadInput as `published` and `replay` do, and where the study already has records of its own: measurements of
    two machines under one name would be taken for rounds of one.
    """
    packed = published(study)
    own, there = as_text(read_json(path(study))), as_text(read_json(packed))
    if not (own <= there or there <= own):
        raise BadInput(
            f"STUDY={study}: {path(study)} has measurements of your own, and the published study is not mixed with"
            " them; restore it in another clone, or move that file away and delete the study in MLflow"
        )
    return replay(packed, study)


def as_text(raw: list[dict]) -> set[str]:
    """Records as canonical text, to be compared."""
    return {json.dumps(each, sort_keys=True) for each in raw}


def by_cell(study: str) -> dict[str, CellRecords]:
    """A study's records by cell id."""
    return merge.group(read(path(study)))


def replay(file: Path, study: str | None = None) -> list[str]:
    """Copy another machine's records into this one's studies; returns the studies. Twice changes nothing.

    Lines are copied as they stand, with fields that this code does not know. study: the one that all records must be
    of. Raises BadInput, before anything is copied, where they are not, or where there are none.
    """
    incoming = read_json(file)
    if not incoming:
        raise BadInput(f"{file}: no records in it; give a file that `--record` wrote or a study's .jsonl")
    if study and (others := sorted({raw["study"] for raw in incoming} - {study})):
        raise BadInput(f"{file}: has records of study {others[0]}; a published file is named after its one study")
    texts_of = {}  # by study: the records that it has
    for raw in incoming:
        name = raw["study"]
        text = json.dumps(raw, sort_keys=True)
        if name not in texts_of:
            texts_of[name] = as_text(read_json(path(name)))
        if text not in texts_of[name]:
            append(path(name), raw)
            texts_of[name].add(text)
    return sorted(texts_of)
