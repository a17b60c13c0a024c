"""Decoders in the terminal, on made-up studies."""

from types import SimpleNamespace

from bench.analysis.decoder_gains import best_of
from bench.render import decoder_words
from bench.render import decoders as render
from bench.render.study import print_decoders
from tests.support import made_up_decoders
from tests.support.made_up_decoders import threshold


def text_of(made_up) -> str:
    return "\n".join(line for place in made_up.decoders.places for line in render.lines_of(place))


def test_the_table_has_a_line_for_each_decoder_beside_vanilla_and_llama():
    table = render.table(made_up_decoders.tasks_study().place).set_index("decoder")
    assert table.index[:2].tolist() == ["LLaMA", render.VANILLA]
    both = table.loc["threshold 0.9, dual cache (block)"]
    assert both["x vanilla"] == "3.33 [3.33, 3.33]"
    assert both["x LLaMA"] == "1.67 [1.67, 1.67]"
    assert both["accuracy"] == "0.895"
    assert both["less vanilla's"].startswith("-0.005 [")
    assert both["within 0.05"] == "all one many"
    assert table.loc["threshold 0.5"]["within 0.05"] == "one"
    assert table.loc[render.VANILLA]["within 0.05"] == "-"
    assert both["tokens/forward"] == "2.00"
    assert both["kept"] == "32.0"


def test_a_title_says_what_the_decoders_share():
    assert decoder_words.place_words(made_up_decoders.tasks_study().place) == (
        "200 tasks, 32 tokens, blocks of 16, batch 1, natural end, float32, greedy, eager engine, lean head"
    )
    assert decoder_words.place_words(made_up_decoders.shapes_study().decoders.places[1]) == (
        "24 prompts, 256 tokens, prompts of 128, blocks of 32, batch 8, forced length, bfloat16, greedy, captured"
        " engine, lean head"
    )


def test_the_best_is_told_for_each_kind_of_task():
    everything, one, many = map(decoder_words.best_sentence, best_of(made_up_decoders.tasks_study().place))
    assert everything.startswith(
        "Best decoder on all tasks: threshold 0.9, dual cache (block) is 3.33 [3.33, 3.33] times as fast as vanilla at"
        " a step a token, within 0.05 of vanilla's accuracy (-0.005 ["
    )
    assert everything.endswith(
        "it is the fastest of 3 that are, of 6 judged. Most tokens a forward within the margin: threshold 0.9, 2.00."
    )
    assert "on tasks with one right answer: threshold 0.5, dual cache (block) is 6.67" in one
    assert "on tasks with many right answers: threshold 0.9, dual cache (block) is 3.33" in many


def test_a_study_without_scores_is_summed_up_by_its_fastest_decoders():
    shapes = made_up_decoders.shapes_study().decoders.places
    title, *said = decoder_words.best_sentences(shapes)
    assert title == (
        "Fastest decoders, 256 tokens, blocks of 32, forced length, bfloat16, greedy, captured engine,"
        " lean head. Quality: not measured, so whether the text stays good is not known."
    )
    assert [line.split(":")[0] for line in said] == [f"  batch {batch}, prompts of 128" for batch in (1, 8, 32)]
    assert said[0].endswith("imposed 8, dual cache (answer) gives 5.92 [5.92, 5.92] times LLaMA's tokens/s.")
    alone, sentence = decoder_words.best_sentences(shapes[:1])
    assert alone == f"Decoders, {decoder_words.place_words(shapes[0])}:"
    assert sentence.startswith("  Fastest: imposed 8, dual cache (answer) gives 5.92")
    tasks = [made_up_decoders.tasks_study().place]
    assert not any("Fastest" in line for line in decoder_words.best_sentences(tasks))
    assert decoder_words.best_sentences([*tasks, *shapes])[-4:] == [title, *said]


def test_a_best_below_three_times_says_so_and_points_to_the_curve():
    [best] = best_of(made_up_decoders.texts_study(200.0).place)
    sentence = decoder_words.best_sentence(best)
    assert sentence.startswith("Best decoder: threshold 0.9 is 2.00 [2.00, 2.00] times as fast")
    assert (
        "That is below 3 times: the fastest of all, threshold 0.5, dual cache (block), is 8.00 [8.00, 8.00] times as"
        " fast, at -0.100 [-0.100, -0.100] (the report's figure of quality lost against speed won has the curve)."
    ) in sentence
    assert sentence.endswith("Most tokens a forward within the margin: threshold 0.9, 1.00.")
    [best] = best_of(made_up_decoders.texts_study(130.0).place)
    assert "below 3 times" not in decoder_words.best_sentence(best)


