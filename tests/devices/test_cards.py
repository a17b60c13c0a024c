"""The cards that rounds are spread over: which are named, and which cores each has to itself."""

import pytest

from bench.common.errors import BadInput
from bench.devices import cards, choose
from bench.devices.cards import Card, Host
from tests.support import fake_nvml
from tests.support.fake_nvml import OTHER, OURS, Machine

FIRST, SECOND = Card("a", "GPU-aaaa-1", "H100"), Card("a", "GPU-bbbb-2", "H100")
ELSEWHERE = Card("b", "GPU-cccc-3", "H100")
PAIRS = ((0, 8), (1, 9), (2, 10), (3, 11))  # four cores of two hardware threads
HOST = Host("a", "Zen", (FIRST, SECOND), PAIRS)
OTHER_HOST = Host("b", "Zen", (ELSEWHERE,), ((0,), (1,)), node="node-b")


def uuids(wanted: str, hosts=(HOST, OTHER_HOST)) -> list[str]:
    return [card.uuid for card in cards.chosen(wanted, hosts, "cuda")]


def test_cards_are_named_by_place_or_uuid():
    assert uuids("all") == ["GPU-aaaa-1", "GPU-bbbb-2", "GPU-cccc-3"]
    assert uuids("2 0") == uuids("2,0") == ["GPU-cccc-3", "GPU-aaaa-1"]
    assert uuids("GPU-bbbb GPU-cccc-3") == ["GPU-bbbb-2", "GPU-cccc-3"]


THERE = r"there are 0: H100 \(GPU-aaaa-1\) on a, 1: H100 \(GPU-bbbb-2\) on a, 2: H100 \(GPU-cccc-3\) on b"


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ("0 3", rf"^DEVICES=0 3: 3 names no cards; {THERE}$"),
        ("GPU-dddd", rf"^DEVICES=GPU-dddd: GPU-dddd names no cards; {THERE}$"),
        ("GPU", rf"^DEVICES=GPU: GPU names 3 cards; {THERE}$"),
        ("0 0", rf"^DEVICES=0 0: names GPU-aaaa-1 twice; {THERE}$"),
        ("0 GPU-aaaa", rf"^DEVICES=0 GPU-aaaa: names GPU-aaaa-1 twice; {THERE}$"),
        (" ", rf"^DEVICES= : names no card; {THERE}$"),
        ("cpu:0", rf"^DEVICES=cpu:0: cpu:0 names no cards; {THERE}$"),
    ],
)
def test_a_card_that_is_not_there_or_named_twice_is_one_line_with_those_that_are(wanted, complaint):
    with pytest.raises(BadInput, match=complaint):
        uuids(wanted)


def test_without_a_gpu_the_line_says_what_to_do():
    with pytest.raises(BadInput, match=r"^DEVICES=all: names no card; there is no GPU that torch can use"):
        uuids("all", [Host("a", "Zen", (), PAIRS)])


def test_cards_of_two_kinds_are_not_mixed():
    mixed = Host("a", "Zen", (FIRST, Card("a", "GPU-b", "A100")), PAIRS)
    with pytest.raises(BadInput, match="need cards of one kind; there are 0: H100"):
        uuids("all", [mixed])


def test_parts_of_a_processor_share_its_cores():
    first, second = cards.chosen("cpu:0 cpu:1", [HOST], "cpu")
    assert (first.uuid, first.name, second.uuid) == ("cpu:0", "Zen", "cpu:1")
    assert (first.cores, second.cores) == ((0, 8, 1, 9), (2, 10, 3, 11))


def test_parts_of_processors_are_dealt_to_the_hosts_in_turn():
    parts = cards.chosen("cpu:0 cpu:1 cpu:2", [HOST, OTHER_HOST], "cpu")
    assert [(card.host, card.node) for card in parts] == [("a", ""), ("b", "node-b"), ("a", "")]
    assert [card.cores for card in parts] == [(0, 8, 1, 9), (0, 1), (2, 10, 3, 11)]


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ("all", "the cells run on a CPU, and all is no part of one; give cpu:0 cpu:1, or DEVICE=cuda"),
        ("cpu:0 0", "the cells run on a CPU, and 0 is no part of one"),
        ("cpu:x", "cpu:x is no part of one"),
        ("cpu:0 cpu:0", "names cpu:0 twice"),
        ("cpu:0 cpu:1 cpu:2", "a has fewer cores than cards are named; name fewer"),
    ],
)
def test_what_is_no_part_of_a_processor_is_one_line(wanted, complaint):
    with pytest.raises(BadInput, match=complaint):
        cards.chosen(wanted, [Host("a", "Zen", (), ((0, 1),))], "cpu")


