"""Records: everything measured, one JSON object a line in `mlruns/STUDY.jsonl`, never rewritten.

Four kinds: `round` (one cell in one round, from a worker), `beside` (what was measured on a GPU beside its calls:
energy, kernels), `scores` (quality of one cell's generations) and `ceilings` (what a device can do at most, for all
cells that ran on it).
A record is on disk before anything else is done with it, so nothing measured is ever lost.
Published studies are in `paper/recorded/STUDY.jsonl.gz`: the same lines, gzipped, to be read and never appended to.
"""

import gzip
import json
import os
import zlib
from collections import defaultdict
from pathlib import Path

from bench.common.errors import BadInput
from bench.common.paths import ROOT
from bench.records import merge
from bench.records.merge import CellRecords

PUBLISHED, PACKED = Path("paper/recorded"), ".jsonl.gz"
KINDS = ("round", "beside", "scores", "ceilings")


def path(study: str) -> Path:
    """The file of a study's records."""
    return ROOT / f"{study}.jsonl"


def append(file: Path, record: dict) -> None:
    """Add a record and wait until it is on disk. A torn last line (a kill mid-write) is ended first."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a+b") as stream:
        if stream.tell() and not ends_with_newline(stream):
            stream.write(b"\n")
        stream.write(json.dumps(record).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def touch(file: Path) -> None:
    """Make sure that a file can be appended to. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    open(file, "ab").close()


def ends_with_newline(stream) -> bool:
    stream.seek(-1, os.SEEK_END)
    return stream.read(1) == b"\n"


def read(file: Path) -> list[dict]:
    """All whole records of a file, oldest first. A line cut by a kill was never acknowledged and is skipped.

    Raises BadInput for a `.gz` that is none, or not whole.
    """
    if not file.is_file():
        return []
    found = []
    for line in content(file).splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record, dict) and record.get("record") in KINDS:
            found.append(record)
    return found


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
    found = {file.name.removesuffix(PACKED): file for file in sorted(PUBLISHED.glob(f"*{PACKED}"))}
    if study not in found:
        what = f"STUDY={study}: no such study is recorded" if study else "restore: give the study, STUDY=NAME"
        raise BadInput(f"{what}; {PUBLISHED} has: {', '.join(found) or 'none yet'}")
    return found[study]


def by_cell(study: str) -> dict[str, CellRecords]:
    """A study's records by cell id."""
    return merge.group(read(path(study)))


def replay(file: Path, study: str | None = None) -> list[str]:
    """Copy another machine's records into this one's studies; returns the studies. Twice changes nothing.

    study: the one that all records must be of. Raises BadInput, before anything is copied, where they are not, or where
    there are none.
    """
    incoming = read(file)
    if not incoming:
        raise BadInput(f"{file}: no records in it; give a file that `--record` wrote or a study's .jsonl")
    if study and (others := sorted({record["study"] for record in incoming} - {study})):
        raise BadInput(f"{file}: has records of study {others[0]}; a published file is named after its one study")
    known = defaultdict(set)
    for record in incoming:
        name, text = record["study"], json.dumps(record, sort_keys=True)
        if name not in known:
            known[name] = {json.dumps(r, sort_keys=True) for r in read(path(name))}
        if text not in known[name]:
            append(path(name), record)
            known[name].add(text)
    return sorted(known)
