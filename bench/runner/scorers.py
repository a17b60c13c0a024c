"""The scorers of a study's texts, each time in a process of their own: proved before anything is measured, asked after.

A scorer that fails, or whose process dies, costs its own scores: the other scorers and the study go on.
"""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING

from bench.common.errors import BadInput
from bench.devices import lock
from bench.runner import apart, order
from bench.spec.work import Work
from bench.store.sink import Sink

if TYPE_CHECKING:
    from bench.quality.proof import Need
    from bench.runner.request import Request
    from bench.spec.pair import PairFile

OFFLINE = {"HF_HUB_OFFLINE": "1"}  # scorers lie on this machine: nothing is looked for elsewhere
DIED = "its process ended without a word; is there memory enough?"


def check(asked: Request, work: Work, pair: PairFile, sink: Sink) -> None:
    """Call each scorer that will be needed once, under the device's lock. Raises BadInput for one that cannot score."""
    from bench.quality import proof

    need = need_of(asked, work, pair, sink)
    if proof.is_proven(need):
        return
    print("checking that the scorers can score (once, under a minute)", flush=True)
    receiver, sender = multiprocessing.Pipe(duplex=False)
    with lock.held(work.cells[0].device, work.study):
        apart.run(proof.outcome, need, sender.send, environment=OFFLINE)
    sender.close()
    try:
        fault = receiver.recv()
    except EOFError:
        fault = f"the scorers (ENCODER={need.encoder}, JUDGE={need.judge}) cannot be checked: {DIED} See {proof.LOG}"
    if fault:
        raise BadInput(fault)


def need_of(asked: Request, work: Work, pair: PairFile, sink: Sink) -> Need:
    """Which scorers the cells that will run want, and the texts that have no scores yet."""
    from bench.quality import proof, scoring

    to_run = [] if asked.score_only else order.rounds_to_do(work, sink.known(), sink.retry)
    wanted = [(cell, scoring.wanted(cell, pair.encoder, pair.judge)) for _, cells in to_run for cell in cells]
    unscored = scoring.unscored(work.study, pair.encoder, pair.judge)
    wanted += [(item.entry.cell, item.missing) for item in unscored]
    return proof.need_of(pair.encoder, pair.judge, wanted)


def score(study: str, pair: PairFile, sink: Sink) -> int | None:
    """Score the texts that have no scores yet. Returns how many scorers failed; None where there was nothing to do.

    Where the process dies, the scorer that it was at is left out, and a new process goes on with the others.
    """
    from bench.quality import scoring

    asked = study, pair.encoder, pair.judge
    since_s = time.time()
    todo = scoring.unscored(*asked)
    if not todo:
        return None
    while todo and not apart.run(scoring.score_study, *asked, since_s, sink.take, environment=OFFLINE):
        todo = scoring.unscored(*asked, since_s)
        for record in scoring.records_of_death(study, todo, DIED):
            sink.take(record)
        todo = scoring.unscored(*asked, since_s)
    return scoring.report_failures(study, since_s)
