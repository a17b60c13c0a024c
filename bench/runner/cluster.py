"""Ray, which starts worker processes on several cards and hosts. Nothing else imports it, and it is optional.

Ray is asked for little: to list its machines, to start an actor on one of them (bench/runner/holder.py), and to call
its methods. A card is named by its UUID, and held by this benchmark's own lock; Ray's own counting of GPUs is not used.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

from bench.common import provenance
from bench.common.errors import BadInput
from bench.devices import lock
from bench.devices.cards import Card, Host
from bench.runner import holder, launch
from bench.spec.work import CELLS, PROMPTS

INSTALL = f"{sys.executable} -m pip install -r configs/requirements-ray.txt"
ANSWER_S = 10.0  # that a cluster may take to answer
CALL_S = 60.0  # that one call on another host may take, a process of Ray's started for it
UNREACHABLE_S = 60.0  # that a host may be out of reach before it counts as lost
STORE_BYTES = 100 << 20  # of shared memory for what travels: lines of workers, which are small
# Settings of Ray where this process starts it: nothing is reported to anybody, and nobody kills a process of a
# measurement because memory is nearly used up; and Ray starts where it is told to alone.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_memory_monitor_refresh_ms": "0", "RAY_ENABLE_AUTO_CONNECT": "0"}
# Variables of the parent that workers read. OMP_NUM_THREADS is among them because Ray sets it to 1 in its processes.
SENT = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "CUDA_DEVICE_ORDER",
    "HF_HOME", "HF_HUB_OFFLINE", "PYTHONPATH", "TOKENIZERS_PARALLELISM", lock.LOCKS,
)  # fmt: skip
# Tries to join a cluster, in a process of its own, since Ray can end the process that tries. It prints a line when Ray
# has been imported, which is no time of the cluster's.
PROBE = """
import os, sys, ray
print(flush=True)
ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
os._exit(0)
"""


class CardLost(Exception):
    """The host of a card does not answer any more, or the card cannot be held again."""


def require(wanted: str) -> None:
    """Raise BadInput where Ray is not installed. wanted: what was asked for that needs it."""
    if importlib.util.find_spec("ray") is None:
        raise BadInput(f"{wanted}: several cards need Ray, which is not installed; {INSTALL}")


def ray_package() -> ModuleType:
    """Ray, with its settings in the environment first."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import ray

    return ray


@contextlib.contextmanager
def own_sigterm() -> Iterator[None]:
    """Keep SIGTERM, which Ray takes over when it starts: at one it prints a stack trace, and three seconds later it
    aborts this process. It has no setting for that, but whoever sets the signal after Ray has it."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def start() -> None:
    """Start Ray on this host, in processes that end with this one."""
    with own_sigterm():
        ray_package().init(
            address="local", num_cpus=1, num_gpus=0, include_dashboard=False, log_to_driver=False,
            logging_level="ERROR", object_store_memory=STORE_BYTES,
        )  # fmt: skip


def join(address: str) -> None:
    """Join a cluster, `auto` or HOST:PORT. Raises BadInput where it does not answer within ANSWER_S."""
    check_answers(address)
    with own_sigterm():
        ray_package().init(address=address, log_to_driver=False, logging_level="ERROR")


def check_answers(address: str) -> None:
    """Raise BadInput where no cluster answers at an address."""
    probe = subprocess.Popen(
        [sys.executable, "-c", PROBE, address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | SETTINGS, start_new_session=True,
    )  # fmt: skip
    advice = "start one with `ray start --head`, or give the address that it printed"
    try:
        probe.stdout.readline()
        _, said = probe.communicate(timeout=ANSWER_S)
    except subprocess.TimeoutExpired:
        raise BadInput(f"CLUSTER={address}: no Ray cluster answers within {ANSWER_S:g} s; {advice}") from None
    finally:
        probe.kill()
        probe.communicate()
    if probe.returncode:
        reason = (said.strip().splitlines() or ["it ended without a word"])[-1]
        raise BadInput(f"CLUSTER={address}: Ray could not join it ({reason[:200]}); {advice}")


def leave() -> None:
    """End what `start` started, or leave the cluster."""
    ray_package().shutdown()


def here() -> str:
    """Ray's id of this process's own machine."""
    return ray_package().get_runtime_context().get_node_id()


def hosts() -> list[Host]:
    """The machines of the cluster, this one first. Raises BadInput for one that cannot say what it has."""
    ray = ray_package()
    own = here()
    same_place = f"the repository must stand at {os.getcwd()} there too"
    alive = sorted((node for node in ray.nodes() if node["Alive"]), key=lambda node: node["NodeID"] != own)
    ask = ray.remote(holder.host_here)
    answers = [ask.options(num_cpus=0, **placed(node["NodeID"])).remote(os.getcwd()) for node in alive]
    listed = []
    for node, answer in zip(alive, answers, strict=True):
        name = node["NodeManagerHostname"]
        try:
            host, refusal = ray.get(answer, timeout=CALL_S)
        except ray.exceptions.RayError as error:
            raise BadInput(f"{name}: {in_short(error)}; {same_place}") from error
        if host is None:
            raise BadInput(f"{name}: {refusal}; {same_place}")
        gpus = tuple(replace(card, node=node["NodeID"]) for card in host.gpus)
        listed.append(replace(host, gpus=gpus, node=node["NodeID"]))
    return listed


def placed(node: str) -> dict:
    """Options that put a task or an actor on a machine, and nowhere else."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}


