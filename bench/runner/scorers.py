"""Whether the scorers of a study can score: each is called once, in a process of its own, before it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.common.errors import BadInput
from bench.devices import lock
from bench.runner import apart, notices, order
from bench.runner.scores import DIED, ENVIRONMENT
from bench.spec.work import Work
from bench.store.sink import Sink

if TYPE_CHECKING:
    from bench.quality.proof import Need
    from bench.runner.request import Request
    from bench.spec.pair import PairFile


def check(asked: Request, work: Work, pair: PairFile, sink: Sink) -> None:
    """Call each scorer that will be needed once, under the device's lock. Raises BadInput for one that cannot score."""
    from bench.quality import proof

    need = need_of(asked, work, pair, sink)
    if proof.is_proven(need):
        return
    notices.say("checking that the scorers can score (once, under a minute)")
    with lock.held(work.device, work.study):
        if not apart.run(proof.prove_apart, need, environment=ENVIRONMENT):
            called = f"ENCODER={need.encoder}, JUDGE={need.judge}"
            raise BadInput(f"the scorers ({called}) cannot be checked: {DIED} See {proof.LOG}")


def need_of(asked: Request, work: Work, pair: PairFile, sink: Sink) -> Need:
    """Which scorers the cells that will run want, and the texts that have no scores yet."""
    from bench.quality import proof, scoring

    to_run = [] if asked.score_only else order.rounds_to_do(work, sink.known(), sink.retry)
    wanted = [(cell, scoring.wanted(cell, pair.encoder, pair.judge)) for _, cells in to_run for cell in cells]
    unscored = scoring.unscored(work.study, pair.encoder, pair.judge)
    wanted += [(item.entry.cell, item.missing) for item in unscored]
    return proof.need_of(pair.encoder, pair.judge, wanted)
