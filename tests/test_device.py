"""Which card, and that two studies cannot share one."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import device
from bench.errors import BadInput

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
    assert device.pick(nvml(CARDS), visible) == chosen


@pytest.mark.parametrize("visible", ["2", "GPU-cccc", "GPU"])
def test_a_card_that_is_not_there_is_one_line_with_those_that_are(visible):
    with pytest.raises(BadInput, match=r"no such GPU; there are 0: H100 \(GPU-aaaa-1\), 1: H100 \(GPU-bbbb-2\)"):
        device.pick(nvml(CARDS), visible)


def test_an_index_among_different_cards_is_refused_unless_the_order_is_said(monkeypatch):
    mixed = nvml([("GPU-a", "H100"), ("GPU-b", "A100")])
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    with pytest.raises(BadInput, match="ambiguous among different GPUs"):
        device.pick(mixed, "1")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert device.pick(mixed, "1") == ("GPU-b", "A100")


def test_no_card_is_none():
    assert device.pick(nvml([]), None) is None


def test_a_driver_that_fails_is_one_line(monkeypatch):
    pynvml = pytest.importorskip("pynvml")

    def lost(index):
        raise pynvml.NVMLError_GpuIsLost()

    monkeypatch.setattr(device, "version", lambda package: "2.13.0+cu130")
    for name, answer in {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlShutdown": lambda: None,
    }.items():
        monkeypatch.setattr(pynvml, name, answer)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lost)
    with pytest.raises(BadInput, match=r"NVML does not tell which GPUs there are .*; DEVICE=cpu runs without"):
        device.gpu()


def test_locks_do_not_follow_a_job_s_own_temporary_folder(monkeypatch, tmp_path):
    monkeypatch.delenv(device.LOCKS, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with device.lock(f"test-{os.getpid()}", "s"):
        file = Path(device.LOCK_FOLDER) / f"llada-bench-test-{os.getpid()}.lock"
        assert file.exists()
    file.unlink()


@pytest.fixture
def locks(tmp_path, monkeypatch):
    monkeypatch.setenv(device.LOCKS, str(tmp_path))
    return tmp_path


def test_a_second_study_is_told_who_holds_the_device(locks):
    with device.lock("GPU-a", "first"), pytest.raises(BadInput) as refused, device.lock("GPU-a", "second"):
        pass
    text = str(refused.value)
    assert f"device GPU-a is in use by study first (process {os.getpid()}, since " in text
    assert "\n" not in text


def test_another_device_is_free_and_a_lock_is_let_go(locks):
    with device.lock("GPU-a", "first"), device.lock("GPU-b", "second"):
        pass
    with device.lock("GPU-a", "third"):
        assert "study third" in device.holder((locks / "llada-bench-GPU-a.lock").read_text())


def test_a_lock_that_cannot_be_opened_is_one_line(locks):
    (locks / "llada-bench-cpu.lock").mkdir()
    with pytest.raises(BadInput, match="the lock of device cpu cannot be opened"), device.lock("cpu", "s"):
        pass


def test_an_unwritten_holder_is_still_a_study():
    assert device.holder("") == "another study"
