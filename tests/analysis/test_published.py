"""The file of published numbers: what it must say of each, and that it is the one that the report reads."""

import re

import pytest

from bench.analysis import published
from bench.common import yaml_file
from bench.records.catalogue import BY_NAME
from bench.spec.pair import read_pair
from tests.conftest import REPO
from tests.support import made_up_published
from tests.support.made_up_published import CLAIM, LLADA, LLAMA, values
from tests.support.refusals import refusal

ABOUT = published.read()


def without(setting: str) -> dict:
    return {name: value for name, value in LLADA.items() if name != setting}


@pytest.mark.parametrize("name", sorted(ABOUT.accuracies))
def test_every_accuracy_has_source_setting_and_items(name):
    accuracy = ABOUT.accuracies[name]
    assert ABOUT.sources[accuracy.source].at.startswith(("arXiv:", "https://"))
    assert ABOUT.sources[ABOUT.tasks[accuracy.task].source].at.startswith("arXiv:")
    share = accuracy.share(ABOUT.tasks[accuracy.task].items)
    assert share.value == pytest.approx(accuracy.percent / 100, abs=0.005)  # a count of so many items can give it
    assert share.low < share.value < share.high
    if accuracy.kind == "llada":
        assert accuracy.steps <= accuracy.gen_length
        assert accuracy.distilled == (accuracy.model != "LLaDA-8B-Instruct" and accuracy.model != "LLaDA-1.5")


def test_the_pairs_are_there_and_the_margin_was_declared():
    for pair in ABOUT.pairs:
        assert read_pair(pair).name == pair
    assert read_pair(ABOUT.margin_of).metrics["accuracy"] > 0


def test_claims_speak_of_numbers_by_the_names_that_results_have():
    metrics = {name.split("/")[1] for name in BY_NAME} | {"largest_batch"}
    for claim in ABOUT.claims.values():
        for name in [name for ours in claim.ours for name in (ours.number, ours.over) if name]:
            assert name.rsplit(".", 1)[1] in metrics


def test_what_was_measured_outside_a_study_stands_on_its_page():
    stated = [claim.elsewhere for claim in ABOUT.claims.values() if claim.elsewhere]
    assert stated
    for elsewhere in stated:
        page = (REPO / elsewhere.page).read_text()
        [rate] = re.findall(r"^([\d,]+) tokens/s", elsewhere.text)
        assert re.search(rf"\| {rate} tokens/s|\| {rate} \|", page), rate


def test_the_file_is_read_once(monkeypatch, tmp_path):
    file = made_up_published.write(tmp_path, values())
    published.read.cache_clear()
    assert published.read(file) is published.read(file)
    monkeypatch.setattr(yaml_file, "validate", lambda *_: pytest.fail("checked again"))
    assert published.read(file).tasks["sums"].items == 1000


WRONG = {
    "accuracies.llada.source": {"accuracies": {"llada": without("source")}},
    "accuracies.llada.shots": {"accuracies": {"llada": without("shots")}},
    "accuracies.llada.precision": {"accuracies": {"llada": without("precision")}},
    "accuracies.llada.percent": {"accuracies": {"llada": LLADA | {"percent": 101}}},
    "needs gen_length in tokens": {"accuracies": {"llada": without("decoder")}},
    "give either forwards": {"accuracies": {"llada": LLADA | {"tokens_per_forward": 2.0}}},
    "of a llama without steps": {"accuracies": {"llama": LLAMA | {"forwards": 3}}},
    "llada: source blog is not among sources: paper, card": {"accuracies": {"llada": LLADA | {"source": "blog"}}},
    "llada: task chess is not among tasks: sums": {"accuracies": {"llada": LLADA | {"task": "chess"}}},
    "tasks.sums.items": {"tasks": {"sums": {"label": "Sums", "source": "paper"}}},
    "sources.paper.at": {"sources": {"paper": {"name": "A paper", "at": "somewhere"}}},
    "claims.fast.ours.0: steps_for_value needs engine": {
        "claims": {"fast": CLAIM | {"ours": [{"label": "x", "quantity": "steps_for_value"}]}}
    },
    "claims.fast.ours.0: number": {"claims": {"fast": CLAIM | {"ours": [{"label": "x", "quantity": "number"}]}}},
    "known keys": {"claims": {"fast": CLAIM | {"speed": 1}}},
}


@pytest.mark.parametrize("expected", WRONG)
def test_bad_input_is_answered_in_one_line_that_names_file_and_key(expected, tmp_path):
    file = made_up_published.write(tmp_path, values(**WRONG[expected]))
    published.read.cache_clear()
    message = refusal(published.read, file)
    assert message.startswith(str(file))
    assert expected in message


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert "no such list of published numbers" in refusal(published.read, tmp_path / "gone.yaml")
