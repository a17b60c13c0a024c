"""A whole run of the pocket pair over a folder of a user's tasks: answers, scores, records, and going on."""

import contextlib
import json
from dataclasses import replace

import pytest

pytest.importorskip("lm_eval", reason="lm-eval is not installed (configs/requirements-accuracy.txt)")

from bench.accuracy import cells, plan, report, run
from bench.accuracy.cells import Request
from bench.accuracy.run import Models
from bench.common import provenance
from bench.common.errors import BadInput
from bench.models import kinds
from bench.records import metrics
from bench.spec.pair import ModelFile
from bench.store import disk, shown_scores
from bench.store.sink import Sink
from tests.accuracy.fake_model import FakeAdapter
from tests.accuracy.local_tasks import WORDS, WORDS_RECIPE, questions, write
from tests.conftest import GOLDEN, REPO

TOKENIZER = str(REPO / "bench/pocket/tokenizer")


def ask(folder, pair, tasks, **changes):
    asked = cells.resolve(Request(tasks=tuple(tasks), task_path=folder, **changes), pair, "cpu")
    run.check(asked)
    return asked


def by_model(asked):
    return {each.cell.model: each for each in asked}


def items(sink):
    return [record for record in disk.read(sink.file) if type(record).__name__ == "Item"]


def fake(texts, answer="a", **options):
    """A model that gives one answer to everything."""
    end = texts.files.describe().eos_ids[0]
    return FakeAdapter(lambda ids: texts.encode(answer, add_special_tokens=False), end, **options)


def test_the_pocket_pair_answers_what_it_was_taught(local_tasks, pocket, sink):
    asked = ask(local_tasks, pocket, ["words"])
    assert {each.cell.model: each.cell.steps for each in asked} == {"llama": None, "llada": 16}
    scored = list(run.run(asked, sink))
    for each in scored:
        values = metrics.quality_metrics(sink.known()[each.asked.cell.cell_id])
        assert values["quality/accuracy"] >= 0.8
        assert values["quality/accuracy_ci_low"] < values["quality/accuracy"]
        assert values["quality/empty_answers"] == values["quality/unmatched_answers"] == 0
        assert values["quality/mean_length"] > 1
        assert values["quality/seconds_an_item"] > 0
        is_diffusion = kinds.has_steps(each.asked.cell.model)
        assert (values["quality/forwards_an_item"] == 16) == is_diffusion


def test_every_answer_is_a_record_with_its_outcome(local_tasks, pocket, sink):
    asked = ask(local_tasks, pocket, ["words"], limit=3)
    list(run.run(asked[:1], sink))
    of_cell = sorted(items(sink), key=lambda item: item.index)
    rows = [json.loads(line) for line in (local_tasks / "words.jsonl").read_text().splitlines()]
    assert [item.index for item in of_cell] == [0, 1, 2]
    for item, row in zip(of_cell, rows, strict=False):
        right = float(item.text.split("\n")[0] == row["answer"])
        assert item.outcome == {"exact_match,letters": right}
        assert item.seconds > 0
        assert item.nfe >= item.tokens > 0
        assert item.cell_id == asked[0].cell.cell_id
    assert [item.cell for item in items(sink)] == [asked[0].cell, None, None]
    assert len({item.prompt_hash for item in of_cell}) == 3
    scores = sink.known()[asked[0].cell.cell_id].scores["lm-eval"]
    assert scores.device == of_cell[0].device != ""


def test_scores_name_every_device_that_answered(local_tasks, pocket, sink, monkeypatch):
    for device, most in (("one", 2), ("other", None)):
        monkeypatch.setattr(provenance, "cpu_name", lambda device=device: device)
        asked = ask(local_tasks, pocket, ["words"], limit=3)[:1]
        model = fake(asked[0].texts, most=most)
        with contextlib.suppress(KeyboardInterrupt):
            list(run.run(asked, sink, Models(lambda kind, model=model: model)))
    assert sink.known()[asked[0].cell.cell_id].scores["lm-eval"].device == "one and other"


