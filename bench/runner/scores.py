"""Scores of the texts that have none yet, made in a process of its own while this one shows how far it is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.common.errors import BadInput
from bench.runner import apart, estimate, notices
from bench.runner.progress import SCORING, Bar
from bench.store.sink import Sink

if TYPE_CHECKING:
    from bench.quality.scoring import Texts
    from bench.spec.pair import PairFile

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
            raw = json.loads(line)
            self.waiting.pop((raw.get("cell_id"), raw.get("scorer")), None)
        return 1 - sum(self.waiting.values()) / self.total_s


def seconds_of(todo: list[Texts]) -> dict[tuple[str, str], float]:
    """Estimated seconds of each score, by cell and scorer."""
    return {
        (item.cell_id, scorer): estimate.SCORE_S[scorer.split("-")[0]] * max(1, item.entry.cell.prompts)
        for item in todo
        for scorer in item.missing
    }


def score(study: str, pair: PairFile, sink: Sink, bar: Bar) -> bool:
    """Score what has no scores yet; whether there was anything. Raises BadInput where scoring stopped."""
    from bench.quality import scoring

    todo = scoring.unscored(study, pair.encoder, pair.judge)
    if not todo:
        return False
    share = Share(sink, seconds_of(todo))
    bar.begin(SCORING, f"scoring {notices.counted(len(todo), 'set')} of texts")
    asked = study, pair.encoder, pair.judge, sink.take
    if not apart.run(
        scoring.score_study, *asked, environment=ENVIRONMENT, meanwhile=lambda: bar.advance(SCORING, share.now())
    ):
        raise BadInput("scoring stopped (see above); generations are kept, the same command scores what is left")
    bar.advance(SCORING, 1.0)
    return True
