"""The cards that the rounds of a study can be spread over, and each one's share of its host's cores.

Imports no torch.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.common import provenance
from bench.common.errors import BadInput
from bench.devices import choose

PART_OF_CPU = "cpu:"  # how the names of parts of a processor begin: cpu:0, cpu:1 ...
ALL = "all"
PCI_DEVICES = Path("/sys/bus/pci/devices")
CPUS = Path("/sys/devices/system/cpu")
NODES = Path("/sys/devices/system/node")
# Cores that a worker needs where the host's Python sets the time of its cells: one runs it, and one reads NVML and
# everything else. A part of a processor computes on what it has.
LEAST_CORES_OF_A_GPU = 2


@dataclass(frozen=True)
class Card:
    """A GPU, or a part of a processor."""

    host: str
    uuid: str  # of a part of a processor cpu:0, cpu:1 ...
    name: str  # of the GPU or the processor, as its vendor calls it
    numa_node: int | None = None  # None where the system does not tell
    cores: tuple[int, ...] = ()  # processors that its workers run on; empty where they cannot be pinned
    node: str = ""  # Ray's id of the machine, where Ray has listed it

    @property
    def is_part_of_cpu(self) -> bool:
        return self.uuid.startswith(PART_OF_CPU)


@dataclass(frozen=True)
class Host:
    """A machine: its GPUs, and what a process may use of its processor."""

    name: str
    processor: str
    gpus: tuple[Card, ...] = ()
    cores: tuple[tuple[int, ...], ...] = ()  # the hardware threads of each core; none where they cannot be told
    numa: dict[int, int] = field(default_factory=dict)  # NUMA node of each hardware thread
    node: str = ""  # Ray's id of it


def here() -> Host:
    """This machine. Raises BadInput where NVML does not answer."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    numa = {cpu: node for node, cpus in numa_nodes().items() for cpu in cpus & usable}
    return Host(platform.node(), provenance.cpu_name(), gpus(), cores_of(usable), numa)


def gpus() -> tuple[Card, ...]:
    """The GPUs that CUDA_VISIBLE_DEVICES lets this process see, in its order or NVML's. Raises BadInput."""
    if not choose.gpu():
        return ()
    with choose.nvml() as pynvml:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        cards = [
            Card(
                platform.node(), pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle),
                numa_node_of(pynvml.nvmlDeviceGetPciInfo(handle).busId),
            )
            for handle in handles
        ]  # fmt: skip
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not visible:
        return tuple(cards)
    return tuple(card for word in visible.split(",") for card in named(word.strip(), cards))


def named(word: str, cards: Sequence[Card]) -> list[Card]:
    """The cards that a word names: by its place in the list, or by the beginning of its UUID."""
    return [card for index, card in enumerate(cards) if word == str(index) or (word and card.uuid.startswith(word))]


def numa_node_of(bus_id: str | bytes) -> int | None:
    """The NUMA node of a device by its PCI address as NVML writes it, 00000000:1B:00.0; None if it is not told."""
    text = bus_id.decode() if isinstance(bus_id, bytes) else bus_id
    domain, _, rest = text.partition(":")
    file = PCI_DEVICES / f"{int(domain, 16):04x}:{rest.lower()}" / "numa_node"
    node = int(file.read_text()) if file.is_file() else -1
    return None if node < 0 else node


def numa_nodes() -> dict[int, set[int]]:
    """The hardware threads of each NUMA node; none where the system does not tell."""
    return {int(file.parent.name[4:]): listed(file.read_text()) for file in NODES.glob("node[0-9]*/cpulist")}


def cores_of(usable: set[int]) -> tuple[tuple[int, ...], ...]:
    """Hardware threads by the core that they share, so that no core is divided; each its own where none is told."""
    cores = set()
    for cpu in usable:
        file = CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list"
        siblings = listed(file.read_text()) if file.is_file() else {cpu}
        cores.add(tuple(sorted(siblings & usable)))
    return tuple(sorted(cores))


def listed(text: str) -> set[int]:
    """The numbers of a list as Linux writes it, 0-3,8."""
    ends = [part.split("-") for part in text.strip().split(",") if part]
    return {number for first, *last in ends for number in range(int(first), int(last[0] if last else first) + 1)}