def test_choices_and_whole_texts_are_scored_by_likelihood(local_tasks, pocket, sink):
    asked = ask(local_tasks, pocket, ["choices", "whole"], limit=4)
    assert all(each.cell.steps is None and each.cell.gen_length == 0 for each in asked)
    samples = {(each.cell.model, each.cell.task): each.cell.samples for each in asked}
    assert samples["llada", "choices"] == 8
    assert samples["llama", "choices"] is None
    scored = {(each.asked.cell.model, each.asked.cell.task): each for each in run.run(asked, sink)}
    for model in ("llama", "llada"):
        assert report.accuracy_of(scored[model, "choices"].scores).value >= 0.75
        assert "bits/byte" in report.main_number(scored[model, "whole"].scores)
    cell_of = {each.cell.cell_id: each.cell for each in asked}
    errors = {cell_of[item.cell_id].model: item.standard_error for item in items(sink)}
    assert errors["llama"] == 0
    assert errors["llada"] > 0
    with_outcome = [item for item in items(sink) if cell_of[item.cell_id].task == "choices" and item.outcome]
    assert len(with_outcome) == 2 * 4  # the last of each question's three choices


def test_a_stopped_run_goes_on_at_the_next_item(local_tasks, pocket, sink):
    asked = ask(local_tasks, pocket, ["words"])[:1]
    first = fake(asked[0].texts, most=2)
    with pytest.raises(KeyboardInterrupt):
        list(run.run(asked, sink, Models(lambda kind: first)))
    assert len(items(sink)) == 2
    asked = ask(local_tasks, pocket, ["words"])[:1]
    second = fake(asked[0].texts)
    list(run.run(asked, sink, Models(lambda kind: second)))
    assert len(second.calls) == len(asked[0].requests) - 2
    assert len({(item.index, item.request) for item in items(sink)}) == len(items(sink)) == len(asked[0].requests)
    before = sink.file.read_text()
    third = fake(asked[0].texts)
    list(run.run(ask(local_tasks, pocket, ["words"])[:1], sink, Models(lambda kind: third)))
    assert third.loads == []  # nothing is left to ask, and the scores are those on record
    assert sink.file.read_text() == before


def test_a_batch_waits_for_the_disk_once(local_tasks, pocket, sink, monkeypatch):
    asked = ask(local_tasks, pocket, ["words"], batch_size=3)[:1]
    lines = []
    monkeypatch.setattr(disk.os, "fsync", lambda descriptor: lines.append(sink.file.read_text().count("\n")))
    list(run.run(asked, sink, Models(lambda kind: fake(asked[0].texts))))
    assert lines == [3, 6, 7]  # two batches, then the scores


def test_an_answer_that_cannot_be_scored_takes_no_other_of_its_batch_along(local_tasks, pocket, sink, monkeypatch):
    asked = ask(local_tasks, pocket, ["words"], batch_size=3)[:1]
    outcome_of, scored = run.score.outcome_of, []

    def fails_at_the_third(task, answered):
        scored.append(answered)
        if len(scored) == 3:
            raise RuntimeError("no score")
        return outcome_of(task, answered)

    monkeypatch.setattr(run.score, "outcome_of", fails_at_the_third)
    [failure] = run.run(asked, sink, Models(lambda kind: fake(asked[0].texts)))
    assert failure.endswith("RuntimeError: no score")
    assert len(items(sink)) == 2


def test_answers_are_scored_again_without_a_model_where_the_right_answers_change(pocket, sink, tmp_path):
    rows = questions(4)
    found = []
    for answers in (rows, [row | {"answer": "a"} for row in rows]):
        write(tmp_path, "again", WORDS, WORDS_RECIPE, answers)
        asked = ask(tmp_path, pocket, ["again"])[:1]
        model = fake(asked[0].texts)
        scored = list(run.run(asked, sink, Models(lambda kind, model=model: model)))
        found.append((report.accuracy_of(scored[0].scores).value, len(model.calls), asked[0].cell.cell_id))
    assert [each[:2] for each in found] == [(0.0, 4), (1.0, 0)]
    assert found[0][2] == found[1][2]
    assert metrics.quality_metrics(sink.known()[found[0][2]])["quality/accuracy"] == 1.0


