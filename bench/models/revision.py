"""Names what a model directory holds: hex digits that change when any byte changes that its numbers come from.

Every byte of configuration, weights and tokenizer counts. Large weights files are read for that once: their hashes are
kept in `.cache/weights` under the file's path, size and times of change. Imports no torch.

Earlier code counted less (`former`): of a large weights file its size and first MiB, of a tokenizer two files alone.
Records of that time keep the names that they have (bench/records/former.py).
"""

import contextlib
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bench.common import paths
from bench.common.errors import BadInput

CACHE = Path(".cache/weights")  # of the hashes of large weights files
LARGE_BYTES = 64 << 20  # from this size on a weights file's hash is kept
START_BYTES = 1 << 20  # of a large file, all that the former name counted
CHUNK_BYTES = 8 << 20  # read at a time
SETTLED_S = 2.0  # a file that changed later than this ago could change again without a new time of change
SAID_AFTER_S = 2.0  # reading that takes longer is announced
MOST_THREADS = 4  # files that are read at once
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
# Further files that shape what a tokenizer does. They count where they are there.
FURTHER_TOKENIZER_FILES = ("chat_template.jinja", "chat_template.json", "special_tokens_map.json", "added_tokens.json",
                           "additional_chat_templates/*.jinja")  # fmt: skip


def of_model(path: Path, weights: list[Path], random_seed: int | None = None, former: bool = False) -> str:
    """Twelve hex digits that name a model: its configuration and its weights, or the seed that they are made from.

    weights: the safetensors files of the directory `path`. Raises BadInput for a file that is just being written.
    """
    digest = hashlib.sha256((path / "config.json").read_bytes())
    generation = path / "generation_config.json"
    digest.update(generation.read_bytes() if generation.is_file() else b"")
    digest.update(f"random {random_seed}".encode() if random_seed is not None else b"")
    large = [file for file in weights if file.stat().st_size >= LARGE_BYTES]
    contents = {} if former else hashes(large)
    for file in weights:
        digest.update(str(file.stat().st_size).encode())
        if file not in large:
            digest.update(file.read_bytes())
        elif former:
            with open(file, "rb") as stream:
                digest.update(stream.read(START_BYTES))
        else:
            digest.update(contents[file].encode())
    return digest.hexdigest()[:12]


def with_tokenizer(
    model: str,
    directory: str | Path,
    fold_ids_below: int | None = None,
    former: bool = False,
    shift_ids_by: int | None = None,
) -> str:
    """Twelve hex digits that name a model and its tokenizer together. model: what `of_model` says."""
    digest = hashlib.sha256(model.encode())
    digest.update(f"fold {fold_ids_below}".encode() if fold_ids_below else b"")
    digest.update(f"shift {shift_ids_by}".encode() if shift_ids_by else b"")
    for name in TOKENIZER_FILES:
        file = Path(directory) / name
        digest.update(file.read_bytes() if file.is_file() else b"")
    for pattern in () if former else FURTHER_TOKENIZER_FILES:
        for file in sorted(Path(directory).glob(pattern)):
            digest.update(f"{file.relative_to(directory)} {file.stat().st_size} ".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def hashes(files: list[Path]) -> dict[Path, str]:
    """The SHA-256 of each large file, from the cache where the file is the same as when it was read."""
    kept_hashes = {file: kept_hash(file) for file in files}
    unread = [file for file, sha256 in kept_hashes.items() if sha256 is None]
    if not unread:
        return kept_hashes
    reading = Reading(unread[0].parent, sum(file.stat().st_size for file in unread))
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
        try:
            read_now = list(pool.map(lambda file: read_and_keep(file, reading.advance), unread))
        except BaseException:  # Ctrl-C, say: the threads would read on to the end of their files
            reading.is_stopped = True
            raise
    return kept_hashes | dict(zip(unread, read_now, strict=True))


@dataclass
class Reading:
    """How far the reading of some weights is; announces once that it takes long."""

    directory: Path
    total_bytes: int
    read_bytes: int = 0
    started_s: float = field(default_factory=time.monotonic)
    was_announced: bool = False
    is_stopped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, count: int) -> None:
        """Count bytes that were read. Raises BadInput where the others have stopped."""
        if self.is_stopped:
            raise BadInput(f"{self.directory}: its weights were not read to the end")
        with self.lock:
            self.read_bytes += count
            gone_s = time.monotonic() - self.started_s
            left_s = gone_s * (self.total_bytes / self.read_bytes - 1)
            if self.was_announced or gone_s < SAID_AFTER_S or left_s < 1:
                return
            self.was_announced = True
            print(
                f"{self.directory}: reading all {self.total_bytes / 1e9:.1f} GB of its weights once, to tell them from"
                f" any others (about {left_s:.0f} s)",
                file=sys.stderr,
                flush=True,
            )


def state_of(file: Path) -> dict[str, str | int]:
    """What changes when a file changes: place, size, times of change (nanoseconds) and number on its disk."""
    status = file.stat()
    return {
        "path": str(file.resolve()), "bytes": status.st_size, "modified_ns": status.st_mtime_ns,
        "changed_ns": status.st_ctime_ns, "inode": status.st_ino,
    }  # fmt: skip


def cache_file(file: Path) -> Path:
    """Where the hash of a weights file is kept."""
    return CACHE / f"{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:16]}.json"


def kept_hash(file: Path) -> str | None:
    """The hash of a file from the cache; None where it is not there, or the file has changed."""
    try:
        kept = json.loads(cache_file(file).read_text(encoding="utf-8"))
        return kept["sha256"] if kept["file"] == state_of(file) else None
    except (OSError, ValueError, LookupError, TypeError):  # nothing is kept, or what is kept is damaged: read the file
        return None


def read_and_keep(file: Path, advance: Callable[[int], None]) -> str:
    """The SHA-256 of a file, read in full and kept. Raises BadInput for a file that changes meanwhile.

    advance: is told how many bytes were read.
    """
    age_s = time.time() - file.stat().st_ctime
    time.sleep(max(0.0, SETTLED_S - age_s) if age_s >= 0 else SETTLED_S)
    before = state_of(file)
    digest = hashlib.sha256()
    left = before["bytes"]  # of a file that grows meanwhile no end would come
    with open(file, "rb") as stream:
        while chunk := stream.read(min(left, CHUNK_BYTES)):
            digest.update(chunk)
            left -= len(chunk)
            advance(len(chunk))
    if state_of(file) != before:
        raise BadInput(f"{file}: changed while it was read; wait until it is whole, then give the same command")
    kept = {"file": before, "sha256": digest.hexdigest()}
    with contextlib.suppress(OSError):  # a read-only folder: the file is read again next time
        paths.write(cache_file(file), json.dumps(kept))
    return kept["sha256"]
