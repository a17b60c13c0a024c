"""What the file of a study may declare, and what is refused in one line."""

import pytest

from bench.common.errors import BadInput
from bench.runner.request import Request, resolve
from bench.spec import study_file

GOOD = """declared: 2026-11-28T12:00:00
rounds: 5
endpoints:
  one: {quantity: latency_ratio, steps: 100}
"""


def read(tmp_path, text: str):
    (tmp_path / "mine.yaml").write_text(text)
    return study_file.read("mine", tmp_path)


def test_a_declaration_is_read_and_a_study_need_not_have_one(tmp_path):
    declared = read(tmp_path, GOOD)
    assert (declared.rounds, declared.cards, list(declared.endpoints)) == (5, 1, ["one"])
    assert study_file.read("another", tmp_path) is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rounds: 5", "rounds: 4", "rounds: Input should be greater than or equal to 5"),
        ("steps: 100", "batch: 1", "steps: belongs to latency_ratio, which needs it"),
        ("quantity: latency_ratio, steps: 100", "quantity: quality", "metric: belongs to quality, which needs it"),
        ("steps: 100", "steps: 100, bach: 2", "bach: Extra inputs are not permitted; known keys: quantity, against"),
        ("  one:", "".join(f"  e{i}: {{quantity: break_even_steps}}\n" for i in range(6)) + "  one:", "at most 6"),
        ("declared: 2026-11-28T12:00:00", "declared: once", "declared: "),
    ],
)
def test_what_a_declaration_may_not_say_is_refused_in_one_line(tmp_path, old, new, words):
    with pytest.raises(BadInput) as refused:
        read(tmp_path, GOOD.replace(old, new))
    assert words in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path / "mine.yaml"))
    assert "\n" not in str(refused.value)


def test_a_broken_declaration_is_refused_before_anything_is_resolved(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text("rounds: 5\n")
    monkeypatch.setattr(study_file.read, "__defaults__", (tmp_path,))
    with pytest.raises(BadInput, match="declared: Field required"):
        resolve(Request(grids=("smoke",), study="mine", device="cpu", plan=True))


@pytest.mark.parametrize("file", sorted(study_file.STUDIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_declarations_can_be_read(file):
    assert study_file.read(file.stem).endpoints
