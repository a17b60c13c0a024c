"""Several cards, if they were asked for: they are found and checked before anything is measured.

Without DEVICES and CLUSTER nothing here is done, and Ray is not imported.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.common.errors import BadInput
from bench.devices import cards, lock
from bench.devices.cards import Card
from bench.models.engines import ENGINES
from bench.runner import cluster, notices
from bench.runner.cluster import CardLost, RemoteCard
from bench.spec.work import Work


@dataclass(frozen=True)
class Wanted:
    """Which cards are asked for. devices: all, indices and UUIDs, or cpu:0 cpu:1; empty for all of a cluster.
    cluster: auto or HOST:PORT; empty for this host alone."""

    devices: str = ""
    cluster: str = ""

    def __bool__(self) -> bool:
        return bool(self.devices or self.cluster)


ONE_CARD = Wanted()


@contextlib.contextmanager
def found(wanted: Wanted, work: Work, folder: Path) -> Iterator[list[RemoteCard]]:
    """The cards that are asked for, in a Ray that runs meanwhile; none where the study is to run on one card, which is
    then the one that this process and its workers see.

    folder: where the work is saved. Raises BadInput for cards that are not there, for a Ray that is not, and for too
    few cores.
    """
    if not wanted:
        yield []
        return
    check_servers(wanted, work)
    device = work.device
    if wanted.cluster:
        cluster.require(f"CLUSTER={wanted.cluster}")
        with notices.waiting_for(f"joining the Ray cluster at {wanted.cluster}"):
            cluster.join(wanted.cluster)
        with contextlib.ExitStack() as stack:
            stack.callback(cluster.leave)
            asked = wanted.devices or cards.ALL
            yield checked(cards.chosen(asked, cluster.hosts(), device), asked, work, folder)
        return
    chosen = cards.chosen(wanted.devices, [cards.here()], device)
    if len(chosen) == 1:
        if device == "cuda":
            os.environ["CUDA_VISIBLE_DEVICES"] = chosen[0].uuid
        yield []
        return
    several = checked(chosen, wanted.devices, work, folder)
    cluster.require(f'DEVICES="{wanted.devices}"')
    with notices.waiting_for("waiting for a stopped run of this study to let go of the cards"):
        check_free(chosen, work.study)
    with notices.waiting_for("starting Ray on this host"):
        cluster.start()
    with contextlib.ExitStack() as stack:
        stack.callback(cluster.leave)
        yield [replace(remote, card=replace(remote.card, node=cluster.here())) for remote in several]


def check_free(chosen: Sequence[Card], study: str) -> None:
    """Raise BadInput for a card in use, before ceilings are measured.

    Processes that a run of this study has started, and that end because it was killed, are given time for that.
    """
    for card in chosen:
        with lock.lock(card.uuid, study, lock.HELD_ON_S):
            pass


def check_servers(wanted: Wanted, work: Work) -> None:
    """Raise BadInput where a model is behind an address: rounds that run at once would wait for each other there."""
    if any(cell.server for cell in work.cells):
        asked = f"CLUSTER={wanted.cluster}" if wanted.cluster else f"DEVICES={wanted.devices}"
        raise BadInput(f"{asked}: the pair has a server, which rounds at once would ask together; leave it out")


def checked(chosen: Sequence[Card], wanted: str, work: Work, folder: Path) -> list[RemoteCard]:
    """Cards for a work. Raises BadInput where its eager cells would have too few cores beside each other."""
    if any(not ENGINES[cell.engine].is_prepared for cell in work.cells):
        cards.check_shares(chosen, wanted)
    return [RemoteCard(card, work.study, folder) for card in chosen]


@contextlib.contextmanager
def held(remotes: Sequence[RemoteCard]) -> Iterator[None]:
    """Hold all cards. Raises BadInput for one that is in use, or whose host does not answer."""
    try:
        with notices.waiting_for("taking hold of the cards"):
            for remote in remotes:
                remote.hold()
        yield
    except CardLost as error:
        raise BadInput(str(error)) from error
    finally:
        for remote in remotes:
            remote.let_go()
