"""Records: nothing acknowledged is lost, nothing torn is read, replaying twice changes nothing."""

import gzip
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.common import paths
from bench.common.errors import BadInput
from bench.records import merge, types
from bench.records.machine import Energy, KernelTime
from bench.store import disk
from bench.store.sink import Sink

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
RECORDS = st.builds(
    lambda kind, rest: {"record": kind} | rest,
    st.sampled_from(["round", "scores"]),
    st.dictionaries(st.text().filter(lambda key: key != "record"), VALUES, max_size=4),
)


def round_of(cell_id: str, number: int, study: str = "s", outcome: str = "ok", **more) -> dict:
    ids = {"cell_id": cell_id, "study": study, "round": number, "cell": {"model": cell_id}}
    return {"record": "round", "outcome": outcome} | ids | more


def scores_of(cell_id: str, scorer: str, value: float, study: str = "s") -> dict:
    return {"record": "scores", "study": study, "cell_id": cell_id, "scorer": scorer, "values": {scorer: value}}


def group(rows: list[dict]) -> dict[str, merge.CellRecords]:
    """Records by cell, of lines as they stand in a file."""
    return merge.group(map(types.parse, rows))


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(paths, "ROOT", tmp_path / "root")
    return tmp_path / "root"


def write(file: Path, *rows: dict) -> Path:
    for row in rows:
        disk.append(file, row)
    return file


@pytest.mark.parametrize("left", range(4))
def test_of_records_written_together_a_kill_leaves_the_first_ones_whole(left, tmp_path):
    rows = [round_of("a", number) for number in (1, 2, 3)]
    file, ends = tmp_path / "s.jsonl", [0]
    disk.append(file, *rows)
    for line in file.read_bytes().splitlines(keepends=True):
        ends.append(ends[-1] + len(line))
    with open(file, "r+b") as stream:
        stream.truncate(ends[left] + 7 if left < 3 else ends[left])
    disk.append(file, round_of("b", 1))
    assert disk.read_json(file) == [*rows[:left], round_of("b", 1)]


def test_a_round_measured_again_on_request_counts_in_place_of_the_one_it_was_asked_for():
    first = round_of("a", 1, started=10.0)
    assert group([first, round_of("a", 1, started=20.0, again=10.0)])["a"].rounds[1].started_s == 20.0
    for other in ({}, {"again": 11.0}):  # another machine's, or in place of another
        assert group([first, round_of("a", 1, started=20.0, **other)])["a"].rounds[1].started_s == 10.0


def test_scores_of_another_text_than_the_one_that_counts_are_dropped():
    first, scores = round_of("a", 1, started=1.0, sequences=[[1]]), scores_of("a", "diversity", 0.5)
    same, other = (round_of("a", 1, started=2.0, again=1.0, sequences=text) for text in ([[1]], [[2]]))
    assert list(group([first, scores, same])["a"].scores) == ["diversity"]
    assert group([first, scores, other])["a"].scores == {}
    assert list(group([first, scores, other, scores])["a"].scores) == ["diversity"]


def test_what_was_measured_beside_a_round_belongs_to_that_one():
    head = {"record": "beside", "study": "s", "cell_id": "a", "round": 1, "started": 1.0}
    busy = head | {"busy": {"latency_ms": 9.0, "kernel_ms": 5.0}}
    energy = head | {"energy": {"joules": 3.0, "seconds": 1.0, "calls": 1, "tokens": 4}}
    first = round_of("a", 1, started=1.0)
    rounds = group([first, busy, energy, round_of("a", 2, started=2.0), round_of("b", 1)])["a"].rounds
    assert (rounds[1].busy, rounds[1].energy) == (KernelTime(9.0, 5.0), Energy(3.0, 1.0, 1, 4))
    assert rounds[2].busy is None
    assert group([busy]) == {}
    again = round_of("a", 1, started=4.0, again=1.0)
    assert group([first, busy, again, busy])["a"].rounds[1].busy is None


@settings(deadline=None, max_examples=50)
@given(st.lists(RECORDS, max_size=4))
def test_appended_records_are_read_back_in_order(rows):
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder) / "deep" / "s.jsonl", *rows)
        assert disk.read_json(file) == rows
        assert not rows or len(file.read_bytes().splitlines()) == len(rows)


def test_missing_file_has_no_records(tmp_path):
    assert disk.read_json(tmp_path / "gone.jsonl") == []


@settings(deadline=None, max_examples=50)
@given(st.lists(RECORDS, min_size=1, max_size=3), RECORDS, st.data())
def test_torn_last_line_is_skipped_and_ended(rows, later, data):
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder) / "s.jsonl", *rows)
        whole = file.read_bytes()
        last = len(whole.splitlines()[-1])
        kept = data.draw(st.integers(0, last - 1))
        torn = whole[: len(whole) - 1 - last + kept]
        file.write_bytes(torn)
        assert disk.read_json(file) == rows[:-1]
        disk.append(file, later)
        assert disk.read_json(file) == [*rows[:-1], later]
        assert file.read_bytes().startswith(torn)
        assert file.read_bytes().count(b"\n") == len(rows) + (kept > 0)


