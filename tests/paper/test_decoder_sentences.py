"""Decoders in the report's sentences, on made-up studies."""

from dataclasses import replace

from bench.analysis.decoder_gains import best_of
from bench.analysis.decoder_places import Decoders, decoders_of
from bench.analysis.noise import judge
from bench.render.doubt import NO_INTERVAL
from paper import decoder_numbers
from paper.decoder_selection import fastest_unscored
from paper.sentences import scored
from paper.tables import best_decoders, fastest_decoders
from tests.support import made_up_decoders
from tests.support.made_up_decoders import MadeUp, threshold

TASKS = "decoders.tasks.l32.block16.b1.float32.eager.lean"


def joined(*studies: MadeUp) -> Decoders:
    first, *others = studies
    for study in others:
        first.rows += study.rows
        first.values |= study.values
    return first.decoders


def said(of: Decoders) -> str:
    """What the report says of decoders."""
    return scored.decoders(of, decoder_numbers.numbers(of))


def sampled(study: MadeUp) -> MadeUp:
    """The same study at temperature 1."""
    ids = {row["run_id"]: f"{row['run_id']}-hot" for row in study.rows}
    study.rows = [row | {"temperature": "1.0", "run_id": ids[row["run_id"]]} for row in study.rows]
    study.values = {(ids[run_id], name): values for (run_id, name), values in study.values.items()}
    return study


def test_the_sentence_is_of_greedy_answers_and_the_table_has_the_sampled_ones_too():
    both = joined(sampled(made_up_decoders.tasks_study()), made_up_decoders.tasks_study())
    sentence = said(both)
    assert sentence.startswith(f"On tasks \\num{{{TASKS}.best.all.within}} of ")
    assert "temperature" not in sentence
    assert sentence.count("decoders are shown") == 1
    table = best_decoders.table([best for place in both.places for best in best_of(place)])
    assert list(table.index) == [
        f"Tasks, {how}: {prompts}"
        for how in ("greedy", "temperature 1")
        for prompts in ("all", "one right answer", "many right answers")
    ]
    first = table.iloc[0]
    assert (first["within"], first["fastest"]) == ("3 of 6", "threshold 0.9, dual cache (block)")
    assert (first["most parallel"], first["tokens a forward"]) == ("threshold 0.9", "2.00")


def test_greedy_answers_lead_even_where_more_sampled_decoders_were_judged():
    more = made_up_decoders.tasks_study()
    more.add(300.0, 10, 10, **threshold(0.95))
    assert "temperature" not in said(joined(sampled(more), made_up_decoders.tasks_study()))


def test_places_that_differ_in_their_batch_alone_are_told_apart():
    larger = made_up_decoders.tasks_study()
    ids = {row["run_id"]: f"{row['run_id']}-larger" for row in larger.rows}
    larger.rows = [row | {"batch_size": 8, "run_id": ids[row["run_id"]]} for row in larger.rows]
    larger.values = {(ids[run_id], name): values for (run_id, name), values in larger.values.items()}
    places = joined(made_up_decoders.tasks_study(), larger).places
    index = list(best_decoders.table([best_of(place)[0] for place in places]).index)
    assert index == ["Tasks, greedy, 32 tokens, batch 1: all", "Tasks, greedy, 32 tokens, batch 8: all"]


def test_sampled_answers_alone_are_named():
    assert said(sampled(made_up_decoders.tasks_study()).decoders).startswith("On tasks at temperature 1, \\num")


def test_a_place_without_a_good_decoder_has_dashes():
    study = MadeUp()
    study.add(400.0)
    study.add(50.0, 60, 60, **threshold(0.5))
    row = best_decoders.table(best_of(study.place)).iloc[0]
    assert list(row) == ["0 of 1", "--", "--", "--", "--", "--"]


def test_a_schedule_is_named_with_its_steps():
    study = MadeUp()
    study.add(400.0, 0, 0)
    study.add(100.0, 0, 0, steps=8)
    sentence = said(study.decoders)
    assert "the fastest of them, the authors' schedule in 8 steps, is \\val" in sentence
    of_all = f"{TASKS}.best.all.tokens_per_forward"
    assert f"most tokens a forward are those of the authors' schedule in 8 steps: \\num{{{of_all}}}." in sentence
    assert decoder_numbers.numbers(study.decoders)[of_all]["value"] == 4.0


