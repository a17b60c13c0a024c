"""Which card, whether it computes in a precision, and that two studies cannot share one."""

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Timer
from types import SimpleNamespace

import pynvml
import pytest

from bench import ceilings, frontier, ladder, run
from bench.common import paths
from bench.common.errors import BadInput
from bench.devices import choose, lock
from bench.spec import rules
from bench.spec.work import Work
from tests.conftest import make_cell
from tests.support.fake_nvml import OTHER, OURS, Card, Machine

CARDS = [("GPU-aaaa-1", "H100"), ("GPU-bbbb-2", "H100")]


def nvml(cards: list[tuple[str, str]]) -> SimpleNamespace:
    """As much of pynvml as choosing needs; handles are indices."""
    return SimpleNamespace(
        nvmlDeviceGetCount=lambda: len(cards),
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUUID=lambda index: cards[index][0],
        nvmlDeviceGetName=lambda index: cards[index][1],
    )


@pytest.mark.parametrize(
    ("visible", "chosen"),
    [(None, CARDS[0]), ("1", CARDS[1]), ("1,0", CARDS[1]), ("GPU-bbbb-2", CARDS[1]), ("GPU-b", CARDS[1]), ("", None),
     ("-1", None), ("MIG-7", ("MIG-7", "a MIG slice"))],
)  # fmt: skip
def test_the_first_visible_card_is_chosen(visible, chosen):
    assert choose.pick(nvml(CARDS), visible) == chosen


@pytest.mark.parametrize("visible", ["2", "GPU-cccc", "GPU"])
def test_a_card_that_is_not_there_is_one_line_with_those_that_are(visible):
    with pytest.raises(BadInput, match=r"no such GPU; there are 0: H100 \(GPU-aaaa-1\), 1: H100 \(GPU-bbbb-2\)"):
        choose.pick(nvml(CARDS), visible)


def test_an_index_among_different_cards_is_refused_unless_the_order_is_said(monkeypatch):
    mixed = nvml([("GPU-a", "H100"), ("GPU-b", "A100")])
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    with pytest.raises(BadInput, match="ambiguous among different GPUs"):
        choose.pick(mixed, "1")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert choose.pick(mixed, "1") == ("GPU-b", "A100")


def test_no_card_is_none():
    assert choose.pick(nvml([]), None) is None


def test_a_driver_that_fails_is_one_line(monkeypatch):
    def lost(index):
        raise pynvml.NVMLError_GpuIsLost()

    monkeypatch.setattr(choose, "version", lambda package: "2.13.0+cu130")
    for name, answer in {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlShutdown": lambda: None,
    }.items():
        monkeypatch.setattr(pynvml, name, answer)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lost)
    with pytest.raises(BadInput, match=r"NVML does not tell which GPUs there are .*; DEVICE=cpu runs without"):
        choose.gpu()