def pack(source: Path, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(source.read_bytes()))
    return file


@settings(deadline=None, max_examples=50)
@given(st.lists(RECORDS, min_size=1, max_size=3), st.integers(0, 20))
def test_a_gzipped_file_reads_like_the_plain_one(rows, torn):
    with tempfile.TemporaryDirectory() as folder:
        plain = write(Path(folder) / "s.jsonl", *rows)
        plain.write_bytes(plain.read_bytes() + b'{"record": "round", "cut off"'[:torn])
        assert disk.read_json(pack(plain, Path(folder) / "s.jsonl.gz")) == disk.read_json(plain) == rows


def refused_in_one_line(file: Path) -> None:
    with pytest.raises(BadInput) as caught:
        disk.read_json(file)
    assert str(caught.value).startswith(f"{file}: no gzip file, or not a whole one (")
    assert "\n" not in str(caught.value)


def test_a_gzip_cut_anywhere_is_refused(tmp_path):
    whole = pack(write(tmp_path / "s.jsonl", *(round_of("a", n) for n in range(9))), tmp_path / "s.jsonl.gz")
    packed = whole.read_bytes()
    for kept in range(1, len(packed)):
        whole.write_bytes(packed[:kept])
        refused_in_one_line(whole)


@pytest.mark.parametrize("place", [0, 15, -6])  # its magic number, what is packed, its checksum
def test_a_gzip_that_is_none_or_damaged_is_refused(place, tmp_path):
    file = pack(write(tmp_path / "s.jsonl", round_of("a", 1)), tmp_path / "s.jsonl.gz")
    packed = bytearray(file.read_bytes())
    packed[place] ^= 0xFF
    file.write_bytes(packed)
    refused_in_one_line(file)


def test_records_are_not_appended_to_a_gzip(tmp_path):
    with pytest.raises(BadInput, match=r"out\.jsonl\.gz: records are appended"):
        Sink("s", tmp_path / "out.jsonl.gz").check()
    assert list(tmp_path.iterdir()) == []


def test_append_never_rewrites(tmp_path):
    file = write(tmp_path / "s.jsonl", round_of("a", 1))
    before = file.read_bytes()
    disk.append(file, round_of("a", 1, note="again"))
    assert file.read_bytes() == before + json.dumps(round_of("a", 1, note="again")).encode() + b"\n"


def test_lines_that_are_no_records_are_skipped(tmp_path):
    file = tmp_path / "s.jsonl"
    good = round_of("a", 1)
    file.write_text("\n".join(["5", "[]", '{"record": "other"}', "{}", "no JSON", "", json.dumps(good), "null"]) + "\n")
    assert disk.read_json(file) == [good]


def test_first_of_two_records_of_a_round_counts():
    places = [("a", 1), ("a", 2), ("a", 1), ("b", 1)]
    cells = group([round_of(cell_id, number, order=order) for order, (cell_id, number) in enumerate(places)])
    assert list(cells) == ["a", "b"]
    assert {number: record.order for number, record in cells["a"].rounds.items()} == {1: 0, 2: 1}
    assert cells["b"].rounds[1].order == 3
    assert cells["a"].cell.model == "a"


def test_scores_belong_to_their_cell_and_the_last_counts():
    rows = [round_of("a", 1), scores_of("a", "judge", 1), scores_of("a", "judge", 2), scores_of("b", "judge", 3)]
    cells = group(rows)
    assert list(cells) == ["a"]
    assert cells["a"].scores["judge"].values == {"judge": 2}


def test_failed_is_the_first_round_that_did_not_end_well():
    rows = [round_of("a", 1), round_of("a", 2, outcome="oom"), round_of("a", 3, outcome="error"), round_of("b", 1)]
    cells = group(rows)
    assert cells["a"].failed == types.parse(rows[1])
    assert cells["b"].failed is None


def test_study_is_read_by_its_name(root):
    write(root / "mine.jsonl", round_of("a", 1))
    assert disk.path("mine") == root / "mine.jsonl"
    assert list(disk.by_cell("mine")) == ["a"]
    assert disk.by_cell("other") == {}


ROUNDS = st.builds(
    lambda cell_id, number, study, n: round_of(cell_id, number, study, n=n),
    st.sampled_from("ab"),
    st.integers(1, 2),
    st.sampled_from(["one", "two"]),
    st.integers(0, 2),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(ROUNDS, min_size=1, max_size=8), st.lists(ROUNDS, max_size=3))