def test_where_no_good_decoder_is_faster_than_vanilla_the_sentence_says_so():
    sentence = said(made_up_decoders.texts_study(best_ms=500.0).decoders)
    assert "none of them is faster than vanilla at a step a token: threshold 0.9 has \\val" in sentence
    assert "times as fast" not in sentence
    sentence = said(made_up_decoders.texts_study(best_ms=400.0).decoders)
    assert "; of these threshold 0.9 has the highest speed, \\val" in sentence


def test_batches_are_explained_where_there_are_some():
    assert scored.batches(made_up_decoders.tasks_study().decoders) == ""
    assert scored.batches(Decoders()) == ""
    of_batches = made_up_decoders.tasks_study()
    of_batches.rows = [row | {"batch_size": 106} for row in of_batches.rows]
    assert scored.batches(of_batches.decoders).startswith("Where answers were made in batches, ")


def test_decoders_without_a_score_stand_beside_llama_at_each_place():
    timed = made_up_decoders.shapes_study().decoders
    numbers = decoder_numbers.numbers(timed)
    sentence = scored.beside(timed)
    name = "decoders.timed.l256.block32.b{}.p128.bfloat16.captured.lean.imposed-8-dual-cache-answer"
    for batch in (1, 8, 32):
        key = f"{name.format(batch)}.rate_over_autoregressive"
        assert f"\\val{{{key}}} at batch {batch}, prompts of 128 (imposed 8, dual cache (answer))" in sentence
        assert key in numbers
    assert "gives these times LLaMA's: " in sentence
    judged = made_up_decoders.tasks_study().decoders
    assert scored.beside(judged) == ""


def test_of_one_round_the_sentence_says_so():
    one_round = made_up_decoders.shapes_study()
    every = one_round.values
    one_round.values = {name: {1: values[1]} for name, values in every.items()}
    timed = one_round.decoders
    assert scored.beside(timed).count(f" times LLaMA's ({NO_INTERVAL}): ") == 1
    kept = one_round.values
    at_batch_1 = {row["run_id"] for row in one_round.rows if row["batch_size"] == 1}
    one_round.values = {name: kept[name] if name[0] in at_batch_1 else values for name, values in every.items()}
    mixed = one_round.decoders
    assert scored.beside(mixed).count(f"({NO_INTERVAL}) at batch 1,") == 1


def test_a_place_without_llama_is_left_out_and_settings_that_differ_are_named():
    shapes = made_up_decoders.shapes_study()
    shapes.rows = [row for row in shapes.rows if not (row["model"] == "llama" and row["batch_size"] == 1)]
    eager = made_up_decoders.shapes_study()
    ids = {row["run_id"]: f"{row['run_id']}-eager" for row in eager.rows}
    eager.rows = [row | {"engine": "eager", "run_id": ids[row["run_id"]]} for row in eager.rows]
    eager.values = {(ids[run_id], name): values for (run_id, name), values in eager.values.items()}
    timed = joined(shapes, eager)
    name = "decoders.timed.l256.block32.b{}.p128.bfloat16.captured.lean.imposed-8-dual-cache-answer"
    sentence = scored.beside(timed)
    assert "Over 5 places the decoder with most tokens a second gives between \\val" in sentence
    assert sentence.count("\\val") == 2
    assert f"\\val{{{name.format(32)}.rate_over_autoregressive}} at batch 32, prompts of 128" in sentence
    table = fastest_decoders.table(fastest_unscored(timed))
    assert sorted(table.index) == sorted(
        f"Batch {batch}, prompts of 128, {engine} engine, lean head"
        for batch, engine in ((8, "captured"), (32, "captured"), (1, "eager"), (8, "eager"), (32, "eager"))
    )
    assert set(table["decoder"]) == {"imposed 8, dual cache (answer)"}
    told = fastest_decoders.caption(fastest_unscored(timed))
    assert "256 tokens, blocks of 32, forced length, bfloat16, greedy, on " in told


def test_a_few_places_have_a_sentence_and_no_table(tmp_path):
    fastest_decoders.write(made_up_decoders.shapes_study().decoders, tmp_path)
    assert (tmp_path / "decoders_fastest.tex").read_text() == ""
    fastest_decoders.write(Decoders(), tmp_path)
    assert (tmp_path / "decoders_fastest.tex").read_text() == ""


def test_runs_of_two_cards_have_a_ratio_without_an_interval():
    two_cards = made_up_decoders.shapes_study()
    study = two_cards.study
    cards = {row["run_id"]: dict.fromkeys((1, 2, 3), "A" if row["model"] == "llama" else "B") for row in two_cards.rows}
    found = decoders_of(judge(replace(study, histories=replace(study.histories, cards=cards))), {})
    assert scored.beside(found).count(f"({NO_INTERVAL})") == 1