def in_short(error: Exception) -> str:
    """What an error of Ray says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]


@dataclass
class RemoteCard:
    """A card and the actor that holds it for a study; the actor is started anew where its process was killed."""

    card: Card
    study: str
    folder: Path
    actor: object = None
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.card.uuid

    @property
    def is_lost(self) -> bool:
        """Whether nothing holds the card now."""
        return self.actor is None

    def hold(self) -> None:
        """Start the actor, which takes the card's lock. Raises BadInput where it is refused, CardLost where the host
        does not answer."""
        ray = ray_package()
        options = {"num_cpus": 0, "max_restarts": 0, "max_concurrency": 2} | placed(self.card.node)
        make = ray.remote(holder.Holder).options(**options)
        environment = {name: os.environ.get(name) for name in SENT}
        actor = make.remote(self.card, self.study, os.getcwd(), environment)
        try:
            refusal = ray.get(actor.hold.remote(provenance.code()), timeout=CALL_S)
        except ray.exceptions.RayError as error:
            raise CardLost(self.lost_text(error)) from error
        if refusal:
            ray.kill(actor)
            raise BadInput(refusal)
        self.actor = actor

    def lost_text(self, error: Exception) -> str:
        return f"card {self.card.uuid} of {self.card.host} was lost: {in_short(error)}"

    def hold_again(self) -> None:
        """Start the actor anew where its process was killed. Raises CardLost where that cannot be done."""
        if self.is_lost:
            try:
                self.hold()
            except BadInput as error:
                raise CardLost(str(error)) from error

    def worker(self, round_: int, cell_ids: list[str]) -> CardWorker:
        """A fresh process on the card. Raises CardLost where it cannot be had any more."""
        self.hold_again()
        if not self.files:
            self.files = {name: (self.folder / name).read_bytes() for name in (CELLS, PROMPTS)}
        return CardWorker(self, round_, cell_ids)

    def call(self, method: str, *arguments: object) -> object:
        """Call a method of the actor; tried again for a while where its host is out of reach. Raises CardLost, and
        forgets the actor, where it is not there any more."""
        ray = ray_package()
        deadline = time.monotonic() + UNREACHABLE_S
        actor = self.actor
        while actor is not None:
            try:
                return ray.get(getattr(actor, method).remote(*arguments), timeout=CALL_S)
            except (ray.exceptions.ActorUnavailableError, ray.exceptions.GetTimeoutError) as error:
                reason = error
            except ray.exceptions.RayError as error:
                reason, deadline = error, 0.0
            if time.monotonic() > deadline:
                self.let_go()
                raise CardLost(self.lost_text(reason)) from reason
            time.sleep(1.0)
        raise CardLost(f"card {self.card.uuid} of {self.card.host} was lost")

    def let_go(self) -> None:
        """End the actor, its worker and with them the lock."""
        if self.actor is not None:
            ray_package().kill(self.actor)
            self.actor = None


class CardWorker(launch.Worker):
    """A worker process on a card's own host: its lines come through Ray, and everything else is as of a local one."""

    def __init__(self, remote: RemoteCard, round_: int, cell_ids: list[str]):
        self.remote = remote
        self.cell_ids = cell_ids
        self.lines = launch.queue.Queue()
        self.end = ""
        log = f"worker-{remote.card.uuid.replace(':', '-')}.log"
        command = list(launch.COMMAND[1:])
        self.number = remote.call("start", remote.folder.resolve(), remote.files, round_, cell_ids, log, command)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        """Put the worker's lines into the queue, and None behind the last (a thread of its own does this)."""
        first = 0
        try:
            while True:
                new, end = self.remote.call("read", self.number, first)
                first += len(new)
                for line in new:
                    self.lines.put(line)
                if end is not None:
                    self.end = end
                    break
        except CardLost as error:
            self.end = str(error)
        self.lines.put(None)

    def last_words(self) -> str:
        """Why the worker ended, or that its card was lost."""
        return self.end[:500]

    def stop(self) -> None:
        """End the process now; where its card is lost, its host does that."""
        if self.remote.actor is not None:
            self.remote.call("stop")