def test_where_none_is_good_enough_the_sentence_says_so():
    made_up = made_up_decoders.MadeUp()
    made_up.add(400.0)
    made_up.add(50.0, 60, 60, **threshold(0.5))
    sentence = decoder_words.best_sentence(best_of(made_up.place)[0])
    assert "none of 1 is shown to stay within 0.05 of vanilla's accuracy; the fastest of all, threshold 0.5" in sentence
    assert "Most tokens" not in sentence


def test_interaction_and_area_are_small_tables():
    place = made_up_decoders.tasks_study().place
    interaction = render.interaction_table(render.interactions_of(place)).set_index("sampler")
    assert interaction.loc["threshold 0.9", "dual cache (block)"] == "0.83 [0.83, 0.83]"
    areas = render.aup_table(render.areas_of(place)).set_index("curve")
    assert areas.loc["threshold", "points that count (all)"] == "1 of 2"
    assert areas.columns.tolist() == ["all", "one", "many", "points that count (all)"]
    text = text_of(made_up_decoders.tasks_study())
    assert "y_max is vanilla's accuracy here" in text


def test_without_vanilla_there_is_a_table_and_what_to_measure():
    made_up = made_up_decoders.MadeUp()
    made_up.add(100.0, **threshold(0.9))
    text = text_of(made_up)
    assert "threshold 0.9" in text
    assert "No speedup over vanilla: it is not measured here (sampler fixed, cache none, 32 steps" in text
    assert "x vanilla" not in text


def test_shapes_without_quality_have_speeds_alone():
    text = text_of(made_up_decoders.shapes_study())
    assert "RANDOM WEIGHTS" in text
    assert "Best decoder" not in text
    assert "accuracy" not in text
    assert "imposed 4, dual cache (answer)" in text
    fastest = [line for line in text.splitlines() if line.startswith("Fastest: ")]
    assert len(fastest) == 3
    assert fastest[0] == (  # 1,520 ms over 15 + 31 * 7.8
        "Fastest: imposed 8, dual cache (answer) gives 5.92 [5.92, 5.92] times LLaMA's tokens/s. Quality: not measured,"
        " so whether the text stays good is not known."
    )
    assert "Fastest: " not in text_of(made_up_decoders.tasks_study())


def test_a_run_that_failed_has_its_reason():
    made_up = made_up_decoders.tasks_study()
    made_up.add(1.0, **threshold(0.7), outcome="oom", message="no room")
    text = text_of(made_up)
    assert "oom: no room" in text
    assert "Left out: 1 of 9 runs (1 oom)." in text


def test_the_cost_model_says_how_many_counts_are_equal():
    made_up = made_up_decoders.MadeUp()
    told = {"predicted/nfe": 32.0, "predicted/rows": 1000.0, "predicted/latency_ms": 100.0}
    made_up.add(400.0, **told, **{"compute/rows": 1000.0})
    made_up.add(400.0, **threshold(0.9), **{"predicted/latency_ms": 200.0})
    assert render.cost_sentence(made_up.decoders.places) == (
        "Cost model: of 1 runs whose steps are known beforehand, forwards and rows are exactly those that were counted"
        " in 1. Measured over predicted time, from the forwards that were counted: median 3.00 (2.00 to 4.00, 2 runs);"
        f" furthest from 1: 4.00, of {render.VANILLA}."
    )
    assert render.cost_sentence(made_up_decoders.tasks_study().decoders.places) == ""


def test_a_terminal_shows_the_places_of_some_cells_alone(capsys):
    made_up = made_up_decoders.shapes_study()
    findings = SimpleNamespace(study="made up", decoders=made_up.decoders)
    print_decoders(findings)
    assert capsys.readouterr().out.count("study made up, decoders: ") == 3
    of_batch_8 = {row["cell_id"] for row in made_up.rows if row["batch_size"] == 8}
    print_decoders(findings, of_batch_8)
    shown = capsys.readouterr().out
    assert shown.count("study made up, decoders: ") == 1
    assert "24 prompts, 256 tokens, prompts of 128, blocks of 32, batch 8" in shown


def test_a_place_at_which_every_run_failed_says_why():
    made_up = made_up_decoders.MadeUp()
    made_up.add(1.0, **threshold(0.7), outcome="oom", message="no room")
    made_up.add(1.0, outcome="oom", message="no room")
    [place] = made_up.decoders.places
    text = text_of(made_up)
    assert text.count("oom: no room") == 2
    assert "threshold 0.7" in text
    assert "Left out: 2 of 2 runs (2 oom)." in text
    assert best_of(place) == []
    assert decoder_words.place_words(place).startswith("200 prompts, 32 tokens")