def test_an_extractor_that_finds_nothing_is_said_beside_the_number(local_tasks, pocket, sink):
    asked = ask(local_tasks, pocket, ["words"])[:1]
    model = fake(asked[0].texts, answer="No idea!")
    scored = list(run.run(asked, sink, Models(lambda kind: model)))
    lines = "\n".join(report.lines(scored))
    assert "NO MATCH" in lines
    assert "found an answer in none of 6 texts" in lines
    entry = sink.known()[asked[0].cell.cell_id]
    assert metrics.quality_metrics(entry)["quality/unmatched_answers"] == 1.0
    assert shown_scores.tags(entry)["flags"] == "no answer matched"


def test_an_empty_answer_counts_as_empty(local_tasks, pocket, sink):
    asked = ask(local_tasks, pocket, ["words"])[:1]
    model = fake(asked[0].texts, answer="\na")  # the task's stop string comes first
    scored = list(run.run(asked, sink, Models(lambda kind: model)))
    assert report.mean(scored[0].scores, "empty_answers") == 1.0
    assert all(item.text == "\na" for item in items(sink))  # kept as it was written


def test_batches_are_of_like_lengths_and_give_the_same_answers(local_tasks, pocket, sink, tmp_path):
    one = list(run.run(ask(local_tasks, pocket, ["words"]), sink))
    other = Sink("s", tmp_path / "other.jsonl")
    four = list(run.run(ask(local_tasks, pocket, ["words"], batch_size=4), other))
    for alone, together in zip(one, four, strict=True):
        assert alone.scores.values["accuracy"] == together.scores.values["accuracy"]
        assert alone.asked.cell.cell_id != together.asked.cell.cell_id
    assert {item.rows for item in items(other)} == {4, 2}
    asked = ask(local_tasks, pocket, ["words"], batch_size=4)[:1]
    model = fake(asked[0].texts)
    list(run.run(asked, Sink("s", tmp_path / "third.jsonl"), Models(lambda kind: model)))
    lengths = [len(ids) for prompts in model.calls for ids in prompts]
    assert lengths == sorted(lengths, reverse=True)


def test_the_captured_engine_gets_prompts_of_one_length_and_gives_the_same_texts(local_tasks, pocket, sink):
    eager = by_model(ask(local_tasks, pocket, ["words"], batch_size=2))["llama"]
    captured = by_model(ask(local_tasks, pocket, ["words"], batch_size=2, engine="captured"))["llama"]
    assert captured.cell.engine == "captured"
    texts = []
    for each in (eager, captured):
        list(run.run([each], sink))
        texts.append({item.index: item.text for item in items(sink) if item.cell_id == each.cell.cell_id})
    assert texts[0] == texts[1]


def test_any_decoder_can_be_asked_and_is_named_in_the_cell(local_tasks, pocket, sink):
    decoder = {"sampler": "threshold", "threshold": 0.9, "cache": "dual", "early_stop": True}
    asked = by_model(ask(local_tasks, pocket, ["words"], limit=2, overrides=decoder))["llada"]
    assert "threshold 0.9" in asked.cell.label
    assert "dual" in asked.cell.label
    (scored,) = run.run([asked], sink)
    assert report.mean(scored.scores, "forwards_an_item") < 32


def test_sampled_answers_are_the_same_in_a_later_run(local_tasks, pocket, sink, tmp_path):
    texts = []
    for place in (sink, Sink("s", tmp_path / "other.jsonl")):
        asked = ask(local_tasks, pocket, ["words"], limit=4, overrides={"temperature": 1.5})
        list(run.run(asked[:1], place))
        texts.append({item.index: item.text for item in items(place)})
    assert texts[0] == texts[1]
    assert len(set(texts[0].values())) > 1


def test_templates_make_cells_of_their_own_and_are_printed_over(local_tasks, pocket, sink):
    asked = [each for each in ask(local_tasks, pocket, ["words"], templates=("all",)) if each.cell.model == "llama"]
    assert [each.cell.template for each in asked] == ["own", "asked"]
    lines = list(report.lines(list(run.run(asked, sink))))
    assert any(line.startswith("words, LLaMA, over 2 templates: ") for line in lines)


