"""Where records go: to disk at once, to MLflow between workers. What MLflow did not take, the next run gives it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.common.errors import BadInput
from bench.records import merge
from bench.records.types import Record
from bench.store import disk, sign_of_life, tracking_server
from bench.store.refusal import refusal, tell
from bench.store.tracking_uri import tracking_uri


@dataclass
class Sink:
    """A study's file and MLflow, or a plain file on a machine without MLflow.

    plain_file: the file in place of the study's own, and then no MLflow. retry: outcomes and verdicts to run again.
    refused: whether MLflow has refused something in this process.
    """

    study: str
    plain_file: Path | None = None
    retry: frozenset[str] = frozenset()
    refused: bool = False

    @property
    def file(self) -> Path:
        return self.plain_file or disk.path(self.study)

    def known(self) -> dict[str, merge.CellRecords]:
        """What is on disk, by cell."""
        return merge.group(disk.read(self.file))

    def check(self) -> None:
        """Raise BadInput, before anything is measured, where records could not be written or the user's tracking server
        would not take them."""
        if disk.is_packed(self.file):
            raise BadInput(
                f"{self.file}: records are appended, which a .gz does not take; give a .jsonl, and gzip that"
            )
        if not self.plain_file:
            tracking_server.check(self.study)
        try:
            disk.touch(self.file)
        except OSError as error:
            raise BadInput(f"{self.file}: records cannot be written here ({error.strerror})") from error

    def take(self, *records: Record) -> None:
        """Put records on disk. Raises BadInput if the disk does not take them: the cell is measured again then."""
        try:
            disk.append(self.file, *(record.to_json() for record in records))
        except OSError as error:
            raise BadInput(
                f"{self.file}: cannot be written ({error.strerror}); what it holds is whole. Make room, then give"
                " the same command: it goes on from here"
            ) from error

    def track(self, again: bool = False) -> bool:
        """Bring MLflow up to the records; whether it took them all. What it cannot take waits for the next run.

        Called only while no worker runs: on a small machine it would disturb what is being timed. After a refusal
        nothing is tried but `again`, when all is measured: a locked database would make every worker wait.
        """
        if self.plain_file:
            return True
        if self.refused and not again:
            return False
        errors = self.log_all()
        if errors and not self.refused:
            tell(refusal(errors[0], self.file))
        elif self.refused and not errors:
            tell(f"MLflow takes records again, and has all of study {self.study}")
        self.refused = bool(errors)
        return not errors

    def log_all(self) -> list[Exception]:
        """Log every cell; what MLflow or its database raised meanwhile. The records are safe whatever it is."""
        cells = self.known()
        try:
            sign_of_life.ask_if_server(tracking_uri())  # before the seconds that MLflow takes to load
            from bench.store import mirror
        except Exception as error:  # its server does not answer, or MLflow does not even load
            return [error]
        return mirror.log_all(self.study, cells)