def test_replaying_twice_changes_nothing(incoming, local):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ROOT", Path(folder) / "root")
        for row in local:
            disk.append(disk.path(row["study"]), row)
        file = write(Path(folder) / "incoming.jsonl", *incoming)
        assert disk.replay(file) == sorted({row["study"] for row in incoming})
        for study in ("one", "two"):
            there = [row for row in local if row["study"] == study]
            for row in incoming:
                if row["study"] == study and row not in there:
                    there.append(row)
            assert disk.read_json(disk.path(study)) == there
        once = {study: disk.read_json(disk.path(study)) for study in ("one", "two")}
        disk.replay(file)
        assert {study: disk.read_json(disk.path(study)) for study in ("one", "two")} == once


def test_replay_does_not_replace_what_was_measured_here(root, tmp_path):
    write(root / "s.jsonl", round_of("a", 1, message="here"))
    disk.replay(write(tmp_path / "there.jsonl", round_of("a", 1, message="there"), round_of("a", 2, message="there")))
    assert {number: row.message for number, row in disk.by_cell("s")["a"].rounds.items()} == {1: "here", 2: "there"}


def test_study_replayed_onto_itself_stays(root):
    file = write(root / "s.jsonl", round_of("a", 1), scores_of("a", "judge", 1.5))
    before = file.read_bytes()
    assert disk.replay(file) == ["s"]
    assert file.read_bytes() == before


def test_a_published_study_is_found_by_its_name_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "PUBLISHED", tmp_path / "recorded")
    with pytest.raises(BadInput, match=r"^STUDY=one: no such study is recorded; \S+recorded has: none yet$"):
        disk.published("one")
    for name in ("two", "one"):
        pack(write(tmp_path / "s.jsonl", round_of("a", 1)), tmp_path / f"recorded/{name}.jsonl.gz")
    (tmp_path / "recorded/notes.md").touch()
    assert disk.published("one") == tmp_path / "recorded/one.jsonl.gz"
    for name in ("", "three", "../recorded/one", "notes.md", "one.jsonl.gz"):
        with pytest.raises(BadInput, match=r"recorded has: one, two$"):
            disk.published(name)


def test_a_published_study_replays_into_its_own_name_or_not_at_all(root, tmp_path):
    plain = write(tmp_path / "s.jsonl", round_of("a", 1), round_of("b", 1, study="other"))
    file = pack(plain, tmp_path / "s.jsonl.gz")
    with pytest.raises(BadInput, match="has records of study other"):
        disk.replay(file, "s")
    assert not root.exists()
    assert disk.replay(file) == ["other", "s"]


def test_a_published_study_is_not_mixed_with_measurements_of_ones_own(root, tmp_path, monkeypatch):
    """Restored once it may grow, and restoring it again changes nothing; onto other measurements it is refused."""
    monkeypatch.setattr(disk, "PUBLISHED", tmp_path)
    pack(write(tmp_path / "s.jsonl", round_of("a", 1), round_of("b", 1)), tmp_path / "s.jsonl.gz")
    assert disk.restore("s") == ["s"]
    disk.append(disk.path("s"), round_of("c", 1))
    assert disk.restore("s") == ["s"]
    assert len(disk.read(disk.path("s"))) == 3
    disk.path("s").unlink()
    disk.append(disk.path("s"), round_of("a", 1, message="measured here"))
    with pytest.raises(BadInput, match="has measurements of your own"):
        disk.restore("s")
    assert len(disk.read(disk.path("s"))) == 1


@pytest.mark.parametrize("content", [None, b"", b"\n", b'{"record": "rou', b'{"record": "other"}\n'])
def test_file_without_records_is_refused(root, tmp_path, content):
    file = tmp_path / "empty.jsonl"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        disk.replay(file)
    assert str(caught.value).startswith(f"{file}: no records in it")
    assert "\n" not in str(caught.value)
    assert not root.exists()


def test_ceilings_pass_over_what_no_device_ran():
    ceilings = {"record": "ceilings", "study": "s", "pair": "p", "dtype": "float32", "device": "Zen", "threads": 2}
    rate = {"value": 1.0, "median": 1.0, "low": 1.0, "kernel": "k"}
    ceilings |= {"flops_per_s": rate, "bytes_per_s": rate, "host_s": {}}
    reference = scores_of("human", "diversity", 1.0) | {"cell": {"kind": "reference", "pair": "p"}}
    ran = round_of("a", 1) | {"environment": {"device": "Zen", "threads": 2}}
    ran["cell"] |= {"pair": "p", "dtype": "float32", "device": "cpu"}
    cells = group([reference, ran, ceilings])
    assert (cells["human"].ceilings, cells["a"].ceilings) == (None, types.parse(ceilings))


def test_a_record_that_lacks_what_it_cannot_do_without_is_named_in_one_line(tmp_path):
    broken = {name: value for name, value in round_of("a", 2).items() if name != "outcome"}
    file = write(tmp_path / "s.jsonl", round_of("a", 1), broken)
    with pytest.raises(BadInput) as caught:
        disk.read(file)
    assert str(caught.value).startswith(f"{file}: record 2 is a record of kind `round` without `outcome`; remove it")
    assert "\n" not in str(caught.value)