def test_cards_have_cores_of_their_own_numa_node_where_all_nodes_are_told():
    numa = {0: 0, 8: 0, 1: 0, 9: 0, 2: 1, 10: 1, 3: 1, 11: 1}
    far, near = Card("a", "GPU-far", "H100", 1), Card("a", "GPU-near", "H100", 0)
    assert [card.cores for card in cards.chosen("all", [Host("a", "Zen", (far, near), PAIRS, numa)], "cuda")] == [
        (2, 10, 3, 11),
        (0, 8, 1, 9),
    ]
    untold = Card("a", "GPU-near", "H100", None)
    assert [card.cores for card in cards.chosen("all", [Host("a", "Zen", (far, untold), PAIRS, numa)], "cuda")] == [
        (0, 8, 1, 9),
        (2, 10, 3, 11),
    ]


def test_shares_have_no_core_in_common_and_a_core_is_divided_last():
    assert cards.split(PAIRS, 3) == [(0, 8), (1, 9), (2, 10)]
    assert cards.split(((0, 1),), 2) == [(0,), (1,)]
    assert cards.split(((0,), (1,)), 2) == [(0,), (1,)]


def test_cells_that_wait_for_the_host_need_two_cores_a_card():
    two_cores = Host("a", "Zen", (FIRST, SECOND), ((0,), (1,)))
    with pytest.raises(BadInput, match=r"2 cards share the cores of a, and each has 1; eager cells need 2 a card"):
        cards.check_shares(cards.chosen("all", [two_cores], "cuda"), "all")
    cards.check_shares(cards.chosen("all", [HOST], "cuda"), "all")
    cards.check_shares(cards.chosen("cpu:0 cpu:1", [two_cores], "cpu"), "cpu:0 cpu:1")


def test_linux_s_lists_of_processors():
    assert cards.listed("0-2,8\n") == {0, 1, 2, 8}
    assert cards.listed("\n") == set()


def test_cores_and_numa_nodes_are_read_from_the_system(tmp_path, monkeypatch):
    monkeypatch.setattr(cards, "CPUS", tmp_path)
    monkeypatch.setattr(cards, "NODES", tmp_path)
    monkeypatch.setattr(cards, "PCI_DEVICES", tmp_path)
    for cpu, siblings in {0: "0,2", 1: "1,3", 2: "0,2"}.items():
        (tmp_path / f"cpu{cpu}/topology").mkdir(parents=True)
        (tmp_path / f"cpu{cpu}/topology/thread_siblings_list").write_text(siblings + "\n")
    assert cards.cores_of({0, 1, 2, 7}) == ((0, 2), (1,), (7,))
    (tmp_path / "node1").mkdir()
    (tmp_path / "node1/cpulist").write_text("0-1\n")
    assert cards.numa_nodes() == {1: {0, 1}}
    for address, node in {"0000:1b:00.0": "1\n", "0000:1c:00.0": "-1\n"}.items():
        (tmp_path / address).mkdir()
        (tmp_path / address / "numa_node").write_text(node)
    told = [cards.numa_node_of(bus) for bus in ("00000000:1B:00.0", b"00000000:1C:00.0", "00000000:1D:00.0")]
    assert told == [1, None, None]


@pytest.mark.parametrize(
    ("visible", "seen"),
    [(None, [OURS, OTHER]), ("1,0", [OTHER, OURS]), (OTHER, [OTHER]), ("1", [OTHER]), ("", [])],
)
def test_only_cards_that_this_process_may_see_are_listed(visible, seen, monkeypatch):
    machine = Machine(monkeypatch)
    machine.cards = [fake_nvml.Card(OURS), fake_nvml.Card(OTHER)]
    monkeypatch.setattr(choose, "version", lambda package: "2.13.0+cu130")
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [card.uuid for card in cards.gpus()] == seen


def test_this_machine_is_listed():
    host = cards.here()
    assert host.cores
    assert sorted(thread for core in host.cores for thread in core)
    assert host.processor