def test_both_models_of_a_pair_share_questions_and_not_token_ids_alone(local_tasks, pocket):
    first, second = ask(local_tasks, pocket, ["words"])
    assert first.cell.prompt_hash == second.cell.prompt_hash
    other = ask(local_tasks, pocket, ["words"], templates=("asked",))[0]
    assert other.cell.prompt_hash != first.cell.prompt_hash


def test_an_official_format_checkpoint_runs(local_tasks, pocket, sink):
    """The golden checkpoint has 512 tokens and no tokenizer: it reads folded ids, and its texts are noise."""
    tiny = ModelFile(weights=str(GOLDEN / "tiny-llada"), tokenizer=TOKENIZER, fold_ids_below=480)
    pair = pocket.model_copy(update={"name": "tiny", "llada": tiny})
    asked = [each for each in ask(local_tasks, pair, ["words", "choices"], limit=2) if each.cell.model == "llada"]
    scored = list(run.run(asked, sink))
    assert [len(each.scores.values["accuracy"]) for each in scored] == [2, 2]
    assert {item.nfe for item in items(sink) if item.text is not None} == {16}


def test_a_cell_that_fails_is_said_and_the_others_go_on(local_tasks, pocket, sink):
    asked = ask(local_tasks, pocket, ["words"], templates=("all",))[:2]
    good = fake(asked[0].texts)

    class Fails(FakeAdapter):
        def generate(self, prompts, mark, lengths=None):
            if self.cell.template == "own":
                raise RuntimeError("CUDA out of memory")
            return super().generate(prompts, mark, lengths)

    model = Fails(good.answer, good.end)
    failed, scored = run.run(asked, sink, Models(lambda kind: model))
    assert failed == f"{asked[0].cell.label}: RuntimeError: CUDA out of memory"
    assert scored.asked.cell.template == "asked"


def test_a_plan_counts_what_is_done_and_needs_no_model(local_tasks, pocket, sink):
    asked = ask(local_tasks, pocket, ["words", "choices"])
    before = list(plan.estimates(asked, {}, {}))
    assert all(each.seconds > 0 and each.done == 0 for each in before)
    list(run.run(asked[:1], sink))
    after = list(plan.estimates(asked, run.items_of(sink), sink.known()))
    assert (after[0].done, after[0].seconds) == (6, 0.0)
    assert "6 of 6" in list(plan.lines(after, "s"))[1]


def test_a_recipe_whose_score_the_task_does_not_give_is_refused(pocket, tmp_path):
    wrong = WORDS_RECIPE | {"score": {"metric": "exact_match", "filter": "strict"}}
    write(tmp_path, "wrong", WORDS, wrong, questions(2))
    with pytest.raises(BadInput, match="gives no exact_match after the filter strict; it gives: exact_match,letters"):
        ask(tmp_path, pocket, ["wrong"])


def test_a_model_without_a_chat_template_is_refused_where_the_recipe_needs_one(local_tasks, pocket, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes((REPO / "bench/pocket/tokenizer/tokenizer.json").read_bytes())
    plain = replace_model(pocket, "llama", str(tmp_path))
    with pytest.raises(BadInput, match=r"has no chat template, which .*words\.yaml needs"):
        ask(local_tasks, plain, ["words"])
    assert ask(local_tasks, plain, ["whole"])


def replace_model(pair, kind, tokenizer):
    return pair.model_copy(update={kind: pair.models[kind].model_copy(update={"tokenizer": tokenizer})})


def test_a_prompt_that_does_not_fit_is_refused(pocket, tmp_path):
    rows = [{"question": "a " * 5000, "answer": "a"}]
    write(tmp_path, "long", WORDS, WORDS_RECIPE, rows)
    with pytest.raises(BadInput, match="more than the 4096 positions"):
        ask(tmp_path, pocket, ["long"])


def test_answers_survive_a_copy_of_the_records(local_tasks, pocket, sink, tmp_path, monkeypatch):
    asked = ask(local_tasks, pocket, ["words"], limit=2)[:1]
    list(run.run(asked, sink, Models(lambda kind: fake(asked[0].texts))))
    monkeypatch.chdir(tmp_path)
    assert disk.replay(sink.file) == ["s"]
    assert run.items_of(Sink("s")) == run.items_of(sink)
    assert [replace(item) for item in items(Sink("s"))] == items(sink)
