"""The frontiers of two studies side by side: edges are compared, tries are not."""

import pytest

from bench.analysis.two_frontiers import TwoEdges
from bench.analysis.two_studies import compare
from tests.support.made_up_two_studies import run, study, tries
from tests.support.refusals import refusal


def edges_of(before: list[dict], after: list[dict]) -> list[TwoEdges]:
    """The edges of two made-up studies that have a cell in common besides."""
    cell = run("llama", [1.0, 1.0])
    return compare(study("a", [cell, *before]), study("b", [cell, *after])).edges


def test_of_two_frontiers_the_edges_are_compared_whatever_batches_were_tried():
    before = tries("llama", (4, "ok"), (8, "ok"), (9, "oom"), (64, "oom"))
    after = tries("llama", (6, "ok"), (12, "ok"), (13, "oom"))
    [edge] = edges_of(before, after)
    assert (edge.before.fits, edge.before.fails, edge.after.fits, edge.after.fails) == (8, 9, 12, 13)
    assert edge.ratio == pytest.approx(1.5)
    assert edge.differences == ()  # other prompts of more rows are none


def test_tries_are_neither_cells_of_a_study_nor_failures():
    before = [run("llama", [1.0, 1.0]), *tries("llama", (4, "ok"), (8, "ok"), (9, "oom"))]
    after = [run("llama", [1.0, 1.0]), *tries("llama", (4, "ok"), (8, "oom"), (9, "oom"), (5, "oom"))]
    found = compare(study("a", before), study("b", after))
    assert [pair.match.before["kind"] for pair in found.pairs] == ["sweep"]
    assert (found.failed, len(found.only_before), len(found.only_after)) == ([], 0, 0)


def test_each_line_and_length_has_its_own_edge_named_alike_in_both():
    """The second study has one head alone, which it would not name by itself."""
    lean, official = ({"head": head, "steps": 64} for head in ("lean", "official"))
    before = [*tries("llada", (3, "ok"), (4, "oom"), **official), *tries("llada", (8, "ok"), (9, "oom"), **lean)]
    before += tries("llada", (2, "ok"), (3, "oom"), **lean, gen_length=256)
    edges = edges_of(before, tries("llada", (16, "ok"), (17, "oom"), **lean))
    assert [(each.edge.line.head, each.edge.gen_length, each.is_in_both, each.ratio) for each in edges] == [
        ("lean", 64, True, 2.0), ("official", 64, False, None), ("lean", 256, False, None),
    ]  # fmt: skip


def test_an_unfinished_search_and_one_where_nothing_fits_have_no_ratio():
    done = tries("llama", (8, "ok"), (9, "oom"))
    for other in ([(8, "ok")], [(8, "ok"), (12, "oom")], [(1, "oom")], [(2, "oom")], [(8, "error")]):
        [edge] = edges_of(done, tries("llama", *other))
        assert edge.is_in_both
        assert edge.ratio is None


WITHIN = {"limit_gib": 24.0}


@pytest.mark.parametrize("other", [{"limit_gib": 40.0}, {}, WITHIN | {"prompt_tokens": 512},
                                   WITHIN | {"dtype": "int8"}, WITHIN | {"engine": "captured"}])  # fmt: skip
def test_searches_of_other_limits_or_settings_are_never_compared(other):
    found = ((8, "ok"), (9, "oom"))
    edges = edges_of(tries("llama", *found, **WITHIN), tries("llama", *found, **other))
    assert [(each.before is None, each.after is None) for each in edges] == [(False, True), (True, False)]
    assert [each.limit_gib for each in edges] == [24.0, other.get("limit_gib")]


def test_on_another_card_of_other_weights_edges_are_compared_and_said_to_be_so():
    found = ((8, "ok"), (9, "oom"))
    [edge] = edges_of(tries("llama", *found), tries("llama", *found, device="another CPU", revision="s"))
    assert (edge.ratio, edge.differences) == (1.0, ("other weights",))


def test_two_searches_of_a_study_with_other_weights_are_not_taken_for_one():
    """The edge of each is that of its own tries; neither is the one that the other study made."""
    before = [*tries("llama", (8, "ok"), (9, "oom")), *tries("llama", (4, "ok"), (5, "oom"), revision="s")]
    edges = edges_of(before, tries("llama", (8, "ok"), (9, "oom"), revision="s"))
    assert [(each.before.fits, each.after and each.after.fits) for each in edges] == [(4, 8), (8, None)]


def test_studies_with_only_a_frontier_in_common_are_compared():
    before = [run("llama", [1.0]), *tries("llama", (8, "ok"), (9, "oom"))]
    found = compare(study("a", before), study("b", tries("llama", (4, "ok"), (5, "oom"))))
    assert (found.pairs, [each.ratio for each in found.edges]) == ([], [0.5])


def test_frontiers_of_other_limits_alone_are_nothing_in_common():
    before, after = (tries("llama", (8, "ok"), limit_gib=limit_gib) for limit_gib in (24.0, None))
    assert refusal(compare, study("a", before), study("b", after)) == (
        "studies a and b have no cell in common: a has grids frontier within 24 GiB of pair pocket, b has frontier of"
        " pair pocket"
    )
