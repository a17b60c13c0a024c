"""The frontiers of two studies side by side, as a terminal shows them."""

import pytest

from bench.analysis.two_studies import compare
from bench.render import two_frontiers
from bench.render import two_studies as render
from tests.support.made_up_two_studies import run, study, tries

LEAN = {"head": "lean", "steps": 64}
DONE = ((8, "ok"), (9, "oom"))


def lines_of(before: list[dict], after: list[dict], is_verbose: bool = False) -> list[str]:
    """What is printed of two studies."""
    return render.lines(compare(study("before", before), study("after", after)), is_verbose)


def frontier_lines(before: list[dict], after: list[dict]) -> list[str]:
    """Of that what says where the searches ended."""
    return [line for line in lines_of(before, after) if line.startswith(two_frontiers.TITLE)]


def test_the_edges_of_both_studies_stand_in_one_sentence_for_each_limit():
    before = [*tries("llama", *DONE, limit_gib=24.0), *tries("llada", *DONE, limit_gib=24.0, **LEAN)]
    before += tries("llama", (1688, "ok"), (1700, "oom"), gen_length=2048, limit_gib=24.0)
    after = [*tries("llama", (12, "ok"), (13, "oom"), limit_gib=24.0), *tries("llada", *DONE, limit_gib=24.0, **LEAN)]
    after += tries("llama", (844, "ok"), (850, "oom"), gen_length=2048, limit_gib=24.0)
    assert lines_of(before, after)[2:] == [
        "",
        "Largest batch that fits within 24 GiB, b over a: LLaMA: 64 tokens 8 to 12 (1.50), 2,048 tokens 1,688 to 844"
        " (0.50); LLaDA: 64 tokens 8 to 8 (1.00).",
        two_frontiers.WITHIN,
    ]


def test_what_one_study_searched_alone_is_named_as_such():
    before = [*tries("llama", *DONE), *tries("llama", *DONE, limit_gib=24.0)]
    after = [*tries("llama", *DONE), *tries("llada", *DONE, **LEAN)]
    assert frontier_lines(before, after) == [
        "Largest batch that fits within 24 GiB, only in a: LLaMA: 64 tokens 8.",
        "Largest batch that fits, b over a: LLaMA: 64 tokens 8 to 8 (1.00).",
        "Largest batch that fits, only in b: LLaDA: 64 tokens 8.",
    ]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([(73, "ok")], "at least 73"),
        ([(73, "ok"), (90, "oom")], "at least 73"),
        ([(2, "oom")], "less than 2"),
        ([(1, "oom")], "none"),
        ([(8, "error")], "not known"),
    ],
)
def test_a_search_that_is_not_at_its_end_is_said_in_words_without_a_ratio(found, words):
    lines = lines_of(tries("llama", *DONE), tries("llama", *found))
    assert lines[3:] == [f"Largest batch that fits, b over a: LLaMA: 64 tokens 8 to {words}."]
    [before, _] = frontier_lines(
        [run("llama", [1.0]), *tries("llama", *found)], [run("llama", [1.0]), *tries("llada", *DONE)]
    )
    assert before == f"Largest batch that fits, only in a: LLaMA: 64 tokens {words}."


def test_no_try_is_printed_as_a_cell():
    cell = run("llama", [1.0, 1.0])
    lines = lines_of([cell, *tries("llama", (4, "ok"), *DONE)], [cell, *tries("llama", (4, "oom"))], is_verbose=True)
    text = "\n".join(lines)
    assert "1 cell measured in both." in lines
    assert not any(words in text for words in ("Only in", "only in", "Left out", "frontier"))
    assert " ".join(text.split()).count("LLaMA 64 8 - 9 none - 4 - b's search not at its end") == 1


def test_lines_that_would_be_called_the_same_are_told_apart_by_what_differs():
    before = [*tries("llama", *DONE, dtype="int8"), *tries("llama", (4, "ok"), (5, "oom"))]
    assert frontier_lines(before, tries("llama", *DONE, dtype="int8")) == [
        "Largest batch that fits, b over a: LLaMA, dtype int8: 64 tokens 8 to 8 (1.00).",
        "Largest batch that fits, only in a: LLaMA, dtype float32: 64 tokens 4.",
    ]


ON_GPU = {"platform": "cuda", "verdict": "exclusive"}
EXPANDABLE = {"env.allocator": "expandable_segments:True"}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, EXPANDABLE, ("; allocator at its defaults", "; allocator expandable_segments:True")),
        (EXPANDABLE, EXPANDABLE, ("", "")),
        ({}, {}, ("", "")),
    ],
)
def test_other_settings_of_the_allocator_are_said_of_both_studies(before, after, words):
    found = tries("llama", (8, "ok"), **ON_GPU, **before), tries("llama", (8, "ok"), (9, "oom"), **ON_GPU, **after)
    assert [line.partition("c0ffee; ")[2] for line in lines_of(*found)[:2]] == [f"1 run{words[0]}", f"2 runs{words[1]}"]
