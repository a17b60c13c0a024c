"""Decoders in the report's sentences, on made-up studies."""

from bench.analysis.decoder_places import Decoders
from paper import decoder_numbers
from paper.sentences import scored
from tests.support import made_up_decoders
from tests.support.made_up_decoders import MadeUp

TASKS = "decoders.tasks.l32.block16.b1.float32.eager.lean"


def joined(*studies: MadeUp) -> Decoders:
    first, *others = studies
    for study in others:
        first.rows += study.rows
        first.values |= study.values
    return first.decoders


def said(of: Decoders) -> tuple[str, str]:
    """What the section says of decoders, and what the abstract says."""
    numbers = decoder_numbers.numbers(of)
    return scored.decoders(of, numbers), scored.best_decoders(of, numbers)


def sampled(study: MadeUp) -> MadeUp:
    """The same study at temperature 1."""
    ids = {row["run_id"]: f"{row['run_id']}-hot" for row in study.rows}
    study.rows = [row | {"temperature": "1.0", "run_id": ids[row["run_id"]]} for row in study.rows]
    study.values = {(ids[run_id], name): values for (run_id, name), values in study.values.items()}
    return study


def test_sampled_answers_are_named_in_the_section_and_left_out_of_the_abstract():
    section, abstract = said(joined(sampled(made_up_decoders.tasks_study()), made_up_decoders.tasks_study()))
    assert section.count("On tasks with one right answer \\num") == 1
    assert section.count("On tasks with one right answer at temperature 1 \\num") == 1
    assert section.index("at temperature 1") > section.index("many right answers")
    assert abstract.startswith(f"On tasks \\num{{{TASKS}.best.all.within}} of ")
    assert "temperature" not in abstract
    assert abstract.count("decoders are shown") == 1


def test_a_schedule_is_named_with_its_steps():
    study = MadeUp()
    study.add(400.0, 0, 0)
    study.add(100.0, 0, 0, steps=8)
    _, abstract = said(study.decoders)
    assert "the fastest of them, the authors' schedule in 8 steps, is \\val" in abstract
    of_all = f"{TASKS}.best.all.tokens_per_forward"
    assert f"the authors' schedule in 8 steps needs fewest forwards: \\num{{{of_all}}} tokens each." in abstract
    assert decoder_numbers.numbers(study.decoders)[of_all]["value"] == 4.0


def test_where_no_good_decoder_is_faster_than_vanilla_the_sentence_says_so():
    _, abstract = said(made_up_decoders.texts_study(best_ms=500.0).decoders)
    assert "none of them is faster than vanilla at a step a token: the fastest, threshold 0.9, has \\val" in abstract
    assert "times as fast" not in abstract


def test_batches_are_explained_where_there_are_some():
    assert scored.batches(made_up_decoders.tasks_study().decoders) == ""
    assert scored.batches(Decoders()) == ""
    of_batches = made_up_decoders.tasks_study()
    of_batches.rows = [row | {"batch_size": 106} for row in of_batches.rows]
    assert scored.batches(of_batches.decoders).startswith("Answers were made in batches.")
