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
from dataclasses import dataclass, field
from pathlib import Path

from bench.cell import float_dtype_of
from bench.errors import BadInput

ROOT = Path("mlruns")
PUBLISHED, PACKED = Path("paper/recorded"), ".jsonl.gz"
KINDS = ("round", "beside", "scores", "ceilings")


@dataclass
class CellRecords:
    """What is known of one cell: its configuration, its rounds by number, its scores by scorer, its device's ceilings.

    Texts that no cell generated (the human references) and likelihoods have scores and no rounds.
    """

    cell: dict
    rounds: dict[int, dict] = field(default_factory=dict)
    scores: dict[str, dict] = field(default_factory=dict)
    ceilings: dict | None = None

    @property
    def failed(self) -> dict | None:
        """The first round that did not end well, or None."""
        return next((r for r in self.rounds.values() if r["outcome"] != "ok"), None)


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
    return group(read(path(study)))


def group(found_records: list[dict]) -> dict[str, CellRecords]:
    """Records by cell id. Of two records of the same round the first counts, unless it failed or the later one was
    asked for in its place: `again` is when that began. Scores of a text that is not the same any more are dropped.
    """
    found: dict[str, CellRecords] = {}
    for record in found_records:
        if record["record"] == "round":
            entry = found.setdefault(record["cell_id"], CellRecords(record["cell"]))
            before = entry.rounds.get(record["round"])
            if before is None or before["outcome"] != "ok" or record.get("again") == before.get("started", ""):
                entry.rounds[record["round"]] = record
                if before is not None and before.get("sequences") != record.get("sequences"):
                    entry.scores.clear()
        elif record["record"] == "beside":
            rounds = found[record["cell_id"]].rounds if record["cell_id"] in found else {}
            of = rounds.get(record["round"], {})
            if of.get("started") == record["started"]:
                rounds[record["round"]] = of | {name: record[name] for name in ("energy", "busy") if name in record}
        elif record["record"] == "scores" and (
            record["cell_id"] in found or "cell" in record
        ):  # a set of texts that nothing here generated has scores only
            entry = found.get(record["cell_id"]) or found.setdefault(record["cell_id"], CellRecords(record["cell"]))
            entry.scores.pop(record["scorer"], None)
            entry.scores[record["scorer"]] = record  # the last scored comes last
    for record in found_records:
        if record["record"] == "ceilings":
            for entry in found.values():
                if is_of(record, entry):
                    entry.ceilings = record  # the last measured counts
    return found


def is_of(ceilings: dict, entry: CellRecords) -> bool:
    """Whether ceilings were measured where all rounds of a cell ran: same device, pair, precision and CPU threads."""
    cell = entry.cell
    if not entry.rounds:  # texts that no cell generated
        return False
    if (ceilings["pair"], ceilings["dtype"]) != (cell["pair"], float_dtype_of(cell["dtype"])):
        return False
    places = [record["environment"] for record in entry.rounds.values()]
    same = all(place.get("device") == ceilings["device"] for place in places)
    return same and (cell["device"] != "cpu" or all(p.get("threads") == ceilings["threads"] for p in places))


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
