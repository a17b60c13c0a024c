"""Our LLaMA by our adapter and by lm-eval's own backend for transformers: equal texts, likelihoods and scores."""

import shutil

import pytest

pytest.importorskip("lm_eval", reason="lm-eval is not installed (configs/requirements-accuracy.txt)")

from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM

from bench.accuracy import harness, run
from bench.accuracy.cells import form_of
from bench.accuracy.lm import cut_text
from tests.accuracy.test_run import ask
from tests.conftest import REPO


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The pocket LLaMA as a directory that transformers' own classes load."""
    folder = tmp_path_factory.mktemp("exported")
    for part in ("llama", "tokenizer"):
        for file in (REPO / "bench/pocket" / part).iterdir():
            shutil.copy(file, folder / file.name)
    return str(folder)


@pytest.fixture(scope="module")
def hf(exported):
    return HFLM(pretrained=exported, device="cpu", dtype="float32", batch_size=1)


def both(asked, hf, sink):
    """(our scored cell, lm-eval's results by its own backend) of a cell's questions."""
    (ours,) = run.run([asked], sink)
    asked.task.set_fewshot_seed(harness.FEWSHOT_SEED)
    form = form_of(asked.recipe, asked.texts)
    theirs = evaluate(
        hf, {"tasks": {asked.task.config.task: asked.task}}, limit=asked.limit, bootstrap_iters=0,
        apply_chat_template=form.get("apply_chat_template", False),
        fewshot_as_multiturn=form.get("fewshot_as_multiturn", False),
    )  # fmt: skip
    return ours, theirs["samples"][asked.task.config.task]


def llama(local_tasks, pocket, task, **changes):
    return next(each for each in ask(local_tasks, pocket, [task], **changes) if each.cell.model == "llama")


@pytest.mark.parametrize("template", ["own", "asked"])
@pytest.mark.parametrize("engine", ["eager", "captured", "generate", "generate-static"])
def test_generated_texts_and_scores_are_equal(local_tasks, pocket, hf, sink, engine, template):
    asked = llama(local_tasks, pocket, "words", engine=engine, templates=(template,))
    ours, theirs = both(asked, hf, sink)
    texts = {item.index: item.text for item in run.items_of(sink)[asked.cell.cell_id].values()}
    request = asked.requests[0]
    assert [cut_text(texts[each["doc_id"]], request) for each in theirs] == [each["resps"][0][0] for each in theirs]
    assert ours.scores.values["accuracy"] == [each["exact_match"] for each in theirs]
    assert len(theirs) == 6


@pytest.mark.parametrize("batch_size", [1, 4])
def test_likelihoods_of_choices_are_equal(local_tasks, pocket, hf, sink, batch_size):
    asked = llama(local_tasks, pocket, "choices", batch_size=batch_size)
    ours, theirs = both(asked, hf, sink)
    items = run.items_of(sink)[asked.cell.cell_id]
    compared = 0
    for each in theirs:
        for number, ((nats, is_greedy),) in enumerate(each["resps"]):
            item = items[each["doc_id"], number]
            assert item.log_likelihood == pytest.approx(nats, rel=1e-5, abs=1e-4)
            assert item.is_greedy == is_greedy
            compared += 1
    assert compared == 18
    assert ours.scores.values["accuracy"] == [each["acc"] for each in theirs]


def test_likelihoods_of_whole_texts_are_equal(local_tasks, pocket, hf, sink):
    asked = llama(local_tasks, pocket, "whole")
    ours, theirs = both(asked, hf, sink)
    assert [-nats for nats in ours.scores.nats] == pytest.approx([each["resps"][0][0] for each in theirs], rel=1e-5)
    assert [size for each in theirs for size in each["bits_per_byte"][1:]] == ours.scores.text_bytes


def test_prompts_become_the_same_token_ids(local_tasks, pocket, hf):
    for task in ("words", "choices", "whole"):
        asked = llama(local_tasks, pocket, task)
        for prompt in asked.prompts:
            assert prompt.ids["llama"] == hf.tok_encode(prompt.text)