def test_locks_do_not_follow_a_job_s_own_temporary_folder(monkeypatch, tmp_path):
    monkeypatch.delenv(lock.LOCKS, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with lock.lock(f"test-{os.getpid()}", "s"):
        file = Path(lock.LOCK_FOLDER) / f"llada-bench-test-{os.getpid()}.lock"
        assert file.exists()
    file.unlink()


@pytest.fixture
def locks(tmp_path, monkeypatch):
    monkeypatch.setenv(lock.LOCKS, str(tmp_path))
    return tmp_path


def test_a_second_study_is_told_who_holds_the_device(locks):
    with lock.lock("GPU-a", "first"), pytest.raises(BadInput) as refused, lock.lock("GPU-a", "second"):
        pass
    text = str(refused.value)
    assert f"device GPU-a is in use by study first (process {os.getpid()}, since " in text
    assert "\n" not in text


def test_another_device_is_free_and_a_lock_is_let_go(locks):
    with lock.lock("GPU-a", "first"), lock.lock("GPU-b", "second"):
        pass
    with lock.lock("GPU-a", "third"):
        assert "study third" in lock.holder((locks / "llada-bench-GPU-a.lock").read_text())


def test_a_killed_run_of_the_same_study_is_given_time_to_let_go_and_another_study_none(locks):
    with ExitStack() as ending:
        ending.enter_context(lock.lock("GPU-a", "a study"))
        Timer(0.5, ending.close).start()
        start = time.monotonic()
        with pytest.raises(BadInput, match="in use by study a study"), lock.lock("GPU-a", "other", 10.0):
            pass
        assert time.monotonic() - start < 0.4
        with lock.lock("GPU-a", "a study", 10.0):
            note = (locks / "llada-bench-GPU-a.lock").read_text()
            assert lock.study_in(note) == "a study"
            assert time.monotonic() - start >= 0.4


def test_patience_with_the_same_study_ends(locks):
    with lock.lock("GPU-a", "a study"):
        start = time.monotonic()
        with pytest.raises(BadInput, match="in use by study a study"), lock.lock("GPU-a", "a study", 0.5):
            pass
        assert 0.5 <= time.monotonic() - start < 5


def test_a_lock_that_cannot_be_opened_is_one_line(locks):
    (locks / "llada-bench-cpu.lock").mkdir()
    with pytest.raises(BadInput, match="the lock of device cpu cannot be opened"), lock.lock("cpu", "s"):
        pass


def test_an_unwritten_holder_is_still_a_study():
    assert lock.holder("") == "another study"
    assert lock.study_in("") is None


@pytest.fixture
def t4(monkeypatch, tmp_path):
    """A machine whose card is older than bfloat16; what a door keeps goes to a folder of its own."""
    machine = Machine(monkeypatch)
    machine.card.name, machine.card.capability = "Tesla T4", (7, 5)
    monkeypatch.setattr(choose, "version", lambda package: "2.13.0+cu130")
    monkeypatch.setattr(paths, "ROOT", tmp_path / "mlruns")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return machine


def lacks(dtype: str) -> str:
    return (
        f"dtype {dtype} needs a GPU of compute capability 8.0 or more, whose arithmetic is bfloat16; Tesla T4 has 7.5;"
        " use float32 or float16"
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_bfloat16_is_refused_on_a_card_that_would_emulate_it(t4, dtype):
    with pytest.raises(BadInput) as refused:
        choose.check_dtype(dtype, "here")
    assert str(refused.value) == f"here: {lacks(dtype)}"
    for good in ("float32", "float16"):
        choose.check_dtype(good, "here")


@pytest.mark.parametrize(("capability", "instead"), [((7, 5), "float32 or float16"), ((8, 6), "bfloat16 or int8")])
def test_float8_is_refused_on_a_card_without_such_products(t4, capability, instead):
    t4.card.capability = capability
    with pytest.raises(BadInput) as refused:
        choose.check_dtype("float8", "here")
    number = ".".join(map(str, capability))
    assert str(refused.value) == (
        "here: dtype float8 needs a GPU of compute capability 8.9 or more, whose arithmetic is float8; Tesla T4 has"
        f" {number}; use {instead}"
    )
    t4.card.capability = (8, 9)
    choose.check_dtype("float8", "here")


@pytest.mark.parametrize("capability", [(8, 0), (8, 9), (9, 0), (10, 0)])
def test_a_newer_card_computes_in_every_precision(t4, capability):
    t4.card.capability = capability
    for dtype in ("bfloat16", "int8"):
        choose.check_dtype(dtype, "here")


def test_the_card_that_is_chosen_is_asked(t4, monkeypatch):
    t4.cards.append(Card(OTHER))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", OTHER)
    choose.check_dtype("bfloat16", "here")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", OURS)
    with pytest.raises(BadInput, match=r"Tesla T4 has 7\.5"):
        choose.check_dtype("bfloat16", "here")


@pytest.mark.parametrize("visible", ["", "MIG-7"])
def test_no_card_and_a_slice_of_one_are_not_refused(t4, monkeypatch, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    choose.check_dtype("bfloat16", "here")


def test_a_card_that_does_not_tell_is_not_refused(t4):
    t4.answers("nvmlDeviceGetCudaComputeCapability", pynvml.NVMLError_NotSupported())
    choose.check_dtype("bfloat16", "here")


def test_cells_of_a_gpu_are_checked_but_not_the_sentinel(t4):
    old, cpu = make_cell("llama", dtype="int8", device="cuda"), make_cell("llama", dtype="bfloat16")
    twin = make_cell("llada", dtype="bfloat16", device="cuda", twin="a")
    rules.check_cells([cpu, twin, make_cell("llama", device="cuda")])
    with pytest.raises(BadInput) as refused:
        rules.check_cells([cpu, twin, old])
    assert str(refused.value) == f"grid test: {lacks('int8')}"


BFLOAT16 = ["configs/grids/smoke.yaml", "--dtype", "bfloat16"]
SHAPES = ["--pair", "8b-shapes"]


@pytest.mark.parametrize(
    ("door", "arguments", "where"),
    [(run, BFLOAT16, "grid smoke"), (run, [*BFLOAT16, "--plan"], "grid smoke"), (frontier, SHAPES, "grid frontier"),
     (ladder, SHAPES, "grid engines"), (ceilings, SHAPES, "pair 8b-shapes"),
     (ceilings, ["--dtype", "float32 bfloat16"], 'DTYPE="float32 bfloat16"')],
)  # fmt: skip
def test_every_door_that_takes_time_refuses_an_emulation(t4, monkeypatch, door, arguments, where):
    monkeypatch.setattr(sys, "argv", ["door", *arguments])
    with pytest.raises(BadInput) as refused:
        door.main()
    assert str(refused.value) == f"{where}: {lacks('bfloat16')}"


def test_a_work_folder_of_another_machine_is_refused_where_it_would_run(t4, monkeypatch, tmp_path):
    cells = (make_cell("llama", dtype="bfloat16", device="cuda"),)
    Work("s", 1, 0, cells, {"h": ()}).save(tmp_path / "work")
    arguments = ["--cells", str(tmp_path / "work"), "--record", str(tmp_path / "out.jsonl")]
    for door in (run, ceilings):
        monkeypatch.setattr(sys, "argv", ["door", *arguments])
        with pytest.raises(BadInput, match=r"^grid test: dtype bfloat16 needs a GPU"):
            door.main()
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("elsewhere", [["--export"], ["--plan", "--device", "cuda"]])
def test_what_runs_on_another_machine_is_not_refused(t4, tmp_path, elsewhere, capsys):
    arguments = [*elsewhere, str(tmp_path / "work")] if elsewhere == ["--export"] else elsewhere
    assert run.main([*BFLOAT16, "--device", "auto", *arguments]) == 0
    assert "cell" in capsys.readouterr().out