def chosen(wanted: str, hosts: Sequence[Host], device: str) -> list[Card]:
    """The cards that DEVICES names, each with its share of its host's cores.

    wanted: `all`, or places in the list of all GPUs and beginnings of UUIDs, or cpu:0 cpu:1 ... where the cells run on
    a CPU. hosts: where Ray has several, their parts of processors are taken in turn. device: cpu or cuda. Raises
    BadInput, which names the cards that there are.
    """
    there = list({card.uuid: card for host in hosts for card in host.gpus}.values())
    words = wanted.replace(",", " ").split()
    if device == "cpu":
        picked = parts_of_processors(wanted, words, hosts)
    elif words == [ALL]:
        picked = there
    else:
        picked = [card for word in words for card in only(named(word, there), wanted, word, there)]
    if not picked:
        raise BadInput(f"DEVICES={wanted}: names no card; {listing(there)}")
    if twice := [card for card in picked if picked.count(card) > 1]:
        raise BadInput(f"DEVICES={wanted}: names {twice[0].uuid} twice; {listing(there) if there else 'name it once'}")
    if len({card.name for card in picked}) > 1:
        raise BadInput(f"DEVICES={wanted}: the rounds of a study need cards of one kind; {listing(there)}")
    return with_cores(picked, hosts, wanted)


def parts_of_processors(wanted: str, words: list[str], hosts: Sequence[Host]) -> list[Card]:
    """The parts of processors that DEVICES names. Raises BadInput."""
    if other := next((word for word in words if not is_part_of_cpu(word)), None):
        raise BadInput(
            f"DEVICES={wanted}: the cells run on a CPU, and {other} is no part of one; give cpu:0 cpu:1, or DEVICE=cuda"
        )
    places = [hosts[index % len(hosts)] for index in range(len(words))]
    return [Card(host.name, word, host.processor, node=host.node) for word, host in zip(words, places, strict=True)]


def is_part_of_cpu(word: str) -> bool:
    return word.startswith(PART_OF_CPU) and word.removeprefix(PART_OF_CPU).isdecimal()


def only(cards: list[Card], wanted: str, word: str, there: list[Card]) -> list[Card]:
    """The one card that a word names. Raises BadInput where it names none, or several."""
    if len(cards) != 1:
        raise BadInput(f"DEVICES={wanted}: {word} names {len(cards) or 'no'} cards; {listing(there)}")
    return cards


def listing(cards: Sequence[Card]) -> str:
    """The cards that there are, in words."""
    if not cards:
        return "there is no GPU that torch can use (`make doctor` says why); on a CPU give DEVICE=cpu"
    return "there are " + ", ".join(f"{i}: {card.name} ({card.uuid}) on {card.host}" for i, card in enumerate(cards))


def with_cores(cards: list[Card], hosts: Sequence[Host], wanted: str) -> list[Card]:
    """Cards with their shares of cores, which have none in common: of their NUMA node where that is told of all cards
    of a host, else of all its cores. Raises BadInput where there are more cards than cores."""
    shared: list[Card] = []
    for host in {host.name: host for host in hosts}.values():
        on_host = [card for card in cards if card.host == host.name]
        nodes = {card.numa_node for card in on_host}
        are_told = nodes <= set(host.numa.values())
        for node in sorted(nodes) if are_told else (None,):
            group = [card for card in on_host if not are_told or card.numa_node == node]
            cores = [core for core in host.cores if node is None or host.numa.get(core[0]) == node]
            parts = split(cores, len(group))
            if cores and not all(parts):
                raise BadInput(f"DEVICES={wanted}: {host.name} has fewer cores than cards are named; name fewer")
            shared += [replace(card, cores=part) for card, part in zip(group, parts, strict=True)]
    order = [card.uuid for card in cards]
    return sorted(shared, key=lambda card: order.index(card.uuid))


def split(cores: Sequence[tuple[int, ...]], parts: int) -> list[tuple[int, ...]]:
    """The hardware threads of some cores in so many equal parts; a core is divided only where there are fewer cores."""
    if len(cores) < parts:
        cores = [(thread,) for core in cores for thread in core]
    size = len(cores) // parts if parts else 0
    groups = [cores[size * index : size * (index + 1)] for index in range(parts)]
    return [tuple(thread for core in group for thread in core) for group in groups]


def check_shares(cards: Sequence[Card], wanted: str) -> None:
    """Raise BadInput where cells that wait for the host's Python would have too few cores to share a host."""
    for card in cards:
        if card.cores and len(card.cores) < LEAST_CORES_OF_A_GPU and not card.is_part_of_cpu:
            sharers = sum(other.host == card.host for other in cards)
            raise BadInput(
                f"DEVICES={wanted}: {sharers} cards share the cores of {card.host}, and each has {len(card.cores)};"
                f" eager cells need {LEAST_CORES_OF_A_GPU} a card. Name fewer cards, or ENGINE=captured"
            )
