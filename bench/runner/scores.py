"""Scores of the texts that have none yet, made in a process of its own while this one shows how far it is.

A scorer that fails, or whose process dies, costs its own scores: the other scorers and the study go on.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.common.plural import counted
from bench.records import types
from bench.records.not_scored import NOT_YET
from bench.records.types import Scores
from bench.runner import apart, estimate
from bench.runner.progress import SCORING, Bar
from bench.store.sink import Sink

if TYPE_CHECKING:
    from bench.quality.scoring import Texts
    from bench.spec.pair import PairFile

DIED = "its process ended without a word; is there memory enough?"
# The scorers' process: nothing is fetched, and libraries draw no bars of their own over ours.
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


@dataclass
class Share:
    """How much of the scoring is done, read off the records that the scorers' process appends.

    waiting: estimated seconds of each score that is to come, by cell and scorer. total_s: of all. read_bytes: up to
    where the file of records was read.
    """

    sink: Sink
    waiting: dict[tuple[str, str], float]
    total_s: float = field(init=False)
    read_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.total_s = sum(self.waiting.values())
        self.read_bytes = self.sink.file.stat().st_size

    def now(self) -> float:
        """The share that is done, 0 to 1."""
        with open(self.sink.file, "rb") as stream:
            stream.seek(self.read_bytes)
            new = stream.read()
        whole = new[: new.rfind(b"\n") + 1]  # what stands behind it is being written
        self.read_bytes += len(whole)
        for line in whole.splitlines():
            record = types.parse(json.loads(line))
            if isinstance(record, Scores) and record.failure != NOT_YET:
                self.waiting.pop((record.cell_id, record.scorer), None)
        return 1 - sum(self.waiting.values()) / self.total_s


def seconds_of(todo: list[Texts]) -> dict[tuple[str, str], float]:
    """Estimated seconds of each score, by cell and scorer."""
    return {
        (item.cell_id, scorer): estimate.SCORE_S[scorer.split("-")[0]] * max(1, item.entry.cell.prompts)
        for item in todo
        for scorer in item.missing
    }


def score(study: str, pair: PairFile, sink: Sink, bar: Bar) -> int | None:
    """Score what has no scores yet. Returns how many scorers failed; None where there was nothing to do.

    Where the process dies, the scorer that it was at is left out, and a new process goes on with the others.
    """
    from bench.quality import scoring

    asked = study, pair.encoder, pair.judge
    since_s = time.time()
    todo = scoring.unscored(*asked)
    if not todo:
        return None
    share = Share(sink, seconds_of(todo))
    bar.begin(SCORING, f"scoring {counted(len(todo), 'set')} of texts")

    def advance() -> None:
        bar.advance(SCORING, share.now())

    arguments = *asked, since_s, sink.take
    while todo and not apart.run(scoring.score_study, *arguments, environment=ENVIRONMENT, meanwhile=advance):
        for record in scoring.records_of_death(study, scoring.unscored(*asked, since_s), DIED):
            sink.take(record)
        todo = scoring.unscored(*asked, since_s)
    bar.advance(SCORING, 1.0)
    return scoring.report_failures(study, since_s)
